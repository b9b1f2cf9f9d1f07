//! What a command writes: its answer to standard output, one line about a failure to standard
//! error; and nothing that a terminal would obey.

use std::borrow::Cow;
use std::io::{self, BufWriter, Stdout, Write};

use serde_json::Value;

/// Text as a terminal may show it: what would move the cursor, change a colour or turn the
/// direction of writing is written out. Whoever sends it, a server or a shell, it stays text.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for symbol in text.chars() {
        match is_obeyed(symbol) {
            true => out.extend(symbol.escape_default()),
            false => out.push(symbol),
        }
    }
    Cow::Owned(out)
}

/// Control characters (those above 0x7f, too), separators of lines, and what has no width but an
/// effect.
fn is_obeyed(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A value as JSON. What JSON itself allows to stand raw and a terminal obeys can only stand in
/// its texts, where it has a way to be written out.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.chars().any(is_obeyed) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 8);
    for symbol in text.chars() {
        if is_obeyed(symbol) {
            let mut units = [0; 2];
            for unit in symbol.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(symbol);
        }
    }
    out
}

/// Standard output. A text is told in lines, each of which is made harmless here.
pub(super) struct Out(BufWriter<Stdout>);

impl Out {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(io::stdout()))
    }

    /// A line of text.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{}", visible(text))
    }

    /// A JSON value on a line of its own.
    pub(super) fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.0, "{}", json(value))
    }

    /// What is ours and harmless.
    pub(super) fn raw(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }

    /// Sends on what was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One line for a person. A closed standard error leaves nobody to tell it to.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(text));
}

/// Rows under a heading, in columns as wide as the first rows need; later ones may be wider.
pub(super) struct Table<const N: usize> {
    heading: [&'static str; N],
    /// Rows that wait for the widths to be known.
    waiting: Vec<[String; N]>,
    widths: Option<[usize; N]>,
}

/// So many rows decide about the widths.
const MEASURED_ROWS: usize = 200;

impl<const N: usize> Table<N> {
    pub(super) fn new(heading: [&'static str; N]) -> Self {
        Self { heading, waiting: Vec::new(), widths: None }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, out: &mut Out, row: [String; N]) -> io::Result<()> {
        if let Some(widths) = &self.widths {
            return out.line(&aligned(&row, widths));
        }
        self.waiting.push(row);
        if self.waiting.len() < MEASURED_ROWS { Ok(()) } else { self.begin(out) }
    }

    /// Writes what still waits; a table without rows is only its heading.
    pub(super) fn end(mut self, out: &mut Out) -> io::Result<()> {
        if self.widths.is_none() { self.begin(out) } else { Ok(()) }
    }

    fn begin(&mut self, out: &mut Out) -> io::Result<()> {
        let mut widths = self.heading.map(str::len);
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(visible(cell).chars().count());
            }
        }
        out.line(&aligned(&self.heading.map(str::to_owned), &widths))?;
        for row in std::mem::take(&mut self.waiting) {
            out.line(&aligned(&row, &widths))?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

fn aligned<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| {
        let cell = visible(cell);
        format!("{cell:<width$}")
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_to_do() {
        let evil = "\u{1b}]0;x\u{7}\r\n\u{9b}2J\u{7f}\u{202e}\u{2066}\u{200b}é";
        let shown = visible(evil);
        assert_eq!(shown, r"\u{1b}]0;x\u{7}\r\n\u{9b}2J\u{7f}\u{202e}\u{2066}\u{200b}é");
        assert!(matches!(visible("plain é"), Cow::Borrowed(_)));
        let text = json(&value!({ "reason": evil, "tag": "\u{e0041}" }));
        assert!(!text.contains(is_obeyed), "{text}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back, value!({ "reason": evil, "tag": "\u{e0041}" }));
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let row = ["a".to_owned(), String::new(), "c\n".to_owned()];
        assert_eq!(aligned(&row, &[3, 2, 1]), "a        c\\n");
    }
}
