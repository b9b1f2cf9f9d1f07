package main

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStatusesForSomeRequestsAndPaths(t *testing.T) {
	own := start(t)
	for status := range statuses {
		own.mode(`{"mode":"status","for_requests":1,"status":` + jsonText(t, status) + `}`)
		own.post(status, "/api/v2/logs", []byte(oneLog))
		own.post(202, "/api/v2/logs", []byte(oneLog))
	}
	equal(t, "stored", own.counts().UIDs["u1"], len(statuses))
	own.mode(`{"mode":"status","status":429,"retry_after_seconds":7,"path_prefix":"/v1/"}`)
	refused := own.post(429, "/v1/logs", nil, "Content-Type", typeProtobuf)
	equal(t, "retry-after", refused.header.Get("Retry-After"), "7")
	own.post(202, "/api/v2/logs", []byte(oneLog))
	own.mode(`{"mode":"status","status":503,"for_seconds":0.2}`)
	own.post(503, "/api/v2/logs", []byte(oneLog))
	time.Sleep(300 * time.Millisecond)
	own.post(202, "/api/v2/logs", []byte(oneLog))
	equal(t, "fault of a request", own.received().Requests[0].Fault, "status")
}

func TestVendorsRefuseInTheirOwnWords(t *testing.T) {
	own := start(t)
	own.mode(`{"mode":"status","status":503}`)
	busy := own.post(503, "/services/collector", nil)
	equal(t, "splunk", busy.body, `{"text":"Server is busy","code":9}`)
	down := own.post(503, "/", nil, "X-Amz-Target", "Logs_20140328.PutLogEvents")
	if !strings.Contains(down.body, "ServiceUnavailableException") {
		t.Fatal(down.body)
	}
}

func TestWrongModesAreRefused(t *testing.T) {
	own := start(t)
	for _, wrong := range []string{
		`{"mode":"nonsense"}`, `{"mode":"status"}`, `{"mode":"status","status":200}`,
		`{"mode":"refuse","for_requests":1}`, `{"mode":"ok","extra":1}`, `nonsense`,
		`{"mode":"per_document_status"}`, `{"mode":"ok","for_seconds":-1}`,
		`{"mode":"per_document_status","fractions":{"429":0.8,"400":0.4}}`,
		`{"mode":"per_document_status","fractions":{"200":0.1}}`,
		`{"mode":"hang","status":500}`, `{"mode":"hang","taken":true}`,
	} {
		equal(t, wrong, own.ask(http.MethodPut, "/mode", wrong).status, 400)
	}
	equal(t, "mode", strings.TrimSpace(own.ask(http.MethodGet, "/mode", "").body), `{"mode":"ok"}`)
}

func TestRefusedConnectionsUntilOK(t *testing.T) {
	own := start(t)
	address := own.door.address()
	own.mode(`{"mode":"refuse"}`)
	_, err := own.send("POST", "/api/v2/logs", []byte(oneLog))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	own.mode(`{"mode":"ok"}`)
	own.post(202, "/api/v2/logs", []byte(oneLog))
	equal(t, "address", own.door.address(), address)
	own.mode(`{"mode":"refuse","for_seconds":0.2}`)
	eventually(t, "the end of refusing", func() bool {
		_, err := own.send("POST", "/api/v2/logs", []byte(oneLog))
		return err == nil
	})
}

func TestResetInTheAnswer(t *testing.T) {
	certificate, client := certificateForTest(t)
	for _, own := range []*running{start(t), start(t, certificate...)} {
		own.client = client
		for _, taken := range []bool{false, true} {
			own.mode(`{"mode":"reset","for_requests":1,"taken":` + jsonText(t, taken) + `}`)
			_, err := own.send("POST", "/api/v2/logs", []byte(oneLog))
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
		}
		equal(t, "stored", own.counts().UIDs["u1"], 1)
	}
}

func TestHangingRequestIsServedWhenTheModeChanges(t *testing.T) {
	own := start(t)
	own.mode(`{"mode":"hang","for_requests":1}`)
	answered := make(chan int, 1)
	go func() {
		got, err := own.send("POST", "/api/v2/logs", []byte(oneLog))
		if err != nil {
			got.status = -1
		}
		answered <- got.status
	}()
	eventually(t, "the request to hang", func() bool { return own.modes.get().Name == modeOK })
	own.post(202, "/api/v2/logs", []byte(oneLog))
	equal(t, "stored while it hangs", own.counts().UIDs["u1"], 1)
	select {
	case status := <-answered:
		t.Fatalf("answered %d by itself", status)
	case <-time.After(200 * time.Millisecond):
	}
	own.mode(`{"mode":"ok"}`)
	equal(t, "status", <-answered, 202)
	equal(t, "stored in the end", own.counts().UIDs["u1"], 2)
}

func TestHangingRequestThatGivesUpIsNotStored(t *testing.T) {
	own := start(t)
	own.mode(`{"mode":"hang"}`)
	own.client = &http.Client{Timeout: 200 * time.Millisecond}
	if _, err := own.send("POST", "/api/v2/logs", []byte(oneLog)); err == nil {
		t.Fatal("answered")
	}
	own.client = &http.Client{Timeout: 5 * time.Second}
	eventually(t, "the request to be seen", func() bool { return len(own.received().Requests) == 1 })
	own.mode(`{"mode":"ok"}`)
	equal(t, "stored", len(own.counts().UIDs), 0)
	equal(t, "status", own.received().Requests[0].Status, 0)
}

func TestTakenThenHangStoresAndNeverAnswers(t *testing.T) {
	own := start(t)
	own.mode(`{"mode":"taken_then_hang"}`)
	failed := make(chan error, 1)
	go func() {
		_, err := own.send("POST", "/api/v2/logs", []byte(oneLog))
		failed <- err
	}()
	eventually(t, "the record", func() bool { return own.counts().UIDs["u1"] == 1 })
	own.mode(`{"mode":"ok"}`)
	if err := <-failed; err == nil {
		t.Fatal("answered")
	}
	own.post(202, "/api/v2/logs", []byte(oneLog))
	equal(t, "the duplicate", own.counts().UIDs["u1"], 2)
}

func TestTLSVersionAndClientAreTold(t *testing.T) {
	arguments, client := certificateForTest(t)
	own := start(t, append(arguments, "--client-ca", arguments[1])...)
	own.client = client
	if _, err := own.send("POST", "/api/v2/logs", []byte(oneLog)); err == nil {
		t.Fatal("served without a client's certificate")
	}
	pair, err := tls.LoadX509KeyPair(arguments[1], arguments[3])
	must(t, err)
	transport := client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	own.client = &http.Client{Transport: transport}
	got, err := own.send("POST", "/api/v2/logs", []byte(oneLog))
	must(t, err)
	equal(t, "status", got.status, 202)
	seen := own.received().Requests[0]
	equal(t, "TLS", []string{seen.TLS, seen.Client}, []string{"TLS 1.3", "sink of the test"})
}
