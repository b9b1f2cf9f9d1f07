//! One instance's samples in an exposition of Prometheus that comes in parts.

use std::ops::ControlFlow;

/// One instance has a bounded number of series, which take less than half of it.
const OWN_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Ours are far shorter; a longer one is passed over.
const LINE_MAX_BYTES: usize = 16 * 1024;
/// `# HELP`, `# TYPE` and `# UNIT` of one family.
const COMMENTS_MAX: usize = 8;

/// A label's value as it stands in an exposition.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The samples of one instance with their comments, without `job` and `instance`, taken from an
/// exposition that comes in parts.
pub(super) struct OwnPart {
    instance_id: String,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Whether that line is too long already.
    is_too_long: bool,
    /// `# HELP name …`, `# TYPE name …`; those of a family without samples of ours are dropped.
    comments: Vec<String>,
    family: Option<String>,
    own: String,
}

impl OwnPart {
    pub(super) fn new(instance_id: &str) -> Self {
        Self {
            instance_id: escaped(instance_id),
            line: Vec::new(),
            is_too_long: false,
            comments: Vec::new(),
            family: None,
            own: String::new(),
        }
    }

    /// A break when there is more than there can be.
    pub(super) fn add(&mut self, part: &[u8]) -> ControlFlow<()> {
        let mut lines = part.split(|byte| *byte == b'\n');
        // What follows the last line feed is not a line yet.
        let rest = lines.next_back().unwrap_or_default();
        for end in lines {
            self.extend_line(end);
            self.end_line();
        }
        self.extend_line(rest);
        match self.own.len() <= OWN_MAX_BYTES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn extend_line(&mut self, part: &[u8]) {
        self.is_too_long |= self.line.len() + part.len() > LINE_MAX_BYTES;
        if !self.is_too_long {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.is_too_long) {
            self.add_line(&String::from_utf8_lossy(&line));
        }
        // The same memory serves all lines.
        line.clear();
        self.line = line;
    }

    fn add_line(&mut self, line: &str) {
        if line.starts_with('#') {
            let named = line.split(' ').nth(2);
            if named != self.family.as_deref() {
                self.comments.clear();
                self.family = named.map(str::to_owned);
            }
            if self.comments.len() < COMMENTS_MAX {
                self.comments.push(line.to_owned());
            }
        } else if let Some(sample) = own_sample(line, &self.instance_id) {
            for line in self.comments.drain(..).chain([sample]) {
                self.own.push_str(&line);
                self.own.push('\n');
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<String, String> {
        self.end_line();
        match self.own.len() <= OWN_MAX_BYTES {
            true => Ok(self.own),
            false => Err(format!("this instance has more than {OWN_MAX_BYTES} bytes of metrics")),
        }
    }
}

/// The sample without `job` and `instance`, if it is of the instance.
fn own_sample(line: &str, instance_id: &str) -> Option<String> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = split_labels(rest)?;
    let is_own = labels.iter().any(|(key, own)| *key == "instance" && *own == instance_id);
    if !is_own {
        return None;
    }
    let kept: Vec<_> = labels
        .iter()
        .filter(|(key, _)| !matches!(*key, "job" | "instance"))
        .map(|(key, value)| format!("{key}=\"{value}\""))
        .collect();
    Some(match kept.is_empty() {
        true => format!("{name}{value}"),
        false => format!("{name}{{{}}}{value}", kept.join(",")),
    })
}

/// The labels, with values as they are escaped, and what follows the closing brace.
fn split_labels(mut rest: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(value) = rest.strip_prefix('}') {
            return Some((labels, value));
        }
        let (key, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
        let end = end_of_quoted(quoted)?;
        labels.push((key, &quoted[..end]));
        rest = &quoted[end + 1..];
    }
}

fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the exposition is cut into parts, the same comes of it.
    fn of_instance(text: &str, instance_id: &str) -> String {
        let found = |size: usize| {
            let mut own = OwnPart::new(instance_id);
            text.as_bytes().chunks(size).for_each(|part| assert!(own.add(part).is_continue()));
            own.finish().unwrap()
        };
        let whole = found(text.len());
        (1..8).for_each(|size| assert_eq!(found(size), whole));
        whole
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_costs_only_itself() {
        let mut own = OwnPart::new("x");
        (0..1000).for_each(|_| assert!(own.add(&[b'a'; 1024]).is_continue()));
        assert!(own.line.capacity() <= 2 * LINE_MAX_BYTES, "{}", own.line.capacity());
        let _ = own.add(b"\na{instance=\"x\"} 1\n");
        assert_eq!(own.finish().unwrap(), "a 1\n");
    }

    #[test]
    fn more_than_an_instance_can_have_is_refused() {
        let mut own = OwnPart::new("x");
        let line = format!("a{{instance=\"x\",b=\"{}\"}} 1\n", "b".repeat(8000));
        while own.add(line.as_bytes()).is_continue() {}
        assert!(own.own.len() < OWN_MAX_BYTES + line.len());
        own.finish().unwrap_err();
    }

    #[test]
    fn only_this_instances_samples_pass_with_their_comments() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\n\
            a_total{instance=\"x\",job=\"bangui\",m=\"q\\\"},z\"} 3\n\
            a_total{instance=\"y\",job=\"bangui\"} 4\n\
            # HELP b B.\n# TYPE b gauge\nb{instance=\"y\",job=\"bangui\"} 5\n\
            # HELP c C.\n# TYPE c gauge\nc{instance=\"x\",job=\"bangui\"} 6\n";
        assert_eq!(
            of_instance(text, "x"),
            "# HELP a_total A.\n# TYPE a_total counter\na_total{m=\"q\\\"},z\"} 3\n\
             # HELP c C.\n# TYPE c gauge\nc 6\n"
        );
    }

    #[test]
    fn a_type_without_help_is_not_given_to_the_next_family() {
        let text = "# TYPE a gauge\na{instance=\"y\"} 1\n# TYPE b gauge\nb{instance=\"x\"} 2\n";
        assert_eq!(of_instance(text, "x"), "# TYPE b gauge\nb 2\n");
    }

    #[test]
    fn an_instance_may_be_called_anything() {
        let text = "a{instance=\"\\\"\\\\n\",m=\"1\"} 1\n";
        assert_eq!(of_instance(text, "\"\\n"), "a{m=\"1\"} 1\n");
    }

    #[test]
    fn garbage_is_passed_over() {
        assert_eq!(of_instance("a{instance=\"x\n}{\"\na{=\n\nx 1\n", "x"), "");
    }
}
