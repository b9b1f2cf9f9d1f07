package hold

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxReasonBytes = 1024
	// More of an error's text is not looked at: the rest would be cut anyway.
	maxErrorBytes = 16 * 1024
)

// An error of a destination may quote its URL, a header, or an answer that quotes either.
var hidden = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@"']*@`), "${1}***@"},
	{regexp.MustCompile(`\?[^\s"']*`), "?***"},
	{regexp.MustCompile(`(?i)([a-z0-9_-]*(?:authorization|api-?_?key|access-?_?key|secret` +
		`|token|passw(?:or)?d|cookie)[a-z0-9_-]*["']?\s*[:=]\s*)` +
		`(?:(?:bearer|basic|apikey|digest)\s+)?(?:"[^"]*"?|'[^']*'?|[^\s,;&"']+)`), "${1}***"},
	{regexp.MustCompile(`(?i)\b(bearer|apikey)\s+[a-z0-9._~+/=-]{8,}`), "${1} ***"},
}

// reasonOf makes one line of at most 1 KiB of an error, with no secret in it.
func reasonOf(err error) string {
	text := cut(err.Error(), maxErrorBytes)
	for _, rule := range hidden {
		text = rule.pattern.ReplaceAllString(text, rule.with)
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return cut(strings.Join(strings.Fields(text), " "), maxReasonBytes)
}

// cut shortens a text without leaving half a character at its end.
func cut(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// isPermanent tells whether trying again unchanged is pointless, by what the error itself says.
// In doubt it is not: a batch that is held too long costs disk, one given up costs data.
func isPermanent(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if consumererror.IsPermanent(err) {
		return true
	}
	var typed *consumererror.Error
	if errors.As(err, &typed) {
		return !typed.IsRetryable()
	}
	var answer interface{ StatusCode() int }
	if errors.As(err, &answer) {
		return isPermanentHTTP(answer.StatusCode())
	}
	if state, ok := status.FromError(err); ok {
		return isPermanentGRPC(state.Code())
	}
	return false
}

func isPermanentHTTP(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return code >= 400 && code < 500
}

// Exporters mark what else they take for permanent; ResourceExhausted, say, is a 429 of HTTP.
func isPermanentGRPC(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied,
		codes.FailedPrecondition, codes.Unimplemented, codes.Unauthenticated:
		return true
	}
	return false
}
