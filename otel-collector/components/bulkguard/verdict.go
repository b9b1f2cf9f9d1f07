package bulkguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/consumer/consumererror"

	"bangui.local/otelcol/components/refused"
)

const maxReasonBytes = 512

// item is one document's part of the answer, with the members that nobody here looks at.
type item map[string]json.RawMessage

// verdict is what a bulk answer comes to.
type verdict struct {
	// body is what the exporter may read when every document is delivered.
	body []byte
	// later counts documents that may be taken another time, never those that cannot.
	later, never int
	documents    int
	// firstLater says why, in a few words without any content of a document.
	firstLater string
	refusal    refused.Documents
}

// judge looks at every document of an answer. An answer that does not speak of every document of
// the request confirms nothing.
func judge(body []byte, expected int) (*verdict, error) {
	var answer struct {
		Items []map[string]item `json:"items"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, errors.New("it is not JSON as it should be")
	}
	if len(answer.Items) == 0 || (expected > 0 && len(answer.Items) != expected) {
		return nil, fmt.Errorf("it has %d items for %d documents", len(answer.Items), expected)
	}
	made := &verdict{body: body, documents: len(answer.Items)}
	rewritten := false
	for _, entry := range answer.Items {
		if len(entry) != 1 {
			return nil, errors.New("an item has not exactly one action")
		}
		for action, one := range entry {
			rewritten = made.add(action, one) || rewritten
		}
	}
	if rewritten {
		var err error
		if made.body, err = json.Marshal(answer); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// add judges one document and tells whether its item was changed.
func (v *verdict) add(action string, one item) bool {
	var status int
	_ = json.Unmarshal(one["status"], &status)
	_, hasError := one["error"]
	switch {
	case status >= 200 && status <= 299 && !hasError:
		// The exporter takes every status above 201 for a failure.
		if status > http.StatusCreated {
			one["status"] = json.RawMessage("200")
			return true
		}
	case status == http.StatusConflict && action == "create":
		// The document is there since an earlier try whose answer got lost.
		one["status"] = json.RawMessage("200")
		delete(one, "error")
		return true
	case status == http.StatusBadRequest:
		v.never++
		var id string
		_ = json.Unmarshal(one["_id"], &id)
		v.refusal.UIDs = append(v.refusal.UIDs, id)
		if v.refusal.Reason == "" {
			v.refusal.Reason = reasonOf(one["error"])
		}
	default:
		v.later++
		if v.firstLater == "" {
			kind, _ := errorOf(one["error"])
			v.firstLater = strings.TrimSpace(fmt.Sprintf("%d %s", status, kind))
		}
	}
	return false
}

// response is what the exporter gets to see instead of the answer.
func (v *verdict) response(original *http.Response) *http.Response {
	made := *original
	made.Header = original.Header.Clone()
	made.Header.Del("Content-Encoding")
	made.Header.Del("Content-Length")
	made.TransferEncoding = nil
	made.Uncompressed = true
	made.ContentLength = -1
	switch {
	case v.later > 0:
		made.StatusCode = http.StatusTooManyRequests
		made.Status = "429 Too Many Requests"
		made.Body = io.NopCloser(bytes.NewReader(v.tooMany()))
	case v.never > 0:
		made.Body = &failingBody{err: v.refusalError()}
	default:
		made.Body = io.NopCloser(bytes.NewReader(v.body))
		made.ContentLength = int64(len(v.body))
	}
	return &made
}

// tooMany has its news in the type, the one member that the exporter's client hands on.
func (v *verdict) tooMany() []byte {
	text := fmt.Sprintf("%d of %d documents refused, the first with %s",
		v.later+v.never, v.documents, v.firstLater)
	var answer struct {
		Error struct {
			Type string `json:"type"`
		} `json:"error"`
		Status int `json:"status"`
	}
	answer.Error.Type = text
	answer.Status = http.StatusTooManyRequests
	body, err := json.Marshal(answer)
	if err != nil {
		return []byte(`{"status":429}`)
	}
	return body
}

// refusalError names the documents; when not all have an id, the batch as a whole is refused.
func (v *verdict) refusalError() error {
	for _, id := range v.refusal.UIDs {
		if id == "" {
			return consumererror.NewPermanent(fmt.Errorf("documents without an id are refused: %s",
				v.refusal.Reason))
		}
	}
	return &refused.Documents{UIDs: v.refusal.UIDs, Reason: v.refusal.Reason}
}

// failingBody makes reading the answer fail with a certain error, which keeps its identity on the
// way up; an error instead of an answer would be retried and forgotten by the exporter's client.
// The client takes a failure of the very first read for an empty answer, so that a byte goes ahead.
type failingBody struct {
	err     error
	started bool
}

func (b *failingBody) Read(into []byte) (int, error) {
	if !b.started && len(into) > 0 {
		b.started = true
		into[0] = '{'
		return 1, nil
	}
	return 0, b.err
}

func (*failingBody) Close() error {
	return nil
}

func errorOf(raw json.RawMessage) (kind, reason string) {
	var object struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(raw, &object) == nil {
		return object.Type, object.Reason
	}
	_ = json.Unmarshal(raw, &reason)
	return "", reason
}

// reasonOf leaves out what Elasticsearch quotes of a document: it may be personal.
func reasonOf(raw json.RawMessage) string {
	kind, reason := errorOf(raw)
	reason, _, _ = strings.Cut(reason, "Preview of field's value")
	text := strings.TrimSpace(kind + ": " + strings.TrimSpace(reason))
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return text
}
