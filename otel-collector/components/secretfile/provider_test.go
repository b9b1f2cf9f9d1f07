package secretfile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
)

// resolve expands the reference to a file inside of a configuration, as the collector does.
func resolve(t *testing.T, content string) (any, error) {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs:              []string{"yaml:headers: {key: '${secret:" + path + "}'}"},
		ProviderFactories: []confmap.ProviderFactory{NewFactory(), yamlprovider.NewFactory()},
	})
	require.NoError(t, err)
	conf, err := resolver.Resolve(context.Background())
	if err != nil {
		return nil, err
	}
	return conf.Get("headers::key"), nil
}

func TestAFileIsOneText(t *testing.T) {
	for content, secret := range map[string]string{
		"plain":                    "plain",
		"0123\n":                   "0123",
		"windows\r\n":              "windows",
		"true":                     "true",
		"#no comment: {[ 'x' \"\n": "#no comment: {[ 'x' \"",
		"${env:HOME} $$ $1":        "${env:HOME} $$ $1",
		"  spaces  ":               "  spaces  ",
	} {
		value, err := resolve(t, content)
		require.NoError(t, err, content)
		assert.Equal(t, secret, value)
	}
}

func TestWhatIsNoSecretIsRefusedWithoutBeingTold(t *testing.T) {
	for _, content := range []string{"", "\n", "hunter2\nhunter3", "hunter2\x00",
		strings.Repeat("hunter2", maxBytes)} {
		_, err := resolve(t, content)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter")
	}
	_, err := provider{}.Retrieve(context.Background(), "secret:/nonexistent", nil)
	require.Error(t, err)
	_, err = provider{}.Retrieve(context.Background(), "file:/etc/hostname", nil)
	require.Error(t, err)
}
