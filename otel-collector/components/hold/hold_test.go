package hold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bangui.local/otelcol/components/refused"
)

func readInt(t *testing.T, telemetry *componenttest.Telemetry, name string) int64 {
	found, err := telemetry.GetMetric(name)
	require.NoError(t, err)
	var points []metricdata.DataPoint[int64]
	switch data := found.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	require.NotEmpty(t, points)
	var sum int64
	for _, point := range points {
		destination, _ := point.Attributes.Value("destination")
		signal, _ := point.Attributes.Value("signal")
		require.Equal(t, "datadog logs", destination.AsString()+" "+signal.AsString())
		sum += point.Value
	}
	return sum
}

var errForbidden = consumererror.NewPermanent(status.Error(codes.PermissionDenied, "HTTP 403"))

func TestEveryErrorBecomesRetryableAndHidesWhatItWas(t *testing.T) {
	for name, cause := range map[string]error{
		"permanent": errForbidden,
		"grpc":      status.Error(codes.InvalidArgument, "bad"),
		"http":      consumererror.NewOTLPHTTPError(errors.New("bad"), 400),
		"plain":     errors.New("connection refused"),
		"cancelled": context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, nil)
			s.answer = func(plog.Logs) error { return cause }
			err := s.consume(batchOf("a"))
			require.Error(t, err)
			assert.False(t, consumererror.IsPermanent(err))
			_, isStatus := status.FromError(err)
			assert.False(t, isStatus)
			assert.Nil(t, errors.Unwrap(err))
			assert.Contains(t, err.Error(), "held for datadog: ")
			assert.EqualValues(t, 1, s.counter("bangui.collector.held"))
			assert.EqualValues(t, 1, s.counter("bangui.collector.held_batches"))
		})
	}
}

func TestAPermanentRefusalIsGivenUpAfterItsTimeAndNotBefore(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(plog.Logs) error { return errForbidden }
	require.Error(t, s.consume(batchOf("a", "b")))
	for range 23 {
		s.clock = s.clock.Add(10 * time.Minute)
		require.Error(t, s.consume(batchOf("a", "b")))
	}
	require.Empty(t, s.letters())
	assert.EqualValues(t, 230*60, s.counter("bangui.collector.oldest_held_seconds"))
	s.clock = s.clock.Add(10 * time.Minute)
	require.NoError(t, s.consume(batchOf("a", "b")))
	letters := s.letters()
	require.Len(t, letters, 1)
	var line struct{ Bangui letter }
	require.NoError(t, json.Unmarshal(letters[0], &line))
	assert.Equal(t, "datadog", line.Bangui.Destination)
	assert.Equal(t, "logs", line.Bangui.Signal)
	assert.Equal(t, 2, line.Bangui.Records)
	assert.Equal(t, s.clock, line.Bangui.GivenUpAt)
	assert.Equal(t, s.clock.Add(-4*time.Hour), line.Bangui.FirstRefusedAt)
	assert.EqualValues(t, 2, s.counter("bangui.collector.dead_letters"))
	assert.EqualValues(t, 0, s.counter("bangui.collector.held_batches"))
}

func TestAnOutageIsNeverGivenUp(t *testing.T) {
	for _, cause := range []error{
		errors.New("connection refused"), context.DeadlineExceeded,
		status.Error(codes.ResourceExhausted, "HTTP 429"),
		status.Error(codes.Unavailable, "HTTP 503"),
		consumererror.NewOTLPHTTPError(nil, 503), consumererror.NewRetryableError(errors.New("x")),
	} {
		s := newSetup(t, func(c *Config) { c.GiveUpAfter = time.Second })
		s.answer = func(plog.Logs) error { return cause }
		for range 50 {
			s.clock = s.clock.Add(5 * time.Minute)
			require.Error(t, s.consume(batchOf("a")), cause.Error())
		}
		assert.Empty(t, s.letters())
	}
}

func TestTheHoursCountFromThePermanentRefusalNotFromTheOutageBefore(t *testing.T) {
	s := newSetup(t, func(c *Config) { c.GiveUpAfter = time.Hour })
	s.answer = func(plog.Logs) error { return errors.New("refused") }
	for range 30 {
		s.clock = s.clock.Add(5 * time.Minute)
		require.Error(t, s.consume(batchOf("a")))
	}
	s.answer = func(plog.Logs) error { return errForbidden }
	require.Error(t, s.consume(batchOf("a")))
	assert.Empty(t, s.letters())
}

func TestTheDeadLetterIsTheBatchAsItCameAndIsReadAgain(t *testing.T) {
	s := newSetup(t, func(c *Config) { c.GiveUpAfter = time.Nanosecond })
	s.answer = func(plog.Logs) error { return errForbidden }
	batch := batchOf("a", "b")
	require.Error(t, s.consume(batch))
	s.clock = s.clock.Add(time.Second)
	require.NoError(t, s.consume(batch))
	content := s.letters()[0]
	assert.True(t, strings.HasPrefix(string(content), `{"bangui":{"destination":"datadog"`))
	assert.Equal(t, 1, strings.Count(string(content), "\n"))
	again, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(content)
	require.NoError(t, err)
	assert.Equal(t, batch, again)

	path := filepath.Join(s.folder, "datadog")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(folderMode), info.Mode().Perm())
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Regexp(t, `^\d{13}-[0-9a-f]{8}\.jsonl$`, entries[0].Name())
	info, err = entries[0].Info()
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(fileMode), info.Mode().Perm())
}

func TestAFullFolderHoldsOnAndSaysSoOnceAMinute(t *testing.T) {
	s := newSetup(t, func(c *Config) { c.GiveUpAfter, c.MaxDeadLetterMiB = time.Nanosecond, 1 })
	filler := filepath.Join(s.folder, "other.jsonl")
	require.NoError(t, os.WriteFile(filler, make([]byte, bytesPerMiB-10), 0o600))
	s.answer = func(plog.Logs) error { return errForbidden }
	for range 5 {
		s.clock = s.clock.Add(time.Second)
		require.Error(t, s.consume(batchOf("a")))
	}
	assert.Empty(t, s.letters())
	assert.Equal(t, 1, s.logs.FilterMessageSnippet("cannot be written").Len())
	require.NoError(t, os.Remove(filler))
	s.processor.folder.scannedAt = time.Time{}
	require.NoError(t, s.consume(batchOf("a")))
	assert.Len(t, s.letters(), 1)
}

func TestTheLogHasOneLineAMinuteAndOneWhenAllIsWell(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(plog.Logs) error { return errors.New("refused") }
	for range 61 {
		require.Error(t, s.consume(batchOf("a")))
		s.clock = s.clock.Add(time.Second)
	}
	warnings := s.logs.FilterMessageSnippet("are held")
	require.Equal(t, 2, warnings.Len())
	assert.EqualValues(t, 60, warnings.All()[1].ContextMap()["refusals"])
	s.answer = func(plog.Logs) error { return nil }
	require.NoError(t, s.consume(batchOf("b")))
	assert.Zero(t, s.logs.FilterMessageSnippet("works again").Len(), "another batch is still held")
	require.NoError(t, s.consume(batchOf("a")))
	require.NoError(t, s.consume(batchOf("c")))
	assert.Equal(t, 1, s.logs.FilterMessageSnippet("works again").Len())
}

func TestRefusedDocumentsAreKeptAtOnceAndTheRestIsDelivered(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(batch plog.Logs) error {
		for _, uid := range uidsOf(batch) {
			if uid == "b" {
				return fmt.Errorf("flush: %w", &refused.Documents{UIDs: []string{"b"}, Reason: "no"})
			}
		}
		return nil
	}
	require.NoError(t, s.consume(batchOf("a", "b", "c")))
	require.Len(t, s.letters(), 1)
	kept, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(s.letters()[0])
	require.NoError(t, err)
	assert.Equal(t, []string{"b"}, uidsOf(kept))
	require.Len(t, s.got, 2)
	assert.Equal(t, []string{"a", "c"}, uidsOf(s.got[1]), "the rest is confirmed by a full success")
	assert.EqualValues(t, 1, s.counter("bangui.collector.dead_letters"))
	assert.EqualValues(t, 0, s.counter("bangui.collector.held_batches"))
}

func TestARefusedDocumentBesideAnotherErrorIsKeptOnceAndTheBatchIsHeld(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(plog.Logs) error {
		return errors.Join(&refused.Documents{UIDs: []string{"b"}, Reason: "no"}, errors.New("later"))
	}
	require.Error(t, s.consume(batchOf("a", "b")))
	s.answer = func(plog.Logs) error { return errors.New("later") }
	require.Error(t, s.consume(batchOf("a", "b")))
	assert.Equal(t, []string{"a"}, uidsOf(s.got[1]))
	s.answer = func(plog.Logs) error { return nil }
	require.NoError(t, s.consume(batchOf("a", "b")))
	assert.Len(t, s.letters(), 1)
}

func TestRefusedDocumentsThatNobodyKnowsAreNotTakenForDelivered(t *testing.T) {
	s := newSetup(t, func(c *Config) { c.GiveUpAfter = time.Hour })
	s.answer = func(plog.Logs) error {
		return &refused.Documents{UIDs: []string{"b", "unknown"}, Reason: "no"}
	}
	require.Error(t, s.consume(batchOf("a", "b")))
	assert.Empty(t, s.letters())
	for range 7 {
		s.clock = s.clock.Add(9 * time.Minute)
		_ = s.consume(batchOf("a", "b"))
	}
	require.Len(t, s.letters(), 1, "given up as a whole, in its time")
	kept, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(s.letters()[0])
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, uidsOf(kept))
}

func TestABatchThatIsRefusedRecordByRecordEnds(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(batch plog.Logs) error {
		return &refused.Documents{UIDs: uidsOf(batch)[:1], Reason: "no"}
	}
	var uids []string
	for i := range 30 {
		uids = append(uids, fmt.Sprint(i))
	}
	tries := 1
	for s.consume(batchOf(uids...)) != nil {
		tries++
		require.Less(t, tries, 10)
	}
	assert.Len(t, s.got, 30)
	assert.EqualValues(t, 30, s.counter("bangui.collector.dead_letters"))
}

func TestTheDelayOfTheOldestRecordIsMeasuredWhenItIsDelivered(t *testing.T) {
	s := newSetup(t, nil)
	refuse := true
	s.answer = func(plog.Logs) error {
		if refuse {
			return errForbidden
		}
		return nil
	}
	batch := batchOf("a", "b")
	records := batch.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	records.At(1).SetTimestamp(pcommon.NewTimestampFromTime(s.clock.Add(-7 * time.Second)))
	records.At(0).SetTimestamp(pcommon.NewTimestampFromTime(s.clock.Add(-2 * time.Second)))
	require.Error(t, s.consume(batch))
	_, err := s.telemetry.GetMetric("bangui.collector.delivery_delay")
	require.Error(t, err, "nothing was delivered yet")
	refuse = false
	require.NoError(t, s.consume(batch))
	found, err := s.telemetry.GetMetric("bangui.collector.delivery_delay")
	require.NoError(t, err)
	points := found.Data.(metricdata.Histogram[float64]).DataPoints
	require.Len(t, points, 1)
	assert.InDelta(t, 7.0, points[0].Sum, 0.001)
}

func TestAConfirmedRestIsNotSentAgain(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(plog.Logs) error {
		return &refused.Documents{UIDs: []string{"b"}, Reason: "no", Confirmed: true}
	}
	require.NoError(t, s.consume(batchOf("a", "b")))
	assert.Len(t, s.got, 1)
	assert.Len(t, s.letters(), 1)
}
