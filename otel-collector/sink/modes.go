package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The names of the modes.
const (
	modeOK                = "ok"
	modeStatus            = "status"
	modeHang              = "hang"
	modeRefuse            = "refuse"
	modeReset             = "reset"
	modeTakenThenHang     = "taken_then_hang"
	modePerDocumentStatus = "per_document_status"
)

// maxForSeconds bounds a limited mode; a test takes far less.
const maxForSeconds = 3600

// Mode says how the data port behaves.
type Mode struct {
	Name string `json:"mode"`
	// Status is the answer of `status`; RetryAfterSeconds adds the header.
	Status            int  `json:"status,omitempty"`
	RetryAfterSeconds *int `json:"retry_after_seconds,omitempty"`
	// Fractions of documents that `per_document_status` answers with a status each.
	Fractions map[string]float64 `json:"fractions,omitempty"`
	// Taken makes `reset` happen after the request was stored.
	Taken bool `json:"taken,omitempty"`
	// PathPrefix limits a mode to some requests; the others are served as in `ok`.
	PathPrefix string `json:"path_prefix,omitempty"`
	// ForRequests and ForSeconds end the mode by themselves; after it comes `ok`.
	ForRequests int     `json:"for_requests,omitempty"`
	ForSeconds  float64 `json:"for_seconds,omitempty"`
}

var statuses = map[int]bool{
	400: true, 401: true, 403: true, 404: true, 413: true, 429: true, 500: true, 503: true,
}

// check tells what is wrong with a mode.
func (m Mode) check(isTCP bool) error {
	switch m.Name {
	case modeOK, modeHang, modeReset, modeTakenThenHang:
	case modeRefuse:
		if m.ForRequests > 0 || m.PathPrefix != "" {
			return errors.New("refuse sees no requests: it can be limited by for_seconds only")
		}
	case modeStatus:
		if !statuses[m.Status] {
			return errors.New("status must be one of 400, 401, 403, 404, 413, 429, 500, 503")
		}
	case modePerDocumentStatus:
		if err := m.checkFractions(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown mode %q", m.Name)
	}
	if isTCP && (m.Name == modeStatus || m.Name == modePerDocumentStatus || m.PathPrefix != "") {
		return errors.New("a TCP stream has no requests, paths or statuses")
	}
	if m.Name != modeStatus && (m.Status != 0 || m.RetryAfterSeconds != nil) {
		return errors.New("status and retry_after_seconds belong to the mode status")
	}
	if m.RetryAfterSeconds != nil && *m.RetryAfterSeconds < 0 {
		return errors.New("retry_after_seconds must not be negative")
	}
	if m.Name != modeReset && m.Taken {
		return errors.New("taken belongs to the mode reset")
	}
	if m.ForRequests < 0 || m.ForSeconds < 0 || m.ForSeconds > maxForSeconds {
		return fmt.Errorf("for_requests and for_seconds must be 0 to %d s", maxForSeconds)
	}
	return nil
}

func (m Mode) checkFractions() error {
	if len(m.Fractions) == 0 {
		return errors.New("per_document_status needs fractions")
	}
	sum := 0.0
	for text, fraction := range m.Fractions {
		status, err := strconv.Atoi(text)
		if _, known := bulkErrors[status]; err != nil || !known {
			return errors.New("a document's status must be 400, 403, 429 or 503")
		}
		if fraction <= 0 {
			return errors.New("a fraction must be above 0")
		}
		sum += fraction
	}
	if sum > 1 {
		return errors.New("the fractions must not exceed 1 together")
	}
	return nil
}

// modes holds the mode that rules, and ends it when its time or its requests are over.
type modes struct {
	isTCP bool
	// apply opens or closes the door for a mode.
	apply func(Mode) error

	// setting lets one change happen at a time, the door included.
	setting sync.Mutex

	lock    sync.Mutex
	current Mode
	// left counts the requests that the mode still rules, when it is limited so.
	left int
	// changed is closed when another mode is set or the time is over. Running out of requests
	// does not close it: a request that hangs as the last one must go on hanging.
	changed chan struct{}
	timer   *time.Timer
}

func newModes() *modes {
	nothing := func(Mode) error { return nil }
	return &modes{apply: nothing, current: Mode{Name: modeOK}, changed: make(chan struct{})}
}

// set changes the mode; the door has followed when it returns.
func (m *modes) set(mode Mode) error {
	if err := mode.check(m.isTCP); err != nil {
		return err
	}
	m.setting.Lock()
	defer m.setting.Unlock()
	return m.replace(mode)
}

// replace expects that the caller holds `setting`.
func (m *modes) replace(mode Mode) error {
	m.lock.Lock()
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
	m.current, m.left = mode, mode.ForRequests
	close(m.changed)
	changed := make(chan struct{})
	m.changed = changed
	if mode.ForSeconds > 0 {
		wait := time.Duration(mode.ForSeconds * float64(time.Second))
		m.timer = time.AfterFunc(wait, func() { m.expire(changed) })
	}
	m.lock.Unlock()
	return m.apply(mode)
}

// expire ends the mode whose time is over, unless another one was set meanwhile.
func (m *modes) expire(of chan struct{}) {
	m.setting.Lock()
	defer m.setting.Unlock()
	m.lock.Lock()
	isStill := m.changed == of
	m.lock.Unlock()
	if isStill {
		if err := m.replace(Mode{Name: modeOK}); err != nil {
			loud("the data port cannot be opened again: %v", err)
		}
	}
}

// get tells the mode as it stands.
func (m *modes) get() Mode {
	m.lock.Lock()
	defer m.lock.Unlock()
	mode := m.current
	if mode.ForRequests > 0 {
		mode.ForRequests = m.left
	}
	return mode
}

// take says which mode rules a request, and counts it. The channel is closed when that changes.
func (m *modes) take(path string) (Mode, <-chan struct{}) {
	m.lock.Lock()
	defer m.lock.Unlock()
	mode := m.current
	if !strings.HasPrefix(path, mode.PathPrefix) {
		return Mode{Name: modeOK}, m.changed
	}
	if mode.ForRequests > 0 {
		m.left--
		if m.left == 0 {
			m.current = Mode{Name: modeOK}
		}
	}
	return mode, m.changed
}
