//! Reads out of a PromQL text which series it asks for. No parser of the language: names, label
//! matchers and groupings are all that is looked at, and the rest is left out.

use std::collections::BTreeSet;

/// A series that is asked for, with the labels that it is chosen by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: String,
    pub(crate) labels: BTreeSet<String>,
}

/// Words of the language that stand where a name could.
const WORDS: [&str; 10] =
    ["and", "or", "unless", "by", "on", "without", "ignoring", "offset", "bool", "group_left"];

/// The series that a query asks for.
pub(crate) fn selectors(query: &str) -> Vec<Selector> {
    let mut selectors = Vec::new();
    let text = without_groupings(&without_literals(query));
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|it: char| it.is_ascii_alphabetic() || it == '_') {
        let is_part = rest[..start].ends_with(|it: char| it.is_ascii_digit() || it == '.');
        rest = &rest[start..];
        let end = rest.find(|it: char| !is_name(it)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start();
        let matchers = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        // A number's unit (`5m`), a function's name and a word of the language are no series.
        let is_series = !is_part && !WORDS.contains(&name) && !after.starts_with('(');
        if is_series {
            let labels = matchers.map_or("", |(inner, _)| inner).split(',');
            let labels = labels.filter_map(|it| it.split(['=', '!']).next());
            let labels = labels.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
            selectors.push(Selector { name: name.to_owned(), labels: labels.collect() });
        }
        rest = matchers.filter(|_| is_series).map_or(after, |(_, after)| after);
    }
    selectors
}

/// The labels after `by` and `on`.
pub(crate) fn grouping_labels(query: &str) -> BTreeSet<String> {
    let text = without_literals(query);
    let mut labels = BTreeSet::new();
    for opening in [" by (", " on ("] {
        for rest in text.split(opening).skip(1) {
            let inner = rest.split(')').next().unwrap_or_default();
            labels.extend(inner.split(',').map(|it| it.trim().to_owned()));
        }
    }
    // `on ()` matches whatever there is; `le` is asked of a histogram's buckets.
    labels.retain(|label| !label.is_empty());
    labels
}

/// The queries in a document's blocks, one after an empty line or a comment each.
pub(crate) fn blocks(document: &str) -> Vec<String> {
    let mut queries = vec![String::new()];
    for block in document.split("```promql\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            if line.is_empty() || line.starts_with('#') {
                queries.push(String::new());
            } else if let Some(query) = queries.last_mut() {
                query.push_str(line);
                query.push('\n');
            }
        }
    }
    queries.retain(|query| !query.is_empty());
    queries
}

/// The queries in a document that stand as `query '…'`.
pub(crate) fn quoted(document: &str) -> Vec<String> {
    let rests = document.split("`query '").skip(1);
    rests.filter_map(|rest| Some(rest.split_once('\'')?.0.to_owned())).collect()
}

fn is_name(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric() || symbol == '_' || symbol == ':'
}

/// Without what stands in quotes and in brackets.
fn without_literals(query: &str) -> String {
    let (mut text, mut closes) = (String::new(), None);
    for symbol in query.chars() {
        match (closes, symbol) {
            (None, '"') => closes = Some('"'),
            (None, '[') => closes = Some(']'),
            (None, _) => text.push(if symbol == '\n' { ' ' } else { symbol }),
            (Some(end), _) if end == symbol => closes = None,
            (Some(_), _) => {}
        }
    }
    text
}

/// Without the lists of labels after `by` and `on`, which are no names of series.
fn without_groupings(query: &str) -> String {
    let mut text = query.to_owned();
    for opening in [" by (", " on ("] {
        while let Some(start) = text.find(opening) {
            let end = text[start..].find(')').map_or(text.len(), |end| start + end + 1);
            text.replace_range(start..end, " ");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Vec<(String, Vec<String>)> {
        let selectors = selectors(query).into_iter();
        selectors.map(|it| (it.name, it.labels.into_iter().collect())).collect()
    }

    #[test]
    fn series_and_their_labels_are_found_and_nothing_else() {
        let query = r#"sum by (job, le) (rate(a_total{x="by (y)",z!~"q"}[5m] offset 1d))
            / on (job) b:c > 14.4 * 0.001 and up == 1 unless d offset 5m"#;
        let expected: Vec<(String, Vec<String>)> = vec![
            ("a_total".into(), vec!["x".into(), "z".into()]),
            ("b:c".into(), vec![]),
            ("up".into(), vec![]),
            ("d".into(), vec![]),
        ];
        assert_eq!(asked(query), expected);
        let labels: Vec<_> = grouping_labels(query).into_iter().collect();
        assert_eq!(labels, ["job", "le"]);
    }
}
