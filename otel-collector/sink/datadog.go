package main

import (
	"errors"
	"net/http"
	"strings"
)

// Datadog's documented limits, of the body after decompression where nothing else is said.
const (
	maxDatadogBytes      = 5 << 20
	maxDatadogSeriesWire = 512_000
)

// datadog is the intake: every path that the exporter and the agent's libraries call.
func (f *front) datadog(in incoming) answer {
	path := strings.TrimSuffix(in.path, "/")
	if refusal, isRefused := f.checkDatadogKey(in); isRefused {
		return refusal
	}
	var decode func([]byte, incoming) ([]record, error)
	limit := maxBodyBytes
	switch in.method + " " + path {
	case "GET /api/v1/validate":
		return jsonAnswer(http.StatusOK, map[string]bool{"valid": true})
	case "POST /api/v2/logs":
		decode, limit = datadogLogs, maxDatadogBytes
	case "POST /api/v2/series":
		if len(in.wire) > maxDatadogSeriesWire {
			return datadogError(errTooLarge)
		}
		decode, limit = datadogSeries, maxDatadogBytes
	case "POST /api/beta/sketches":
		decode = datadogSketches
	case "POST /api/v0.2/traces":
		decode = datadogTraces
	case "POST /api/v0.2/stats":
		decode = datadogStats
	default:
		// Host metadata, check runs and the like: taken, and of no interest here.
		return jsonAnswer(http.StatusAccepted, struct{}{})
	}
	body, err := in.plain(limit)
	if err != nil {
		return datadogError(err)
	}
	records, err := decode(body, in)
	if err != nil {
		return datadogError(err)
	}
	given := jsonAnswer(http.StatusAccepted, struct{}{})
	given.records = records
	return given
}

// checkDatadogKey refuses as the intake does: 401 without a key for logs, 403 otherwise.
func (f *front) checkDatadogKey(in incoming) (answer, bool) {
	key := in.header.Get("Dd-Api-Key")
	if key == "" {
		key = in.query.Get("api_key")
	}
	if f.key == "" || f.isKey(key) {
		return answer{}, false
	}
	status, word := http.StatusForbidden, "Forbidden"
	if key == "" && strings.HasPrefix(in.path, "/api/v2/logs") {
		status, word = http.StatusUnauthorized, "Unauthorized"
	}
	return jsonAnswer(status, map[string][]string{"errors": {word}}), true
}

func datadogError(err error) answer {
	status := http.StatusBadRequest
	if errors.Is(err, errTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	return jsonAnswer(status, map[string][]string{"errors": {err.Error()}})
}
