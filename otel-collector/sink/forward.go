package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// forwardTimeout bounds one request to the real server.
const forwardTimeout = 60 * time.Second

// forwarder passes requests on to a real server.
type forwarder struct {
	target *url.URL
	client *http.Client

	lock sync.Mutex
	// due holds what is left of the fractions, so that requests of one document see them too.
	due map[string]float64
}

func newForwarder(target *url.URL) *forwarder {
	transport := &http.Transport{
		MaxIdleConnsPerHost: maxConnections,
		IdleConnTimeout:     idleTimeout,
		// The client's own encodings are passed on as they are.
		DisableCompression: true,
	}
	never := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Transport: transport, Timeout: forwardTimeout, CheckRedirect: never}
	return &forwarder{target: target, client: client, due: map[string]float64{}}
}

// hopHeaders belong to one connection and are never passed on.
var hopHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Content-Length",
}

// pass gives the real server's answer.
func (f *forwarder) pass(in incoming) answer { return f.send(in, in.header, in.wire) }

func (f *forwarder) send(in incoming, header http.Header, body []byte) answer {
	target := *in.target
	target.Scheme, target.Host = f.target.Scheme, f.target.Host
	ctx, cancel := context.WithTimeout(context.Background(), forwardTimeout)
	defer cancel()
	content := bytes.NewReader(body)
	request, err := http.NewRequestWithContext(ctx, in.method, target.String(), content)
	if err != nil {
		return badGateway(err)
	}
	request.Header = header.Clone()
	for _, name := range hopHeaders {
		request.Header.Del(name)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return badGateway(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBodyBytes+1))
	if err == nil && len(text) > maxBodyBytes {
		err = errTooLarge
	}
	if err != nil {
		return badGateway(err)
	}
	given := answer{status: response.StatusCode, header: response.Header.Clone(), body: text}
	for _, name := range hopHeaders {
		given.header.Del(name)
	}
	return given
}

func badGateway(err error) answer {
	loud("the real server does not answer: %v", err)
	words := map[string]string{"error": "the real server does not answer"}
	return jsonAnswer(http.StatusBadGateway, words)
}

func isBulk(in incoming) bool {
	path := strings.TrimSuffix(in.path, "/")
	return in.method == http.MethodPost && strings.HasSuffix(path, "/_bulk")
}

// bulkItem is one document of a bulk request.
type bulkItem struct {
	action, index, id string
	// lines are what is passed on: the action and, unless it deletes, the document.
	lines []byte
	// status is 0 for a document that is passed on.
	status int
}

// bulk refuses some documents by itself and passes the others on; the answer lists all of them
// in their order, as the real server's would.
func (f *forwarder) bulk(in incoming, fractions map[string]float64) answer {
	body, err := in.plain(maxBodyBytes)
	if err != nil {
		return jsonAnswer(http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
	items, err := parseBulk(body)
	if err != nil {
		return jsonAnswer(http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
	f.refuseSome(items, fractions)
	var passed bytes.Buffer
	for _, item := range items {
		if item.status == 0 {
			passed.Write(item.lines)
		}
	}
	upstream := map[string]json.RawMessage{"took": json.RawMessage("0")}
	given := answer{status: http.StatusOK, contentType: "application/json", header: http.Header{}}
	if passed.Len() > 0 {
		header := in.header.Clone()
		header.Del("Content-Encoding")
		// The answer is read here, so that it must not be compressed.
		header.Set("Accept-Encoding", "identity")
		given = f.send(in, header, passed.Bytes())
		if given.status != http.StatusOK {
			return given
		}
		if err := json.Unmarshal(given.body, &upstream); err != nil {
			return badGateway(err)
		}
	}
	if given.body, err = mergeBulk(items, upstream); err != nil {
		return badGateway(err)
	}
	return given
}

func parseBulk(body []byte) ([]bulkItem, error) {
	var items []bulkItem
	lines := bytes.SplitAfter(body, []byte("\n"))
	for at := 0; at < len(lines); at++ {
		line := lines[at]
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var action map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
		if err := json.Unmarshal(line, &action); err != nil || len(action) != 1 {
			return nil, fmt.Errorf("line %d is no bulk action", at+1)
		}
		item := bulkItem{lines: slices.Clone(line)}
		for name, of := range action {
			item.action, item.index, item.id = name, of.Index, of.ID
		}
		if item.action != "delete" {
			at++
			if at >= len(lines) || len(lines[at]) == 0 {
				return nil, errors.New("the last action has no document")
			}
			item.lines = append(item.lines, lines[at]...)
		}
		items = append(items, item)
	}
	return items, nil
}

// refuseSome spreads the refusals evenly over the documents, and always alike, so that a test
// that failed can be repeated.
func (f *forwarder) refuseSome(items []bulkItem, fractions map[string]float64) {
	f.lock.Lock()
	defer f.lock.Unlock()
	statuses := make([]string, 0, len(fractions))
	for status := range fractions {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for index := range items {
		for _, status := range statuses {
			f.due[status] += fractions[status]
		}
		for _, status := range statuses {
			// Fractions such as 0.1 are not exact; ten of them must still be one.
			if f.due[status] >= 1-1e-9 {
				f.due[status]--
				items[index].status, _ = strconv.Atoi(status)
				break
			}
		}
	}
}

var bulkErrors = map[int][2]string{
	400: {"mapper_parsing_exception", "failed to parse"},
	403: {"cluster_block_exception", "index is read-only"},
	429: {"es_rejected_execution_exception", "rejected execution of coordinating operation"},
	503: {"unavailable_shards_exception", "primary shard is not active"},
}

// mergeBulk puts the refused documents between those that the real server has answered.
func mergeBulk(items []bulkItem, upstream map[string]json.RawMessage) ([]byte, error) {
	var answered []json.RawMessage
	if text, ok := upstream["items"]; ok {
		if err := json.Unmarshal(text, &answered); err != nil {
			return nil, err
		}
	}
	merged := make([]json.RawMessage, 0, len(items))
	for _, item := range items {
		if item.status == 0 {
			if len(answered) == 0 {
				return nil, errors.New("the real server has answered fewer documents than it was given")
			}
			merged, answered = append(merged, answered[0]), answered[1:]
			continue
		}
		reason := bulkErrors[item.status]
		text, err := json.Marshal(map[string]any{item.action: map[string]any{
			"_index": item.index, "_id": item.id, "status": item.status,
			"error": map[string]string{"type": reason[0], "reason": reason[1]},
		}})
		if err != nil {
			return nil, err
		}
		merged = append(merged, text)
		upstream["errors"] = json.RawMessage("true")
	}
	text, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	upstream["items"] = text
	return json.Marshal(upstream)
}
