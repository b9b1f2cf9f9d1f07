package main

import (
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// incoming is a request that was read whole.
type incoming struct {
	method, path, host string
	query              url.Values
	header             http.Header
	// wire is the body as it was sent, compressed or not.
	wire []byte
	// contentLength is what the client announced; signatures may cover it.
	contentLength int64
	target        *url.URL
}

// answer is what a handler makes of a request; it has no effect until the front gives it.
type answer struct {
	status      int
	contentType string
	header      http.Header
	body        []byte
	// records are stored before the answer is sent, whatever the status.
	records []record
}

// handler is one vendor's side of a request.
type handler func(incoming) answer

// front is the data port: it finds the vendor, applies the mode and stores what arrived.
type front struct {
	store     *store
	modes     *modes
	key       string
	forwarder *forwarder
	aws       *cloudWatch
}

func newFront(options options, store *store, modes *modes) *front {
	own := &front{store: store, modes: modes, key: options.key}
	own.aws = newCloudWatch(options.accessKeyID, options.secretAccessKey)
	if options.forward != nil {
		own.forwarder = newForwarder(options.forward)
	}
	return own
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := readIncoming(w, r)
	if err != nil {
		// Beyond the sink's own limit, which is above every vendor's, or broken by the client.
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	vendor, handle := f.route(in)
	seen := f.describe(vendor, in, r.TLS)
	for {
		mode, changed := f.modes.take(in.path)
		if mode.Name != modeOK {
			seen.Fault = mode.Name
		}
		switch mode.Name {
		case modeStatus:
			f.give(w, seen, statusAnswer(vendor, mode))
		case modeHang:
			if f.waits(r, changed) {
				// The server has woken up, and the client still waits: it is served now.
				continue
			}
			f.abort(seen)
		case modeTakenThenHang:
			f.keep(seen, handle(in))
			f.waits(r, changed)
			f.abort(seen)
		case modeReset:
			if mode.Taken {
				f.keep(seen, handle(in))
			}
			f.store.addRequest(seen)
			resetInAnswer(w)
		case modePerDocumentStatus:
			if f.forwarder != nil && isBulk(in) {
				f.give(w, seen, f.forwarder.bulk(in, mode.Fractions))
				return
			}
			fallthrough
		default:
			f.give(w, seen, f.keep(seen, handle(in)))
		}
		return
	}
}

// waits is true when the mode changed while the client was still there.
func (f *front) waits(r *http.Request, changed <-chan struct{}) bool {
	select {
	case <-changed:
		return r.Context().Err() == nil
	case <-r.Context().Done():
		return false
	}
}

// abort breaks the connection without an answer.
func (f *front) abort(seen request) {
	f.store.addRequest(seen)
	panic(http.ErrAbortHandler)
}

// keep stores what an answer has found; a full store changes the answer.
func (f *front) keep(seen request, given answer) answer {
	if len(given.records) == 0 {
		return given
	}
	err := f.store.add(batch{vendor: seen.Vendor, headers: seen.Headers, records: given.records})
	if err != nil {
		return jsonAnswer(http.StatusInsufficientStorage, map[string]string{"error": err.Error()})
	}
	return given
}

func (f *front) give(w http.ResponseWriter, seen request, given answer) {
	seen.Status = given.status
	f.store.addRequest(seen)
	for name, values := range given.header {
		w.Header()[name] = values
	}
	if given.contentType != "" {
		w.Header().Set("Content-Type", given.contentType)
	}
	w.WriteHeader(given.status)
	// A client that has gone has its own reasons.
	_, _ = w.Write(given.body)
}

// resetInAnswer begins an answer that promises more, and resets the connection.
func resetInAnswer(w http.ResponseWriter) {
	connection, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		loud("a connection cannot be reset: %v", err)
		panic(http.ErrAbortHandler)
	}
	_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
	_ = buffer.Flush()
	reset(connection)
}

func readIncoming(w http.ResponseWriter, r *http.Request) (incoming, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWireBytes))
	if err != nil {
		return incoming{}, errors.New("the body cannot be read, or exceeds the sink's own limit")
	}
	return incoming{
		method: r.Method, path: r.URL.Path, host: r.Host, query: r.URL.Query(), header: r.Header,
		wire: body, contentLength: r.ContentLength, target: r.URL,
	}, nil
}

// route finds the vendor by the path, as the vendors' own host names would.
func (f *front) route(in incoming) (string, handler) {
	if f.forwarder != nil {
		return "forward", f.forwarder.pass
	}
	switch path := strings.TrimSuffix(in.path, "/"); {
	case path == "/v1/logs" || path == "/v1/traces" || path == "/v1/metrics":
		return otlpVendor(in), f.otlp
	case strings.HasPrefix(path, "/services/collector"):
		return "splunk", f.splunk
	case path == "" && in.header.Get("X-Amz-Target") != "":
		return "cloudwatch", f.aws.handle
	case isBulk(in):
		return "elasticsearch", f.elasticsearch
	case path == "/intake" || strings.HasPrefix(path, "/api/"):
		return "datadog", f.datadog
	}
	return "unknown", func(incoming) answer { return answer{status: http.StatusNotFound} }
}

// secretHeaders are never shown; only whether they hold the key that was expected.
var secretHeaders = map[string]bool{
	"Api-Key": true, "Dd-Api-Key": true, "Authorization": true, "X-Api-Key": true,
	"X-License-Key": true, "X-Insert-Key": true, "Cookie": true, "X-Amz-Security-Token": true,
	"Proxy-Authorization": true,
}

// maxHeaderNote bounds a header's value in what the control port tells.
const maxHeaderNote = 1024

func (f *front) describe(vendor string, in incoming, state *tls.ConnectionState) request {
	seen := request{Vendor: vendor, Method: in.method, Path: in.path, WireBytes: len(in.wire)}
	seen.Headers = make(map[string]string, len(in.header))
	for name, values := range in.header {
		value := strings.Join(values, ", ")
		if secretHeaders[name] {
			value = f.note(value)
		}
		seen.Headers[strings.ToLower(name)] = value[:min(len(value), maxHeaderNote)]
	}
	if state != nil {
		seen.TLS = tls.VersionName(state.Version)
		if len(state.PeerCertificates) > 0 {
			seen.Client = state.PeerCertificates[0].Subject.CommonName
		}
	}
	return seen
}

// note stands for a secret header's value.
func (f *front) note(value string) string {
	switch {
	case f.key == "":
		return "(present)"
	case f.isKey(value[strings.LastIndex(value, " ")+1:]):
		return "(the key)"
	}
	return "(not the key)"
}

func (f *front) isKey(value string) bool {
	return subtle.ConstantTimeCompare([]byte(value), []byte(f.key)) == 1
}

// statusAnswer refuses in the vendor's own words, because clients read them.
func statusAnswer(vendor string, mode Mode) answer {
	var given answer
	switch vendor {
	case "splunk":
		given = splunkRefusal(mode.Status)
	case "cloudwatch":
		given = awsRefusal(mode.Status)
	default:
		text := http.StatusText(mode.Status)
		given = jsonAnswer(mode.Status, map[string][]string{"errors": {text}})
	}
	if mode.RetryAfterSeconds != nil {
		given.header = http.Header{"Retry-After": {strconv.Itoa(*mode.RetryAfterSeconds)}}
	}
	return given
}

func jsonAnswer(status int, value any) answer {
	text, err := json.Marshal(value)
	if err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	return answer{status: status, contentType: "application/json", body: text}
}
