package hold

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

type answered int

func (a answered) Error() string   { return "it says no" }
func (a answered) StatusCode() int { return int(a) }

func TestErrorsAreToldApartInFewWords(t *testing.T) {
	assert.Equal(t, "403", errorType(fmt.Errorf("sending: %w", answered(403))))
	assert.Equal(t, otherError, errorType(answered(200)))
	for text, want := range map[string]string{
		`error exporting items, request to http://x/v1/logs responded with HTTP Status Code 401`: "401",
		"the intake answers 413: too large":                               "413",
		"flush failed (503): {\"error\":{}}":                              "503",
		`HTTP "/services/collector" 403 "Forbidden"`:                      "403",
		`HTTP 403 "Forbidden"`:                                            "403",
		"https response error StatusCode: 400, RequestID: 12":             "400",
		"tls: failed to verify certificate: x509: certificate signed by":  "tls",
		"dial tcp: lookup logs.example.com on 127.0.0.1:53: no such host": "name_resolution",
		"dial tcp 127.0.0.1:1: connect: connection refused":               "connection_refused",
		"context deadline exceeded (Client.Timeout exceeded)":             "timeout",
		"read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout":                  "timeout",
		"context canceled":                                 "cancelled",
		"write: broken pipe":                               "connection_lost",
		`Post "http://x/": EOF`:                            "connection_lost",
		"the syslog server ended the connection before us": "connection_lost",
		"port 4018, status 200 of 500 records":             otherError,
		"":                                                 otherError,
	} {
		assert.Equal(t, want, errorType(errors.New(text)), text)
	}
}

func TestRefusalsAreCountedByTheirType(t *testing.T) {
	s := newSetup(t, nil)
	for _, code := range []int{503, 401, 503} {
		s.answer = func(plog.Logs) error { return answered(code) }
		require.Error(t, s.consume(batchOf("a")))
	}
	metric, err := s.telemetry.GetMetric("bangui.collector.held")
	require.NoError(t, err)
	counts := make(map[string]int64)
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		kind, _ := point.Attributes.Value(errorTypeAttribute)
		destination, _ := point.Attributes.Value("destination")
		assert.Equal(t, "datadog", destination.AsString())
		counts[kind.AsString()] = point.Value
	}
	assert.Equal(t, map[string]int64{"": 0, "401": 1, "503": 2}, counts)
}
