package main

import (
	"testing"
)

// Three events in the form of the collector's exporter: a log, a metric and a span.
const hecEvents = `{"time":1700000000.123,"host":"h","source":"otel","sourcetype":"bangui",` +
	`"index":"main","event":"banned","fields":{"uid":"u3","otel.log.name":"n"}}` +
	`{"time":1700000000,"host":"h","event":"metric","fields":{"metric_name:bans":4}}` + "\n" +
	`{"host":"h","event":{"trace_id":"01","span_id":"02","name":"n","start_time":1}}`

func TestSplunkEvents(t *testing.T) {
	own := start(t, "--key", testKey)
	for _, path := range []string{"/services/collector", "/services/collector/event"} {
		done := own.post(200, path, gzipped(t, []byte(hecEvents)), "Content-Encoding", "gzip",
			"Authorization", "Splunk "+testKey)
		equal(t, "answer", done.body, `{"text":"Success","code":0}`)
	}
	got := own.received()
	counts := map[kind]int{"logs": 2, "metrics": 2, "spans": 2}
	equal(t, "counts", own.counts().Records["splunk"], counts)
	equal(t, "log", got.Logs[0].Record["event"], "banned")
	equal(t, "time", got.Logs[0].Record["time"], 1700000000.123)
	equal(t, "uids", own.counts().UIDs, map[string]int{"u3": 2})
	health, err := own.send("GET", "/services/collector/health", nil)
	must(t, err)
	equal(t, "health", health.body, `{"text":"HEC is healthy","code":17}`)
}

func TestSplunkRefusals(t *testing.T) {
	own := start(t, "--key", testKey)
	for _, one := range []struct {
		status                      int
		authorization, body, answer string
	}{
		{401, "", hecEvents, `{"text":"Token is required","code":2}`},
		{401, "Bearer x", hecEvents, `{"text":"Invalid authorization","code":3}`},
		{403, "Splunk wrong", hecEvents, `{"text":"Invalid token","code":4}`},
		{400, "Splunk " + testKey, ``, `{"text":"No data","code":5}`},
		{400, "Splunk " + testKey, `{"event":"a"}{"event":`,
			`{"text":"Invalid data format","code":6,"invalid-event-number":1}`},
		{400, "Splunk " + testKey, `{"host":"h"}`,
			`{"text":"Event field is required","code":12,"invalid-event-number":0}`},
		{400, "Splunk " + testKey, `{"event":""}`,
			`{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}`},
	} {
		headers := []string{}
		if one.authorization != "" {
			headers = []string{"Authorization", one.authorization}
		}
		got := own.post(one.status, "/services/collector", []byte(one.body), headers...)
		equal(t, one.body, got.body, one.answer)
	}
	// What stands before a wrong event is taken.
	equal(t, "stored", own.counts().Records["splunk"], map[kind]int{"logs": 1})
}
