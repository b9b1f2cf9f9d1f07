package hold

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
)

func TestReasonsHoldNoSecretAndAreOneShortLine(t *testing.T) {
	for text, want := range map[string]string{
		`Post "https://x.example/v2?dd-api-key=s3cr3t": EOF`: `Post "https://x.example/v2?***": EOF`,
		"dial https://me:s3cr3t@x.example: no":               "dial https://***@x.example: no",
		"sent Authorization: Bearer s3cr3t-and-more to x":    "sent Authorization: *** to x",
		`{"DD-API-KEY":"s3cr3t","status":403}`:               `{"DD-API-KEY":***,"status":403}`,
		"api_key=s3cr3t is wrong":                            "api_key=*** is wrong",
		"line one\r\nline two\x00\u2028three":                "line one line two three",
		"the bearer s3cr3t-and-more is unknown":              "the bearer *** is unknown",
	} {
		assert.Equal(t, want, reasonOf(errors.New(text)))
	}
	long := reasonOf(errors.New(strings.Repeat("é", 5000)))
	assert.Equal(t, maxReasonBytes, len(long))
	assert.NotContains(t, long, "\uFFFD")
}

func TestTheTableIsBoundedAndForgetsWhatIsNotSeen(t *testing.T) {
	now := time.Now()
	table := newTable()
	for i := range maxHeldBatches + 10 {
		table.refused(fingerprint{byte(i), byte(i >> 8)}, now.Add(time.Duration(i)), true)
	}
	batches, oldest := table.state(now)
	assert.Equal(t, maxHeldBatches, batches)
	assert.Equal(t, now.Add(10), oldest, "those not seen for longest made room")
	batches, _ = table.state(now.Add(forgetAfter + time.Minute))
	assert.Zero(t, batches)

	again := now.Add(2 * forgetAfter)
	assert.Equal(t, now, table.refused(fingerprint{1, 2, 3}, now, true))
	assert.Equal(t, again, table.refused(fingerprint{1, 2, 3}, again, true))
}

func TestConfigIsChecked(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	config := createDefaultConfig().(*Config)
	require.ErrorContains(t, config.Validate(), "dead_letter_directory")
	config.DeadLetterDirectory = t.TempDir()
	require.NoError(t, config.Validate())
	for _, bad := range []string{"Data", "a/b", "..", "a b"} {
		config.Destination = bad
		require.ErrorContains(t, config.Validate(), "destination", bad)
	}
	config.Destination = ""
	_, err := config.destination(component.MustNewID("hold"))
	require.ErrorContains(t, err, "needs a destination")
	config.GiveUpAfter, config.MaxDeadLetterMiB, config.MaxUnderWay = 0, 0, -1
	err = config.Validate()
	require.ErrorContains(t, err, "max_under_way")
	require.ErrorContains(t, err, "give_up_after")
	require.ErrorContains(t, err, "max_dead_letter_mib")
}

func TestStartFailsWhereNoDeadLetterCouldBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	config := createDefaultConfig().(*Config)
	config.DeadLetterDirectory, config.Destination = file, "x"
	made, err := NewFactory().CreateLogs(context.Background(),
		processortest.NewNopSettings(componentType), config, consumertest.NewNop())
	require.NoError(t, err)
	require.Error(t, made.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, made.Shutdown(context.Background()))
}

func TestMetricsAndTracesAreKeptAndReadAgain(t *testing.T) {
	folder := t.TempDir()
	config := createDefaultConfig().(*Config)
	config.DeadLetterDirectory, config.Destination = folder, "jaeger"
	config.GiveUpAfter = time.Nanosecond
	set := processortest.NewNopSettings(componentType)
	next := consumertest.NewErr(errForbidden)

	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().
		Metrics().AppendEmpty()
	metric.SetName("m")
	metric.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	forMetrics, err := NewFactory().CreateMetrics(context.Background(), set, config, next)
	require.NoError(t, err)
	require.NoError(t, forMetrics.Start(context.Background(), componenttest.NewNopHost()))
	require.Error(t, forMetrics.ConsumeMetrics(context.Background(), metrics))
	time.Sleep(time.Millisecond)
	require.NoError(t, forMetrics.ConsumeMetrics(context.Background(), metrics))
	require.NoError(t, forMetrics.Shutdown(context.Background()))

	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("s")
	forTraces, err := NewFactory().CreateTraces(context.Background(), set, config, next)
	require.NoError(t, err)
	require.NoError(t, forTraces.Start(context.Background(), componenttest.NewNopHost()))
	require.Error(t, forTraces.ConsumeTraces(context.Background(), traces))
	time.Sleep(time.Millisecond)
	require.NoError(t, forTraces.ConsumeTraces(context.Background(), traces))
	require.NoError(t, forTraces.Shutdown(context.Background()))

	paths, err := filepath.Glob(filepath.Join(folder, "jaeger", "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, paths, 2)
	first, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	readMetrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(first)
	require.NoError(t, err)
	assert.Equal(t, metrics, readMetrics)
	second, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	readTraces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(second)
	require.NoError(t, err)
	assert.Equal(t, traces, readTraces)
}
