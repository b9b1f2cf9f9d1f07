package bearerfile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"bangui.local/otelcol/components/smallfile"
)

const (
	// Some tokens at a time are enough for every rotation.
	maxTokens = 32
	maxBytes  = 64 << 10
	// A shorter one can be guessed.
	minTokenBytes = 16
)

// tokens are kept as their digests, all of the same length.
type tokens [][sha256.Size]byte

// readTokens reads a file of tokens. No error repeats anything of what it holds.
func readTokens(path string) (tokens, error) {
	content, err := smallfile.Read(path, maxBytes)
	if err != nil {
		return nil, err
	}
	read, err := parseTokens(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return read, nil
}

func parseTokens(content string) (tokens, error) {
	var read tokens
	for _, line := range strings.Split(content, "\n") {
		token := strings.TrimSpace(line)
		if token == "" || strings.HasPrefix(token, "#") {
			continue
		}
		if len(token) < minTokenBytes {
			return nil, fmt.Errorf("has a token of fewer than %d characters", minTokenBytes)
		}
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("has a token with other characters than visible ASCII")
		}
		read = append(read, sha256.Sum256([]byte(token)))
	}
	if len(read) == 0 {
		return nil, errors.New("holds no token")
	}
	if len(read) > maxTokens {
		return nil, fmt.Errorf("holds more than %d tokens", maxTokens)
	}
	return read, nil
}
