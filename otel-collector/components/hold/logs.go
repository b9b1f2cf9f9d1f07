package hold

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"bangui.local/otelcol/components/refused"
)

const (
	// The attribute that holds `log.record.uid`, under the key that BanGUI's lines have it.
	uidAttribute = "uid"
	// Every round takes at least one refused record out of a batch; a batch that is not through
	// after so many is held, and what was taken out of it is remembered.
	maxRounds = 8
)

type logsProcessor struct {
	*holder
	next consumer.Logs
}

// ConsumeLogs delivers a batch, without the records in it that the destination can never take.
// After such records are taken out, the rest is sent again although it was delivered most likely,
// unless the exporter itself confirms that: an exporter may hand on one error of several, and only
// an answer without any acknowledges a record. With ids this makes no copies.
func (p *logsProcessor) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if err := p.turns.take(ctx); err != nil {
		return err
	}
	defer p.turns.giveBack()
	original := plog.NewLogs()
	ld.CopyTo(original)
	whole := logsPayload(original)
	rest, sent := original, ld
	if parked := p.parkedOf(whole); len(parked) > 0 {
		rest, _ = divide(original, parked)
		sent = copyOf(rest)
	}
	for round := 0; ; round++ {
		if rest.LogRecordCount() == 0 {
			p.delivered(whole)
			return nil
		}
		err := p.next.ConsumeLogs(ctx, sent)
		if err == nil {
			p.instruments.delay(ctx, p.now(), oldestOf(rest))
			p.delivered(whole)
			return nil
		}
		documents, nothingElse := refused.Split(err)
		if len(documents) == 0 {
			return p.hold(ctx, whole, logsPayload(rest), err)
		}
		remaining, problem := p.park(ctx, whole, rest, documents)
		if problem != nil {
			return p.hold(ctx, whole, logsPayload(rest), problem)
		}
		rest = remaining
		if rest.LogRecordCount() > 0 && (!nothingElse || round == maxRounds) {
			return p.hold(ctx, whole, logsPayload(rest), err)
		}
		if nothingElse && confirmed(documents) {
			rest = plog.NewLogs()
		}
		sent = copyOf(rest)
	}
}

func confirmed(documents []*refused.Documents) bool {
	for _, some := range documents {
		if !some.Confirmed {
			return false
		}
	}
	return true
}

// parkedOf tells which records of the batch are dead letters already.
func (p *logsProcessor) parkedOf(whole payload) map[string]struct{} {
	if p.table.empty() {
		return nil
	}
	key, err := whole.fingerprint()
	if err != nil {
		return nil
	}
	return p.table.parked(key)
}

// park writes the refused records to a dead letter and returns what is left. Refused records that
// are not in the batch leave open what was refused, so that the batch is then held as a whole.
func (p *logsProcessor) park(
	ctx context.Context, whole payload, batch plog.Logs, documents []*refused.Documents,
) (plog.Logs, error) {
	uids := make(map[string]struct{})
	for _, some := range documents {
		for _, uid := range some.UIDs {
			uids[uid] = struct{}{}
		}
	}
	reason := reasonOf(documents[0])
	rest, taken := divide(batch, uids)
	if len(uids) == 0 || taken.LogRecordCount() < len(uids) {
		return batch, consumererror.NewPermanent(
			fmt.Errorf("refused records are not known by their %s: %s", uidAttribute, reason))
	}
	now := p.now()
	key, err := whole.fingerprint()
	if err != nil {
		return batch, err
	}
	if err := p.keep(ctx, logsPayload(taken), reason, now); err != nil {
		return batch, fmt.Errorf("refused records cannot be kept: %w", err)
	}
	p.table.park(key, now, uids)
	return rest, nil
}

// divide copies a batch into the records without and those with one of the uids.
func divide(batch plog.Logs, uids map[string]struct{}) (without, with plog.Logs) {
	without, with = copyOf(batch), copyOf(batch)
	keepLogs(without, func(uid string, known bool) bool {
		_, listed := uids[uid]
		return !known || !listed
	})
	keepLogs(with, func(uid string, known bool) bool {
		_, listed := uids[uid]
		return known && listed
	})
	return without, with
}

func keepLogs(batch plog.Logs, wanted func(uid string, known bool) bool) {
	batch.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				uid, known := record.Attributes().Get(uidAttribute)
				if !known {
					return !wanted("", false)
				}
				return !wanted(uid.AsString(), true)
			})
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
}

func copyOf(batch plog.Logs) plog.Logs {
	copied := plog.NewLogs()
	batch.CopyTo(copied)
	return copied
}

func logsPayload(ld plog.Logs) payload {
	return payload{
		records: ld.LogRecordCount(),
		binary:  func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(ld) },
		json:    func() ([]byte, error) { return (&plog.JSONMarshaler{}).MarshalLogs(ld) },
	}
}

// oldestOf tells when the oldest record of a batch happened; zero when none says so.
func oldestOf(batch plog.Logs) time.Time {
	var oldest pcommon.Timestamp
	for _, resource := range batch.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				at := record.Timestamp()
				if at != 0 && (oldest == 0 || at < oldest) {
					oldest = at
				}
			}
		}
	}
	if oldest == 0 {
		return time.Time{}
	}
	return oldest.AsTime()
}
