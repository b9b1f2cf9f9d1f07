package tlsrelay

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

var componentType = component.MustNewType("tls_relay")

// NewFactory makes the factory of the relays.
func NewFactory() extension.Factory {
	return extension.NewFactory(componentType, createDefaultConfig, create,
		component.StabilityLevelBeta)
}

func create(
	_ context.Context, set extension.Settings, cfg component.Config,
) (extension.Extension, error) {
	return &relays{config: cfg.(*Config), logger: set.Logger}, nil
}
