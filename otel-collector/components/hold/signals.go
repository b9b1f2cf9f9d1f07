package hold

import (
	"context"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What follows may change a batch in place, and a dead letter must be what came in, so that its
// replay takes the same way again: each processor keeps a copy while the batch is under way.

type metricsProcessor struct {
	*holder
	next consumer.Metrics
}

func (p *metricsProcessor) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if err := p.turns.take(ctx); err != nil {
		return err
	}
	defer p.turns.giveBack()
	original := pmetric.NewMetrics()
	md.CopyTo(original)
	batch := metricsPayload(original)
	err := p.next.ConsumeMetrics(ctx, md)
	if err == nil {
		p.delivered(batch)
		return nil
	}
	return p.hold(ctx, batch, batch, err)
}

func metricsPayload(md pmetric.Metrics) payload {
	return payload{
		records: md.DataPointCount(),
		binary:  func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(md) },
		json:    func() ([]byte, error) { return (&pmetric.JSONMarshaler{}).MarshalMetrics(md) },
	}
}

type tracesProcessor struct {
	*holder
	next consumer.Traces
}

func (p *tracesProcessor) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	if err := p.turns.take(ctx); err != nil {
		return err
	}
	defer p.turns.giveBack()
	original := ptrace.NewTraces()
	td.CopyTo(original)
	batch := tracesPayload(original)
	err := p.next.ConsumeTraces(ctx, td)
	if err == nil {
		p.delivered(batch)
		return nil
	}
	return p.hold(ctx, batch, batch, err)
}

func tracesPayload(td ptrace.Traces) payload {
	return payload{
		records: td.SpanCount(),
		binary:  func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(td) },
		json:    func() ([]byte, error) { return (&ptrace.JSONMarshaler{}).MarshalTraces(td) },
	}
}
