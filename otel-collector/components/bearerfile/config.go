package bearerfile

import (
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Config of the extension.
type Config struct {
	// File holds the tokens, one a line.
	File string `mapstructure:"file"`
	// CheckInterval is how often the file is looked at.
	CheckInterval time.Duration `mapstructure:"check_interval"`

	// prevents unkeyed literals
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{CheckInterval: 2 * time.Second}
}

// Validate refuses what cannot work.
func (c *Config) Validate() error {
	if c.File == "" {
		return errors.New("file must be set")
	}
	if c.CheckInterval < 100*time.Millisecond || c.CheckInterval > time.Hour {
		return errors.New("check_interval must be from 100ms to 1h")
	}
	return nil
}
