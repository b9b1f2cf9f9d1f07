package main

import (
	"math/rand"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

func logsForTest() plogotlp.ExportRequest {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "bangui")
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("app.auth")
	log := scope.LogRecords().AppendEmpty()
	log.SetTimestamp(1700000000123456789)
	log.SetSeverityNumber(plog.SeverityNumberWarn)
	log.SetSeverityText("WARN")
	log.SetEventName("ban.created")
	log.Body().SetStr("banned")
	log.SetTraceID(pcommon.TraceID{1, 2})
	log.Attributes().PutStr("uid", "u9")
	return plogotlp.NewExportRequestFromLogs(logs)
}

func TestOTLPLogsInProtobufAndJSON(t *testing.T) {
	own := start(t, "--key", testKey)
	body, err := logsForTest().MarshalProto()
	must(t, err)
	encoder, err := zstd.NewWriter(nil)
	must(t, err)
	done := own.post(200, "/v1/logs", gzipped(t, body), "Content-Type", typeProtobuf,
		"Content-Encoding", "gzip", "Api-Key", testKey)
	equal(t, "type of the answer", done.header.Get("Content-Type"), typeProtobuf)
	own.post(200, "/v1/logs", encoder.EncodeAll(body, nil), "Content-Type", typeProtobuf,
		"Content-Encoding", "zstd", "Dd-Api-Key", testKey)
	asJSON, err := logsForTest().MarshalJSON()
	must(t, err)
	done = own.post(200, "/v1/logs", asJSON, "Content-Type", "application/json; charset=utf-8",
		"Authorization", "Bearer "+testKey)
	equal(t, "type of the answer", done.header.Get("Content-Type"), typeJSON)
	logs := own.received().Logs
	equal(t, "vendors", []string{logs[0].Vendor, logs[1].Vendor, logs[2].Vendor},
		[]string{"new_relic", "datadog_otlp", "otlp"})
	for _, log := range logs {
		for name, want := range map[string]any{
			"body": "banned", "severity_number": 13, "event_name": "ban.created",
			"resource": map[string]any{"service.name": "bangui"},
			"trace_id": "01020000000000000000000000000000",
		} {
			equal(t, name, log.Record[name], want)
		}
		equal(t, "scope", log.Record["scope"].(map[string]any)["name"], "app.auth")
	}
	equal(t, "uids", own.counts().UIDs, map[string]int{"u9": 3})
}

func TestOTLPRefusals(t *testing.T) {
	own := start(t, "--key", testKey)
	own.post(403, "/v1/logs", nil, "Content-Type", typeProtobuf, "Api-Key", "wrong")
	own.post(403, "/v1/logs", nil, "Content-Type", typeProtobuf)
	own.post(400, "/v1/logs", []byte("nonsense"), "Content-Type", typeProtobuf, "Api-Key", testKey)
	own.post(415, "/v1/logs", nil, "Content-Type", "text/plain", "Api-Key", testKey)
	noise := make([]byte, 1_100_000)
	rand.New(rand.NewSource(1)).Read(noise)
	own.post(413, "/v1/logs", noise, "Content-Type", typeProtobuf, "Api-Key", testKey)
	equal(t, "stored", len(own.received().Logs), 0)
}

func TestOTLPSpansAndMetrics(t *testing.T) {
	own := start(t)
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /api/bans")
	span.SetKind(ptrace.SpanKindServer)
	span.SetSpanID(pcommon.SpanID{9})
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Events().AppendEmpty().SetName("exception")
	body, err := ptraceotlp.NewExportRequestFromTraces(traces).MarshalProto()
	must(t, err)
	own.post(200, "/v1/traces", body, "Content-Type", typeProtobuf)

	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	sum := scope.Metrics().AppendEmpty()
	sum.SetName("bans")
	sum.SetEmptySum().SetIsMonotonic(true)
	sum.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	sum.Sum().DataPoints().AppendEmpty().SetIntValue(4)
	histogram := scope.Metrics().AppendEmpty()
	histogram.SetName("latency")
	point := histogram.SetEmptyHistogram().DataPoints().AppendEmpty()
	point.SetCount(3)
	point.ExplicitBounds().FromRaw([]float64{1, 2})
	point.BucketCounts().FromRaw([]uint64{1, 1, 1})
	scope.Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(0.5)
	scope.Metrics().AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().SetScale(2)
	summary := scope.Metrics().AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty()
	summary.QuantileValues().AppendEmpty().SetQuantile(0.99)
	body, err = pmetricotlp.NewExportRequestFromMetrics(metrics).MarshalProto()
	must(t, err)
	own.post(200, "/v1/metrics", body, "Content-Type", typeProtobuf)

	got := own.received()
	equal(t, "span", []any{got.Spans[0].Record["name"], got.Spans[0].Record["kind"]},
		[]any{"GET /api/bans", "server"})
	equal(t, "status", got.Spans[0].Record["status"], map[string]any{"code": "error", "message": ""})
	types := []any{}
	for _, metric := range got.Metrics {
		types = append(types, metric.Record["type"])
	}
	equal(t, "types", types,
		[]any{"sum", "histogram", "gauge", "exponentialhistogram", "summary"})
	first := func(at int) map[string]any {
		return got.Metrics[at].Record["points"].([]any)[0].(map[string]any)
	}
	equal(t, "sum", first(0)["value"], 4)
	equal(t, "temporality", got.Metrics[0].Record["temporality"], "cumulative")
	equal(t, "buckets", first(1)["bucket_counts"], []int{1, 1, 1})
	equal(t, "gauge", first(2)["value"], 0.5)
	equal(t, "scale", first(3)["scale"], 2)
	equal(t, "quantile", first(4)["quantiles"], []any{map[string]any{"quantile": 0.99, "value": 0}})
}
