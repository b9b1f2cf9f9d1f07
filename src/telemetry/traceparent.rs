//! W3C trace context (level 2) at the edge: strict parsing in, `traceresponse` out.
//!
//! The SDK's own parser accepts what the specification forbids (short ids, trailing text), so
//! this one is written after <https://www.w3.org/TR/trace-context-2/#traceparent-header>.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const VERSION_00_LENGTH: usize = 55;

/// Reads a `traceparent` header. Anything that the specification calls invalid gives nothing.
pub fn parse(header: &str) -> Option<SpanContext> {
    let (version, rest) = header.split_once('-')?;
    let version = hex::<1>(version)?[0];
    let (trace_id, rest) = rest.split_once('-')?;
    let (span_id, flags) = rest.split_once('-')?;
    let is_known = version == 0;
    let flags = match (is_known, flags.split_once('-')) {
        (_, None) => flags,
        // A later version may carry more after the fields that we know.
        (false, Some((flags, _))) => flags,
        (true, Some(_)) => return None,
    };
    if version == 0xff || (is_known && header.len() != VERSION_00_LENGTH) {
        return None;
    }
    let trace_id = TraceId::from_bytes(hex::<16>(trace_id)?);
    let span_id = SpanId::from_bytes(hex::<8>(span_id)?);
    // Flags that we do not know must not be passed on: only "sampled" and "random" are defined.
    let flags = TraceFlags::new(hex::<1>(flags)?[0] & 0b11);
    let context = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

/// Writes the `traceresponse` header of an answer.
pub fn response(context: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
}

/// Exactly `N` bytes of lower-case hexadecimal digits.
pub(super) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_header_round_trips() {
        assert_eq!(response(&parse(VALID).unwrap()), VALID);
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for header in [
            "",
            "00",
            "00-1-1-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-+1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(parse(header).is_none(), "{header:?}");
        }
    }

    #[test]
    fn a_later_version_may_carry_more() {
        let header = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more";
        assert_eq!(parse(header).unwrap().trace_flags().to_u8(), 0b11);
    }
}
