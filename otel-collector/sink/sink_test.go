package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// testKey is what the clients of the tests show.
const testKey = "key-of-the-test"

// running is a sink with real ports, as a test sees it.
type running struct {
	*sink
	t      *testing.T
	client *http.Client
	scheme string
}

func start(t *testing.T, arguments ...string) *running {
	t.Helper()
	arguments = append([]string{"--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"}, arguments...)
	options, err := parseOptions(arguments)
	must(t, err)
	sink, err := startSink(options)
	must(t, err)
	t.Cleanup(sink.stop)
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Timeout: 10 * time.Second, Transport: transport}
	scheme := "http"
	if options.tlsCert != "" {
		scheme = "https"
	}
	return &running{sink, t, client, scheme}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// send is a request to the data port; headers are pairs.
func (r *running) send(method, path string, body []byte, headers ...string) (reply, error) {
	return r.call(r.client, r.scheme+"://"+r.door.address()+path, method, body, headers...)
}

// post is a request that must be answered with a status.
func (r *running) post(status int, path string, body []byte, headers ...string) reply {
	r.t.Helper()
	got, err := r.send(http.MethodPost, path, body, headers...)
	must(r.t, err)
	if got.status != status {
		r.t.Fatalf("POST %s: %d and not %d: %s", path, got.status, status, got.body)
	}
	return got
}

func (r *running) call(
	client *http.Client, url, method string, body []byte, headers ...string,
) (reply, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	must(r.t, err)
	for index := 0; index < len(headers); index += 2 {
		request.Header.Set(headers[index], headers[index+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text)}, err
}

// ask is a request to the control port.
func (r *running) ask(method, path, body string) reply {
	r.t.Helper()
	got, err := r.call(r.client, "http://"+r.controlAddress()+path, method, []byte(body))
	must(r.t, err)
	return got
}

func (r *running) mode(text string) {
	r.t.Helper()
	if got := r.ask(http.MethodPut, "/mode", text); got.status != http.StatusOK {
		r.t.Fatalf("mode %s: %d %s", text, got.status, got.body)
	}
}

// received is what the control port tells, decoded loosely.
type received struct {
	Next                        uint64
	More                        bool
	Logs, Metrics, Spans, Stats []struct {
		Vendor  string
		Headers map[string]string
		Record  map[string]any
	}
	Requests []request
}

func (r *running) received() received {
	r.t.Helper()
	var own received
	must(r.t, json.Unmarshal([]byte(r.ask(http.MethodGet, "/received", "").body), &own))
	return own
}

func (r *running) counts() counts {
	r.t.Helper()
	var own counts
	must(r.t, json.Unmarshal([]byte(r.ask(http.MethodGet, "/counts", "").body), &own))
	return own
}

func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	_, err := writer.Write(body)
	must(t, err)
	must(t, writer.Close())
	return out.Bytes()
}

// equal compares as JSON, because numbers and maps of a record have been through it.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	gotText, err := json.Marshal(got)
	must(t, err)
	wantText, err := json.Marshal(want)
	must(t, err)
	if string(gotText) != string(wantText) {
		t.Fatalf("%s: %s and not %s", what, gotText, wantText)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, probe func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		if probe() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited too long for %s", what)
}

const oneLog = `[{"message":"m","uid":"u1"}]`

func TestControlPortTellsPagesAndForgets(t *testing.T) {
	own := start(t)
	for range 3 {
		own.post(202, "/api/v2/logs", []byte(oneLog))
	}
	first := own.ask(http.MethodGet, "/received?limit=2", "").body
	var page received
	must(t, json.Unmarshal([]byte(first), &page))
	equal(t, "logs of the first page", []any{len(page.Logs), page.More}, []any{2, true})
	rest := own.ask(http.MethodGet, "/received?since="+jsonText(t, page.Next), "").body
	var second received
	must(t, json.Unmarshal([]byte(rest), &second))
	equal(t, "logs of the rest", []any{len(second.Logs), second.More}, []any{1, false})
	equal(t, "requests of both", len(page.Requests)+len(second.Requests), 3)
	equal(t, "counts", own.counts().UIDs, map[string]int{"u1": 3})
	equal(t, "forgetting", own.ask(http.MethodDelete, "/received", "").status, 204)
	equal(t, "logs after it", len(own.received().Logs), 0)
	equal(t, "counts after it", own.counts().UIDs, map[string]int(nil))
	if next := own.received().Next; next < second.Next {
		t.Fatalf("the sequence went back from %d to %d", second.Next, next)
	}
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	must(t, err)
	return string(text)
}

func TestCountedRecordsAreNotKept(t *testing.T) {
	store := newStore(1, 1, 10)
	store.countOnly = true
	log := func(uid string) record { return record{kindLog, map[string]any{"uid": uid}} }
	must(t, store.add(batch{vendor: "v", records: []record{log("a"), log("b"), log("a")}}))
	equal(t, "records", len(store.records), 0)
	equal(t, "copies of a", store.counts.UIDs["a"], 2)
	equal(t, "logs", store.counts.Records["v"][kindLog], 3)
}

func TestFullStoreRefusesWholeBatches(t *testing.T) {
	store := newStore(3, 1<<20, 10)
	two := batch{vendor: "v", records: []record{{kindLog, nil}, {kindLog, nil}}}
	must(t, store.add(two))
	if err := store.add(two); err != errFull {
		t.Fatalf("%v", err)
	}
	equal(t, "records", len(store.records), 2)
	small := newStore(10, 10, 10)
	long := record{kindLog, map[string]any{"text": strings.Repeat("x", 100)}}
	if err := small.add(batch{records: []record{long}}); err != errFull {
		t.Fatalf("%v", err)
	}
	store.clear()
	must(t, store.add(two))
	for range 25 {
		store.addRequest(request{Vendor: "v", Status: 200})
	}
	if len(store.requests) > 10 {
		t.Fatalf("%d requests are kept", len(store.requests))
	}
	equal(t, "counted requests", store.counts.Requests["v"]["200"], 25)
}

func TestUIDIsFoundWhereverItStands(t *testing.T) {
	uid := map[string]any{"uid": "u"}
	forms := []any{
		uid,
		map[string]any{"attributes": uid},
		map[string]any{"log": map[string]any{"record": map[string]any{"uid": "u"}}},
		map[string]any{"message": `{"a":1,"uid":"u"}`},
		map[string]any{"event": map[string]any{"list": []any{1, uid}}},
	}
	for _, form := range forms {
		equal(t, jsonText(t, form), findUID(form, 0), "u")
	}
	equal(t, "none", findUID(map[string]any{"message": `{"uid":`, "other": "x"}, 0), "")
}

func TestSecretsAreNotShown(t *testing.T) {
	own := start(t, "--key", testKey)
	own.post(202, "/api/v2/logs", []byte(oneLog), "Dd-Api-Key", testKey, "X-Other", "seen")
	own.post(403, "/api/v2/logs", []byte(oneLog), "Dd-Api-Key", "another-secret")
	text := own.ask(http.MethodGet, "/received", "").body
	if strings.Contains(text, testKey) || strings.Contains(text, "another-secret") {
		t.Fatal(text)
	}
	requests := own.received().Requests
	equal(t, "right key", requests[0].Headers["dd-api-key"], "(the key)")
	equal(t, "wrong key", requests[1].Headers["dd-api-key"], "(not the key)")
	equal(t, "other header", requests[0].Headers["x-other"], "seen")
}

func TestArgumentsAreChecked(t *testing.T) {
	both := []string{"--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"}
	for _, wrong := range [][]string{
		{"--listen", "127.0.0.1:0"},
		append(both, "--tls-cert", "x"),
		append(both, "--aws-access-key-id", "x"),
		append(both, "--forward", "nonsense"),
		append(both, "--forward", "http://127.0.0.1:1", "--forward-tcp", "127.0.0.1:1"),
		append(both, "--unknown", testKey),
	} {
		if _, err := parseOptions(wrong); err == nil || strings.Contains(err.Error(), testKey) {
			t.Fatalf("%v: %v", wrong, err)
		}
	}
}
