package datadoglogs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestALongEntryIsCutCountedAndTold(t *testing.T) {
	server := newIntake(t)
	core, logs := observer.New(zap.WarnLevel)
	telemetry := componenttest.NewTelemetry()
	set := exportertest.NewNopSettings(componentType)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	exporter := exporterWith(t, set, server.URL, nil)

	long := batchOf(strings.Repeat("é", 2_000_000), "short", strings.Repeat("\x01", 900_000))
	other := long.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1)
	other.Attributes().PutStr("stack", strings.Repeat("s", 3_000_000))
	many := long.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()
	many.Body().SetStr("many")
	many.SetTimestamp(1)
	attributes := make(map[string]any)
	for i := range 40_000 {
		attributes[fmt.Sprintf("attribute-number-%d", i)] = "value"
	}
	require.NoError(t, many.Attributes().FromRaw(attributes))
	require.NoError(t, exporter.ConsumeLogs(context.Background(), long))
	var entries []map[string]any
	for _, request := range server.requests {
		entries = append(entries, request...)
	}
	require.Len(t, entries, 4)
	message := entries[0]["message"].(string)
	assert.True(t, strings.HasSuffix(message, "é"+cutMark), message[len(message)-40:])
	assert.Greater(t, len(message), 400_000)
	assert.Equal(t, "short", entries[1]["message"])
	assert.True(t, strings.HasSuffix(entries[1]["stack"].(string), cutMark))
	assert.True(t, strings.HasSuffix(entries[2]["message"].(string), cutMark))
	assert.Equal(t, "many", entries[3]["message"])
	assert.Equal(t, true, entries[3]["truncated"])
	assert.NotNil(t, entries[3]["@timestamp"])

	found, err := telemetry.GetMetric("bangui.collector.truncated")
	require.NoError(t, err)
	assert.EqualValues(t, 4, found.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
	assert.Equal(t, 1, logs.Len(), "one line a minute")
}

func TestRecordsKeepTheirPlaceOverResourcesAndScopes(t *testing.T) {
	batch := plog.NewLogs()
	var messages []string
	for r := range 2 {
		resource := batch.ResourceLogs().AppendEmpty()
		for s := range 2 {
			scope := resource.ScopeLogs().AppendEmpty()
			for l := range 2 {
				message := fmt.Sprint(r, s, l)
				messages = append(messages, message)
				scope.LogRecords().AppendEmpty().Body().SetStr(message)
			}
		}
	}
	server := newIntake(t)
	require.NoError(t, exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batch))
	assert.Equal(t, messages, server.stored)

	rest := without(batch, map[int]struct{}{0: {}, 1: {}, 5: {}})
	var left []string
	for record := range recordsOf(rest) {
		left = append(left, record.Body().Str())
	}
	assert.Equal(t, []string{messages[2], messages[3], messages[4], messages[6], messages[7]}, left)
	assert.Equal(t, 8, batch.LogRecordCount())
}

func TestConfigIsChecked(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	for name, change := range map[string]func(*Config){
		"endpoint is a path":    func(c *Config) { c.Endpoint = "/x" },
		"endpoint with a query": func(c *Config) { c.Endpoint = "https://x?api_key=secret" },
		"endpoint with a user":  func(c *Config) { c.Endpoint = "https://me:secret@x" },
		"api_key missing":       func(c *Config) { c.APIKey = "" },
		"api_key with a line":   func(c *Config) { c.APIKey = "secret\n" },
		"max_batch_bytes small": func(c *Config) { c.MaxBatchBytes = 1 },
		"max_batch_bytes large": func(c *Config) { c.MaxBatchBytes = 6_000_000 },
		"timeout zero":          func(c *Config) { c.Timeout = 0 },
	} {
		config := createDefaultConfig().(*Config)
		config.APIKey = testKey
		require.NoError(t, config.Validate())
		change(config)
		err := config.Validate()
		require.ErrorContains(t, err, strings.Fields(name)[0], name)
		assert.NotContains(t, err.Error(), "secret")
	}
	config := createDefaultConfig().(*Config)
	config.APIKey = testKey
	assert.NotContains(t, fmt.Sprintf("%v %+v", config, *config), testKey)
}
