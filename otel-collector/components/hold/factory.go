package hold

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
)

var componentType = component.MustNewType("hold")

// NewFactory makes the factory of the hold processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		componentType,
		createDefaultConfig,
		processor.WithLogs(createLogs, component.StabilityLevelBeta),
		processor.WithMetrics(createMetrics, component.StabilityLevelBeta),
		processor.WithTraces(createTraces, component.StabilityLevelBeta),
	)
}

func createLogs(
	_ context.Context, set processor.Settings, cfg component.Config, next consumer.Logs,
) (processor.Logs, error) {
	holder, err := newHolder(set, cfg.(*Config), "logs")
	if err != nil {
		return nil, err
	}
	return &logsProcessor{holder: holder, next: next}, nil
}

func createMetrics(
	_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics,
) (processor.Metrics, error) {
	holder, err := newHolder(set, cfg.(*Config), "metrics")
	if err != nil {
		return nil, err
	}
	return &metricsProcessor{holder: holder, next: next}, nil
}

func createTraces(
	_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces,
) (processor.Traces, error) {
	holder, err := newHolder(set, cfg.(*Config), "traces")
	if err != nil {
		return nil, err
	}
	return &tracesProcessor{holder: holder, next: next}, nil
}
