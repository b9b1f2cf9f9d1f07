package syslogconfirmed

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
)

func recordOf(message string, attributes map[string]string) plog.LogRecord {
	record := plog.NewLogRecord()
	record.Attributes().PutStr("message", message)
	for name, value := range attributes {
		record.Attributes().PutStr(name, value)
	}
	return record
}

// framed splits a stream as a server with octet counting does.
func framed(t *testing.T, stream string) []string {
	var records []string
	for stream != "" {
		length, rest, found := strings.Cut(stream, " ")
		require.True(t, found, stream)
		count, err := strconv.Atoi(length)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(rest), count)
		records = append(records, rest[:count])
		stream = rest[count:]
	}
	return records
}

func TestAFrameIsRFC5424(t *testing.T) {
	record := recordOf("hello wörld", map[string]string{
		"hostname": "web 1", "appname": "ban gui\n", "proc_id": "42", "msg_id": "login",
		"priority": "11",
	})
	record.SetTimestamp(1_700_000_000_123_456_789)
	assert.Equal(t, "70 <11>1 2023-11-14T22:13:20.123456Z web1 bangui 42 login - hello wörld\n",
		string(appendFrame(nil, record, 8000)))
}

func TestWhatIsMissingIsNil(t *testing.T) {
	record := plog.NewLogRecord()
	record.Body().SetStr("the body")
	assert.Equal(t, "27 <14>1 - - - - - - the body\n", string(appendFrame(nil, record, 8000)))
	record.SetObservedTimestamp(1_700_000_000_000_000_000)
	assert.Contains(t, string(appendFrame(nil, record, 8000)), "<14>1 2023-11-14T22:13:20.000000Z -")
	for _, bad := range []string{"-1", "192", "high", ""} {
		record.Attributes().PutStr("priority", bad)
		assert.Contains(t, string(appendFrame(nil, record, 8000)), " <14>1 ", bad)
	}
	record.Attributes().PutInt("priority", 191)
	assert.Contains(t, string(appendFrame(nil, record, 8000)), " <191>1 ")
}

func TestHeaderFieldsHaveTheirLengths(t *testing.T) {
	long := strings.Repeat("äx", 300)
	record := recordOf("m", map[string]string{
		"hostname": long, "appname": long, "proc_id": long, "msg_id": "  \n"})
	fields := strings.Split(framed(t, string(appendFrame(nil, record, 8000)))[0], " ")
	assert.Equal(t, strings.Repeat("x", 255), fields[2])
	assert.Equal(t, strings.Repeat("x", 48), fields[3])
	assert.Equal(t, strings.Repeat("x", 128), fields[4])
	assert.Equal(t, "-", fields[5])
}

func TestNoTextForgesASecondRecord(t *testing.T) {
	attack := "a\n<14>1 - h evil - - - forged\r\n30 <14>1 - - - - - - x\x00\x1b[2J\x7f\t" +
		"\u0085\u2028\u2029\x9b\xff"
	frame := string(appendFrame(nil, recordOf(attack, map[string]string{
		"appname": attack, "hostname": attack, "msg_id": attack, "proc_id": attack}), 8000))
	assert.Len(t, framed(t, frame), 1)
	assert.Equal(t, 1, strings.Count(frame, "\n"), "by newlines it is one record, too")
	for _, r := range strings.TrimSuffix(frame, "\n") {
		assert.False(t, r < ' ' || (r >= 0x7f && r <= 0x9f) || r == '\u2028' || r == '\u2029', "%q", r)
	}
	assert.True(t, utf8.ValidString(frame))
	assert.Contains(t, frame,
		`a\n<14>1 - h evil - - - forged\r\n30 <14>1 - - - - - - x\u0000\u001b[2J\u007f\t`)
}

func TestJSONStaysJSON(t *testing.T) {
	// A JSON string may hold these as they are.
	text := "\x7f\u0085\u2028\u2029"
	frame := string(appendFrame(nil, recordOf(`{"a":"`+text+`"}`, nil), 8000))
	_, message, found := strings.Cut(frame, " - - - - - - ")
	require.True(t, found, frame)
	var decoded map[string]string
	require.NoError(t, json.Unmarshal([]byte(message), &decoded))
	assert.Equal(t, map[string]string{"a": text}, decoded)
}

func TestALongTextIsCutOnACharacterWithAMark(t *testing.T) {
	for _, text := range []string{strings.Repeat("é", 90_000), strings.Repeat("\n", 90_000),
		strings.Repeat("x", 90_000), strings.Repeat("xé€😀", 20_000)} {
		record := framed(t, string(appendFrame(nil, recordOf(text, nil), 8000)))[0]
		assert.LessOrEqual(t, len(record), 8000)
		assert.Greater(t, len(record), 7990)
		assert.True(t, strings.HasSuffix(record, cutMark+"\n"))
		assert.True(t, utf8.ValidString(record))
	}
	whole := framed(t, string(appendFrame(nil, recordOf(strings.Repeat("x", 7976), nil), 8000)))[0]
	assert.NotContains(t, whole, cutMark)
}

func TestConfigIsChecked(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	for field, change := range map[string]func(*Config){
		"host":              func(c *Config) { c.Host = "" },
		"host ":             func(c *Config) { c.Host = "tcp://x" },
		"port":              func(c *Config) { c.Port = 0 },
		"timeout":           func(c *Config) { c.Timeout = 0 },
		"max_message_bytes": func(c *Config) { c.MaxMessageBytes = 100 },
		"confirmation":      func(c *Config) { c.Confirmation = "hope" },
		"needs TLS": func(c *Config) {
			c.Confirmation, c.TLS.Insecure = confirmCloseNotify, true
		},
	} {
		config := createDefaultConfig().(*Config)
		config.Host = "syslog.example"
		require.NoError(t, config.Validate())
		change(config)
		require.ErrorContains(t, config.Validate(), strings.TrimSpace(field))
	}
}
