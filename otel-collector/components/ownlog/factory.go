package ownlog

import (
	"context"
	"errors"
	"fmt"
	"net"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

var componentType = component.MustNewType("own_log")

// Config of the receiver.
type Config struct {
	// Endpoint is an address on this host's loopback, as 127.0.0.1:14340.
	Endpoint string `mapstructure:"endpoint"`

	// prevents unkeyed literals
	_ struct{}
}

// Validate refuses an address that others could reach: what comes in is shown as our own words.
func (c *Config) Validate() error {
	host, _, err := net.SplitHostPort(c.Endpoint)
	if err != nil {
		return fmt.Errorf("endpoint must be an address, as 127.0.0.1:14340: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errors.New("endpoint must be a loopback address, as 127.0.0.1:14340")
	}
	return nil
}

// NewFactory makes the factory of the receiver, for logs.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(componentType,
		func() component.Config { return &Config{} },
		receiver.WithLogs(createLogs, component.StabilityLevelBeta))
}

func createLogs(
	_ context.Context, _ receiver.Settings, cfg component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	return &entrance{endpoint: cfg.(*Config).Endpoint, next: next}, nil
}

// entrance connects the open address with a pipeline, from its start to its end.
type entrance struct {
	endpoint string
	next     consumer.Logs
	server   *server
}

// Start opens the address unless an earlier pipeline has left it open.
func (e *entrance) Start(ctx context.Context, _ component.Host) error {
	opened, err := open(ctx, e.endpoint)
	if err != nil {
		return err
	}
	e.server = opened
	opened.next.Store(&e.next)
	return nil
}

// Shutdown leaves the address open.
func (e *entrance) Shutdown(context.Context) error {
	if e.server != nil {
		e.server.next.CompareAndSwap(&e.next, nil)
	}
	return nil
}
