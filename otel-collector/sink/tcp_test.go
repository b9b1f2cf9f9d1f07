package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// realTCP keeps what it reads and ends a connection when its client has ended.
type realTCP struct {
	lock  sync.Mutex
	taken bytes.Buffer
}

func (r *realTCP) text() string {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.taken.String()
}

func startTCP(t *testing.T, config *tls.Config) (*running, *realTCP) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	t.Cleanup(func() { listener.Close() })
	server := &realTCP{}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				buffer := make([]byte, 1024)
				for {
					length, err := connection.Read(buffer)
					server.lock.Lock()
					server.taken.Write(buffer[:length])
					server.lock.Unlock()
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return start(t, "--forward-tcp", address), server
}

// deliver writes a line, ends its side and waits for the server's end, as a careful client does.
func deliver(connection net.Conn, text string) error {
	defer connection.Close()
	if _, err := io.WriteString(connection, text); err != nil {
		return err
	}
	if half, ok := connection.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	_ = connection.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, err := io.ReadAll(connection)
	return err
}

func (r *running) dial() net.Conn {
	r.t.Helper()
	connection, err := net.Dial("tcp", r.door.address())
	must(r.t, err)
	return connection
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func TestTCPFaults(t *testing.T) {
	own, server := startTCP(t, nil)
	must(t, deliver(own.dial(), "one\n"))
	equal(t, "taken", server.text(), "one\n")

	own.mode(`{"mode":"reset","for_requests":1}`)
	// A reset that is there before the end of writing is told by another name.
	err := deliver(own.dial(), "lost\n")
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ENOTCONN) {
		t.Fatal(err)
	}
	own.mode(`{"mode":"hang"}`)
	if err := deliver(own.dial(), "hung\n"); !isTimeout(err) {
		t.Fatal(err)
	}
	own.mode(`{"mode":"taken_then_hang"}`)
	if err := deliver(own.dial(), "two\n"); !isTimeout(err) {
		t.Fatal(err)
	}
	equal(t, "taken", server.text(), "one\ntwo\n")
	own.mode(`{"mode":"refuse"}`)
	if _, err := net.Dial("tcp", own.door.address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	own.mode(`{"mode":"ok"}`)
	must(t, deliver(own.dial(), "three\n"))
	equal(t, "taken", server.text(), "one\ntwo\nthree\n")
	refused := own.ask(http.MethodPut, "/mode", `{"mode":"status","status":500}`)
	equal(t, "a status", refused.status, 400)
}

func TestFaultsReachOpenTCPConnections(t *testing.T) {
	own, server := startTCP(t, nil)
	for _, mode := range []string{"hang", "reset", "refuse"} {
		own.mode(`{"mode":"ok"}`)
		connection := own.dial()
		_, err := io.WriteString(connection, mode+"\n")
		must(t, err)
		eventually(t, "the first line", func() bool {
			return strings.HasSuffix(server.text(), mode+"\n")
		})
		own.mode(`{"mode":"` + mode + `"}`)
		if mode != "refuse" {
			_, err = io.WriteString(connection, "lost\n")
			must(t, err)
		}
		if mode == "hang" {
			time.Sleep(100 * time.Millisecond)
			own.mode(`{"mode":"ok"}`)
		}
		_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := connection.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%s: %v", mode, err)
		}
		connection.Close()
	}
	equal(t, "taken", server.text(), "hang\nreset\nrefuse\n")
}

func TestTCPWithTLSInside(t *testing.T) {
	arguments, client := certificateForTest(t)
	pair, err := tls.LoadX509KeyPair(arguments[1], arguments[3])
	must(t, err)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		own, server := startTCP(t, &tls.Config{Certificates: []tls.Certificate{pair}})
		config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName, config.MinVersion, config.MaxVersion = "127.0.0.1", version, version
		must(t, deliver(tls.Client(own.dial(), config), "one\n"))
		own.mode(`{"mode":"taken_then_hang"}`)
		connection := tls.Client(own.dial(), config)
		must(t, connection.Handshake())
		if err := deliver(connection, "two\n"); !isTimeout(err) {
			t.Fatalf("%s: %v", tls.VersionName(version), err)
		}
		equal(t, "taken", server.text(), "one\ntwo\n")
	}
}

func TestAResetOfTheRealServerIsPassedOnAsOne(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = connection.Read(make([]byte, 1))
		reset(connection)
	}()
	client := start(t, "--forward-tcp", listener.Addr().String()).dial()
	defer client.Close()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = client.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = client.Read(make([]byte, 1))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client was told %v and not of a reset", err)
	}
}
