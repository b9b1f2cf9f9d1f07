package ownlog

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

const (
	logsPath    = "/v1/logs"
	contentType = "application/x-protobuf"
	// A hundred lines with long errors and stack traces.
	maxBodyBytes = 4 * 1024 * 1024
	maxHeader    = 8 * 1024
	// The collector needs one, and another after a reload.
	maxConnections = 8
	requestTimeout = 5 * time.Second
	idleTimeout    = 60 * time.Second
)

// server is an open address. Its pipeline comes and goes.
type server struct {
	endpoint string
	http     *http.Server
	next     atomic.Pointer[consumer.Logs]
}

// current is the one address that is open.
var current struct {
	mutex  sync.Mutex
	server *server
}

// open gives the server of an address. One at another address, which a reload has left behind,
// is closed: nobody sends there any more.
func open(ctx context.Context, endpoint string) (*server, error) {
	current.mutex.Lock()
	defer current.mutex.Unlock()
	if current.server != nil && current.server.endpoint == endpoint {
		return current.server, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", endpoint)
	if err != nil {
		return nil, err
	}
	if current.server != nil {
		_ = current.server.http.Close()
	}
	opened := &server{endpoint: endpoint}
	opened.http = &http.Server{
		Handler:           http.HandlerFunc(opened.answer),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// A line about a line would come back here.
		ErrorLog: zap.NewStdLog(zap.NewNop()),
	}
	go func() { _ = opened.http.Serve(netutil.LimitListener(listener, maxConnections)) }()
	current.server = opened
	return opened, nil
}

func (s *server) answer(w http.ResponseWriter, request *http.Request) {
	switch {
	case request.URL.Path != logsPath:
		w.WriteHeader(http.StatusNotFound)
		return
	case request.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case request.Header.Get("Content-Type") != contentType:
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBodyBytes))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	lines := plogotlp.NewExportRequest()
	if lines.UnmarshalProto(body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if next := s.next.Load(); next != nil {
		// What the pipeline does not take is dropped: sent again, it would be refused again.
		_ = (*next).ConsumeLogs(request.Context(), lines.Logs())
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
}
