package recentlogs

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"bangui.local/otelcol/components/oneline"
)

// Together they stay below the 4 KiB that a record may have.
const (
	maxComponentBytes = 256
	maxMessageBytes   = 1024
	maxErrorBytes     = 2048
)

// The attribute of a scope by which the collector names the component that speaks.
const componentAttribute = "otelcol.component.id"

// Where components write what went wrong, the usual one first.
var errorAttributes = []string{"error", "reason", "err"}

// record is one line of the collector's log, or several that follow each other and say the same.
type record struct {
	// Seq grows with each line; a record that is repeated has the number of its newest line.
	Seq uint64 `json:"seq"`
	// Timestamp is that of the newest line, Since that of the first.
	Timestamp time.Time `json:"timestamp"`
	Since     time.Time `json:"since"`
	// Level is `warning`, `error` or `critical`, as BanGUI names them.
	Level string `json:"level"`
	// Component is its id, as `otlphttp/other`; empty for the collector as a whole.
	Component string `json:"component"`
	Message   string `json:"message"`
	Error     string `json:"error"`
	// Count tells how many lines this is.
	Count uint64 `json:"count"`
}

func componentOf(scope pcommon.Map) string {
	id, known := scope.Get(componentAttribute)
	if !known {
		return ""
	}
	return oneline.Of(id.AsString(), maxComponentBytes)
}

func recordOf(component string, line plog.LogRecord) record {
	at := line.Timestamp()
	if at == 0 {
		at = line.ObservedTimestamp()
	}
	made := record{
		Timestamp: at.AsTime(),
		Since:     at.AsTime(),
		Level:     levelOf(line.SeverityNumber()),
		Component: component,
		Message:   oneline.Of(line.Body().AsString(), maxMessageBytes),
		Count:     1,
	}
	for _, name := range errorAttributes {
		if value, known := line.Attributes().Get(name); known && value.AsString() != "" {
			made.Error = oneline.Of(value.AsString(), maxErrorBytes)
			break
		}
	}
	return made
}

func levelOf(severity plog.SeverityNumber) string {
	switch {
	case severity >= plog.SeverityNumberFatal:
		return "critical"
	case severity >= plog.SeverityNumberError:
		return "error"
	case severity >= plog.SeverityNumberWarn:
		return "warning"
	case severity >= plog.SeverityNumberInfo:
		return "info"
	}
	return "debug"
}

// says tells whether both lines say the same.
func (r *record) says(other *record) bool {
	return r.Level == other.Level && r.Component == other.Component &&
		r.Message == other.Message && r.Error == other.Error
}
