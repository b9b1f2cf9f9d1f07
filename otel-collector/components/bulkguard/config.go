package bulkguard

import (
	"go.opentelemetry.io/collector/component"
)

// Config of the bulk guard.
type Config struct {
	// APIKeyFile holds the key for `Authorization: ApiKey`; it is read again when it changes.
	// Empty leaves the exporter's own user, password or api_key alone.
	APIKeyFile string `mapstructure:"api_key_file"`

	// prevents unkeyed literals
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{}
}

// Validate has nothing to refuse: a file that cannot be read is told at start.
func (*Config) Validate() error {
	return nil
}
