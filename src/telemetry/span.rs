//! What the edges ask about the current span: its trace id, and where a new span belongs.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{sampler, traceparent};

/// The trace context that a caller claims, and whether we believe it.
#[derive(Debug, Clone)]
pub enum Remote {
    /// A known caller: its trace is continued.
    Continued(SpanContext),
    /// A stranger: its trace is only linked to, so that it cannot write into another's.
    Linked(SpanContext),
    /// No valid context was sent.
    Absent,
}

impl Remote {
    /// Reads a `traceparent` header of a caller that is trusted or not.
    pub fn from_header(header: Option<&str>, is_trusted: bool) -> Self {
        match header.and_then(traceparent::parse) {
            Some(context) if is_trusted => Self::Continued(context),
            Some(context) => Self::Linked(context),
            None => Self::Absent,
        }
    }

    /// Places a new span, which must not have been entered yet.
    pub fn place(self, span: &Span) {
        // Placing fails only for a disabled span, which has no place to be given.
        match self {
            Self::Continued(context) => {
                let _ = span.set_parent(Context::new().with_remote_span_context(context));
            }
            Self::Linked(context) => {
                let _ = span.set_parent(Context::new());
                span.add_link(context);
            }
            Self::Absent => {
                let _ = span.set_parent(Context::new());
            }
        }
    }
}

/// Makes a new span the root of its own trace, whatever is current.
pub fn root(span: Span) -> Span {
    Remote::Absent.place(&span);
    span
}

/// Makes a new span the root of a trace that is not exported, whatever sampler is set. Polling
/// would otherwise drown what operators do; log lines inside still have an id.
pub fn unsampled_root(span: Span) -> Span {
    let mut ids = [0_u8; 24];
    // Without randomness the ids stay zero, which is invalid: then the span is an ordinary root.
    let _ = getrandom::fill(&mut ids);
    let mut trace_id = [0; 16];
    let mut span_id = [0; 8];
    trace_id.copy_from_slice(&ids[..16]);
    span_id.copy_from_slice(&ids[16..]);
    let parent = SpanContext::new(
        TraceId::from_bytes(trace_id),
        SpanId::from_bytes(span_id),
        TraceFlags::NOT_SAMPLED,
        true,
        sampler::quiet_state(),
    );
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    span
}

/// The correlation id (32 hexadecimal digits: the trace id) of a span.
pub fn correlation_id_of(span: &Span) -> Option<String> {
    context_of(span).map(|context| context.trace_id().to_string())
}

/// The correlation id of the span that is entered now.
pub fn correlation_id() -> Option<String> {
    Context::map_current(|context| {
        let context = context.span().span_context().clone();
        context.is_valid().then(|| context.trace_id().to_string())
    })
}

/// The `traceparent` header with which a call made within a span continues its trace.
pub fn request_header(span: &Span) -> Option<String> {
    // Both headers have the same form.
    response_header(span)
}

/// The `traceresponse` header for a span.
pub fn response_header(span: &Span) -> Option<String> {
    context_of(span).map(|context| traceparent::response(&context))
}

fn context_of(span: &Span) -> Option<SpanContext> {
    let context = span.context().span().span_context().clone();
    context.is_valid().then_some(context)
}
