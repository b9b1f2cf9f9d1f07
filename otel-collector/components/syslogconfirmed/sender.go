package syslogconfirmed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// So much is written at once; a batch is never held in memory a second time as a whole.
	writeBytes = 64 * 1024
	// Syslog servers say nothing. What they say nevertheless is read, and ends somewhere.
	maxIgnoredBytes = 1 << 20
	// How often it is looked whether the server's host has confirmed every byte.
	pollEvery = 5 * time.Millisecond
)

type sender struct {
	config *Config
	tls    *tls.Config
}

func (s *sender) start(ctx context.Context, _ component.Host) error {
	if s.config.TLS.Insecure {
		return nil
	}
	loaded, err := s.config.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return err
	}
	if loaded == nil {
		loaded = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if loaded.ServerName == "" {
		loaded.ServerName = s.config.Host
	}
	s.tls = loaded
	return nil
}

// connection is TCP, and what is written to: TCP itself, or TLS on it.
type connection struct {
	tcp    *net.TCPConn
	stream net.Conn
	// raw is what TLS reads from; nil without TLS.
	raw *watched
}

// watched notes that the other side has ended TCP. Go's TLS calls an end without close_notify an
// end like any other; when close_notify came, it has not looked further.
type watched struct {
	*net.TCPConn
	ended bool
}

func (w *watched) Read(into []byte) (int, error) {
	count, err := w.TCPConn.Read(into)
	if errors.Is(err, io.EOF) {
		w.ended = true
	}
	return count, err
}

// send delivers a batch over a connection of its own. Every error is worth another try.
func (s *sender) send(ctx context.Context, batch plog.Logs) error {
	if batch.LogRecordCount() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("no connection to the syslog server: %w", err)
	}
	defer conn.tcp.Close()
	// Ends whatever waits below, at the timeout or when the collector stops.
	stop := context.AfterFunc(ctx, func() { _ = conn.tcp.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err = s.deliver(ctx, conn, batch)
	if cause := ctx.Err(); err != nil && cause != nil {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func (s *sender) deliver(ctx context.Context, conn *connection, batch plog.Logs) error {
	if err := s.write(conn.stream, batch); err != nil {
		return fmt.Errorf("the syslog server does not read: %w", err)
	}
	// An end that is no answer to ours says nothing about what was read.
	if hasEnded(conn.tcp) {
		return errors.New("the syslog server ended the connection before us")
	}
	if err := conn.endOurSide(); err != nil {
		return fmt.Errorf("the connection cannot be ended in order: %w", err)
	}
	if err := s.confirm(ctx, conn); err != nil {
		return fmt.Errorf("the syslog server does not confirm: %w", err)
	}
	return nil
}

func (s *sender) connect(ctx context.Context) (*connection, error) {
	address := net.JoinHostPort(s.config.Host, strconv.Itoa(s.config.Port))
	dialed, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, ok := dialed.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("not a TCP connection"), dialed.Close())
	}
	if s.tls == nil {
		return &connection{tcp: tcp, stream: tcp}, nil
	}
	raw := &watched{TCPConn: tcp}
	secured := tls.Client(raw, s.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return &connection{tcp: tcp, stream: secured, raw: raw}, nil
}

func (s *sender) write(stream net.Conn, batch plog.Logs) error {
	buffer := make([]byte, 0, writeBytes+s.config.MaxMessageBytes+16)
	for _, resource := range batch.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				buffer = appendFrame(buffer, record, s.config.MaxMessageBytes)
				if len(buffer) < writeBytes {
					continue
				}
				if _, err := stream.Write(buffer); err != nil {
					return err
				}
				buffer = buffer[:0]
			}
		}
	}
	_, err := stream.Write(buffer)
	return err
}

// endOurSide tells the server that nothing more comes: by TLS, and by TCP below it.
func (c *connection) endOurSide() error {
	if secured, ok := c.stream.(*tls.Conn); ok {
		if err := secured.CloseWrite(); err != nil {
			return err
		}
	}
	return c.tcp.CloseWrite()
}

// confirm waits for the server's end and judges it.
func (s *sender) confirm(ctx context.Context, conn *connection) error {
	ignored, err := io.Copy(io.Discard, io.LimitReader(conn.stream, maxIgnoredBytes))
	switch {
	case err == nil && ignored == maxIgnoredBytes:
		return errors.New("it talks without end")
	case errors.Is(err, syscall.ECONNRESET) && s.config.Confirmation == confirmReset:
		return resetAfterEverything(conn.tcp)
	case err != nil:
		return err
	case s.config.Confirmation == confirmCloseNotify && (conn.raw == nil || conn.raw.ended):
		return errors.New("it ended the connection without close_notify")
	}
	return awaitBytesConfirmed(ctx, conn.tcp)
}

// awaitBytesConfirmed makes sure that the server did not end before everything reached its host:
// its end may have crossed our last bytes on the way.
func awaitBytesConfirmed(ctx context.Context, tcp *net.TCPConn) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		unconfirmed, err := outstanding(tcp)
		if err != nil || unconfirmed == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// resetAfterEverything lets the end of our side, which counts as one byte, be unconfirmed: the
// reset stands in its place.
func resetAfterEverything(tcp *net.TCPConn) error {
	unconfirmed, _ := outstanding(tcp)
	if unconfirmed > 1 {
		return fmt.Errorf("it reset the connection with %d bytes outstanding", unconfirmed)
	}
	return nil
}
