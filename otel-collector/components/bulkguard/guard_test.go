package bulkguard

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/elasticsearchexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"bangui.local/otelcol/components/hold"
	"bangui.local/otelcol/components/refused"
)

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// exporterTo starts the real elasticsearch exporter with the guard before its connections.
func exporterTo(t *testing.T, server *elastic, guarded *Config, more map[string]any) consumer.Logs {
	guardSettings := extensiontest.NewNopSettings(componentType)
	made, err := NewFactory().Create(context.Background(), guardSettings, guarded)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))

	settings := map[string]any{
		"endpoint":        server.URL,
		"logs_index":      "bangui",
		"logs_dynamic_id": map[string]any{"enabled": true},
		"mapping":         map[string]any{"mode": "bodymap"},
		"sending_queue":   map[string]any{"enabled": false},
		"timeout":         "5s",
		"auth":            map[string]any{"authenticator": "bulk_guard"},
		"retry": map[string]any{"enabled": true, "max_retries": 5, "initial_interval": "1ms",
			"max_interval": "2ms", "retry_on_status": []any{429}},
	}
	for key, value := range more {
		settings[key] = value
	}
	factory := elasticsearchexporter.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(config))
	exporter, err := factory.CreateLogs(context.Background(),
		exportertest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, exporter.Start(context.Background(),
		host{component.NewID(componentType): made}))
	t.Cleanup(func() { require.NoError(t, exporter.Shutdown(context.Background())) })
	return exporter
}

func batchOf(ids ...string) plog.Logs {
	batch := plog.NewLogs()
	scope := batch.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for _, id := range ids {
		record := scope.LogRecords().AppendEmpty()
		record.Attributes().PutStr("uid", id)
		if id != "" {
			record.Attributes().PutStr("elasticsearch.document_id", id)
		}
		record.Body().SetEmptyMap().PutStr("event", "login")
	}
	return batch
}

func takeAll(string, int) int { return 0 }

// refuseFor refuses one document with a status for its first tries.
func refuseFor(id string, status, tries int) func(string, int) int {
	return func(asked string, try int) int {
		if asked == id && try <= tries {
			return status
		}
		return 0
	}
}

const always = 1 << 30

func TestDocumentsRefusedForNowAreTriedAgainUntilTaken(t *testing.T) {
	for _, status := range []int{429, 403, 404, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server := newElastic(t, refuseFor("b", status, 2))
			exporter := exporterTo(t, server, &Config{}, nil)
			require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf("a", "b", "c")))
			assert.ElementsMatch(t, []string{"a", "b", "c"}, server.storedOnce())
		})
	}
}

func TestOpenSearchIsNotTakenForAStranger(t *testing.T) {
	server := newElastic(t, takeAll)
	server.isOpenSearch = true
	exporter := exporterTo(t, server, &Config{}, nil)
	require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf("a", "b")))
	assert.ElementsMatch(t, []string{"a", "b"}, server.storedOnce())
}

func TestNothingRefusedIsAcknowledgedWhenTheRetriesEnd(t *testing.T) {
	for name, retry := range map[string]map[string]any{
		"few":  {"enabled": true, "max_retries": 1, "initial_interval": "1ms", "max_interval": "1ms"},
		"none": {"enabled": false},
		"else": {"enabled": true, "max_retries": 1, "initial_interval": "1ms", "max_interval": "1ms",
			"retry_on_status": []any{503}},
	} {
		for _, status := range []int{429, 403, 503} {
			t.Run(fmt.Sprint(name, status), func(t *testing.T) {
				server := newElastic(t, refuseFor("b", status, always))
				exporter := exporterTo(t, server, &Config{}, map[string]any{"retry": retry})
				err := exporter.ConsumeLogs(context.Background(), batchOf("a", "b"))
				require.ErrorContains(t, err, "1 of 2 documents refused, the first with "+
					fmt.Sprint(status)+" refusing_exception")
				documents, _ := refused.Split(err)
				assert.Empty(t, documents)
			})
		}
	}
}

func TestADocumentThatCanNeverBeTakenIsNamed(t *testing.T) {
	server := newElastic(t, refuseFor("b", 400, always))
	exporter := exporterTo(t, server, &Config{}, nil)
	err := exporter.ConsumeLogs(context.Background(), batchOf("a", "b", "c"))
	documents, nothingElse := refused.Split(err)
	require.Len(t, documents, 1, "%v", err)
	assert.True(t, nothingElse, "%v", err)
	assert.Equal(t, []string{"b"}, documents[0].UIDs)
	assert.Equal(t, "refusing_exception: failed to parse field [n].", documents[0].Reason)
	assert.ElementsMatch(t, []string{"a", "c"}, server.storedOnce())
	assert.Equal(t, 1, server.tries["b"], "it is not tried in vain")
}

func TestWhatMayStillBeTakenComesBeforeWhatCannot(t *testing.T) {
	server := newElastic(t, func(id string, try int) int {
		switch {
		case id == "b":
			return 400
		case id == "c" && try <= 2:
			return 503
		}
		return 0
	})
	exporter := exporterTo(t, server, &Config{}, nil)
	err := exporter.ConsumeLogs(context.Background(), batchOf("a", "b", "c"))
	documents, nothingElse := refused.Split(err)
	require.Len(t, documents, 1, "%v", err)
	assert.True(t, nothingElse)
	assert.Equal(t, []string{"b"}, documents[0].UIDs)
	assert.ElementsMatch(t, []string{"a", "c"}, server.storedOnce())
}

func TestARefusedDocumentWithoutAnIDRefusesTheBatch(t *testing.T) {
	server := newElastic(t, refuseFor("", 400, always))
	exporter := exporterTo(t, server, &Config{}, nil)
	err := exporter.ConsumeLogs(context.Background(), batchOf("a", ""))
	require.ErrorContains(t, err, "documents without an id are refused")
	documents, _ := refused.Split(err)
	assert.Empty(t, documents)
}

func TestADocumentThatIsThereAlreadyIsDelivered(t *testing.T) {
	server := newElastic(t, takeAll)
	exporter := exporterTo(t, server, &Config{}, nil)
	for range 3 {
		require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf("a", "b")))
	}
	assert.ElementsMatch(t, []string{"a", "b"}, server.storedOnce())
	assert.Equal(t, 3, server.tries["a"], "an error would have been tried again")
}

func TestAnAnswerThatDoesNotSpeakOfEveryDocumentConfirmsNothing(t *testing.T) {
	for _, body := range []string{
		`{}`, ``, `<html>welcome</html>`, `{"items":[]}`,
		`{"items":[{"create":{"_id":"a","status":201}}]}`,
		`{"items":[{"create":{"_id":"a","status":201}},{"create":{"_id":"b","sta`,
		`{"items":[{"create":{"_id":"a","status":201}},{}]}`,
		`{"items":[{"create":{"_id":"a","status":201}},{"create":{"_id":"b"}}]}`,
	} {
		server := newElastic(t, takeAll)
		server.raw = func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(body))
			return true
		}
		exporter := exporterTo(t, server, &Config{}, nil)
		assert.Error(t, exporter.ConsumeLogs(context.Background(), batchOf("a", "b")), body)
	}
}

func TestAPackedAnswerIsUnderstood(t *testing.T) {
	server := newElastic(t, refuseFor("b", 400, always))
	server.packed = true
	exporter := exporterTo(t, server, &Config{}, map[string]any{
		"headers": map[string]any{"Accept-Encoding": "gzip"}})
	err := exporter.ConsumeLogs(context.Background(), batchOf("a", "b"))
	documents, _ := refused.Split(err)
	require.Len(t, documents, 1, "%v", err)
	assert.Equal(t, []string{"b"}, documents[0].UIDs)
}

func TestATooLongAnswerIsAnError(t *testing.T) {
	server := newElastic(t, takeAll)
	made := &guard{maxAnswerBytes: 50}
	transport, err := made.RoundTripper(http.DefaultTransport)
	require.NoError(t, err)
	response, err := (&http.Client{Transport: transport}).Post(server.URL+"/_bulk", "", nil)
	if err == nil {
		response.Body.Close()
	}
	require.ErrorContains(t, err, "cannot be understood", "an answer within the limit has no items")
	made.maxAnswerBytes = 5
	response, err = (&http.Client{Transport: transport}).Post(server.URL+"/_bulk", "", nil)
	if err == nil {
		response.Body.Close()
	}
	require.ErrorContains(t, err, "longer than 5 bytes")
}

func TestTheExportersOwnCredentialsStayWhenNoKeyFileIsSet(t *testing.T) {
	for want, more := range map[string]map[string]any{
		"Basic bWU6cHc=": {"user": "me", "password": "pw"},
		"APIKey a2V5":    {"api_key": "a2V5"},
		"":               nil,
	} {
		server := newElastic(t, takeAll)
		exporter := exporterTo(t, server, &Config{}, more)
		require.NoError(t, exporter.ConsumeLogs(context.Background(), batchOf("a")))
		assert.Equal(t, []string{want}, server.authorizations)
	}
}

func TestTheKeyFileIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte("first\n"), 0o600))
	server := newElastic(t, takeAll)
	made, err := NewFactory().Create(context.Background(),
		extensiontest.NewNopSettings(componentType), &Config{APIKeyFile: path})
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	keys := made.(*guard).key
	transport, err := made.(*guard).RoundTripper(http.DefaultTransport)
	require.NoError(t, err)
	ask := func() {
		keys.mutex.Lock()
		keys.readAt = time.Time{}
		keys.mutex.Unlock()
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		require.NoError(t, err)
		response.Body.Close()
	}
	ask()
	require.NoError(t, os.WriteFile(path, []byte("second"), 0o600))
	ask()
	require.NoError(t, os.Remove(path))
	ask()
	assert.Equal(t, []string{"ApiKey first", "ApiKey second", "ApiKey second"},
		server.authorizations)
}

func TestABadKeyFileIsToldAtStartWithoutItsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for _, content := range []string{"", "two words", "line\nline", "\x01"} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		made, err := NewFactory().Create(context.Background(),
			extensiontest.NewNopSettings(componentType), &Config{APIKeyFile: path})
		require.NoError(t, err)
		err = made.Start(context.Background(), componenttest.NewNopHost())
		require.ErrorContains(t, err, "api_key_file")
		assert.NotContains(t, err.Error(), "words")
	}
}

func TestBehindHoldOnlyTheImpossibleDocumentBecomesADeadLetter(t *testing.T) {
	server := newElastic(t, func(id string, try int) int {
		switch {
		case id == "b":
			return 400
		case id == "c" && try == 1:
			return 403
		}
		return 0
	})
	folder := t.TempDir()
	factory := hold.NewFactory()
	config := factory.CreateDefaultConfig().(*hold.Config)
	config.DeadLetterDirectory, config.Destination = folder, "elasticsearch"
	processor, err := factory.CreateLogs(context.Background(),
		processortest.NewNopSettings(factory.Type()), config, exporterTo(t, server, &Config{}, nil))
	require.NoError(t, err)
	require.NoError(t, processor.Start(context.Background(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, processor.Shutdown(context.Background())) }()

	require.NoError(t, processor.ConsumeLogs(context.Background(), batchOf("a", "b", "c")))
	assert.ElementsMatch(t, []string{"a", "c"}, server.storedOnce())
	paths, err := filepath.Glob(filepath.Join(folder, "elasticsearch", "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, paths, 1)
	content, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	kept, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(content)
	require.NoError(t, err)
	require.Equal(t, 1, kept.LogRecordCount())
	uid, _ := kept.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().
		Get("uid")
	assert.Equal(t, "b", uid.Str())
}
