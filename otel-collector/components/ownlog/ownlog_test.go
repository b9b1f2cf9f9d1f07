package ownlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func freeEndpoint(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func start(t *testing.T, endpoint string, next consumer.Logs) receiver.Logs {
	t.Helper()
	config := &Config{Endpoint: endpoint}
	require.NoError(t, config.Validate())
	made, err := NewFactory().CreateLogs(context.Background(),
		receivertest.NewNopSettings(componentType), config, next)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	return made
}

func line(t *testing.T) []byte {
	t.Helper()
	lines := plog.NewLogs()
	scope := lines.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	scope.LogRecords().AppendEmpty().Body().SetStr("slow")
	body, err := plogotlp.NewExportRequestFromLogs(lines).MarshalProto()
	require.NoError(t, err)
	return body
}

func send(t *testing.T, method, url, media string, body io.Reader) int {
	t.Helper()
	request, err := http.NewRequest(method, url, body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", media)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestTheAddressOutlivesItsPipeline(t *testing.T) {
	endpoint := freeEndpoint(t)
	url := "http://" + endpoint + logsPath
	one, other := new(consumertest.LogsSink), new(consumertest.LogsSink)
	first := start(t, endpoint, one)
	assert.Equal(t, 200, send(t, "POST", url, contentType, bytes.NewReader(line(t))))
	require.NoError(t, first.Shutdown(context.Background()))
	assert.Equal(t, 200, send(t, "POST", url, contentType, bytes.NewReader(line(t))))
	second := start(t, endpoint, other)
	assert.Equal(t, 200, send(t, "POST", url, contentType, bytes.NewReader(line(t))))
	require.NoError(t, second.Shutdown(context.Background()))
	assert.Equal(t, []int{1, 1}, []int{one.LogRecordCount(), other.LogRecordCount()})

	// A reload to another address closes the one before.
	third := start(t, freeEndpoint(t), other)
	_, err := net.Dial("tcp", endpoint)
	assert.Error(t, err)
	require.NoError(t, third.Shutdown(context.Background()))
}

// Otherwise the collector would write a line about it, which would come back here.
func TestAPipelineThatFailsIsNoFailureOfTheSender(t *testing.T) {
	endpoint := freeEndpoint(t)
	made := start(t, endpoint, consumertest.NewErr(errors.New("full")))
	url := "http://" + endpoint + logsPath
	assert.Equal(t, 200, send(t, "POST", url, contentType, bytes.NewReader(line(t))))
	require.NoError(t, made.Shutdown(context.Background()))
}

func TestOnlyLinesAreTaken(t *testing.T) {
	endpoint := freeEndpoint(t)
	sink := new(consumertest.LogsSink)
	made := start(t, endpoint, sink)
	base := "http://" + endpoint
	long := strings.NewReader(strings.Repeat("a", maxBodyBytes+1))
	assert.Equal(t, 404, send(t, "POST", base+"/v1/traces", contentType, strings.NewReader("")))
	assert.Equal(t, 405, send(t, "GET", base+logsPath, contentType, nil))
	assert.Equal(t, 415, send(t, "POST", base+logsPath, "text/plain", strings.NewReader("")))
	assert.Equal(t, 413, send(t, "POST", base+logsPath, contentType, long))
	assert.Equal(t, 400, send(t, "POST", base+logsPath, contentType, strings.NewReader("\xff")))
	assert.Zero(t, sink.LogRecordCount())
	require.NoError(t, made.Shutdown(context.Background()))
}

func TestOthersCannotReachIt(t *testing.T) {
	for _, wrong := range []string{"", "127.0.0.1", "0.0.0.0:1", ":1", "192.0.2.1:1", "a:1"} {
		assert.Error(t, (&Config{Endpoint: wrong}).Validate(), wrong)
	}
	assert.NoError(t, (&Config{Endpoint: "[::1]:14340"}).Validate())
}
