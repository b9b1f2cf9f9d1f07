package hold

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// setup is a hold processor before a destination that answers as a test wants.
type setup struct {
	t         *testing.T
	processor *logsProcessor
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
	folder    string
	clock     time.Time
	// answer is asked with every batch; got holds what was sent.
	answer func(plog.Logs) error
	got    []plog.Logs
}

func newSetup(t *testing.T, change func(*Config)) *setup {
	core, logs := observer.New(zap.DebugLevel)
	made := &setup{
		t: t, logs: logs, telemetry: componenttest.NewTelemetry(), folder: t.TempDir(),
		clock: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
	}
	next, err := consumer.NewLogs(func(_ context.Context, batch plog.Logs) error {
		made.got = append(made.got, copyOf(batch))
		err := made.answer(batch)
		// What follows may do with the batch as it likes.
		batch.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true })
		return err
	}, consumer.WithCapabilities(consumer.Capabilities{MutatesData: true}))
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	config.DeadLetterDirectory = made.folder
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	set := processortest.NewNopSettings(componentType)
	set.ID = component.NewIDWithName(componentType, "datadog")
	set.TelemetrySettings = made.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	made.processor = startLogs(t, set, config, next)
	made.processor.now = func() time.Time { return made.clock }
	return made
}

func startLogs(
	t *testing.T, set processor.Settings, config *Config, next consumer.Logs,
) *logsProcessor {
	created, err := NewFactory().CreateLogs(context.Background(), set, config, next)
	require.NoError(t, err)
	require.NoError(t, created.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, created.Shutdown(context.Background())) })
	return created.(*logsProcessor)
}

func (s *setup) consume(batch plog.Logs) error {
	return s.processor.ConsumeLogs(context.Background(), copyOf(batch))
}

// letters reads the dead letters of the destination, oldest first.
func (s *setup) letters() [][]byte {
	paths, err := filepath.Glob(filepath.Join(s.folder, "datadog", "*.jsonl"))
	require.NoError(s.t, err)
	var contents [][]byte
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(s.t, err)
		contents = append(contents, content)
	}
	return contents
}

// counter reads a sum of the processor's own metrics.
func (s *setup) counter(name string) int64 {
	return readInt(s.t, s.telemetry, name)
}

func batchOf(uids ...string) plog.Logs {
	batch := plog.NewLogs()
	scope := batch.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for _, uid := range uids {
		record := scope.LogRecords().AppendEmpty()
		record.Body().SetStr(fmt.Sprintf("record %s", uid))
		record.Attributes().PutStr(uidAttribute, uid)
		record.SetTimestamp(1)
	}
	return batch
}

func uidsOf(batch plog.Logs) []string {
	var uids []string
	keepLogs(copyOf(batch), func(uid string, _ bool) bool {
		uids = append(uids, uid)
		return true
	})
	return uids
}
