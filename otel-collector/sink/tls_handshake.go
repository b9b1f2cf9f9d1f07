package main

// The types of TLS records that tell where the client's handshake ends.
const (
	recordChangeCipherSpec = 20
	recordHandshake        = 22
	recordHeaderBytes      = 5
)

// tlsHandshake watches what a client sends for the end of its TLS handshake, so that the answers
// that belong to it can be let through. In both versions the client's last message of it is the
// one record after ChangeCipherSpec; what follows is the application's.
type tlsHandshake struct {
	// header collects the five bytes before a record; left counts what is missing of its content.
	header []byte
	left   int
	// isPlain is set when the first byte is none of a handshake: the stream is not TLS at all.
	isPlain, isStarted bool
	// afterSpec counts the records after ChangeCipherSpec.
	isSpec    bool
	afterSpec int
}

// isDone takes the next bytes and is true when the application's data has begun.
func (h *tlsHandshake) isDone(piece []byte) bool {
	if !h.isStarted && len(piece) > 0 {
		h.isStarted, h.isPlain = true, piece[0] != recordHandshake
	}
	for len(piece) > 0 && !h.isPlain && h.afterSpec < 2 {
		if h.left > 0 {
			skipped := min(h.left, len(piece))
			h.left -= skipped
			piece = piece[skipped:]
			continue
		}
		h.header = append(h.header, piece[0])
		piece = piece[1:]
		if len(h.header) == recordHeaderBytes {
			h.begin()
		}
	}
	return h.isPlain || h.afterSpec >= 2
}

func (h *tlsHandshake) begin() {
	h.left = int(h.header[3])<<8 | int(h.header[4])
	if h.isSpec {
		h.afterSpec++
	}
	if h.header[0] == recordChangeCipherSpec {
		h.isSpec = true
	}
	h.header = h.header[:0]
}
