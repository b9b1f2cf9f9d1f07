package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// hecReply is an answer of Splunk's HTTP event collector.
type hecReply struct {
	Text string `json:"text"`
	Code int    `json:"code"`
	// InvalidEventNumber counts from 0.
	InvalidEventNumber *int `json:"invalid-event-number,omitempty"`
}

func hecAnswer(status, code int, text string) answer {
	return jsonAnswer(status, hecReply{Text: text, Code: code})
}

// splunkRefusal is the real one's answer of a status where it has one.
func splunkRefusal(status int) answer {
	switch status {
	case http.StatusBadRequest:
		return hecAnswer(status, 6, "Invalid data format")
	case http.StatusUnauthorized:
		return hecAnswer(status, 2, "Token is required")
	case http.StatusForbidden:
		return hecAnswer(status, 4, "Invalid token")
	case http.StatusInternalServerError:
		return hecAnswer(status, 8, "Internal server error")
	case http.StatusServiceUnavailable:
		return hecAnswer(status, 9, "Server is busy")
	}
	return hecAnswer(status, status, http.StatusText(status))
}

// splunk is the HTTP event collector.
func (f *front) splunk(in incoming) answer {
	path := strings.TrimSuffix(strings.TrimPrefix(in.path, "/services/collector"), "/")
	path = strings.TrimSuffix(path, "/1.0")
	if path == "/health" && in.method == http.MethodGet {
		return hecAnswer(http.StatusOK, 17, "HEC is healthy")
	}
	if (path != "" && path != "/event") || in.method != http.MethodPost {
		return hecAnswer(http.StatusNotFound, 404, "The requested URL was not found on this server.")
	}
	if refusal, isRefused := f.checkSplunkToken(in); isRefused {
		return refusal
	}
	body, err := in.plain(maxBodyBytes)
	if errors.Is(err, errTooLarge) {
		return hecAnswer(http.StatusRequestEntityTooLarge, 27, "Request entity too large")
	}
	if err != nil {
		return hecAnswer(http.StatusBadRequest, 6, "Invalid data format")
	}
	return splunkEvents(body)
}

func (f *front) checkSplunkToken(in incoming) (answer, bool) {
	scheme, token, _ := strings.Cut(in.header.Get("Authorization"), " ")
	switch {
	case scheme == "":
		return hecAnswer(http.StatusUnauthorized, 2, "Token is required"), true
	case !strings.EqualFold(scheme, "Splunk") || token == "":
		return hecAnswer(http.StatusUnauthorized, 3, "Invalid authorization"), true
	case f.key != "" && !f.isKey(token):
		return hecAnswer(http.StatusForbidden, 4, "Invalid token"), true
	}
	return answer{}, false
}

// splunkEvents decodes events that stand one after the other. As in the real one, those before a
// wrong one are taken although the answer is 400.
func splunkEvents(body []byte) answer {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var records []record
	for number := 0; ; number++ {
		var event map[string]any
		err := decoder.Decode(&event)
		if errors.Is(err, io.EOF) {
			break
		}
		code, text := 0, ""
		content, isPresent := event["event"]
		switch {
		case err != nil:
			code, text = 6, "Invalid data format"
		case !isPresent || content == nil:
			code, text = 12, "Event field is required"
		case content == "":
			code, text = 13, "Event field cannot be blank"
		}
		if code != 0 {
			reply := hecReply{Text: text, Code: code, InvalidEventNumber: &number}
			given := jsonAnswer(http.StatusBadRequest, reply)
			given.records = records
			return given
		}
		records = append(records, record{splunkKind(event), event})
	}
	if len(records) == 0 {
		return hecAnswer(http.StatusBadRequest, 5, "No data")
	}
	given := hecAnswer(http.StatusOK, 0, "Success")
	given.records = records
	return given
}

// splunkKind tells metrics and spans from logs by the form that the exporter gives them.
func splunkKind(event map[string]any) kind {
	if event["event"] == "metric" {
		return kindMetric
	}
	if content, ok := event["event"].(map[string]any); ok {
		_, hasSpan := content["span_id"]
		_, hasStart := content["start_time"]
		if hasSpan && hasStart {
			return kindSpan
		}
	}
	return kindLog
}
