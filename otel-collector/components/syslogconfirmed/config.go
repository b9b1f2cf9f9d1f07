package syslogconfirmed

import (
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

const (
	defaultPort    = 6514
	defaultTimeout = 15 * time.Second
	// Many servers take 8 KiB and make two records of what is longer.
	defaultMaxMessageBytes = 8000
	// The longest header has 504 bytes.
	minMessageBytes = 1024
	maxMessageBytes = 1 << 20
)

// confirmation is what of the server's end counts as delivered.
type confirmation string

const (
	confirmCloseNotify confirmation = "close_notify"
	confirmClose       confirmation = "close"
	confirmReset       confirmation = "reset"
)

// Config of the exporter.
type Config struct {
	Host string `mapstructure:"host"`
	Port int    `mapstructure:"port"`
	// TLS is on unless `insecure: true`.
	TLS configtls.ClientConfig `mapstructure:"tls"`
	// Timeout bounds one batch, from the dial to the server's end.
	Timeout time.Duration `mapstructure:"timeout"`
	// MaxMessageBytes bounds one record with its header; its text is cut.
	MaxMessageBytes int `mapstructure:"max_message_bytes"`
	// Confirmation is `close` (default), the stricter `close_notify` or the laxer `reset`.
	Confirmation confirmation `mapstructure:"confirmation"`

	QueueConfig exporterhelper.QueueBatchConfig `mapstructure:"sending_queue"`
	RetryConfig configretry.BackOffConfig       `mapstructure:"retry_on_failure"`

	// prevents unkeyed literals
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		Port:            defaultPort,
		TLS:             configtls.NewDefaultClientConfig(),
		Timeout:         defaultTimeout,
		MaxMessageBytes: defaultMaxMessageBytes,
		Confirmation:    confirmClose,
		QueueConfig:     exporterhelper.NewDefaultQueueConfig(),
		RetryConfig:     configretry.NewDefaultBackOffConfig(),
	}
}

// Validate refuses what could only fail later.
func (c *Config) Validate() error {
	var problems []error
	if c.Host == "" || strings.ContainsAny(c.Host, " /@\t\r\n") {
		problems = append(problems, errors.New("host must be a name or an address"))
	}
	if c.Port < 1 || c.Port > 65535 {
		problems = append(problems, errors.New("port must be from 1 to 65535"))
	}
	if c.Timeout <= 0 {
		problems = append(problems, errors.New("timeout must be positive"))
	}
	if c.MaxMessageBytes < minMessageBytes || c.MaxMessageBytes > maxMessageBytes {
		problems = append(problems, errors.New("max_message_bytes must be from 1024 to 1048576"))
	}
	switch c.Confirmation {
	case confirmClose, confirmReset:
	case confirmCloseNotify:
		if c.TLS.Insecure {
			problems = append(problems, errors.New("confirmation: close_notify needs TLS"))
		}
	default:
		problems = append(problems,
			errors.New("confirmation must be close, close_notify or reset"))
	}
	return errors.Join(problems...)
}
