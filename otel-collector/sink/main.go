// Command sink stands in tests where vendors' clouds cannot run. It speaks the protocols of
// Datadog, New Relic and other OTLP backends, Splunk, CloudWatch Logs and Elasticsearch, decodes
// what it is sent with the vendors' own libraries where there are any, and keeps it for the test to
// read. It can also stand in front of a real server. On request it misbehaves as servers and
// networks do.
//
// README.md tells the protocol of its control port and what it deliberately leaves out.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sink: ")
	options, err := parseOptions(os.Args[1:])
	if err != nil {
		log.Print(err)
		os.Exit(2)
	}
	sink, err := startSink(options)
	if err != nil {
		log.Print(err)
		os.Exit(1)
	}
	ready := map[string]string{"listen": sink.door.address(), "control": sink.controlAddress()}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		log.Print(err)
		os.Exit(1)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	sink.stop()
}

// sink is everything that runs: the data port, which may be closed and opened again, and the
// control port, which is always there.
type sink struct {
	store   *store
	modes   *modes
	door    *door
	control *http.Server
	// controlListener tells the real address when the port was given as 0.
	controlListener net.Listener
}

func startSink(options options) (*sink, error) {
	tlsConfig, err := options.tlsConfig()
	if err != nil {
		return nil, err
	}
	own := &sink{store: newStore(maxRecords, maxRecordBytes, maxRequests), modes: newModes()}
	own.store.countOnly = options.countOnly
	own.modes.isTCP = options.forwardTCP != ""
	var serve func(net.Listener) func()
	if own.modes.isTCP {
		serve = (&tcpProxy{upstream: options.forwardTCP, modes: own.modes}).serve
	} else {
		serve = serveHTTP(newFront(options, own.store, own.modes), tlsConfig)
	}
	own.door, err = openDoor(options.listen, serve)
	if err != nil {
		return nil, err
	}
	own.modes.apply = func(mode Mode) error {
		if mode.Name == modeRefuse {
			own.door.close()
			return nil
		}
		return own.door.open()
	}
	own.controlListener, err = net.Listen("tcp", options.control)
	if err != nil {
		own.door.close()
		return nil, err
	}
	handler := newControl(own.store, own.modes)
	own.control = &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	go func() {
		if err := own.control.Serve(own.controlListener); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("the control port ended: %v", err)
		}
	}()
	return own, nil
}

func (s *sink) controlAddress() string { return s.controlListener.Addr().String() }

func (s *sink) stop() {
	s.door.close()
	_ = s.control.Close()
}

// serveHTTP gives the door a new server at each opening, for a closed one cannot be used again.
func serveHTTP(handler http.Handler, tlsConfig *tls.Config) func(net.Listener) func() {
	return func(listener net.Listener) func() {
		server := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       bodyTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			TLSConfig:         tlsConfig,
			// A refused handshake is the test's own doing, and its line would hold addresses only.
			ErrorLog: log.New(os.Stderr, "sink: ", 0),
			// A fault takes the connection over, which HTTP/2 does not allow.
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		}
		go func() {
			var err error
			if tlsConfig == nil {
				err = server.Serve(listener)
			} else {
				err = server.ServeTLS(listener, "", "")
			}
			if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				log.Printf("the data port ended: %v", err)
			}
		}()
		return func() { _ = server.Close() }
	}
}

// tlsConfig is nil when no certificate is given.
func (o options) tlsConfig() (*tls.Config, error) {
	if o.tlsCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be used: %w", err)
	}
	versions := tlsVersions[o.tlsMax]
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   versions.oldest, MaxVersion: versions.newest,
	}
	if o.clientCA != "" {
		text, err := os.ReadFile(o.clientCA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", o.clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// Limits of everything that could otherwise grow or wait without end.
const (
	// maxRecords and maxRecordBytes bound what is kept; beyond them the answer is 507.
	maxRecords     = 500_000
	maxRecordBytes = 512 << 20
	// maxUIDs bounds what is counted with --count-only.
	maxUIDs = 2_000_000
	// maxRequests bounds the requests that are remembered; the oldest go first.
	maxRequests = 100_000
	// maxConnections bounds the data port; more wait in the kernel's backlog.
	maxConnections = 256
	// maxWireBytes bounds a body as it is sent, maxBodyBytes the same after decompression.
	maxWireBytes = 32 << 20
	maxBodyBytes = 64 << 20

	maxHeaderBytes = 64 << 10
	headerTimeout  = 10 * time.Second
	bodyTimeout    = 60 * time.Second
	idleTimeout    = 120 * time.Second
)
