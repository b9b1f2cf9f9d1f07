package datadoglogs

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"bangui.local/otelcol/components/refused"
)

const testKey = "0123456789abcdef0123456789abcdef"

// intake is a small Datadog; answer decides by the messages of a request, nil takes everything.
type intake struct {
	*httptest.Server
	t        *testing.T
	answer   func(messages []string) (int, string)
	requests [][]map[string]any
	stored   []string
}

func newIntake(t *testing.T) *intake {
	made := &intake{t: t}
	made.Server = httptest.NewServer(http.HandlerFunc(made.serve))
	t.Cleanup(made.Close)
	return made
}

func (i *intake) serve(w http.ResponseWriter, r *http.Request) {
	assert.Equal(i.t, "/api/v2/logs", r.URL.Path)
	assert.Equal(i.t, testKey, r.Header.Get("DD-API-KEY"))
	assert.Equal(i.t, "gzip", r.Header.Get("Content-Encoding"))
	assert.Equal(i.t, "application/json", r.Header.Get("Content-Type"))
	unpacked, err := gzip.NewReader(r.Body)
	if !assert.NoError(i.t, err) {
		return
	}
	content, err := io.ReadAll(unpacked)
	assert.NoError(i.t, err)
	assert.LessOrEqual(i.t, len(content), maxPayloadBytes)
	var entries []map[string]any
	assert.NoError(i.t, json.Unmarshal(content, &entries))
	assert.LessOrEqual(i.t, len(entries), maxEntries)
	i.requests = append(i.requests, entries)
	var messages []string
	for _, one := range entries {
		messages = append(messages, one["message"].(string))
	}
	code, text := http.StatusAccepted, `{}`
	if i.answer != nil {
		code, text = i.answer(messages)
	}
	if code < 300 {
		i.stored = append(i.stored, messages...)
	}
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

func exporterTo(t *testing.T, endpoint string, more map[string]any) exporter.Logs {
	return exporterWith(t, exportertest.NewNopSettings(componentType), endpoint, more)
}

func exporterWith(
	t *testing.T, set exporter.Settings, endpoint string, more map[string]any,
) exporter.Logs {
	settings := map[string]any{
		"endpoint": endpoint, "api_key": testKey,
		"sending_queue":    map[string]any{"enabled": false},
		"retry_on_failure": map[string]any{"enabled": false},
	}
	for key, value := range more {
		settings[key] = value
	}
	config := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(config))
	require.NoError(t, config.Validate())
	made, err := NewFactory().CreateLogs(context.Background(), set, config)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, made.Shutdown(context.Background())) })
	return made
}

func batchOf(messages ...string) plog.Logs {
	batch := plog.NewLogs()
	scope := batch.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for i, message := range messages {
		record := scope.LogRecords().AppendEmpty()
		record.Body().SetStr(message)
		record.Attributes().PutStr(uidAttribute, fmt.Sprintf("uid-%d", i))
	}
	return batch
}

func TestAnEntryIsWhatDatadogExpects(t *testing.T) {
	server := newIntake(t)
	batch := plog.NewLogs()
	resource := batch.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "bangui")
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetStr("user logged in")
	record.SetTimestamp(1_700_000_000_123_456_789)
	record.SetSeverityNumber(plog.SeverityNumberWarn)
	record.SetTraceID([16]byte{15: 7})
	record.SetSpanID([8]byte{7: 9})
	record.Attributes().PutStr("ddtags", "component:auth")
	record.Attributes().PutEmptyMap("user").PutStr("name", "ada")
	exporter := exporterTo(t, server.URL, map[string]any{"hostname": "h1", "source": "bangui"})
	require.NoError(t, exporter.ConsumeLogs(context.Background(), batch))
	require.Len(t, server.requests, 1)
	entry := server.requests[0][0]
	for name, want := range map[string]any{
		"message": "user logged in", "service": "bangui", "hostname": "h1", "ddsource": "bangui",
		"status": "warn", "@timestamp": "2023-11-14T22:13:20.123Z", "user.name": "ada",
		"dd.trace_id": "7", "dd.span_id": "9",
	} {
		assert.Equal(t, want, entry[name], name)
	}
	assert.Contains(t, entry["ddtags"], "component:auth")
	assert.Contains(t, entry["ddtags"], "service:bangui")
}

func TestATimeIsTakenFromTheObservationWhenTheRecordHasNone(t *testing.T) {
	server := newIntake(t)
	batch := batchOf("x")
	batch.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).
		SetObservedTimestamp(1_700_000_000_000_000_000)
	require.NoError(t, exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batch))
	assert.Equal(t, "2023-11-14T22:13:20.000Z", server.requests[0][0]["@timestamp"])
}

func TestAnswersAreTakenForWhatTheyAre(t *testing.T) {
	for code, permanent := range map[int]bool{
		400: true, 401: true, 403: true, 404: true, 413: true, 302: true,
		408: false, 429: false, 500: false, 502: false, 503: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			server := newIntake(t)
			server.answer = func([]string) (int, string) {
				return code, "key " + testKey + " is \n wrong " + strings.Repeat("x", 500)
			}
			err := exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batchOf("a"))
			require.ErrorContains(t, err, fmt.Sprintf("the intake answers %d: key *** is wrong", code))
			assert.Equal(t, permanent, consumererror.IsPermanent(err))
			assert.NotContains(t, err.Error(), testKey)
			assert.Less(t, len(err.Error()), 300)
		})
	}
}

func TestAKeyCutByTheQuoteIsNotShownEither(t *testing.T) {
	server := newIntake(t)
	server.answer = func([]string) (int, string) {
		return 403, strings.Repeat("x", maxQuotedBytes-20) + testKey
	}
	err := exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batchOf("a"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), testKey[:10])
}

func TestNoAnswerIsRetryable(t *testing.T) {
	server := newIntake(t)
	exporter := exporterTo(t, server.URL, nil)
	server.Close()
	err := exporter.ConsumeLogs(context.Background(), batchOf("a"))
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))

	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer slow.Close()
	started := time.Now()
	err = exporterTo(t, slow.URL, map[string]any{"timeout": "100ms"}).
		ConsumeLogs(context.Background(), batchOf("a"))
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))
	assert.Less(t, time.Since(started), 5*time.Second)
}

func TestARedirectDoesNotTakeTheKeyElsewhere(t *testing.T) {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked = true
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	require.Error(t, exporterTo(t, server.URL, nil).
		ConsumeLogs(context.Background(), batchOf("a")))
	assert.False(t, asked)
}

func TestABatchIsSplitByEntriesAndBytes(t *testing.T) {
	server := newIntake(t)
	messages := make([]string, 2500)
	for i := range messages {
		messages[i] = fmt.Sprint(i)
	}
	exporter := exporterTo(t, server.URL, nil)
	require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf(messages...)))
	assert.Len(t, server.requests, 3)
	assert.Equal(t, messages, server.stored)

	server.requests, server.stored = nil, nil
	large := make([]string, 12)
	for i := range large {
		large[i] = strings.Repeat(fmt.Sprint(i%10), 900_000)
	}
	require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf(large...)))
	assert.Len(t, server.requests, 3)
	assert.Equal(t, large, server.stored)
}

func TestATooLargeRequestIsHalvedUntilItFits(t *testing.T) {
	server := newIntake(t)
	server.answer = func(messages []string) (int, string) {
		if len(messages) > 3 {
			return 413, ""
		}
		return 202, ""
	}
	messages := []string{"a", "b", "c", "d", "e", "f", "g"}
	require.NoError(t, exporterTo(t, server.URL, nil).
		ConsumeLogs(context.Background(), batchOf(messages...)))
	assert.Equal(t, messages, server.stored)
}

func TestRecordsRefusedBesideDeliveredOnesAreNamed(t *testing.T) {
	server := newIntake(t)
	server.answer = func(messages []string) (int, string) {
		if len(messages) > 1 || messages[0] == "b" {
			return 413, "too large"
		}
		return 202, ""
	}
	err := exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batchOf("a", "b", "c"))
	documents, nothingElse := refused.Split(err)
	require.Len(t, documents, 1, "%v", err)
	assert.True(t, nothingElse)
	assert.True(t, documents[0].Confirmed)
	assert.Equal(t, []string{"uid-1"}, documents[0].UIDs)
	assert.Equal(t, []string{"a", "c"}, server.stored)
}

func TestRecordsThatWereTooLargeForAWhileAreDelivered(t *testing.T) {
	server := newIntake(t)
	server.answer = func([]string) (int, string) {
		// The whole, its first half, and the two records in that.
		if len(server.requests) <= 4 {
			return 413, "too large"
		}
		return 202, ""
	}
	require.NoError(t, exporterTo(t, server.URL, nil).
		ConsumeLogs(context.Background(), batchOf("a", "b", "c", "d")))
	assert.Equal(t, []string{"c", "d", "a", "b"}, server.stored)
}

func TestAnIntakeThatFindsEverythingTooLargeNamesNoRecord(t *testing.T) {
	server := newIntake(t)
	server.answer = func([]string) (int, string) { return 413, "too large" }
	err := exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batchOf("a", "b"))
	documents, _ := refused.Split(err)
	assert.Empty(t, documents)
	assert.True(t, consumererror.IsPermanent(err))
	assert.Len(t, server.requests, 3)
}

func TestWhatIsLeftAfterALaterFailureIsCarriedByTheError(t *testing.T) {
	server := newIntake(t)
	server.answer = func([]string) (int, string) {
		if len(server.requests) == 2 {
			return 503, ""
		}
		return 202, ""
	}
	messages := make([]string, 1500)
	for i := range messages {
		messages[i] = fmt.Sprint(i)
	}
	err := exporterTo(t, server.URL, nil).ConsumeLogs(context.Background(), batchOf(messages...))
	var left consumererror.Logs
	require.True(t, errors.As(err, &left))
	assert.False(t, consumererror.IsPermanent(err))
	require.Equal(t, 500, left.Data().LogRecordCount())
	assert.Equal(t, "1000", left.Data().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().
		At(0).Body().Str())
}

func TestItWorksWithItsOwnQueueAndRetries(t *testing.T) {
	server := newIntake(t)
	server.answer = func([]string) (int, string) {
		if len(server.requests) <= 2 {
			return 503, ""
		}
		return 202, ""
	}
	exporter := exporterTo(t, server.URL, map[string]any{
		"retry_on_failure": map[string]any{"enabled": true, "initial_interval": "1ms"},
		"sending_queue":    map[string]any{"enabled": true, "wait_for_result": true},
	})
	require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf("a")))
	assert.Equal(t, []string{"a"}, server.stored)
}
