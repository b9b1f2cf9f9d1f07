//! Identifiers of AWS keys.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::AwsAccessKey,
    name: "aws_access_key",
    summary: "The identifier of an AWS access key, all but its prefix.",
    marks: &[("akia", Parser::Aws), ("asia", Parser::Aws)],
    redacted: &[("AKIAIOSFODNN7EXAMPLE", "AKIA***"), ("id ASIAIOSFODNN7EXAMPLE x", "id ASIA*** x")],
    kept: &["AKIA is a prefix", "akiaiosfodnn7example", "AKIA***", "Asia/Tokyo"],
    ..NOTHING
};
