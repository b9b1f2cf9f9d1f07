package main

import (
	"net/http"
	"testing"
)

func TestBulkDocumentsAreKept(t *testing.T) {
	sink := start(t, "--key", testKey)
	body := `{"create":{"_index":"bangui-1","_id":"a"}}` + "\n" + `{"uid":"a","level":"info"}` + "\n" +
		`{"index":{"_index":"bangui-2","_id":"b"}}` + "\n" + `{"uid":"b"}` + "\n" +
		`{"delete":{"_index":"bangui-2","_id":"c"}}` + "\n"
	got := sink.post(http.StatusOK, "/_bulk", []byte(body), "Authorization", "ApiKey "+testKey)
	equal(t, "statuses", statusesOf(t, got.body), []int{201, 201, 201})
	equal(t, "product", got.header.Get("X-Elastic-Product"), "Elasticsearch")
	logs := sink.received().Logs
	equal(t, "documents", len(logs), 2)
	equal(t, "index", logs[0].Record["_index"], "bangui-1")
	equal(t, "vendor", logs[1].Vendor, "elasticsearch")
}

func TestBulkRequestsThatAreWrongAreRefused(t *testing.T) {
	sink := start(t, "--key", testKey)
	body := []byte(`{"create":{"_index":"i"}}` + "\n" + `{"uid":"a"}` + "\n")
	sink.post(http.StatusUnauthorized, "/_bulk", body)
	sink.post(http.StatusUnauthorized, "/_bulk", body, "Authorization", "ApiKey another")
	key := []string{"Authorization", "ApiKey " + testKey}
	sink.post(http.StatusBadRequest, "/_bulk", []byte("{}\n"), key...)
	sink.post(http.StatusBadRequest, "/_bulk", []byte(`{"create":{}}`+"\n"+`[1]`+"\n"), key...)
	equal(t, "documents", len(sink.received().Logs), 0)
}
