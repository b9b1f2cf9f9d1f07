package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxNewRelicWire is New Relic's limit of a request as it is sent; the others document none.
const maxNewRelicWire = 1_000_000

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// otlpVendor tells the backends apart by the header that holds their key.
func otlpVendor(in incoming) string {
	switch {
	case in.header.Get("Dd-Api-Key") != "":
		return "datadog_otlp"
	case in.header.Get("Api-Key") != "":
		return "new_relic"
	}
	return "otlp"
}

// otlp takes OTLP over HTTP, in protobuf and in JSON.
func (f *front) otlp(in incoming) answer {
	if in.method != http.MethodPost {
		return answer{status: http.StatusMethodNotAllowed}
	}
	if f.key != "" && !f.hasOTLPKey(in) {
		return jsonAnswer(http.StatusForbidden, map[string]string{"message": "Forbidden"})
	}
	limit := maxBodyBytes
	switch otlpVendor(in) {
	case "new_relic":
		if len(in.wire) > maxNewRelicWire {
			return datadogError(errTooLarge)
		}
	case "datadog_otlp":
		limit = maxDatadogBytes
	}
	body, err := in.plain(limit)
	if err != nil {
		return otlpError(err)
	}
	mediaType, _, _ := strings.Cut(in.header.Get("Content-Type"), ";")
	mediaType = strings.TrimSpace(mediaType)
	if mediaType != typeJSON && mediaType != typeProtobuf {
		return answer{status: http.StatusUnsupportedMediaType}
	}
	records, response, err := decodeOTLP(strings.TrimSuffix(in.path, "/"), body, mediaType == typeJSON)
	if err != nil {
		return otlpError(err)
	}
	return answer{
		status: http.StatusOK, contentType: mediaType, body: response, records: records,
	}
}

func otlpError(err error) answer {
	status := http.StatusBadRequest
	if errors.Is(err, errTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	return jsonAnswer(status, map[string]string{"message": err.Error()})
}

// hasOTLPKey looks where vendors let the key stand.
func (f *front) hasOTLPKey(in incoming) bool {
	for _, name := range []string{"Api-Key", "Dd-Api-Key", "X-License-Key", "X-Api-Key"} {
		if value := in.header.Get(name); value != "" {
			return f.isKey(value)
		}
	}
	_, token, _ := strings.Cut(in.header.Get("Authorization"), " ")
	return f.isKey(token)
}

// message is what the three request and response types of OTLP have in common.
type message interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

// decodeOTLP gives the records of a request and the answer in the request's own form.
func decodeOTLP(
	path string, body []byte, isJSON bool,
) (records []record, response []byte, err error) {
	decode := func(fromJSON, fromProto func([]byte) error) error {
		if isJSON {
			return fromJSON(body)
		}
		return fromProto(body)
	}
	var reply message
	switch path {
	case "/v1/logs":
		request := plogotlp.NewExportRequest()
		err = decode(request.UnmarshalJSON, request.UnmarshalProto)
		records, reply = otlpLogs(request.Logs()), plogotlp.NewExportResponse()
	case "/v1/traces":
		request := ptraceotlp.NewExportRequest()
		err = decode(request.UnmarshalJSON, request.UnmarshalProto)
		records, reply = otlpSpans(request.Traces()), ptraceotlp.NewExportResponse()
	default:
		request := pmetricotlp.NewExportRequest()
		err = decode(request.UnmarshalJSON, request.UnmarshalProto)
		records, reply = otlpMetrics(request.Metrics()), pmetricotlp.NewExportResponse()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("no OTLP: %w", err)
	}
	if isJSON {
		response, err = reply.MarshalJSON()
	} else {
		response, err = reply.MarshalProto()
	}
	return records, response, err
}
