package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"sort"
	"strconv"
	"sync"
)

// kind is one of the lists of what was received.
type kind string

const (
	kindLog    kind = "logs"
	kindMetric kind = "metrics"
	kindSpan   kind = "spans"
	kindStat   kind = "stats"
)

// record is one thing as the vendor would see it.
type record struct {
	kind  kind
	value map[string]any
}

// batch is what one request holds.
type batch struct {
	vendor  string
	headers map[string]string
	records []record
}

// request is what is remembered of a request, whatever became of it.
type request struct {
	Sequence uint64 `json:"sequence"`
	Vendor   string `json:"vendor"`
	Method   string `json:"method"`
	Path     string `json:"path"`
	// Status is 0 when there was no answer.
	Status int `json:"status"`
	// Fault is the mode that ruled it, when that was not `ok`.
	Fault   string            `json:"fault,omitempty"`
	Headers map[string]string `json:"headers"`
	// WireBytes is the length of the body as it was sent.
	WireBytes int `json:"wire_bytes"`
	// TLS is the version, Client the name in the client's certificate.
	TLS    string `json:"tls,omitempty"`
	Client string `json:"client,omitempty"`
}

// kept is a record in the store.
type kept struct {
	sequence uint64
	kind     kind
	vendor   string
	headers  map[string]string
	text     json.RawMessage
}

var errFull = errors.New("the sink is full")

// loud is for what a test's author must not overlook.
func loud(format string, values ...any) { log.Printf("!!! "+format, values...) }

// store keeps what was received, within limits.
type store struct {
	maxRecords, maxBytes, maxRequests int
	// countOnly keeps no record, for tests with millions; what limits them is then maxUIDs.
	countOnly bool

	lock     sync.RWMutex
	next     uint64
	records  []kept
	bytes    int
	requests []request
	// counts are exact even where the oldest requests were forgotten.
	counts counts
}

type counts struct {
	Records  map[string]map[kind]int   `json:"records"`
	Requests map[string]map[string]int `json:"requests"`
	// WithoutUID counts the log records in which no `uid` was found.
	WithoutUID int            `json:"logs_without_uid"`
	UIDs       map[string]int `json:"uids,omitempty"`
}

func newStore(maxRecords, maxBytes, maxRequests int) *store {
	own := &store{maxRecords: maxRecords, maxBytes: maxBytes, maxRequests: maxRequests}
	own.counts = emptyCounts()
	return own
}

func emptyCounts() counts {
	return counts{
		Records:  map[string]map[kind]int{},
		Requests: map[string]map[string]int{},
		UIDs:     map[string]int{},
	}
}

// add stores a whole batch or nothing of it.
func (s *store) add(batch batch) error {
	added := make([]kept, len(batch.records))
	uids := make([]string, len(batch.records))
	length := 0
	for index, record := range batch.records {
		text, err := json.Marshal(record.value)
		if err != nil {
			return err
		}
		added[index] = kept{0, record.kind, batch.vendor, batch.headers, text}
		length += len(text)
		if record.kind == kindLog {
			uids[index] = findUID(record.value, 0)
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.isFull(len(added), length) {
		loud("full with %d records in %d bytes and %d uids: "+
			"refusing %d more with 507 until DELETE /received",
			len(s.records), s.bytes, len(s.counts.UIDs), len(added))
		return errFull
	}
	for index, one := range added {
		s.count(one, uids[index])
		if !s.countOnly {
			one.sequence = s.sequence()
			s.records = append(s.records, one)
			s.bytes += len(one.text)
		}
	}
	return nil
}

// isFull tells whether so many more records, of so many bytes, would go beyond a limit.
func (s *store) isFull(records, bytes int) bool {
	if s.countOnly {
		return len(s.counts.UIDs)+records > maxUIDs
	}
	return len(s.records)+records > s.maxRecords || s.bytes+bytes > s.maxBytes
}

func (s *store) sequence() uint64 {
	s.next++
	return s.next - 1
}

func (s *store) count(one kept, uid string) {
	of := s.counts.Records[one.vendor]
	if of == nil {
		of = map[kind]int{}
		s.counts.Records[one.vendor] = of
	}
	of[one.kind]++
	if uid != "" {
		s.counts.UIDs[uid]++
	} else if one.kind == kindLog {
		s.counts.WithoutUID++
	}
}

// addRequest remembers a request, and forgets the oldest half of them at the limit.
func (s *store) addRequest(one request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	one.Sequence = s.sequence()
	if len(s.requests) >= s.maxRequests {
		s.requests = append([]request(nil), s.requests[len(s.requests)/2:]...)
	}
	s.requests = append(s.requests, one)
	of := s.counts.Requests[one.Vendor]
	if of == nil {
		of = map[string]int{}
		s.counts.Requests[one.Vendor] = of
	}
	of[strconv.Itoa(one.Status)]++
}

// clear forgets everything but the sequence, so that an old `since` stays true.
func (s *store) clear() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.records, s.requests, s.bytes, s.counts = nil, nil, 0, emptyCounts()
}

// countsJSON is made under the lock and sent without it, so that a slow reader stops nobody.
func (s *store) countsJSON(withUIDs bool) ([]byte, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	counts := s.counts
	if !withUIDs {
		counts.UIDs = nil
	}
	return json.Marshal(counts)
}

// receivedJSON holds at most `limit` records from `since` on, and the requests beside them.
func (s *store) receivedJSON(since uint64, limit int) ([]byte, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	start := sort.Search(
		len(s.records), func(at int) bool { return s.records[at].sequence >= since })
	page, next := s.records[start:], s.next
	hasMore := len(page) > limit
	if hasMore {
		next, page = page[limit].sequence, page[:limit]
	}
	requestFrom := func(sequence uint64) int {
		return sort.Search(
			len(s.requests), func(at int) bool { return s.requests[at].Sequence >= sequence })
	}
	first, last := requestFrom(since), requestFrom(next)
	requests, err := json.Marshal(append([]request{}, s.requests[first:max(first, last)]...))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(`{"next":` + strconv.FormatUint(next, 10))
	out.WriteString(`,"more":` + strconv.FormatBool(hasMore))
	for _, kind := range []kind{kindLog, kindMetric, kindSpan, kindStat} {
		if err := writeKind(&out, kind, page); err != nil {
			return nil, err
		}
	}
	out.WriteString(`,"requests":`)
	out.Write(requests)
	out.WriteString("}\n")
	return out.Bytes(), nil
}

func writeKind(out *bytes.Buffer, kind kind, page []kept) error {
	out.WriteString(`,"` + string(kind) + `":[`)
	comma := ""
	for _, one := range page {
		if one.kind != kind {
			continue
		}
		text, err := json.Marshal(map[string]any{
			"sequence": one.sequence, "vendor": one.vendor,
			"headers": one.headers, "record": one.text,
		})
		if err != nil {
			return err
		}
		out.WriteString(comma)
		out.Write(text)
		comma = ","
	}
	out.WriteByte(']')
	return nil
}
