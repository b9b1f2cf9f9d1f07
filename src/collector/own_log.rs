//! The newest warnings and errors of the collector's own log, which our own collector shows on a
//! port of its own.

use std::time::Instant;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::known::{ANSWER_TIMEOUT, KEPT_FOR};
use crate::fetch;

/// Ours shows at most 240 KiB.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// As many as ours keeps; of another answer, the rest is left out.
const LINES_MAX: usize = 200;
/// Others mean nothing to the page.
const LEVELS: [&str; 5] = ["debug", "info", "warning", "error", "critical"];

/// A line, or several that follow each other and say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Grows with each line, until the collector starts anew.
    pub seq: u64,
    /// When the newest was written.
    #[serde(rename(deserialize = "timestamp"))]
    pub at: Timestamp,
    /// When the first was.
    #[serde(rename(deserialize = "since"))]
    pub first_at: Timestamp,
    /// As BanGUI names levels.
    pub level: String,
    /// Who wrote it; empty for the collector as a whole.
    pub component: String,
    /// What happened.
    pub message: String,
    /// Why; may be empty.
    pub error: String,
    /// How many lines these are.
    pub count: u64,
}

/// Why there are no lines. The texts are made to be shown to an operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the collector does not show its log: {0}")]
pub struct NotShown(String);

type Answer = Result<Vec<Line>, NotShown>;

/// The log of the collector that shows it at an address.
#[derive(Debug)]
pub struct OwnLog {
    url: String,
    kept: Mutex<Option<(Instant, Answer)>>,
}

impl OwnLog {
    /// Nothing is asked before somebody wants to know.
    pub fn new(url: String) -> Self {
        Self { url, kept: Mutex::default() }
    }

    /// The newest lines, newest first. Who comes while the collector is asked waits for that
    /// answer.
    pub async fn lines(&self) -> Result<Vec<Line>, NotShown> {
        let mut kept = self.kept.lock().await;
        if let Some((_, answer)) = kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT_FOR) {
            return answer.clone();
        }
        let answer = self.ask().await;
        *kept = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn ask(&self) -> Answer {
        let answer = fetch::get(&self.url, ANSWER_TIMEOUT, ANSWER_MAX_BYTES).await;
        let answer = answer.map_err(|error| NotShown(error.to_string()))?;
        match answer.status {
            StatusCode::OK => parse(&answer.body),
            other => Err(NotShown(format!("it answered {other}"))),
        }
    }
}

fn parse(body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Page {
        records: Vec<Line>,
    }
    let page: Page = serde_json::from_slice(body)
        .map_err(|_| NotShown("its answer is not understood".to_owned()))?;
    let mut lines = page.records;
    lines.retain(|line| LEVELS.contains(&line.level.as_str()));
    lines.sort_by_key(|line| std::cmp::Reverse(line.seq));
    lines.truncate(LINES_MAX);
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: usize, level: &str) -> String {
        format!(
            r#"{{"seq":{seq},"timestamp":"2026-11-26T02:10:57.808598690Z",
            "since":"2026-11-26T02:10:49Z","level":"{level}","component":"hold/otlp",
            "message":"held","error":"401","count":2}}"#
        )
    }

    fn page(records: &[String]) -> String {
        format!(r#"{{"newest":9,"dropped":0,"records":[{}]}}"#, records.join(","))
    }

    #[test]
    fn lines_come_newest_first_and_no_more_than_may_be() {
        let lines = parse(page(&[record(3, "error"), record(7, "warning")]).as_bytes()).unwrap();
        assert_eq!([lines[0].seq, lines[1].seq], [7, 3]);
        assert_eq!(lines[0].at.to_string(), "2026-11-26T02:10:57.80859869Z");
        assert_eq!((lines[0].component.as_str(), lines[0].count), ("hold/otlp", 2));
        let many: Vec<_> = (0..LINES_MAX + 9).map(|seq| record(seq, "error")).collect();
        let lines = parse(page(&many).as_bytes()).unwrap();
        assert_eq!((lines.len(), lines[0].seq), (LINES_MAX, 208));
        assert_eq!(parse(page(&[record(1, "<b>")]).as_bytes()).unwrap(), []);
        assert_eq!(parse(page(&[]).as_bytes()).unwrap(), []);
    }

    #[test]
    fn what_is_no_log_is_told() {
        for other in ["", "{}", "[]", "<html>", r#"{"records":[{"seq":-1}]}"#] {
            let error = parse(other.as_bytes()).unwrap_err().to_string();
            let told = "the collector does not show its log: its answer is not understood";
            assert_eq!(error, told, "{other}");
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_twice_within_seconds() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let log = OwnLog::new(format!("http://{}/logs", listener.local_addr().unwrap()));
        // Whoever listens says nothing, so that the first question takes as long as it may.
        let started = Instant::now();
        let (one, other) = tokio::join!(log.lines(), log.lines());
        let told = "the collector does not show its log: no answer within 1 s";
        assert_eq!(one.unwrap_err().to_string(), told);
        assert_eq!(other.unwrap_err().to_string(), told);
        assert!(started.elapsed() < ANSWER_TIMEOUT * 2, "{:?}", started.elapsed());
    }
}
