package gate

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Of every signal: nothing passes before the start, and the refusal is one to be tried again.
func TestNothingPassesBeforeTheStart(t *testing.T) {
	ctx, factory := context.Background(), NewFactory()
	settings := connector.Settings{
		ID:                component.NewID(componentType),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}
	config := factory.CreateDefaultConfig()
	logs, metrics, traces :=
		new(consumertest.LogsSink), new(consumertest.MetricsSink), new(consumertest.TracesSink)

	logsGate, err := factory.CreateLogsToLogs(ctx, settings, config, logs)
	require.NoError(t, err)
	metricsGate, err := factory.CreateMetricsToMetrics(ctx, settings, config, metrics)
	require.NoError(t, err)
	tracesGate, err := factory.CreateTracesToTraces(ctx, settings, config, traces)
	require.NoError(t, err)

	signals := map[string]struct {
		gate    component.Component
		consume func() error
		passed  func() int
	}{
		"logs": {logsGate,
			func() error { return logsGate.ConsumeLogs(ctx, plog.NewLogs()) },
			func() int { return len(logs.AllLogs()) }},
		"metrics": {metricsGate,
			func() error { return metricsGate.ConsumeMetrics(ctx, pmetric.NewMetrics()) },
			func() int { return len(metrics.AllMetrics()) }},
		"traces": {tracesGate,
			func() error { return tracesGate.ConsumeTraces(ctx, ptrace.NewTraces()) },
			func() int { return len(traces.AllTraces()) }},
	}
	for name, signal := range signals {
		t.Run(name, func(t *testing.T) {
			err := signal.consume()
			require.ErrorIs(t, err, errShut)
			assert.False(t, consumererror.IsPermanent(err))
			assert.Zero(t, signal.passed())

			require.NoError(t, signal.gate.Start(ctx, componenttest.NewNopHost()))
			require.NoError(t, signal.consume())
			assert.Equal(t, 1, signal.passed())
			require.NoError(t, signal.gate.Shutdown(ctx))
		})
	}
}
