package datadoglogs

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/DataDog/datadog-agent/pkg/opentelemetry-mapping-go/otlp/attributes"
	"github.com/DataDog/datadog-agent/pkg/opentelemetry-mapping-go/otlp/logs"
	"github.com/DataDog/datadog-api-client-go/v2/api/datadogV2"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	timeAttribute   = "@timestamp"
	timeLayout      = "2006-01-02T15:04:05.000Z07:00"
	sourceAttribute = "ddsource"
	uidAttribute    = "uid"
	cutMark         = " …[truncated]"
	// Halving its longest text so often makes any entry short that has few long texts; shorter
	// ones are not worth a cut.
	maxCuts     = 64
	minCutBytes = 1024
)

// entry is one log record as Datadog takes it.
type entry struct {
	// index is the record's place in its batch.
	index   int
	content []byte
}

// mapper turns records into entries.
type mapper struct {
	translator *logs.Translator
	config     *Config
	// truncated is told of every record that had to be cut.
	truncated func()
}

func newMapper(
	set component.TelemetrySettings, config *Config, truncated func(),
) (*mapper, error) {
	named, err := attributes.NewTranslator(set)
	if err != nil {
		return nil, err
	}
	translator, err := logs.NewTranslator(set, named, componentType.String())
	if err != nil {
		return nil, err
	}
	return &mapper{translator: translator, config: config, truncated: truncated}, nil
}

// entries keeps the order of the records, one entry for each.
func (m *mapper) entries(ctx context.Context, batch plog.Logs) ([]entry, error) {
	items := m.translator.MapLogs(ctx, batch, nil)
	if len(items) != batch.LogRecordCount() {
		return nil, fmt.Errorf("%d records became %d entries", batch.LogRecordCount(), len(items))
	}
	made := make([]entry, 0, len(items))
	for record := range recordsOf(batch) {
		item := &items[len(made)]
		m.complete(item, record)
		content, err := m.fit(item)
		if err != nil {
			return nil, err
		}
		made = append(made, entry{index: len(made), content: content})
	}
	return made, nil
}

// complete adds what the mapping leaves open or takes away: it turns some attributes into Datadog's
// own (`level` into `status`), and a record must have the same keys everywhere.
func (m *mapper) complete(item *datadogV2.HTTPLogItem, record plog.LogRecord) {
	for name, value := range record.Attributes().All() {
		_, given := item.AdditionalProperties[name]
		if !given && name != sourceAttribute && name != "ddtags" {
			item.AdditionalProperties[name] = value.AsRaw()
		}
	}
	if !item.HasHostname() && m.config.Hostname != "" {
		item.SetHostname(m.config.Hostname)
	}
	if _, given := item.AdditionalProperties[sourceAttribute]; !given && m.config.Source != "" {
		item.SetDdsource(m.config.Source)
	}
	// Without any time the intake would take that of arrival, which after an outage is hours off.
	if _, given := item.AdditionalProperties[timeAttribute]; !given &&
		record.ObservedTimestamp() != 0 {
		item.AdditionalProperties[timeAttribute] =
			record.ObservedTimestamp().AsTime().Format(timeLayout)
	}
}

// fit makes the entry's JSON no longer than the intake takes, by cutting its longest texts.
func (m *mapper) fit(item *datadogV2.HTTPLogItem) ([]byte, error) {
	limit := m.config.entryLimit()
	content, err := json.Marshal(item)
	if err != nil || len(content) <= limit {
		return content, err
	}
	m.truncated()
	for cuts := 0; cuts < maxCuts && cutLongest(item); cuts++ {
		if content, err = json.Marshal(item); err != nil || len(content) <= limit {
			return content, err
		}
	}
	// So many attributes that no text is to blame: what says the most stays.
	kept := map[string]any{"truncated": true}
	for _, name := range []string{timeAttribute, "status", "dd.trace_id", "dd.span_id"} {
		if value, ok := item.AdditionalProperties[name]; ok {
			kept[name] = value
		}
	}
	item.AdditionalProperties = kept
	return json.Marshal(item)
}

// cutLongest tells whether there was a text that is worth a cut.
func cutLongest(item *datadogV2.HTTPLogItem) bool {
	longest, length := "", len(item.Message)
	for name, value := range item.AdditionalProperties {
		if text, ok := value.(string); ok && len(text) > length {
			longest, length = name, len(text)
		}
	}
	tags := item.GetDdtags()
	switch {
	case max(length, len(tags)) < minCutBytes:
		return false
	case len(tags) > length:
		item.SetDdtags(halve(tags))
	case longest == "":
		item.Message = halve(item.Message)
	default:
		item.AdditionalProperties[longest] = halve(item.AdditionalProperties[longest].(string))
	}
	return true
}

func halve(text string) string {
	end := len(text) / 2
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark
}

// chunks groups entries so that each group is within the limits of one request.
func chunks(entries []entry, maxBytes int) [][]entry {
	var made [][]entry
	start, size := 0, 2
	for i, one := range entries {
		// Each entry comes with a comma.
		if i > start && (size+len(one.content)+1 > maxBytes || i-start == maxEntries) {
			made = append(made, entries[start:i])
			start, size = i, 2
		}
		size += len(one.content) + 1
	}
	if start < len(entries) {
		made = append(made, entries[start:])
	}
	return made
}

func payloadOf(entries []entry) []byte {
	size := 2
	for _, one := range entries {
		size += len(one.content) + 1
	}
	payload := make([]byte, 0, size)
	payload = append(payload, '[')
	for i, one := range entries {
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = append(payload, one.content...)
	}
	return append(payload, ']')
}

// recordsOf walks the records in the order in which the mapping does.
func recordsOf(batch plog.Logs) func(yield func(plog.LogRecord) bool) {
	return func(yield func(plog.LogRecord) bool) {
		for _, resource := range batch.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if !yield(record) {
						return
					}
				}
			}
		}
	}
}

// without copies a batch, leaving out the delivered records.
func without(batch plog.Logs, delivered map[int]struct{}) plog.Logs {
	rest := plog.NewLogs()
	batch.CopyTo(rest)
	index := -1
	rest.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool {
				index++
				_, is := delivered[index]
				return is
			})
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return rest
}

// uidsOf returns the ids of the records at these places, fewer when some have none.
func uidsOf(batch plog.Logs, places map[int]struct{}) []string {
	var uids []string
	index := 0
	for record := range recordsOf(batch) {
		if _, wanted := places[index]; wanted {
			if uid, ok := record.Attributes().Get(uidAttribute); ok {
				uids = append(uids, uid.AsString())
			}
		}
		index++
	}
	return uids
}
