//! Which traces are exported: as `OTEL_TRACES_SAMPLER` says, but never those that are quiet.
//!
//! A quiet root (see [`span`](super::span)) has ids and no record. It is marked by a parent that
//! only this process can make: its trace state, which is never read from a request.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use crate::config;

/// The trace state of a quiet root's made-up parent.
const QUIET: (&str, &str) = ("bangui", "quiet");

/// The trace state that marks a trace as quiet.
pub(super) fn quiet_state() -> TraceState {
    // Key and value are valid, so this is never the default.
    TraceState::from_key_value([QUIET]).unwrap_or_default()
}

/// The sampler of the service.
#[derive(Debug, Clone)]
pub(super) struct OurSampler(Sampler);

impl OurSampler {
    pub(super) fn new(sampler: config::Sampler) -> Self {
        let parent_based = |sampler| Sampler::ParentBased(Box::new(sampler));
        Self(match sampler {
            config::Sampler::AlwaysOn => Sampler::AlwaysOn,
            config::Sampler::AlwaysOff => Sampler::AlwaysOff,
            config::Sampler::Ratio(share) => Sampler::TraceIdRatioBased(share),
            config::Sampler::ParentAlwaysOn => parent_based(Sampler::AlwaysOn),
            config::Sampler::ParentAlwaysOff => parent_based(Sampler::AlwaysOff),
            config::Sampler::ParentRatio(share) => parent_based(Sampler::TraceIdRatioBased(share)),
        })
    }
}

impl ShouldSample for OurSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let state = parent.map(|it| it.span().span_context().trace_state().clone());
        if let Some(state) = state.filter(|it| it.get(QUIET.0) == Some(QUIET.1)) {
            let (decision, attributes) = (SamplingDecision::Drop, Vec::new());
            return SamplingResult { decision, attributes, trace_state: state };
        }
        self.0.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn decide(sampler: config::Sampler, flags: TraceFlags, state: TraceState) -> SamplingDecision {
        let (trace_id, span_id) = (TraceId::from(1), SpanId::from(1));
        let parent = SpanContext::new(trace_id, span_id, flags, true, state);
        let parent = Context::new().with_remote_span_context(parent);
        OurSampler::new(sampler)
            .should_sample(Some(&parent), trace_id, "", &SpanKind::Server, &[], &[])
            .decision
    }

    #[test]
    fn a_quiet_trace_is_dropped_whatever_is_set() {
        for sampler in [config::Sampler::AlwaysOn, config::Sampler::ParentAlwaysOn] {
            let decision = decide(sampler, TraceFlags::SAMPLED, quiet_state());
            assert_eq!(decision, SamplingDecision::Drop);
            let decision = decide(sampler, TraceFlags::SAMPLED, TraceState::default());
            assert_eq!(decision, SamplingDecision::RecordAndSample);
        }
    }

    #[test]
    fn a_trusted_parent_decides_where_the_sampler_heeds_it() {
        let decide = |sampler| decide(sampler, TraceFlags::default(), TraceState::default());
        assert_eq!(decide(config::Sampler::ParentAlwaysOn), SamplingDecision::Drop);
        assert_eq!(decide(config::Sampler::AlwaysOn), SamplingDecision::RecordAndSample);
    }
}
