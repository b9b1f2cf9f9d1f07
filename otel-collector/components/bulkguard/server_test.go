package bulkguard

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// elastic is a small Elasticsearch: it stores documents by id and refuses what a test wants.
type elastic struct {
	*httptest.Server
	t     *testing.T
	mutex sync.Mutex
	// refuse returns a status for the n-th try of a document, or 0 to take it.
	refuse func(id string, try int) int
	// raw replaces a whole answer when it is not nil.
	raw            func(http.ResponseWriter) bool
	packed         bool
	isOpenSearch   bool
	stored         map[string]int
	tries          map[string]int
	authorizations []string
}

func newElastic(t *testing.T, refuse func(id string, try int) int) *elastic {
	made := &elastic{t: t, refuse: refuse, stored: map[string]int{}, tries: map[string]int{}}
	made.Server = httptest.NewServer(http.HandlerFunc(made.serve))
	t.Cleanup(made.Close)
	return made
}

func (e *elastic) serve(w http.ResponseWriter, r *http.Request) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.authorizations = append(e.authorizations, r.Header.Get("Authorization"))
	if !e.isOpenSearch {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	w.Header().Set("Content-Type", "application/json")
	if !strings.HasSuffix(r.URL.Path, "/_bulk") {
		_, _ = w.Write([]byte(`{}`))
		return
	}
	var items []string
	for _, id := range e.idsOf(r) {
		items = append(items, e.take(id, strings.Contains(r.URL.Query().Get("filter_path"), "._id")))
	}
	if e.raw != nil && e.raw(w) {
		return
	}
	body := `{"items":[` + strings.Join(items, ",") + `]}`
	if !e.packed {
		_, _ = w.Write([]byte(body))
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	packer := gzip.NewWriter(w)
	_, _ = packer.Write([]byte(body))
	_ = packer.Close()
}

func (e *elastic) idsOf(r *http.Request) []string {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if !assert.NoError(e.t, err) {
			return nil
		}
		body = unpacked
	}
	lines := bufio.NewScanner(body)
	var ids []string
	for lines.Scan() {
		var action map[string]struct {
			ID string `json:"_id"`
		}
		if !assert.NoError(e.t, json.Unmarshal(lines.Bytes(), &action)) || !lines.Scan() {
			return nil
		}
		ids = append(ids, action["create"].ID)
	}
	return ids
}

func (e *elastic) take(id string, tellID bool) string {
	shown := ""
	if tellID {
		shown = fmt.Sprintf(`"_id":%q,`, id)
	}
	e.tries[id]++
	if e.stored[id] > 0 && id != "" {
		return fmt.Sprintf(`{"create":{%s"_index":"i","status":409,"error":{"type":`+
			`"version_conflict_engine_exception","reason":"exists"}}}`, shown)
	}
	if status := e.refuse(id, e.tries[id]); status != 0 {
		return fmt.Sprintf(`{"create":{%s"_index":"i","status":%d,"error":{"type":"refusing_exception",`+
			`"reason":"failed to parse field [n]. Preview of field's value: 'private'"}}}`, shown, status)
	}
	e.stored[id]++
	return fmt.Sprintf(`{"create":{%s"_index":"i","status":201}}`, shown)
}

func (e *elastic) storedOnce() []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var ids []string
	for id, times := range e.stored {
		assert.Equal(e.t, 1, times, id)
		ids = append(ids, id)
	}
	return ids
}
