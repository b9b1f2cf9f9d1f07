package tlsrelay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"
)

const (
	maxHeaderBytes = 64 << 10
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
)

var _ extension.Extension = (*relays)(nil)

// relays is the extension: a server for each relay.
type relays struct {
	config  *Config
	logger  *zap.Logger
	servers []*http.Server
	running sync.WaitGroup
}

// Start opens all relays, or none.
func (r *relays) Start(ctx context.Context, _ component.Host) error {
	for name, relay := range r.config.Relays {
		if err := r.open(ctx, name, relay); err != nil {
			return errors.Join(fmt.Errorf("relays::%s: %w", name, err), r.Shutdown(ctx))
		}
	}
	return nil
}

func (r *relays) open(ctx context.Context, name string, relay Relay) error {
	logger := r.logger.With(zap.String("relay", name))
	passing, err := newHandler(ctx, relay, logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", relay.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           passing,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       passing.timeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          zap.NewStdLog(logger),
	}
	r.servers = append(r.servers, server)
	r.running.Add(1)
	go func() {
		defer r.running.Done()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the relay has ended", zap.Error(err))
		}
	}()
	return nil
}

// Shutdown lets requests that are under way end: exporters have been shut down by then.
func (r *relays) Shutdown(ctx context.Context) error {
	var problems []error
	for _, server := range r.servers {
		problems = append(problems, server.Shutdown(ctx))
	}
	r.running.Wait()
	r.servers = nil
	return errors.Join(problems...)
}
