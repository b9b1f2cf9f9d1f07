package bearerfile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const (
	one   = "0123456789abcdef"
	other = "fedcba9876543210"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	require.NoError(t, os.WriteFile(next, []byte(content), 0o600))
	require.NoError(t, os.Rename(next, path))
}

func start(t *testing.T, content string) (*door, string, *observer.ObservedLogs) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, content)
	core, logs := observer.New(zap.InfoLevel)
	made := &door{path: path, interval: 10 * time.Millisecond, logger: zap.New(core)}
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, made.Shutdown(context.Background())) })
	return made, path, logs
}

func (d *door) lets(value string) bool {
	_, err := d.Authenticate(context.Background(), map[string][]string{"Authorization": {value}})
	return err == nil
}

func TestOnlyTheTokensOfTheFileAreGood(t *testing.T) {
	made, _, logs := start(t, "# of the old host\n"+one+"\n\n"+other+"\r\n")
	for _, value := range []string{"Bearer " + one, "bearer " + other, "BEARER " + one} {
		assert.True(t, made.lets(value), value)
	}
	wrong := []string{
		"", "Bearer", "Bearer ", "Bearer  ", one, "Basic " + one, "Bearer " + one + " ",
		"Bearer  " + one, "Bearer # of the old host", "Bearer " + one[1:], "Bearer \r",
	}
	for _, value := range wrong {
		assert.False(t, made.lets(value), "%q", value)
	}
	ctx := context.Background()
	_, err := made.Authenticate(ctx, map[string][]string{"authorization": {"Bearer " + one, "x"}})
	require.Error(t, err, "two credentials are none")
	_, err = made.Authenticate(ctx, nil)
	require.Error(t, err)
	_, err = made.Authenticate(ctx, map[string][]string{"authorization": {"Bearer wrong-token"}})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "wrong-token")
	assert.Equal(t, 1, logs.Len(), "a line a minute, however many are refused")
	assert.NotContains(t, logs.All()[0].Message, one)
}

func TestTheFileIsReadAgainWhenItChanges(t *testing.T) {
	made, path, _ := start(t, one)
	write(t, path, other+"\n")
	soon := func(holds func() bool) { require.Eventually(t, holds, 5*time.Second, time.Millisecond) }
	soon(func() bool { return made.lets("Bearer " + other) })
	assert.False(t, made.lets("Bearer "+one))
}

func TestAFileThatCannotBeUsedLeavesTheTokensInForce(t *testing.T) {
	made, path, logs := start(t, one)
	told := func() int { return logs.FilterMessageSnippet("stay in force").Len() }
	for number, content := range []string{"\n", "short", "has a space in it", strings.Repeat("x", maxBytes+1)} {
		write(t, path, content)
		require.Eventually(t, func() bool { return told() == number+1 }, 5*time.Second, time.Millisecond)
	}
	require.NoError(t, os.Remove(path))
	require.Eventually(t, func() bool { return told() == 5 }, 5*time.Second, time.Millisecond)
	assert.True(t, made.lets("Bearer "+one))
	for _, entry := range logs.All() {
		assert.NotContains(t, entry.ContextMap()["error"], "has a space in it")
	}
}

func TestAKubernetesSecretIsReadAgain(t *testing.T) {
	folder := t.TempDir()
	for name, token := range map[string]string{"first": one, "second": other} {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o700))
		write(t, filepath.Join(folder, name, "tokens"), token)
	}
	data, path := filepath.Join(folder, "..data"), filepath.Join(folder, "tokens")
	require.NoError(t, os.Symlink("first", data))
	require.NoError(t, os.Symlink("..data/tokens", path))
	made := &door{path: path, interval: 10 * time.Millisecond, logger: zap.NewNop()}
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, made.Shutdown(context.Background())) }()
	require.NoError(t, os.Symlink("second", data+".next"))
	require.NoError(t, os.Rename(data+".next", data))
	require.Eventually(t, func() bool { return made.lets("Bearer " + other) },
		5*time.Second, time.Millisecond)
}

func TestNoTokenIsAFailureAtStart(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "blank": "\n \n", "comment": "# " + one, "short": "0123456789abcde",
		"many": strings.Repeat(one+"\n", maxTokens+1), "control": one + "\x01",
	} {
		path := filepath.Join(folder, name)
		write(t, path, content)
		made := &door{path: path, interval: time.Second, logger: zap.NewNop()}
		require.Error(t, made.Start(context.Background(), componenttest.NewNopHost()), name)
		assert.False(t, made.lets("Bearer "), name)
	}
	require.Error(t, (&Config{CheckInterval: time.Second}).Validate())
	require.Error(t, (&Config{File: "/x", CheckInterval: time.Millisecond}).Validate())
	require.NoError(t, (&Config{File: "/x", CheckInterval: time.Second}).Validate())
}
