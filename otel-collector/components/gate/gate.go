// Package gate is a connector that lets nothing through before it has been started, and everything
// unchanged afterwards.
//
// The `otlp` receiver is one component for all three signals and opens its ports with the first of
// them, while the exporters of another signal are still to be started: a queue on disk that is given
// a batch before it has read its own index from there answers that it has it, and loses it. The
// service starts a component after everything behind it, so a gate in front of a signal opens when
// all its queues are ready. Until then the sender hears that it shall try again.
package gate

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var componentType = component.MustNewType("gate")

// errShut is not marked permanent, which receivers translate into 503 and `UNAVAILABLE`.
var errShut = errors.New("the collector is still starting")

// Config has no settings.
type Config struct{}

// NewFactory makes the factory of the gate, for logs, metrics and traces.
func NewFactory() connector.Factory {
	return connector.NewFactory(
		componentType,
		func() component.Config { return &Config{} },
		connector.WithLogsToLogs(createLogs, component.StabilityLevelBeta),
		connector.WithMetricsToMetrics(createMetrics, component.StabilityLevelBeta),
		connector.WithTracesToTraces(createTraces, component.StabilityLevelBeta),
	)
}

// gate is what the three signals share.
type gate struct {
	component.ShutdownFunc
	isOpen atomic.Bool
}

// Start opens the gate.
func (g *gate) Start(context.Context, component.Host) error {
	g.isOpen.Store(true)
	return nil
}

// Capabilities: nothing is changed here.
func (g *gate) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

func (g *gate) check() error {
	if !g.isOpen.Load() {
		return errShut
	}
	return nil
}

type logsGate struct {
	gate
	next consumer.Logs
}

func createLogs(
	_ context.Context, _ connector.Settings, _ component.Config, next consumer.Logs,
) (connector.Logs, error) {
	return &logsGate{next: next}, nil
}

func (g *logsGate) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.next.ConsumeLogs(ctx, ld)
}

type metricsGate struct {
	gate
	next consumer.Metrics
}

func createMetrics(
	_ context.Context, _ connector.Settings, _ component.Config, next consumer.Metrics,
) (connector.Metrics, error) {
	return &metricsGate{next: next}, nil
}

func (g *metricsGate) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.next.ConsumeMetrics(ctx, md)
}

type tracesGate struct {
	gate
	next consumer.Traces
}

func createTraces(
	_ context.Context, _ connector.Settings, _ component.Config, next consumer.Traces,
) (connector.Traces, error) {
	return &tracesGate{next: next}, nil
}

func (g *tracesGate) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.next.ConsumeTraces(ctx, td)
}
