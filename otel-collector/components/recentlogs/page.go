package recentlogs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

const (
	pagePath = "/logs"
	// BanGUI takes 256 KiB; the oldest records are left out of an answer that would be larger.
	maxAnswerBytes = 240 * 1024
	maxHeaderBytes = 8 * 1024
	// Who asks is BanGUI, and perhaps a person.
	maxConnections = 16
	requestTimeout = 5 * time.Second
	answerTimeout  = 10 * time.Second
	idleTimeout    = 60 * time.Second
	stopTimeout    = 2 * time.Second
)

// page answers `GET /logs`.
type page struct {
	endpoint string
	logger   *zap.Logger
	ring     *ring
	server   *http.Server
	ended    chan struct{}
}

// Start opens the address. One that is taken is told once, and the collector works without this
// page: what it delivers matters more.
func (p *page) Start(ctx context.Context, _ component.Host) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", p.endpoint)
	if err != nil {
		p.logger.Error("the collector's own log is not shown", zap.Error(err))
		return nil
	}
	p.server = &http.Server{
		Handler:           http.HandlerFunc(p.answer),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Whatever a client does wrong is no news of the collector.
		ErrorLog: zap.NewStdLog(zap.NewNop()),
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		// It ends when the exporter does, and says only that.
		_ = p.server.Serve(netutil.LimitListener(listener, maxConnections))
	}()
	return nil
}

// Shutdown closes the address.
func (p *page) Shutdown(ctx context.Context) error {
	if p.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		_ = p.server.Close()
	}
	<-p.ended
	return nil
}

func (p *page) answer(w http.ResponseWriter, request *http.Request) {
	switch {
	case request.URL.Path != pagePath:
		http.Error(w, "there is only "+pagePath, http.StatusNotFound)
	case request.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	default:
		query := request.URL.Query()
		after, problem := number(query, "after", 0)
		limit, other := number(query, "limit", maxRecords)
		if problem != nil || other != nil || limit < 1 || limit > maxRecords {
			http.Error(w, fmt.Sprintf("after is a number, and limit one from 1 to %d", maxRecords),
				http.StatusBadRequest)
			return
		}
		body := p.body(after, int(limit))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	}
}

func number(query url.Values, name string, unset uint64) (uint64, error) {
	text := query.Get(name)
	if text == "" {
		return unset, nil
	}
	return strconv.ParseUint(text, 10, 63)
}

// body writes the answer: the number of the newest line, how many records had to make room, and
// the records after a number, the newest first.
func (p *page) body(after uint64, limit int) []byte {
	records, newest, dropped := p.ring.since(after, limit)
	var body bytes.Buffer
	fmt.Fprintf(&body, `{"newest":%d,"dropped":%d,"records":[`, newest, dropped)
	for at, one := range records {
		var encoded bytes.Buffer
		encoder := json.NewEncoder(&encoded)
		encoder.SetEscapeHTML(false)
		// Texts, numbers and times of these years always encode; another one is left out.
		if encoder.Encode(one) != nil || body.Len()+encoded.Len() > maxAnswerBytes {
			break
		}
		if at > 0 {
			body.WriteByte(',')
		}
		body.Write(bytes.TrimSpace(encoded.Bytes()))
	}
	body.WriteString("]}\n")
	return body.Bytes()
}
