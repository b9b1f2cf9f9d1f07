//! One value of the metrics that the collector passes on: what it shows of this instance.

use http::StatusCode;

use super::{ANSWER_TIMEOUT, Error};
use crate::fetch;

/// As much as `GET /metrics` passes through.
const EXPOSITION_MAX_BYTES: usize = 16 * 1024 * 1024;

/// The value of a series of an instance; nothing while the exposition has none.
pub async fn exposed_value(url: &str, name: &str, instance_id: &str) -> Result<Option<f64>, Error> {
    let answer = fetch::get(url, ANSWER_TIMEOUT, EXPOSITION_MAX_BYTES).await?;
    if answer.status != StatusCode::OK {
        return Err(Error::Status(answer.status));
    }
    Ok(find(&String::from_utf8_lossy(&answer.body), name, instance_id))
}

fn find(page: &str, name: &str, instance_id: &str) -> Option<f64> {
    let escaped = instance_id.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let label = format!("instance=\"{escaped}\"");
    let own = page.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?.strip_prefix('{')?;
        // No label of a series without attributes of its own holds a brace.
        let (labels, value) = rest.rsplit_once('}')?;
        labels.contains(&label).then_some(value)
    })?;
    own.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_of_the_instance_is_found() {
        let page = "# TYPE a_total counter\n\
            a_total{instance=\"x\",job=\"bangui\"} 3\n\
            a_total{instance=\"y\\\"z\",job=\"bangui\"} 4 1700000000\n\
            a_total_more{instance=\"y\"} 5\na_total{instance=\"y\" 6\n";
        assert_eq!(find(page, "a_total", "x"), Some(3.0));
        assert_eq!(find(page, "a_total", "y\"z"), Some(4.0));
        assert_eq!(find(page, "a_total", "y"), None);
        assert_eq!(find("", "a_total", "x"), None);
    }
}
