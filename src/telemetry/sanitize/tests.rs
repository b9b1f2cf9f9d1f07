//! The rules by example: what goes, what stays.

mod attributes;
mod linear;
mod properties;
mod rules;
mod structured;
mod units;

use super::sanitize_for_logging;

/// Asserts what becomes of each text, and that it stays so when sanitized once more.
pub(super) fn assert_all(examples: &[(&str, &str)]) {
    for (text, expected) in examples {
        let once = sanitize_for_logging(text);
        assert_eq!(once, *expected, "input {text:?}");
        assert_eq!(sanitize_for_logging(&once), once, "not stable: {text:?}");
    }
}

/// Asserts that texts come back as they are, without a copy.
pub(super) fn assert_unchanged(texts: &[&str]) {
    for text in texts {
        let result = sanitize_for_logging(text);
        assert!(matches!(result, std::borrow::Cow::Borrowed(_)), "{text:?} became {result:?}");
    }
}
