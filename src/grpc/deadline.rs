//! The caller's deadline: `grpc-timeout`.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use crate::edge::{Failure, Kind};

/// When a call is given up, if its caller has said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Option<Instant>);

impl Deadline {
    /// Reads the header.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(value) = headers.get("grpc-timeout") else { return Ok(Self(None)) };
        let wait = value.to_str().ok().and_then(parse);
        let wait = wait.ok_or_else(|| Failure::new(Kind::Malformed, "grpc-timeout is no time"))?;
        // A time that no clock can tell is no limit.
        Ok(Self(Instant::now().checked_add(wait)))
    }

    /// Drops the work when the deadline passes. A change that has begun runs on in its own task.
    pub(super) async fn keep<T>(
        self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match self.0 {
            None => work.await,
            Some(end) => timeout_at(end, work).await.unwrap_or_else(|_| Err(passed())),
        }
    }
}

/// What a caller hears after its deadline, if it still listens.
pub(super) fn passed() -> Failure {
    Failure::new(Kind::TooLate, "the deadline of the call has passed")
}

/// At most eight digits and a unit, as the protocol has it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_protocol_has_them() {
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        assert_eq!(parse("0m"), Some(Duration::ZERO));
        for wrong in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1 S", "1é"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
