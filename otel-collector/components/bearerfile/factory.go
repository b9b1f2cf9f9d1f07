package bearerfile

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

var componentType = component.MustNewType("bearer_file")

// NewFactory makes the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(componentType, createDefaultConfig, create,
		component.StabilityLevelBeta)
}

func create(
	_ context.Context, set extension.Settings, cfg component.Config,
) (extension.Extension, error) {
	own := cfg.(*Config)
	return &door{path: own.File, interval: own.CheckInterval, logger: set.Logger}, nil
}
