package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// realServer is an index that takes every document, and keeps the lines that it was given.
func realServer(t *testing.T, taken *bytes.Buffer) *running {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		if !strings.HasSuffix(r.URL.Path, "/_bulk") {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
			return
		}
		taken.Write(body)
		var items []string
		for _, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
			if strings.Contains(line, "_index") {
				items = append(items, `{"create":{"_index":"i","status":201}}`)
			}
		}
		_, _ = io.WriteString(w, `{"took":3,"errors":false,"items":[`+strings.Join(items, ",")+`]}`)
	}))
	t.Cleanup(server.Close)
	return start(t, "--forward", server.URL)
}

func bulkBody(documents int) []byte {
	var out bytes.Buffer
	for number := range documents {
		out.WriteString(`{"create":{"_index":"i"}}` + "\n" + `{"n":` + string(rune('0'+number)) + "}\n")
	}
	return out.Bytes()
}

// statusesOf lists the documents' statuses in the order of the answer.
func statusesOf(t *testing.T, body string) []int {
	t.Helper()
	var given struct {
		Errors bool
		Items  []map[string]struct{ Status int }
	}
	must(t, json.Unmarshal([]byte(body), &given))
	var statuses []int
	hasErrors := false
	for _, item := range given.Items {
		for _, one := range item {
			statuses = append(statuses, one.Status)
			hasErrors = hasErrors || one.Status >= 400
		}
	}
	equal(t, "errors", given.Errors, hasErrors)
	return statuses
}

func TestEverythingIsForwarded(t *testing.T) {
	var taken bytes.Buffer
	own := realServer(t, &taken)
	got, err := own.send("PUT", "/_index_template/x?a=b", []byte(`{}`), "Authorization", "Basic abc")
	must(t, err)
	equal(t, "answer", []any{got.status, got.body}, []any{418, "PUT /_index_template/x?a=b Basic abc"})
	equal(t, "header", got.header.Get("X-Elastic-Product"), "Elasticsearch")
	bulk := own.post(200, "/_bulk", bulkBody(3))
	equal(t, "statuses", statusesOf(t, bulk.body), []int{201, 201, 201})
	own.mode(`{"mode":"status","status":429}`)
	own.post(429, "/_bulk", bulkBody(1))
	equal(t, "taken", taken.String(), string(bulkBody(3)))
	own.mode(`{"mode":"taken_then_hang","for_seconds":0.3}`)
	if _, err := own.send("POST", "/_bulk", bulkBody(1)); err == nil {
		t.Fatal("answered")
	}
	equal(t, "taken", taken.String(), string(bulkBody(3))+string(bulkBody(1)))
}

func TestSomeDocumentsAreRefused(t *testing.T) {
	var taken bytes.Buffer
	own := realServer(t, &taken)
	own.mode(`{"mode":"per_document_status","fractions":{"429":0.5,"400":0.2}}`)
	bulk := own.post(200, "/_bulk", gzipped(t, bulkBody(10)), "Content-Encoding", "gzip")
	statuses := statusesOf(t, bulk.body)
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	// Both are due at the tenth document, which can have one of them only.
	equal(t, "statuses", count, map[int]int{201: 4, 400: 2, 429: 4})
	for number, status := range statuses {
		isTaken := strings.Contains(taken.String(), `{"n":`+string(rune('0'+number))+"}")
		if isTaken != (status == 201) {
			t.Fatalf("document %d with status %d: taken is %v", number, status, isTaken)
		}
	}
	own.mode(`{"mode":"per_document_status","fractions":{"403":1}}`)
	taken.Reset()
	equal(t, "all", statusesOf(t, own.post(200, "/_bulk", bulkBody(2)).body), []int{403, 403})
	equal(t, "taken", taken.Len(), 0)
	own.post(400, "/_bulk", []byte("nonsense\n"))
}

func TestFractionsHoldForRequestsOfOneDocument(t *testing.T) {
	var taken bytes.Buffer
	own := realServer(t, &taken)
	own.mode(`{"mode":"per_document_status","fractions":{"429":0.25}}`)
	refused := 0
	for range 12 {
		if statusesOf(t, own.post(200, "/_bulk", bulkBody(1)).body)[0] == 429 {
			refused++
		}
	}
	equal(t, "refused", refused, 3)
}

func TestServerThatIsNotThere(t *testing.T) {
	own := start(t, "--forward", "http://127.0.0.1:1")
	own.post(502, "/_bulk", bulkBody(1))
}
