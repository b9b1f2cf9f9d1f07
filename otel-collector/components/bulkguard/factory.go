package bulkguard

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

var componentType = component.MustNewType("bulk_guard")

// NewFactory makes the factory of the bulk guard.
func NewFactory() extension.Factory {
	return extension.NewFactory(componentType, createDefaultConfig, create,
		component.StabilityLevelBeta)
}

func create(
	_ context.Context, set extension.Settings, cfg component.Config,
) (extension.Extension, error) {
	made := &guard{maxAnswerBytes: maxAnswerBytes}
	if path := cfg.(*Config).APIKeyFile; path != "" {
		made.key = &keyFile{path: path, logger: set.Logger}
	}
	return made, nil
}
