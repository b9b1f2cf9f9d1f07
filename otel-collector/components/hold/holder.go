package hold

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

// payload is a batch of any signal, as it was before what follows could change it.
type payload struct {
	records int
	binary  func() ([]byte, error)
	json    func() ([]byte, error)
}

// fingerprint recognises the batch when the hop brings it again.
func (p payload) fingerprint() (fingerprint, error) {
	content, err := p.binary()
	if err != nil {
		return fingerprint{}, err
	}
	return sha256.Sum256(content), nil
}

// holder is what the processors of the three signals share.
type holder struct {
	config      *Config
	destination string
	signal      string
	folder      *folder
	table       *table
	turns       turns
	instruments *instruments
	reporter    *reporter
	now         func() time.Time
}

func newHolder(set processor.Settings, config *Config, signal string) (*holder, error) {
	destination, err := config.destination(set.ID)
	if err != nil {
		return nil, err
	}
	shared, err := sharedFolder(config.DeadLetterDirectory)
	if err != nil {
		return nil, err
	}
	made := &holder{
		config: config, destination: destination, signal: signal,
		folder: shared, table: newTable(), turns: newTurns(config.MaxUnderWay), now: time.Now,
		reporter: &reporter{logger: set.Logger.With(
			zap.String("destination", destination), zap.String("signal", signal))},
	}
	made.instruments, err = newInstruments(set.TelemetrySettings, destination, signal,
		made.table, func() time.Time { return made.now() })
	return made, err
}

// Start fails when dead letters could not be written, rather than hours later.
func (h *holder) Start(context.Context, component.Host) error {
	if err := h.folder.prepare(h.destination, h.now()); err != nil {
		return fmt.Errorf("the dead-letter folder cannot be used: %w", err)
	}
	h.instruments.showZero()
	return nil
}

func (h *holder) Shutdown(context.Context) error {
	return h.instruments.registration.Unregister()
}

// Capabilities: the batch itself is never changed here.
func (h *holder) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// delivered notes a success; the batch is only looked at when others, or it, are held.
func (h *holder) delivered(batch payload) {
	if !h.table.empty() {
		if key, err := batch.fingerprint(); err == nil {
			h.table.forget(key)
		}
	}
	if batches, _ := h.table.state(h.now()); batches == 0 {
		h.reporter.works()
	}
}

// hold turns an error into the answer for the hop: nil when the batch was kept as a dead letter,
// else an error that is retryable because it says nothing about itself. `whole` is what the batch
// is known by, `rest` what of it is still to be delivered.
func (h *holder) hold(ctx context.Context, whole, rest payload, refusal error) error {
	permanent := isPermanent(refusal)
	reason := reasonOf(refusal)
	now := h.now()
	key, err := whole.fingerprint()
	if err == nil {
		since := h.table.refused(key, now, permanent)
		if permanent && now.Sub(since) >= h.config.GiveUpAfter &&
			h.keep(ctx, rest, reason, since) == nil {
			h.table.forget(key)
			return nil
		}
	}
	h.instruments.refusal(ctx, errorType(refusal))
	h.reporter.refused(now, reason, rest.records, permanent)
	return errors.New("held for " + h.destination + ": " + reason)
}

// keep writes a dead letter; its error is logged here.
func (h *holder) keep(ctx context.Context, batch payload, reason string, since time.Time) error {
	content, err := batch.json()
	if err == nil {
		err = h.folder.write(letter{
			Destination: h.destination, Signal: h.signal, Records: batch.records, Reason: reason,
			FirstRefusedAt: since.UTC(), GivenUpAt: h.now().UTC(),
		}, content, int64(h.config.MaxDeadLetterMiB)*bytesPerMiB)
	}
	if err != nil {
		h.reporter.notKept(h.now(), err)
		return err
	}
	h.instruments.deadLetters.Add(ctx, int64(batch.records), h.instruments.attributes)
	h.reporter.gaveUp(reason, batch.records)
	return nil
}
