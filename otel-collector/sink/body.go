package main

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/klauspost/compress/zstd"
)

var errTooLarge = errors.New("the body is too large")

// maxZstdWindow bounds the memory that a frame's header may ask for.
const maxZstdWindow = 32 << 20

// plain undoes the request's content encodings, up to a limit of bytes.
func (in incoming) plain(limit int) ([]byte, error) {
	body := in.wire
	encodings := strings.Split(strings.Join(in.header.Values("Content-Encoding"), ","), ",")
	// The last one named was applied last.
	for index := len(encodings) - 1; index >= 0; index-- {
		var err error
		if body, err = decompress(strings.TrimSpace(encodings[index]), body, limit); err != nil {
			return nil, err
		}
	}
	if len(body) > limit {
		return nil, errTooLarge
	}
	return body, nil
}

func decompress(encoding string, body []byte, limit int) ([]byte, error) {
	reader := io.Reader(bytes.NewReader(body))
	var err error
	switch strings.ToLower(encoding) {
	case "", "identity":
		return body, nil
	case "gzip":
		reader, err = gzip.NewReader(reader)
	case "deflate":
		reader, err = newDeflate(body)
	case "zstd":
		var decoder *zstd.Decoder
		decoder, err = zstd.NewReader(
			reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err == nil {
			defer decoder.Close()
			reader = decoder
		}
	default:
		return nil, fmt.Errorf("unknown content encoding %q", encoding)
	}
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(reader, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(out) > limit {
		return nil, errTooLarge
	}
	return out, nil
}

// newDeflate reads zlib, which the name means, and the raw form, which some clients send.
func newDeflate(body []byte) (io.Reader, error) {
	if reader, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
		return reader, nil
	}
	return flate.NewReader(bytes.NewReader(body)), nil
}

// finite makes a number that JSON can hold; those that it cannot hold become their names.
func finite(value float64) any {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Sprint(value)
	}
	return value
}

// jsonObject decodes a text that is a JSON object, and is nil for any other. Numbers keep their
// digits: ids are larger than a float holds exactly.
func jsonObject(text string) map[string]any {
	if !strings.HasPrefix(text, "{") {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var fields map[string]any
	if decoder.Decode(&fields) != nil {
		return nil
	}
	return fields
}
