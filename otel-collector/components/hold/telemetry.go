package hold

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const (
	scopeName = "bangui.local/otelcol/components/hold"
	// At most one line a minute about the same thing.
	logEvery = time.Minute
)

// From what is normal, seconds, to a backlog of days.
var delayBounds = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400}

// instruments are the processor's own metrics, each with destination and signal; what is held, with
// the type of the error as well.
type instruments struct {
	held         metric.Int64Counter
	deadLetters  metric.Int64Counter
	delays       metric.Float64Histogram
	attributes   metric.MeasurementOption
	registration metric.Registration
}

func newInstruments(
	set component.TelemetrySettings, destination, signal string, held *table,
	now func() time.Time,
) (*instruments, error) {
	meter := set.MeterProvider.Meter(scopeName)
	made := &instruments{attributes: metric.WithAttributeSet(attribute.NewSet(
		attribute.String("destination", destination), attribute.String("signal", signal)))}
	var err error
	made.held, err = meter.Int64Counter("bangui.collector.held", metric.WithUnit("{refusal}"),
		metric.WithDescription("Refusals of a destination that were held, each time counted."))
	if err != nil {
		return nil, err
	}
	made.deadLetters, err = meter.Int64Counter("bangui.collector.dead_letters",
		metric.WithUnit("{record}"),
		metric.WithDescription("Records given up and written to dead letters."))
	if err != nil {
		return nil, err
	}
	if made.delays, err = meter.Float64Histogram("bangui.collector.delivery_delay",
		metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(delayBounds...),
		metric.WithDescription("From the oldest record of a batch to the destination's answer.")); err != nil {
		return nil, err
	}
	batches, err := meter.Int64ObservableGauge("bangui.collector.held_batches",
		metric.WithUnit("{batch}"), metric.WithDescription("Batches held now."))
	if err != nil {
		return nil, err
	}
	oldest, err := meter.Int64ObservableGauge("bangui.collector.oldest_held_seconds",
		metric.WithUnit("s"), metric.WithDescription("How long the oldest batch is held."))
	if err != nil {
		return nil, err
	}
	made.registration, err = meter.RegisterCallback(
		func(_ context.Context, observer metric.Observer) error {
			count, first := held.state(now())
			var seconds int64
			if count > 0 {
				seconds = int64(now().Sub(first).Seconds())
			}
			observer.ObserveInt64(batches, int64(count), made.attributes)
			observer.ObserveInt64(oldest, seconds, made.attributes)
			return nil
		}, batches, oldest)
	return made, err
}

// delay records how late a batch is that has just been delivered.
func (i *instruments) delay(ctx context.Context, now, oldest time.Time) {
	if oldest.IsZero() {
		return
	}
	// Clocks of other machines may be ahead.
	i.delays.Record(ctx, max(now.Sub(oldest).Seconds(), 0), i.attributes)
}

// refusal counts one that was held, by its type.
func (i *instruments) refusal(ctx context.Context, errorType string) {
	i.held.Add(ctx, 1, i.attributes,
		metric.WithAttributes(attribute.String(errorTypeAttribute, errorType)))
}

// showZero makes the counters visible before anything went wrong: an alert on their growth needs
// a first value.
func (i *instruments) showZero() {
	i.held.Add(context.Background(), 0, i.attributes)
	i.deadLetters.Add(context.Background(), 0, i.attributes)
}

// reporter writes about a destination without flooding the log: a line when it begins to refuse,
// then at most one a minute with counts, and one when nothing is held any more.
type reporter struct {
	logger   *zap.Logger
	mutex    sync.Mutex
	failing  bool
	warned   bool
	warnedAt time.Time
	fullAt   time.Time
	refusals int
	records  int
}

func (r *reporter) refused(now time.Time, reason string, records int, permanent bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.failing = true
	r.refusals++
	r.records += records
	if !r.warnedAt.IsZero() && now.Sub(r.warnedAt) < logEvery {
		return
	}
	r.logger.Warn("the destination refuses, batches are held",
		zap.String("reason", reason), zap.Bool("permanent", permanent),
		zap.Int("refusals", r.refusals), zap.Int("records", r.records))
	r.warned, r.warnedAt, r.refusals, r.records = true, now, 0, 0
}

func (r *reporter) works() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.failing && r.warned {
		r.logger.Info("the destination works again, nothing is held")
	}
	r.failing, r.warned, r.refusals, r.records = false, false, 0, 0
}

func (r *reporter) notKept(now time.Time, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !r.fullAt.IsZero() && now.Sub(r.fullAt) < logEvery {
		return
	}
	r.fullAt = now
	r.logger.Error("a dead letter cannot be written, the batch is held on", zap.Error(err))
}

func (r *reporter) gaveUp(reason string, records int) {
	r.logger.Warn("records are given up and kept as a dead letter",
		zap.String("reason", reason), zap.Int("records", records))
}
