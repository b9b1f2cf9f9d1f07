package syslogconfirmed

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// user.info
	defaultPriority = 14
	maxPriority     = 191
	nilValue        = "-"
	cutMark         = " [truncated]"
	timeLayout      = "2006-01-02T15:04:05.000000Z"

	// The lengths of RFC 5424.
	maxHostname = 255
	maxAppName  = 48
	maxProcID   = 128
	maxMsgID    = 32
)

// appendFrame adds one record: its length, a space, and so many bytes. They end with a newline, as
// the stock exporter's do: a server that takes newlines for the borders of records then still sees
// one record for each, because no other newline is ever sent.
func appendFrame(into []byte, record plog.LogRecord, maxBytes int) []byte {
	attributes := record.Attributes()
	header := fmt.Sprintf("<%d>1 %s %s %s %s %s - ",
		priorityOf(attributes), timeOf(record),
		headerField(attributes, "hostname", maxHostname),
		headerField(attributes, "appname", maxAppName),
		headerField(attributes, "proc_id", maxProcID),
		headerField(attributes, "msg_id", maxMsgID))
	text := cut(escape(messageOf(record), maxBytes), maxBytes-len(header)-1)
	into = strconv.AppendInt(into, int64(len(header)+len(text)+1), 10)
	into = append(into, ' ')
	into = append(into, header...)
	into = append(into, text...)
	return append(into, '\n')
}

func priorityOf(attributes pcommon.Map) int {
	value, ok := attributes.Get("priority")
	if !ok {
		return defaultPriority
	}
	priority, err := strconv.Atoi(value.AsString())
	if err != nil || priority < 0 || priority > maxPriority {
		return defaultPriority
	}
	return priority
}

func timeOf(record plog.LogRecord) string {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	if at == 0 {
		return nilValue
	}
	return at.AsTime().UTC().Format(timeLayout)
}

// messageOf takes the attribute that the stock exporter takes, else the body.
func messageOf(record plog.LogRecord) string {
	if value, ok := record.Attributes().Get("message"); ok {
		return value.AsString()
	}
	return record.Body().AsString()
}

// headerField keeps printable ASCII only: a space would end the field.
func headerField(attributes pcommon.Map, name string, maxLength int) string {
	value, ok := attributes.Get(name)
	if !ok {
		return nilValue
	}
	var cleaned strings.Builder
	for _, c := range []byte(value.AsString()) {
		if c > ' ' && c <= '~' {
			cleaned.WriteByte(c)
		}
		if cleaned.Len() == maxLength {
			break
		}
	}
	if cleaned.Len() == 0 {
		return nilValue
	}
	return cleaned.String()
}

// escape shows what would otherwise act: control characters of both sets, and Unicode's own line
// ends. They are shown as JSON shows them, so that a text that is JSON stays JSON. No more of a text
// is looked at than can be sent.
func escape(text string, maxBytes int) string {
	var escaped strings.Builder
	for _, r := range text {
		if escaped.Len() > maxBytes {
			break
		}
		switch {
		case r == '\n':
			escaped.WriteString(`\n`)
		case r == '\r':
			escaped.WriteString(`\r`)
		case r == '\t':
			escaped.WriteString(`\t`)
		case r < ' ' || (r >= 0x7f && r <= 0x9f) || r == '\u2028' || r == '\u2029':
			fmt.Fprintf(&escaped, `\u%04x`, r)
		default:
			escaped.WriteRune(r)
		}
	}
	return escaped.String()
}

func cut(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes - len(cutMark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark
}
