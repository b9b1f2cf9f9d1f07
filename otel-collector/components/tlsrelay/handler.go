package tlsrelay

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// maxRequests bounds what is passed on at a time; a body is never held as a whole.
	maxRequests  = 16
	maxBodyBytes = 64 << 20

	dialTimeout     = 5 * time.Second
	connectionsIdle = 45 * time.Second
	logEvery        = time.Minute
)

// handler passes requests on to one server.
type handler struct {
	target  *url.URL
	timeout time.Duration
	proxy   *httputil.ReverseProxy
	places  chan struct{}
	logger  *zap.Logger

	mutex    sync.Mutex
	warnedAt time.Time
}

func newHandler(ctx context.Context, relay Relay, logger *zap.Logger) (*handler, error) {
	target, err := url.Parse(relay.Target)
	if err != nil {
		return nil, err
	}
	config, err := relay.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return nil, err
	}
	made := &handler{
		target: target, timeout: relay.Timeout, places: make(chan struct{}, maxRequests),
		logger: logger,
	}
	if made.timeout == 0 {
		made.timeout = defaultTimeout
	}
	made.proxy = &httputil.ReverseProxy{
		Rewrite:      made.rewrite,
		ErrorHandler: made.fail,
		ErrorLog:     zap.NewStdLog(logger),
		Transport: &http.Transport{
			// The environment's proxy stands behind this one.
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: made.timeout,
			MaxIdleConnsPerHost: maxRequests,
			IdleConnTimeout:     connectionsIdle,
			// The exporter's own encodings are passed on as they are.
			DisableCompression: true,
		},
	}
	return made, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Whoever takes it for a proxy may reach its target and nobody else.
	if r.Method == http.MethodConnect || (r.URL.IsAbs() && !strings.EqualFold(r.Host, h.target.Host)) {
		http.Error(w, "this relay has another target", http.StatusMisdirectedRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		h.fail(w, r, ctx.Err())
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	h.proxy.ServeHTTP(w, r.WithContext(ctx))
}

func (h *handler) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(h.target)
	if r.In.URL.IsAbs() {
		r.Out.Host = r.In.Host
	}
}

// fail answers what could not be passed on, and says why in the log, once a minute at most.
func (h *handler) fail(w http.ResponseWriter, _ *http.Request, err error) {
	h.mutex.Lock()
	isDue := time.Since(h.warnedAt) >= logEvery
	if isDue {
		h.warnedAt = time.Now()
	}
	h.mutex.Unlock()
	if isDue {
		h.logger.Warn("the destination cannot be reached",
			zap.String("host", h.target.Host), zap.Error(err))
	}
	// The exporter's log should say why, too.
	http.Error(w, "the relay cannot reach the destination: "+err.Error(), http.StatusBadGateway)
}
