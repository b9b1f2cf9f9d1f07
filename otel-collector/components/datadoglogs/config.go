package datadoglogs

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

const (
	defaultEndpoint = "https://http-intake.logs.datadoghq.com"
	defaultTimeout  = 10 * time.Second
	// Datadog's limits of one request: entries, bytes before packing, and bytes of one entry.
	maxEntries           = 1000
	maxPayloadBytes      = 5_000_000
	maxEntryBytes        = 1_000_000
	minBatchBytes        = 64 * 1024
	defaultMaxBatchBytes = 4_500_000
)

// Config of the exporter.
type Config struct {
	confighttp.ClientConfig `mapstructure:",squash"`

	// APIKey is sent as DD-API-KEY.
	APIKey configopaque.String `mapstructure:"api_key"`
	// Hostname is for records that name no host themselves.
	Hostname string `mapstructure:"hostname"`
	// Source becomes `ddsource` of records that have no attribute of that name.
	Source string `mapstructure:"source"`
	// MaxBatchBytes is the most that one request holds before packing.
	MaxBatchBytes int `mapstructure:"max_batch_bytes"`

	QueueConfig exporterhelper.QueueBatchConfig `mapstructure:"sending_queue"`
	RetryConfig configretry.BackOffConfig       `mapstructure:"retry_on_failure"`

	// prevents unkeyed literals
	_ struct{}
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Endpoint = defaultEndpoint
	client.Timeout = defaultTimeout
	client.Compression = configcompression.TypeGzip
	return &Config{
		ClientConfig:  client,
		Source:        "otlp",
		MaxBatchBytes: defaultMaxBatchBytes,
		QueueConfig:   exporterhelper.NewDefaultQueueConfig(),
		RetryConfig:   configretry.NewDefaultBackOffConfig(),
	}
}

// Validate never repeats a value that may be secret.
func (c *Config) Validate() error {
	var problems []error
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || (endpoint.Scheme != "http" && endpoint.Scheme != "https") ||
		endpoint.Host == "" || endpoint.User != nil || endpoint.RawQuery != "" {
		problems = append(problems,
			errors.New("endpoint must be an http or https URL without credentials and query"))
	}
	if c.APIKey == "" {
		problems = append(problems, errors.New("api_key is required"))
	}
	if strings.ContainsFunc(string(c.APIKey), func(r rune) bool { return r <= ' ' || r > '~' }) {
		problems = append(problems, errors.New("api_key must be printable ASCII without spaces"))
	}
	if c.MaxBatchBytes < minBatchBytes || c.MaxBatchBytes > maxPayloadBytes {
		problems = append(problems, errors.New("max_batch_bytes must be from 65536 to 5000000"))
	}
	if c.Timeout <= 0 {
		problems = append(problems, errors.New("timeout must be positive"))
	}
	return errors.Join(problems...)
}

// entryLimit is what one entry may have; with its brackets it must fit into a request.
func (c *Config) entryLimit() int {
	return min(maxEntryBytes, c.MaxBatchBytes-2)
}
