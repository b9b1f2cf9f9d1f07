// Package oneline makes a short line without secrets of a text that somebody else wrote, for what
// is shown to people: dead letters, and the newest lines of the collector's own log.
package oneline

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// More of a text is not looked at: the rest would be cut anyway.
const maxTextBytes = 16 * 1024

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

// Of makes the line, of at most so many bytes.
func Of(text string, maxBytes int) string {
	text = Cut(text, maxTextBytes)
	for _, rule := range hidden {
		text = rule.pattern.ReplaceAllString(text, rule.with)
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return Cut(strings.Join(strings.Fields(text), " "), maxBytes)
}

// Cut shortens a text without leaving half a character at its end.
func Cut(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
