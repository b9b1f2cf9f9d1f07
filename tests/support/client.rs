//! A client of BanGUI's API: cookies by hand, every status is an answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;

use super::contract;

/// Longer than any answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.body))
    }

    /// A header's value; empty when it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn correlation_id(&self) -> &str {
        self.header("x-correlation-id")
    }

    /// Fails unless the answer has this status; the body says why it has not.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Fails unless this is a problem document that carries the correlation id.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let document = answer.json();
        assert_eq!(document["status"], status);
        assert_eq!(answer.correlation_id().len(), 32, "{:?}", answer.headers);
        assert_eq!(document["correlation_id"], answer.correlation_id());
        assert!(document["title"].is_string() && document["detail"].is_string(), "{document}");
        answer
    }
}

/// A client with a session or a token, or none.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    http: reqwest::blocking::Client,
    headers: Vec<(String, String)>,
    kept: Option<Answers>,
    is_checked: bool,
}

/// Every answer to a client and to all that were made from it: status, headers, body.
pub(crate) type Answers = Arc<Mutex<Vec<String>>>;

impl Client {
    /// A stranger.
    pub(crate) fn new(base: impl Into<String>) -> Self {
        let http = reqwest::blocking::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { base: base.into(), http, headers: Vec::new(), kept: None, is_checked: false }
    }

    /// From now on holds every answer against the document of BanGUI's API.
    pub(crate) fn checked(mut self) -> Self {
        self.is_checked = true;
        self
    }

    /// From now on keeps what it and its clones are answered.
    pub(crate) fn keep_answers(&mut self) -> Answers {
        self.kept.get_or_insert_default().clone()
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The same client, sending one more header with each request.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same client, signed in as `admin`.
    pub(crate) fn signed_in(&self, password: &str) -> Self {
        let body = serde_json::json!({ "username": "admin", "password": password });
        let answer = self.post("/api/auth/login", &body).expect(204);
        self.with_cookie_of(&answer)
    }

    /// The same client with the session that an answer opened.
    pub(crate) fn with_cookie_of(&self, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        assert!(cookie.contains('='), "no cookie: {:?}", answer.headers);
        self.with("cookie", &cookie)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(("application/json", body.to_string())))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(("application/json", body.to_string())))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None)
    }

    /// Begins a request and hangs up when there is no answer in time.
    pub(crate) fn give_up(&self, limit: Duration, path: &str, body: &Value) {
        let mut request = self.http.post(format!("{}{path}", self.base)).timeout(limit);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = body.to_string();
        let result = request.header("content-type", "application/json").body(body).send();
        assert!(result.is_err_and(|error| error.is_timeout()), "{path} was answered in {limit:?}");
    }

    /// Sends a request with a body of the given type.
    pub(crate) fn send(&self, method: Method, path: &str, body: Option<(&str, String)>) -> Answer {
        self.try_send(method, path, body).unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// The same, for servers that may not be there.
    pub(crate) fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((media_type, body)) = body {
            request = request.header("content-type", media_type).body(body);
        }
        let response = request.send()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = String::from_utf8_lossy(&response.bytes()?).into_owned();
        if self.is_checked {
            contract::check(method.as_str(), path, status, &headers, &body);
        }
        if let Some(kept) = &self.kept {
            kept.lock().unwrap().push(format!("{method} {path}: {status} {headers:?} {body}"));
        }
        Ok(Answer { status, headers, body })
    }
}
