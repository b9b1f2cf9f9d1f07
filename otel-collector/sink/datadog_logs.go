package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

const (
	maxDatadogEntries    = 1000
	maxDatadogEntryBytes = 1 << 20
	// datadogPast is how old a log's timestamp may be; older ones are taken and not shown.
	datadogPast = 18 * time.Hour
)

// datadogLogs decodes a JSON array of logs, or a single one. The exporter's probes are `{}`.
func datadogLogs(body []byte, _ incoming) ([]record, error) {
	var entries []json.RawMessage
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '{' {
		entries = []json.RawMessage{body}
	} else if err := json.Unmarshal(body, &entries); err != nil {
		return nil, fmt.Errorf("no array of logs: %w", err)
	}
	if len(entries) > maxDatadogEntries {
		return nil, fmt.Errorf("%d entries exceed %d", len(entries), maxDatadogEntries)
	}
	records := make([]record, 0, len(entries))
	for _, entry := range entries {
		fields := jsonObject(string(entry))
		if fields == nil {
			return nil, errors.New("an entry is no object")
		}
		if len(fields) > 0 {
			records = append(records, record{kindLog, datadogLog(fields, len(entry))})
		}
	}
	return records, nil
}

// datadogReserved are the fields of an entry that are no attributes.
var datadogReserved = []string{"message", "ddsource", "ddtags", "hostname", "service"}

// datadogLog shows an entry as Datadog's default processing does: what is no reserved field is an
// attribute, a message that is a JSON object gives its fields as attributes and its own message as
// the message, and the first of the attributes for a status decides it.
func datadogLog(fields map[string]any, entryBytes int) map[string]any {
	value := map[string]any{}
	for _, name := range datadogReserved {
		if field, ok := fields[name]; ok {
			value[name] = field
			delete(fields, name)
		}
	}
	message, _ := value["message"].(string)
	if entryBytes > maxDatadogEntryBytes {
		// The real intake cuts such an entry and answers 202 all the same.
		message = message[:min(len(message), maxDatadogEntryBytes)]
		value["message"], value["truncated"] = message, true
	}
	if inner := jsonObject(message); inner != nil {
		if text, ok := inner["message"].(string); ok {
			value["message"] = text
			delete(inner, "message")
		}
		maps.Copy(fields, inner)
	}
	if tags, ok := value["ddtags"].(string); ok && tags != "" {
		value["tags"] = strings.Split(tags, ",")
	}
	value["attributes"] = fields
	value["status"] = datadogStatus(fields)
	if at, ok := datadogTime(fields); ok {
		value["timestamp"] = at.UTC().Format(time.RFC3339Nano)
		value["too_old"] = time.Since(at) > datadogPast
	}
	return value
}

// datadogStatus follows the documented rules of the status remapper.
func datadogStatus(fields map[string]any) string {
	for _, name := range []string{"status", "severity", "level", "syslog.severity"} {
		if field, ok := fields[name]; ok {
			return datadogStatusOf(strings.ToLower(fmt.Sprint(field)))
		}
	}
	return "info"
}

func datadogStatusOf(text string) string {
	names := []string{
		"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug",
	}
	if number, err := strconv.Atoi(text); err == nil {
		if number >= 0 && number < len(names) {
			return names[number]
		}
		return "info"
	}
	prefixes := []struct{ prefix, status string }{
		{"emerg", "emergency"}, {"f", "emergency"}, {"a", "alert"}, {"c", "critical"},
		{"e", "error"}, {"w", "warning"}, {"n", "notice"}, {"i", "info"}, {"d", "debug"},
		{"t", "debug"}, {"v", "debug"}, {"o", "ok"}, {"s", "ok"},
	}
	for _, one := range prefixes {
		if strings.HasPrefix(text, one.prefix) {
			return one.status
		}
	}
	return "info"
}

// datadogTime finds a log's time; numbers are milliseconds.
func datadogTime(fields map[string]any) (time.Time, bool) {
	for _, name := range []string{"@timestamp", "timestamp", "date"} {
		switch field := fields[name].(type) {
		case string:
			if at, err := time.Parse(time.RFC3339Nano, field); err == nil {
				return at, true
			}
			if at, err := strconv.ParseInt(field, 10, 64); err == nil {
				return time.UnixMilli(at), true
			}
		case json.Number:
			if at, err := field.Int64(); err == nil {
				return time.UnixMilli(at), true
			}
		}
	}
	return time.Time{}, false
}
