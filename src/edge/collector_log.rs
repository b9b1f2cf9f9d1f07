//! What the collector's own log said last, for who sees that a destination fails and wants to know
//! more than a word.

use super::{Failure, Kind, Services, clean};
use crate::collector::Line;

/// The newest lines, newest first.
pub async fn lines(services: &Services, limit: usize) -> Result<Vec<Line>, Failure> {
    if services.site.export.is_none() {
        let reason = "no telemetry leaves, so there is no collector (OTEL_EXPORTER_OTLP_ENDPOINT)";
        return Err(Failure::new(Kind::Unavailable, reason));
    }
    let lines = services.collector_log.lines().await.map_err(|error| {
        Failure::new(Kind::Unavailable, format!("{error} (BANGUI_COLLECTOR_LOG_URL)"))
    })?;
    Ok(lines.into_iter().take(limit).map(cleaned).collect())
}

/// The collector hides secrets, but a collector is whoever answers.
fn cleaned(line: Line) -> Line {
    Line {
        component: clean(line.component),
        message: clean(line.message),
        error: clean(line.error),
        ..line
    }
}
