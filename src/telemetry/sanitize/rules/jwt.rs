//! JSON web tokens.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Jwt,
    name: "jwt",
    summary: "A JSON web token standing alone.",
    marks: &[("eyj", Parser::Jwt)],
    redacted: &[("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ x", "got *** x")],
    kept: &["keyJsonParser.parseValue.now", "eyJ and eyJabc"],
    ..NOTHING
};
