package tlsrelay

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configtls"
)

// defaultTimeout is shorter than the 15 s that a queue waits for an exporter.
const defaultTimeout = 10 * time.Second

// Config of the extension; without relays it does nothing.
type Config struct {
	Relays map[string]Relay `mapstructure:"relays"`

	// prevents unkeyed literals
	_ struct{}
}

// Relay is one way to one server.
type Relay struct {
	// Listen is an address of this machine alone, for what it takes is not encrypted.
	Listen string `mapstructure:"listen"`
	// Target is the server's https URL.
	Target string `mapstructure:"target"`
	// TLS is what is demanded of the server and shown to it.
	TLS configtls.ClientConfig `mapstructure:"tls"`
	// Timeout bounds one request, its answer included; 0 is 10 s.
	Timeout time.Duration `mapstructure:"timeout"`

	// prevents unkeyed literals
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{}
}

// Validate refuses whatever would let others read what is sent.
func (c *Config) Validate() error {
	var problems []error
	for name, relay := range c.Relays {
		if err := relay.check(); err != nil {
			problems = append(problems, fmt.Errorf("relays::%s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func (r *Relay) check() error {
	host, _, err := net.SplitHostPort(r.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if address := net.ParseIP(host); address == nil || !address.IsLoopback() {
		return errors.New("listen must be an address of this machine alone, as 127.0.0.1")
	}
	target, err := url.Parse(r.Target)
	if err != nil || target.Scheme != "https" || target.Host == "" || target.User != nil ||
		target.RawQuery != "" || target.Fragment != "" {
		// The URL is not quoted: it may hold credentials.
		return errors.New("target must be an https URL without credentials or query")
	}
	if r.TLS.Insecure || r.TLS.InsecureSkipVerify {
		return errors.New("tls must be neither insecure nor skip the verification")
	}
	if r.Timeout < 0 {
		return errors.New("timeout must not be negative")
	}
	return nil
}
