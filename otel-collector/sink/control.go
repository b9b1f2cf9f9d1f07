package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

const (
	// maxModeBytes bounds the body of PUT /mode.
	maxModeBytes = 16 << 10
	// maxPage is how many records one answer of /received holds; `more` and `next` tell the rest.
	maxPage = 50_000
)

// newControl serves the control port.
func newControl(store *store, modes *modes) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mode", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, modes.get())
	})
	mux.HandleFunc("PUT /mode", func(w http.ResponseWriter, r *http.Request) {
		var mode Mode
		decoder := json.NewDecoder(io.LimitReader(r.Body, maxModeBytes))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&mode); err != nil {
			writeError(w, http.StatusBadRequest, errors.New("no mode: "+err.Error()))
			return
		}
		if err := mode.check(modes.isTCP); err != nil {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		if err := modes.set(mode); err != nil {
			writeError(w, http.StatusInternalServerError, err)
			return
		}
		writeJSON(w, http.StatusOK, mode)
	})
	mux.HandleFunc("GET /received", func(w http.ResponseWriter, r *http.Request) {
		since, err := number(r, "since", 0)
		limit, otherErr := number(r, "limit", maxPage)
		if err = errors.Join(err, otherErr); err != nil {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		writeText(w)(store.receivedJSON(since, int(max(1, min(limit, maxPage)))))
	})
	mux.HandleFunc("DELETE /received", func(w http.ResponseWriter, _ *http.Request) {
		store.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, r *http.Request) {
		writeText(w)(store.countsJSON(r.URL.Query().Get("uids") != "false"))
	})
	return mux
}

// number reads a parameter that is not negative.
func number(r *http.Request, name string, otherwise uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, errors.New(name + " must be a number")
	}
	return value, nil
}

func writeText(w http.ResponseWriter) func([]byte, error) {
	return func(text []byte, err error) {
		if err != nil {
			writeError(w, http.StatusInternalServerError, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that has gone has its own reasons.
	_ = json.NewEncoder(w).Encode(value)
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}
