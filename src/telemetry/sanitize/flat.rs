//! Text that is not a JSON document (or one string of it): every hit from left to right.
//!
//! What is found never overlaps: a hit inside of what was consumed is skipped. A secret that is
//! masked already is consumed in the same way, so a second pass sees the same hits as the first.

use super::MASK;
use super::pair::{self, Pairs};
use super::rule::Rule;
use super::scan::{Hits, Stem};
use super::shapes::{self, Jwts};

/// What a parser read at a hit.
#[derive(Debug)]
pub(super) struct Found {
    /// Where the secret starts.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What takes its place.
    pub(super) with: Replacement,
    /// What it counts as.
    pub(super) rule: Rule,
}

/// What takes the place of a secret.
#[derive(Debug)]
pub(super) enum Replacement {
    /// The mask.
    Mask,
    /// The mask in quotes, each behind so many backslashes: for a bare value in JSON.
    Quoted(u8, usize),
    /// Nothing: the text is masked already and only consumed.
    Kept,
}

/// Redacts a text; `None` when there is nothing to change.
pub(super) fn redact(text: &str) -> Option<String> {
    let mut hits = Hits::new(text);
    let mut output = String::new();
    let mut copied = 0;
    // Everything left of the floor is consumed.
    let mut floor = 0;
    let mut pairs = Pairs::default();
    let mut jwts = Jwts::default();
    while let Some(hit) = hits.next() {
        let found = match hit.stem {
            Stem::Key => pairs.find(text, &hit, floor),
            Stem::Url => shapes::find_userinfo(text, &hit),
            Stem::Aws => shapes::find_aws_key(text, &hit),
            Stem::Jwt => jwts.find(text, &hit, floor),
            Stem::Bearer => shapes::find_bearer(text, &hit),
            Stem::Pem => None,
        };
        let Some(found) = found else { continue };
        floor = found.end;
        hits.skip_to(floor);
        if matches!(found.with, Replacement::Kept) {
            continue;
        }
        output.push_str(&text[copied..found.start]);
        match found.with {
            Replacement::Quoted(quote, backslashes) => {
                pair::push_quoted(&mut output, quote, backslashes);
            }
            _ => output.push_str(MASK),
        }
        copied = found.end;
        found.rule.count();
    }
    if copied == 0 {
        return None;
    }
    output.push_str(&text[copied..]);
    Some(output)
}
