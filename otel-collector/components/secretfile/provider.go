// Package secretfile is a provider of configuration: `${secret:/path}` is the content of a file, as
// one text and nothing else.
//
// The stock `file` provider reads YAML, where a key of digits is a number, `#` begins a comment,
// and the line break that editors leave at the end becomes part of the key. It is read again
// whenever the configuration is, so that a key can be rotated with a SIGHUP.
package secretfile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"bangui.local/otelcol/components/smallfile"
)

const (
	scheme = "secret"
	// A token or a password is far shorter.
	maxBytes = 16 << 10
)

type provider struct{}

// NewFactory makes the factory of the provider.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider {
		return provider{}
	})
}

// Scheme is what stands before the colon.
func (provider) Scheme() string { return scheme }

// Shutdown has nothing to end.
func (provider) Shutdown(context.Context) error { return nil }

// Retrieve reads the file. No error repeats anything of what it holds.
func (provider) Retrieve(
	_ context.Context, uri string, _ confmap.WatcherFunc,
) (*confmap.Retrieved, error) {
	path, found := strings.CutPrefix(uri, scheme+":")
	if !found {
		return nil, fmt.Errorf("%q is not supported by the provider %q", uri, scheme)
	}
	content, err := smallfile.Read(path, maxBytes)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case text == "":
		return nil, fmt.Errorf("%s is empty", path)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New(path + " holds control characters")
	}
	// What comes from here is expanded once more, and must refer to nothing.
	return confmap.NewRetrieved(strings.ReplaceAll(text, "$", "$$"))
}
