//! The facts of the product that are counted: what operators did, what fail2ban was seen doing, who
//! came in. A new one is a line here, one in `telemetry/`, and a call where it is known.

use opentelemetry::metrics::Meter;

use super::definition::Definition;
use super::fact::{Fact, Word};

const SOURCE: &[&str] = &["bangui.ban.source"];
const SOURCES: &[&[Word]] = &[&[Some("log")], &[Some("list")]];
const RESULT: &[&str] = &["bangui.result", "error.type"];
const SUCCESS: &[Word] = &[Some("success"), None];

/// Bans that fail2ban made by itself.
pub static BANS_OBSERVED: Fact = Fact::new(
    "bangui.bans.observed",
    "{ban}",
    "Bans that fail2ban was seen making, by what told of them; operators' are not among them.",
    SOURCE,
    SOURCES,
);
/// Bans that ended by themselves.
pub static UNBANS_OBSERVED: Fact = Fact::new(
    "bangui.unbans.observed",
    "{unban}",
    "Bans whose end was seen, by what told of it; operators' are not among them.",
    SOURCE,
    SOURCES,
);
/// Bans that an operator asked for.
pub static BANS_EXECUTED: Fact = Fact::new(
    "bangui.bans.executed",
    "{ban}",
    "Bans that operators asked for, by how that ended.",
    RESULT,
    &[SUCCESS, &[Some("unchanged"), None]],
);
/// Unbans that an operator asked for.
pub static UNBANS_EXECUTED: Fact = Fact::new(
    "bangui.unbans.executed",
    "{unban}",
    "Ends of bans that operators asked for, by how that ended.",
    RESULT,
    &[SUCCESS],
);
/// Attempts to sign in.
pub static SIGN_INS: Fact = Fact::new(
    "bangui.auth.sign_ins",
    "{attempt}",
    "Attempts to sign in with a name and a password, by how they ended.",
    RESULT,
    &[
        SUCCESS,
        &[Some("failure"), Some("wrong_credentials")],
        &[Some("failure"), Some("throttled")],
    ],
);
/// Tokens and sessions that nobody has.
pub static CALLERS_REJECTED: Fact = Fact::new(
    "bangui.auth.callers_rejected",
    "{caller}",
    "Requests with a session or a bearer token that is not valid.",
    &["bangui.auth.kind"],
    &[&[Some("session")], &[Some("bearer")]],
);
/// Changes that are on record.
pub static AUDIT_ROWS: Fact = Fact::new(
    "bangui.audit.rows",
    "{row}",
    "Rows of the audit log that were finished, by how the change ended.",
    &["bangui.result"],
    &[&[Some("success")], &[Some("failure")]],
);

/// Imports of blocklists.
pub static BLOCKLIST_IMPORTS: Fact = Fact::new(
    "bangui.blocklist.imports",
    "{import}",
    "Imports of blocklists, by how they ended; unchanged ones found the list as it was.",
    RESULT,
    &[SUCCESS, &[Some("unchanged"), None]],
);
/// Entries that were left out.
static BLOCKLIST_REFUSED: Fact = Fact::new(
    "bangui.blocklist.refused",
    "{entry}",
    "Entries of blocklists that were not banned, by why; counted at each import.",
    &["bangui.blocklist.refusal"],
    &[],
);

/// Entries of a list were left out for a reason, which is a word of the source.
pub fn blocklist_refused(reason: &'static str, entries: u64) {
    BLOCKLIST_REFUSED.add(entries, &[Some(reason)]);
}

const FACTS: [&Fact; 9] = [
    &BANS_OBSERVED,
    &UNBANS_OBSERVED,
    &BANS_EXECUTED,
    &UNBANS_EXECUTED,
    &SIGN_INS,
    &CALLERS_REJECTED,
    &AUDIT_ROWS,
    &BLOCKLIST_IMPORTS,
    &BLOCKLIST_REFUSED,
];

pub(super) fn definitions() -> impl Iterator<Item = &'static Definition> {
    FACTS.into_iter().map(Fact::definition)
}

pub(super) fn install(meter: &Meter) {
    FACTS.into_iter().for_each(|fact| fact.install(meter));
}
