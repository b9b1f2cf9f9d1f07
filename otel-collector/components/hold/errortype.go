package hold

import (
	"errors"
	"regexp"
	"strconv"

	"bangui.local/otelcol/components/oneline"
)

// The label of metrics that tells why a destination refuses, as the semantic conventions name it.
const errorTypeAttribute = "error.type"

// What an error is when nothing below recognises it.
const otherError = "_OTHER"

// What an error is known by stands before this.
const maxErrorBytes = 16 * 1024

// The ways in which exporters write an answer's status: `HTTP Status Code 401`, `StatusCode: 400`,
// `flush failed (503)`, `the intake answers 403`, `HTTP 403 "Forbidden"`.
var statusPattern = regexp.MustCompile(
	`(?i)\b(?:status ?code:?|status:?|answers|flush failed|HTTP(?: "[^"]*")?)` +
		`[ (]{1,2}([45][0-9]{2})\b`)

// Errors below HTTP, most of which reach this place as text only. The first that fits counts.
var errorTypes = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`(?i)\bx509:|\btls:|certificate`), "tls"},
	{regexp.MustCompile(`(?i)no such host|lookup .*: (?:server mis|i/o timeout)`),
		"name_resolution"},
	{regexp.MustCompile(`(?i)connection refused`), "connection_refused"},
	{regexp.MustCompile(`(?i)deadline exceeded|timed? ?out|timeout`), "timeout"},
	{regexp.MustCompile(`(?i)context canceled`), "cancelled"},
	{regexp.MustCompile(`(?i)connection reset|broken pipe|\bEOF\b|no route to host|unreachable` +
		`|closed network connection|ended the connection`), "connection_lost"},
}

// errorType says in one of a few words why a destination did not take a batch: the status of its
// answer, or what went wrong before there was one. The words are few because they label metrics;
// what the destination itself said stands in the collector's log.
func errorType(err error) string {
	var answer interface{ StatusCode() int }
	if errors.As(err, &answer) {
		if code := answer.StatusCode(); code >= 400 && code < 600 {
			return strconv.Itoa(code)
		}
	}
	text := oneline.Cut(err.Error(), maxErrorBytes)
	if found := statusPattern.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	for _, known := range errorTypes {
		if known.pattern.MatchString(text) {
			return known.name
		}
	}
	return otherError
}
