//! What a handler is given: the request, where it comes from, and the use cases.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;

use super::Services;
use super::body::Body;
use super::problem::Problem;
use crate::auth::{Caller, Origin, Visitor};
use crate::telemetry::span;

/// One request on its way to its handler.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) services: Arc<Services>,
    pub(super) request: Request<Body>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) client: IpAddr,
    /// Present on every route that is not open.
    pub(super) caller: Option<Caller>,
}

impl Call {
    /// A variable of the path, percent-decoded.
    pub(super) fn parameter(&self, name: &str) -> Result<String, Problem> {
        let raw = self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        let raw = raw.ok_or_else(|| Problem::not_found("no such path"))?;
        percent_encoding::percent_decode_str(raw)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| Problem::not_found("the path is not UTF-8"))
    }

    /// A parameter of the query; the last one wins, an empty one counts as absent.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.request.uri().query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        let value = pairs.filter(|(own, _)| own == name).last()?.1.into_owned();
        Some(value).filter(|value| !value.is_empty())
    }

    /// `limit`, within bounds.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        const DEFAULT: usize = 100;
        const MAX: usize = 1000;
        let Some(text) = self.query("limit") else { return Ok(DEFAULT) };
        match text.parse() {
            Ok(limit) if (1..=MAX).contains(&limit) => Ok(limit),
            _ => Err(Problem::field("limit", format!("must be a number from 1 to {MAX}"))),
        }
    }

    /// Where a sign-in comes from, for the audit log.
    pub(super) fn visitor(&self) -> Visitor {
        Visitor { client: self.client, correlation_id: span::correlation_id() }
    }

    /// Who makes a change, for the audit log.
    pub(super) fn origin(&self) -> Result<Origin, Problem> {
        let caller = self.caller.clone().ok_or_else(Problem::unauthorized)?;
        let correlation_id = span::correlation_id();
        Ok(Origin { caller, client: self.client, correlation_id })
    }
}
