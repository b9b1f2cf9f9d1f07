package recentlogs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

type answer struct {
	Newest  uint64   `json:"newest"`
	Dropped uint64   `json:"dropped"`
	Records []record `json:"records"`
}

// start runs the exporter on a free port; gives where it answers.
func start(t *testing.T) (exporter.Logs, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	endpoint := listener.Addr().String()
	require.NoError(t, listener.Close())
	config := &Config{Endpoint: endpoint}
	require.NoError(t, config.Validate())
	set := exportertest.NewNopSettings(componentType)
	made, err := NewFactory().CreateLogs(context.Background(), set, config)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, made.Shutdown(context.Background())) })
	return made, "http://" + endpoint
}

func line(component string, severity plog.SeverityNumber, message, problem string) plog.Logs {
	made := plog.NewLogs()
	scope := made.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	if component != "" {
		scope.Scope().Attributes().PutStr(componentAttribute, component)
	}
	record := scope.LogRecords().AppendEmpty()
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_800_000_000, 0)))
	record.SetSeverityNumber(severity)
	record.Body().SetStr(message)
	if problem != "" {
		record.Attributes().PutStr("error", problem)
	}
	return made
}

func ask(t *testing.T, method, url string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, body
}

func told(t *testing.T, url string) answer {
	t.Helper()
	status, body := ask(t, http.MethodGet, url)
	require.Equal(t, http.StatusOK, status, string(body))
	assert.LessOrEqual(t, len(body), 256*1024)
	var parsed answer
	require.NoError(t, json.Unmarshal(body, &parsed))
	return parsed
}

func TestTheNewestLineIsToldFirst(t *testing.T) {
	made, url := start(t)
	ctx := context.Background()
	assert.Empty(t, told(t, url+"/logs").Records)
	require.NoError(t, made.ConsumeLogs(ctx, line("", plog.SeverityNumberWarn, "slow", "")))
	require.NoError(t, made.ConsumeLogs(ctx,
		line("otlphttp/other", plog.SeverityNumberError, "failed\nbadly", "it <answers> 401")))
	all := told(t, url+"/logs")
	at := time.Unix(1_800_000_000, 0).UTC()
	assert.Equal(t, answer{Newest: 2, Records: []record{
		{Seq: 2, Timestamp: at, Since: at, Level: "error", Component: "otlphttp/other",
			Message: "failed badly", Error: "it <answers> 401", Count: 1},
		{Seq: 1, Timestamp: at, Since: at, Level: "warning", Message: "slow", Count: 1},
	}}, all)
	assert.Len(t, told(t, url+"/logs?limit=1").Records, 1)
	assert.Equal(t, uint64(2), told(t, url+"/logs?after=1").Records[0].Seq)
	assert.Empty(t, told(t, url+"/logs?after=2&limit=7").Records)
}

func TestRepeatedLinesTakeOnePlaceAndAreCounted(t *testing.T) {
	made, url := start(t)
	ctx := context.Background()
	for range 3 {
		for _, component := range []string{"a", "b"} {
			require.NoError(t, made.ConsumeLogs(ctx,
				line(component, plog.SeverityNumberError, "failed", "EOF")))
		}
	}
	all := told(t, url+"/logs").Records
	require.Len(t, all, 2)
	assert.Equal(t, []uint64{6, 5}, []uint64{all[0].Seq, all[1].Seq})
	assert.Equal(t, []uint64{3, 3}, []uint64{all[0].Count, all[1].Count})
	// Another line between them, of the same component, begins anew.
	require.NoError(t, made.ConsumeLogs(ctx, line("a", plog.SeverityNumberError, "failed", "401")))
	require.NoError(t, made.ConsumeLogs(ctx, line("a", plog.SeverityNumberError, "failed", "EOF")))
	all = told(t, url+"/logs").Records
	require.Len(t, all, 4)
	assert.Equal(t, uint64(1), all[0].Count)
	// What is repeated is news for who has asked before.
	assert.Len(t, told(t, url+"/logs?after=6").Records, 2)
}

func TestAFloodOfLongLinesStaysSmall(t *testing.T) {
	made, url := start(t)
	long := strings.Repeat(`"\`, 1<<20)
	for number := range maxRecords + 50 {
		require.NoError(t, made.ConsumeLogs(context.Background(),
			line("a", plog.SeverityNumberError, fmt.Sprintf("%d %s", number, long), long)))
	}
	kept := made.(*keeper).ring
	assert.Len(t, kept.records, maxRecords)
	assert.LessOrEqual(t, cap(kept.records), 2*maxRecords)
	for _, one := range kept.records {
		assert.LessOrEqual(t, len(one.Message)+len(one.Error)+len(one.Component), 4096)
	}
	// told checks the size of the answer.
	all := told(t, url+"/logs")
	assert.Equal(t, uint64(50), all.Dropped)
	assert.Greater(t, len(all.Records), 20)
	assert.Equal(t, uint64(maxRecords+50), all.Records[0].Seq)
}

func TestNoSecretIsKept(t *testing.T) {
	made, url := start(t)
	require.NoError(t, made.ConsumeLogs(context.Background(), line("a", plog.SeverityNumberError,
		"Authorization: Basic hunter2hunter2", "Post \"https://u:hunter2@a/?key=hunter2\": 401")))
	_, body := ask(t, http.MethodGet, url+"/logs")
	assert.NotContains(t, string(body), "hunter2")
	assert.Contains(t, string(body), "401")
}

func TestOnlyWhatIsAskedRightIsAnswered(t *testing.T) {
	_, url := start(t)
	for request, want := range map[string]int{
		"GET /":                      http.StatusNotFound,
		"GET /logs/":                 http.StatusNotFound,
		"POST /logs":                 http.StatusMethodNotAllowed,
		"DELETE /logs":               http.StatusMethodNotAllowed,
		"GET /logs?limit=0":          http.StatusBadRequest,
		"GET /logs?limit=201":        http.StatusBadRequest,
		"GET /logs?limit=x":          http.StatusBadRequest,
		"GET /logs?after=-1":         http.StatusBadRequest,
		"GET /logs?after=1&limit=20": http.StatusOK,
	} {
		method, path, _ := strings.Cut(request, " ")
		status, _ := ask(t, method, url+path)
		assert.Equal(t, want, status, request)
	}
}

// The collector works without the page: the failure is told once, and records are taken.
func TestAnAddressThatIsTakenIsToldOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	core, lines := observer.New(zap.WarnLevel)
	set := exportertest.NewNopSettings(componentType)
	set.Logger = zap.New(core)
	config := &Config{Endpoint: listener.Addr().String()}
	made, err := NewFactory().CreateLogs(context.Background(), set, config)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, made.ConsumeLogs(context.Background(),
		line("a", plog.SeverityNumberError, "failed", "")))
	require.NoError(t, made.Shutdown(context.Background()))
	assert.Equal(t, 1, lines.Len())
}

func TestAnEndpointIsAnAddress(t *testing.T) {
	for _, wrong := range []string{"", "8887", "127.0.0.1", "a:b:c"} {
		assert.Error(t, (&Config{Endpoint: wrong}).Validate(), wrong)
	}
	assert.Error(t, NewFactory().CreateDefaultConfig().(*Config).Validate())
}
