package recentlogs

import (
	"context"
	"errors"
	"fmt"
	"net"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
)

var componentType = component.MustNewType("recent_logs")

// Config of the exporter.
type Config struct {
	// Endpoint is the address, as 127.0.0.1:8887, where `GET /logs` is answered.
	Endpoint string `mapstructure:"endpoint"`

	// prevents unkeyed literals
	_ struct{}
}

// Validate refuses what could only fail later.
func (c *Config) Validate() error {
	if c.Endpoint == "" {
		return errors.New("endpoint must be an address, as 127.0.0.1:8887")
	}
	if _, _, err := net.SplitHostPort(c.Endpoint); err != nil {
		return fmt.Errorf("endpoint must be an address, as 127.0.0.1:8887: %w", err)
	}
	return nil
}

// NewFactory makes the factory of the exporter, for logs.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(componentType,
		func() component.Config { return &Config{} },
		exporter.WithLogs(createLogs, component.StabilityLevelBeta))
}

func createLogs(
	_ context.Context, set exporter.Settings, cfg component.Config,
) (exporter.Logs, error) {
	kept := &ring{}
	return &keeper{
		page: page{endpoint: cfg.(*Config).Endpoint, logger: set.Logger, ring: kept},
		ring: kept,
	}, nil
}

// keeper is the exporter: what arrives goes into the ring, and the page shows it.
type keeper struct {
	page
	ring *ring
}

// Capabilities: nothing is changed here.
func (k *keeper) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// ConsumeLogs never fails.
func (k *keeper) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	for _, resource := range ld.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			component := componentOf(scope.Scope().Attributes())
			for _, record := range scope.LogRecords().All() {
				k.ring.add(recordOf(component, record))
			}
		}
	}
	return nil
}
