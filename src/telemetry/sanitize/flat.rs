//! Text that is not a JSON document (or one string of it): every hit from left to right.
//!
//! What is found never overlaps: a hit inside of what was consumed is skipped. A secret that is
//! masked already is consumed in the same way, so a second pass sees the same hits as the first.

use std::ops::Range;

use super::command::Commands;
use super::fold::View;
use super::pair::{self, Pairs};
use super::rules::{Parser, Rule};
use super::scan::Hits;
use super::shapes::{self, Jwts};
use super::{MASK, login, providers, sql};

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
    let plain = apply(text, find_all(text), |range| range);
    let current = plain.as_deref().unwrap_or(text);
    // What is disguised is found in a view of the text and changed in the text.
    let seen = View::of(current)
        .and_then(|view| apply(current, find_all(&view.text), |range| view.place_of(range)));
    seen.or(plain)
}

/// What is to be replaced, from left to right.
fn find_all(text: &str) -> Vec<Found> {
    let mut hits = Hits::new(text);
    let mut all = Vec::new();
    // Everything left of the floor is consumed.
    let mut floor = 0;
    let mut pairs = Pairs::default();
    let mut jwts = Jwts::default();
    let mut commands = Commands::default();
    while let Some(hit) = hits.next() {
        let found = match hit.parser {
            Parser::Key => pairs.find(text, &hit, floor),
            Parser::Userinfo => shapes::find_userinfo(text, &hit),
            Parser::Aws => shapes::find_aws_key(text, &hit),
            Parser::Jwt => jwts.find(text, &hit, floor),
            Parser::Crypt => shapes::find_crypt_hash(text, &hit),
            Parser::Bearer => shapes::find_bearer(text, &hit),
            Parser::Provider => providers::find(text, &hit),
            Parser::Webhook => providers::find_webhook(text, &hit),
            Parser::Command => {
                // A command can take many, and each pass over the text asks it once.
                let mut last = None;
                while let Some(found) = commands.find(text, &hit) {
                    all.extend(last.replace(found));
                }
                last
            }
            Parser::Statement => sql::find_identified_by(text, &hit),
            Parser::MailAuth => login::find_mail_auth(text, &hit),
            Parser::LoginAttempt => login::find_attempt(text, &hit),
            Parser::Pem | Parser::Escape => None,
        };
        let Some(found) = found else { continue };
        floor = found.end.max(floor);
        hits.skip_to(floor);
        if !matches!(found.with, Replacement::Kept) {
            all.push(found);
        }
    }
    if let Some(found) = pairs.quoted_near_error(text) {
        let at = all.partition_point(|other| other.start < found.start);
        let is_free = |other: Option<&Found>| other.is_none_or(|it| it.start >= found.end);
        if is_free(all.get(at)) && at.checked_sub(1).is_none_or(|it| all[it].end <= found.start) {
            all.insert(at, found);
        }
    }
    all
}

/// Writes the text with what was found replaced, each at the place that its range stands for.
fn apply(
    text: &str,
    all: Vec<Found>,
    place_of: impl Fn(Range<usize>) -> Range<usize>,
) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let mut output = String::with_capacity(text.len());
    let mut copied = 0;
    for found in all {
        let place = place_of(found.start..found.end);
        output.push_str(&text[copied..place.start]);
        match found.with {
            Replacement::Quoted(quote, backslashes) => {
                pair::push_quoted(&mut output, quote, backslashes);
            }
            _ => output.push_str(MASK),
        }
        copied = place.end;
        found.rule.count();
    }
    output.push_str(&text[copied..]);
    Some(output)
}
