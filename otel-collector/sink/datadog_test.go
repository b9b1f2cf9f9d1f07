package main

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/agent-payload/v5/gogen"
	pb "github.com/DataDog/datadog-agent/pkg/proto/pbgo/trace"
	"github.com/klauspost/compress/zstd"
	"github.com/tinylib/msgp/msgp"
	"google.golang.org/protobuf/proto"
)

func TestDatadogLogsInEveryEncoding(t *testing.T) {
	own := start(t)
	deflated := func(make func(io.Writer) io.WriteCloser) []byte {
		var out bytes.Buffer
		writer := make(&out)
		_, err := writer.Write([]byte(oneLog))
		must(t, err)
		must(t, writer.Close())
		return out.Bytes()
	}
	encoder, err := zstd.NewWriter(nil)
	must(t, err)
	own.post(202, "/api/v2/logs", []byte(oneLog))
	own.post(202, "/api/v2/logs", gzipped(t, []byte(oneLog)), "Content-Encoding", "gzip")
	compressed := encoder.EncodeAll([]byte(oneLog), nil)
	own.post(202, "/api/v2/logs", compressed, "Content-Encoding", "zstd")
	asZlib := deflated(func(out io.Writer) io.WriteCloser { return zlib.NewWriter(out) })
	own.post(202, "/api/v2/logs", asZlib, "Content-Encoding", "deflate")
	raw := deflated(func(out io.Writer) io.WriteCloser {
		writer, err := flate.NewWriter(out, flate.BestSpeed)
		must(t, err)
		return writer
	})
	own.post(202, "/api/v2/logs", raw, "Content-Encoding", "deflate")
	equal(t, "stored", own.counts().UIDs["u1"], 5)
	own.post(400, "/api/v2/logs", []byte(oneLog), "Content-Encoding", "gzip")
	own.post(400, "/api/v2/logs", []byte(oneLog), "Content-Encoding", "br")
}

func TestDatadogLogAsItIsShown(t *testing.T) {
	own := start(t)
	body := `[{"message":
		"{\"event\":\"ban\",\"message\":\"banned\",\"uid\":\"u7\",\"n\":9007199254740993}",
		"ddsource":"otel","ddtags":"component:auth,env:test","hostname":"h","service":"bangui",
		"status":"warn","otel.severity_number":"13","@timestamp":"2020-01-02T03:04:05.678Z"}]`
	own.post(202, "/api/v2/logs", []byte(body))
	got := own.received().Logs[0]
	equal(t, "vendor", got.Vendor, "datadog")
	equal(t, "tags", got.Record["tags"], []string{"component:auth", "env:test"})
	equal(t, "status", got.Record["status"], "warning")
	equal(t, "time", got.Record["timestamp"], "2020-01-02T03:04:05.678Z")
	equal(t, "age", got.Record["too_old"], true)
	attributes := got.Record["attributes"].(map[string]any)
	equal(t, "event", attributes["event"], "ban")
	equal(t, "message", got.Record["message"], "banned")
	text := own.ask("GET", "/received", "").body
	if !strings.Contains(text, `"n":9007199254740993`) {
		t.Fatal("a number has lost digits: " + text)
	}
	equal(t, "uid", own.counts().UIDs, map[string]int{"u7": 1})
}

func TestDatadogStatusWords(t *testing.T) {
	for text, want := range map[string]string{
		"emerg": "emergency", "FATAL": "emergency", "Alert": "alert", "critical": "critical",
		"error": "error", "Warning": "warning", "notice": "notice", "info": "info", "debug": "debug",
		"trace": "debug", "ok": "ok", "success": "ok", "3": "error", "200": "info", "zzz": "info",
	} {
		equal(t, text, datadogStatus(map[string]any{"level": text}), want)
	}
}

func TestDatadogLogLimits(t *testing.T) {
	own := start(t)
	own.post(202, "/api/v2/logs", []byte(`{}`))
	own.post(202, "/api/v2/logs", []byte(`[]`))
	own.post(400, "/api/v2/logs", []byte(`[{"message":`))
	entries := func(count int) []byte {
		return []byte("[" + strings.TrimSuffix(strings.Repeat(`{"message":"m"},`, count), ",") + "]")
	}
	own.post(202, "/api/v2/logs", entries(1000))
	own.post(400, "/api/v2/logs", entries(1001))
	equal(t, "stored", own.counts().Records["datadog"][kindLog], 1000)
	huge := `[{"message":"` + strings.Repeat("x", 6<<20) + `"}]`
	own.post(413, "/api/v2/logs", gzipped(t, []byte(huge)), "Content-Encoding", "gzip")
	own.ask("DELETE", "/received", "")
	long := `[{"message":"` + strings.Repeat("x", 2<<20) + `"}]`
	own.post(202, "/api/v2/logs", []byte(long))
	cut := own.received().Logs[0].Record
	equal(t, "cut", []any{cut["truncated"], len(cut["message"].(string))}, []any{true, 1 << 20})
}

func TestDatadogKeyIsChecked(t *testing.T) {
	own := start(t, "--key", testKey)
	valid, err := own.send("GET", "/api/v1/validate", nil, "Dd-Api-Key", testKey)
	must(t, err)
	equal(t, "validate", []any{valid.status, valid.body}, []any{200, `{"valid":true}`})
	wrong, err := own.send("GET", "/api/v1/validate", nil, "Dd-Api-Key", "wrong")
	must(t, err)
	equal(t, "validate", wrong.status, 403)
	own.post(401, "/api/v2/logs", []byte(oneLog))
	own.post(403, "/api/v2/logs", []byte(oneLog), "Dd-Api-Key", "wrong")
	own.post(202, "/api/v2/logs?api_key="+testKey, []byte(oneLog))
	own.post(202, "/intake/?api_key="+testKey, []byte(`{}`))
	equal(t, "stored", own.counts().UIDs["u1"], 1)
}

func TestDatadogSeries(t *testing.T) {
	own := start(t)
	payload := gogen.MetricPayload{Series: []*gogen.MetricPayload_MetricSeries{{
		Metric: "bangui.bans", Type: gogen.MetricPayload_COUNT, Tags: []string{"jail:sshd"},
		Unit: "ban", Interval: 10, SourceTypeName: "otel",
		Resources: []*gogen.MetricPayload_Resource{{Type: "host", Name: "h"}},
		Points: []*gogen.MetricPayload_MetricPoint{
			{Value: 3, Timestamp: 1700000000}, {Value: math.NaN(), Timestamp: 1700000010},
		},
	}}}
	body, err := payload.Marshal()
	must(t, err)
	own.post(202, "/api/v2/series", gzipped(t, body), "Content-Encoding", "gzip",
		"Content-Type", "application/x-protobuf")
	own.post(202, "/api/v2/series", []byte(`{"series":[{"metric":"bangui.bans","type":1,
		"points":[{"timestamp":1700000000,"value":3}],"tags":["jail:sshd"]}]}`),
		"Content-Type", "application/json")
	metrics := own.received().Metrics
	equal(t, "points", metrics[0].Record["points"], []any{
		map[string]any{"timestamp": 1700000000, "value": 3},
		map[string]any{"timestamp": 1700000010, "value": "NaN"},
	})
	for _, metric := range metrics {
		equal(t, "metric", metric.Record["metric"], "bangui.bans")
		equal(t, "type", metric.Record["type"], "count")
		equal(t, "tags", metric.Record["tags"], []string{"jail:sshd"})
	}
	own.post(400, "/api/v2/series", []byte("nonsense"))
	own.post(413, "/api/v2/series", bytes.Repeat([]byte("x"), 600_000))
}

func TestDatadogSketches(t *testing.T) {
	own := start(t)
	payload := gogen.SketchPayload{Sketches: []gogen.SketchPayload_Sketch{{
		Metric: "latency", Host: "h", Tags: []string{"a:b"},
		Dogsketches: []gogen.SketchPayload_Sketch_Dogsketch{{
			Ts: 1700000000, Cnt: 2, Min: 1, Max: 3, Avg: 2, Sum: 4, K: []int32{1, 5}, N: []uint32{1, 1},
		}},
	}}}
	body, err := payload.Marshal()
	must(t, err)
	own.post(202, "/api/beta/sketches", body, "Content-Type", "application/x-protobuf")
	got := own.received().Metrics[0].Record
	equal(t, "metric", []any{got["metric"], got["type"]}, []any{"latency", "distribution"})
	equal(t, "points", got["points"], []any{map[string]any{
		"timestamp": 1700000000, "count": 2, "min": 1, "max": 3, "avg": 2, "sum": 4,
		"bins": []int{1, 5}, "bin_counts": []int{1, 1},
	}})
	own.post(400, "/api/beta/sketches", []byte("nonsense"))
}

func TestDatadogTracesAndStats(t *testing.T) {
	own := start(t)
	now := time.Now().UnixNano()
	traces := &pb.AgentPayload{HostName: "h", Env: "test", TracerPayloads: []*pb.TracerPayload{{
		LanguageName: "rust", Env: "test", Hostname: "h",
		Chunks: []*pb.TraceChunk{{Priority: 1, Spans: []*pb.Span{{
			Service: "bangui", Name: "server.request", Resource: "GET /api/bans", Type: "web",
			TraceID: math.MaxUint64, SpanID: 2, ParentID: 3, Start: now, Duration: 5, Error: 1,
			Meta: map[string]string{"k": "v"}, Metrics: map[string]float64{"m": 1.5},
		}}}},
	}}}
	body, err := proto.Marshal(traces)
	must(t, err)
	own.post(202, "/api/v0.2/traces", gzipped(t, body), "Content-Encoding", "gzip")
	groups := []*pb.ClientGroupedStats{
		{Service: "bangui", Name: "server.request", Resource: "GET /api/bans", Hits: 4, Errors: 1},
	}
	stats := &pb.StatsPayload{AgentHostname: "h", Stats: []*pb.ClientStatsPayload{{
		Env: "test", Stats: []*pb.ClientStatsBucket{{Start: 1, Duration: 10, Stats: groups}},
	}}}
	var out bytes.Buffer
	must(t, msgp.Encode(&out, stats))
	own.post(202, "/api/v0.2/stats", gzipped(t, out.Bytes()), "Content-Encoding", "gzip")
	got := own.received()
	span := got.Spans[0].Record
	for name, want := range map[string]any{
		"service": "bangui", "resource": "GET /api/bans", "trace_id": "18446744073709551615",
		"parent_id": "3", "error": 1, "agent_hostname": "h", "language": "rust", "priority": 1,
		"meta": map[string]string{"k": "v"}, "metrics": map[string]float64{"m": 1.5},
	} {
		equal(t, name, span[name], want)
	}
	group := got.Stats[0].Record
	equal(t, "stats", []any{group["hits"], group["errors"], group["resource"]},
		[]any{4, 1, "GET /api/bans"})
	own.post(400, "/api/v0.2/traces", []byte("nonsense"))
	own.post(400, "/api/v0.2/stats", []byte("nonsense"))
}
