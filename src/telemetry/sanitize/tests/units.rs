//! Every example of every rule, and the page that lists them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use super::super::rules::{RULE_COUNT, UNITS, Unit, hits};
use super::super::sanitize_for_logging;

const DOCUMENTATION: &str = "docs/SANITIZER.md";

#[test]
fn rules_are_told_apart() {
    for (index, unit) in UNITS.iter().enumerate() {
        assert_eq!(unit.rule as usize, index, "{} is not in its place", unit.name);
        assert!(unit.summary.ends_with('.') && !unit.redacted.is_empty(), "{}", unit.name);
        assert!(!unit.kept.is_empty(), "{}", unit.name);
        assert!(UNITS.iter().filter(|other| other.name == unit.name).count() == 1);
    }
    assert_eq!(UNITS.len(), RULE_COUNT);
}

#[test]
fn examples_of_all_rules_hold() {
    let mut wrong = String::new();
    for (index, unit) in UNITS.iter().enumerate() {
        for (text, expected) in unit.redacted {
            let before = hits()[index].1;
            let once = sanitize_for_logging(text);
            let counted = hits()[index].1 > before;
            let twice = sanitize_for_logging(&once);
            if once != *expected || twice != once || !counted {
                let _ = writeln!(wrong, "{} {text:?}: {once:?} {twice:?} {counted}", unit.name);
            }
        }
        for text in unit.kept {
            let result = sanitize_for_logging(text);
            if !matches!(result, Cow::Borrowed(_)) {
                let _ = writeln!(wrong, "{} kept {text:?}: {result:?}", unit.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A text as code in a table: on one line, with what is not seen written out.
fn shown(text: &str) -> String {
    let mut shown = String::from("`` ");
    for letter in text.chars() {
        match letter {
            '|' => shown.push_str("\\|"),
            '\\' | '"' | '\'' => shown.push(letter),
            _ if letter == ' ' || letter.is_ascii_graphic() => shown.push(letter),
            '\n' => shown.push('⏎'),
            // Fullwidth letters are seen as what they are.
            '\u{ff01}'..='\u{ff5e}' => shown.push(letter),
            _ => shown.extend(letter.escape_unicode()),
        }
    }
    shown + " ``"
}

fn section(unit: &Unit, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n## {}\n{}", unit.name, unit.summary)?;
    let code = |words: &[&str]| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    if !unit.stems.is_empty() {
        writeln!(out, "\nKeys that contain: {}.", code(unit.stems))?;
    }
    if !unit.weak_words.is_empty() {
        writeln!(
            out,
            "\nKeys whose last word is, where clearly assigned: {}.",
            code(unit.weak_words)
        )?;
    }
    if !unit.parameters.is_empty() {
        writeln!(out, "\nParameters of URLs: {}.", code(unit.parameters))?;
    }
    writeln!(out, "\n| text | becomes |\n|---|---|")?;
    for (text, expected) in unit.redacted {
        writeln!(out, "| {} | {} |", shown(text), shown(expected))?;
    }
    for text in unit.kept {
        writeln!(out, "| {} | stays |", shown(text))?;
    }
    Ok(())
}

#[test]
fn sanitizer_documentation() {
    let mut page = format!(
        "# The sanitizer's rules\n\
         Made from `src/telemetry/sanitize/rules/` by `BANGUI_UPDATE_DOCS=1 cargo test --lib \
         sanitizer_documentation`; every example is a test. `⏎` is the end of a line, \
         `\\u{{…}}` a character that is not seen or looks like another. \
         {RULE_COUNT} rules, each with a counter. A key is read without case, separators, \
         colour codes and zero-width characters; endings such as `_hash`, `_length` or \
         `_type` make it one that only tells about a secret.\n"
    );
    for unit in &UNITS {
        section(unit, &mut page).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENTATION);
    if std::env::var_os("BANGUI_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "{DOCUMENTATION} is not what the rules say; write it anew with \
         BANGUI_UPDATE_DOCS=1 cargo test --lib sanitizer_documentation"
    );
}
