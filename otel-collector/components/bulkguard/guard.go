package bulkguard

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
)

const (
	// A bulk answer has about 200 bytes a document.
	maxAnswerBytes = 64 << 20
	// The exporter's client tells in this header how many documents a request has.
	headerDocuments = "X-Elastic-Event-Count"
	filterPath      = "filter_path"
	// The exporter's client gives up on a server whose answers lack this. OpenSearch never has it.
	headerProduct = "X-Elastic-Product"
)

var (
	_ extension.Extension      = (*guard)(nil)
	_ extensionauth.HTTPClient = (*guard)(nil)
)

type guard struct {
	key            *keyFile
	maxAnswerBytes int64
}

func (g *guard) Start(context.Context, component.Host) error {
	if g.key == nil {
		return nil
	}
	return g.key.load()
}

func (*guard) Shutdown(context.Context) error {
	return nil
}

// RoundTripper stands between the exporter and its connections.
func (g *guard) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	return &roundTripper{guard: g, base: base}, nil
}

type roundTripper struct {
	*guard
	base http.RoundTripper
}

func (r *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	isBulk := strings.HasSuffix(request.URL.Path, "/_bulk")
	// A round tripper must not change the request it was given.
	request = request.Clone(request.Context())
	if r.key != nil {
		request.Header.Set("Authorization", "ApiKey "+r.key.current())
	}
	if isBulk {
		askForIDs(request)
	}
	response, err := r.base.RoundTrip(request)
	if err == nil && response.Header.Get(headerProduct) == "" {
		response.Header.Set(headerProduct, "Elasticsearch")
	}
	if err != nil || !isBulk || response.StatusCode < 200 || response.StatusCode > 299 {
		return response, err
	}
	body, err := r.readAll(response)
	if err != nil {
		return nil, fmt.Errorf("the bulk answer cannot be read: %w", err)
	}
	verdict, err := judge(body, documentsIn(request))
	if err != nil {
		return nil, fmt.Errorf("the bulk answer cannot be understood: %w", err)
	}
	return verdict.response(response), nil
}

// askForIDs adds the ids to the parts of the answer that the exporter asks for.
func askForIDs(request *http.Request) {
	query := request.URL.Query()
	if wanted := query.Get(filterPath); wanted != "" {
		query.Set(filterPath, wanted+",items.*._id")
		request.URL.RawQuery = query.Encode()
	}
}

// documentsIn returns how many documents the request has, or 0 when it does not say.
func documentsIn(request *http.Request) int {
	count, err := strconv.Atoi(request.Header.Get(headerDocuments))
	if err != nil || count < 0 {
		return 0
	}
	return count
}

// readAll takes the whole answer, unpacked, and closes it.
func (r *roundTripper) readAll(response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	var reader io.Reader = response.Body
	if strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		unpacked, err := gzip.NewReader(reader)
		if err != nil {
			return nil, err
		}
		defer unpacked.Close()
		reader = unpacked
	}
	body, err := io.ReadAll(io.LimitReader(reader, r.maxAnswerBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > r.maxAnswerBytes {
		return nil, errors.New("it is longer than " + strconv.FormatInt(r.maxAnswerBytes, 10) + " bytes")
	}
	return body, nil
}
