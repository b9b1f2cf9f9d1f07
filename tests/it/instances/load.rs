//! What operators do meanwhile: bans, unbans and sign-ins at every instance, and what of it was
//! acknowledged.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::fleet::{Door, Random};
use crate::support::{API_TOKEN, Answer, Client, PASSWORD};

/// Between two requests to one instance.
const PACE: Duration = Duration::from_millis(60);

/// A change that an instance said it had made.
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) action: &'static str,
    /// The address, of a ban and an unban.
    pub(super) ip: Option<String>,
    pub(super) correlation_id: String,
}

/// What became of one operator's requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) acknowledged: Vec<Acknowledged>,
    /// By status.
    pub(super) refused: BTreeMap<u16, usize>,
    /// Without an answer.
    pub(super) broken: usize,
}

/// Addresses whose ban was acknowledged, for whoever lifts it.
pub(super) type Banned = Mutex<Vec<String>>;

/// One operator at one instance.
pub(super) struct Operator<'a> {
    pub(super) number: u8,
    pub(super) door: Door,
    pub(super) random: Random,
    pub(super) banned: &'a Banned,
    pub(super) is_over: &'a AtomicBool,
}

impl Operator<'_> {
    pub(super) fn work(mut self) -> Tally {
        let (mut tally, mut bans) = (Tally::default(), 0_u16);
        while !self.is_over.load(Ordering::Relaxed) {
            sleep(PACE);
            let Some(client) = self.door.lock().unwrap().clone() else { continue };
            match self.random.below(60) {
                0 => self.sign_in(&client, &mut tally),
                1..=24 => self.unban(&client, &mut tally),
                _ => {
                    let [high, low] = bans.to_be_bytes();
                    bans += 1;
                    // 198.18.0.0/15 is for measurements; no address is banned twice.
                    let ip = format!("198.18.{}.{low}", self.number * 50 + high);
                    self.ban(&client, ip, &mut tally);
                }
            }
        }
        tally
    }

    fn ban(&self, client: &Client, ip: String, tally: &mut Tally) {
        let body = json!({ "jail": "sshd", "ip": ip, "reason": format!("measured {ip}") });
        let answer = send(client, Method::POST, "/api/bans", Some(body.to_string()));
        if tally.take("ban", Some(&ip), answer) {
            self.banned.lock().unwrap().push(ip);
        }
    }

    /// Whoever banned it, and wherever.
    fn unban(&mut self, client: &Client, tally: &mut Tally) {
        let ip = {
            let mut banned = self.banned.lock().unwrap();
            if banned.is_empty() {
                return;
            }
            let index = usize::try_from(self.random.below(banned.len() as u64)).unwrap();
            banned.swap_remove(index)
        };
        let answer = send(client, Method::DELETE, &format!("/api/bans/sshd/{ip}"), None);
        tally.take("unban", Some(&ip), answer);
    }

    fn sign_in(&self, client: &Client, tally: &mut Tally) {
        let body = json!({ "username": "admin", "password": PASSWORD }).to_string();
        tally.take("login", None, send(client, Method::POST, "/api/auth/login", Some(body)));
    }
}

impl Tally {
    /// Takes an answer; tells whether the change was acknowledged.
    fn take(
        &mut self,
        action: &'static str,
        ip: Option<&str>,
        answer: reqwest::Result<Answer>,
    ) -> bool {
        let Ok(answer) = answer else {
            self.broken += 1;
            return false;
        };
        if !(200..300).contains(&answer.status) {
            *self.refused.entry(answer.status).or_default() += 1;
            return false;
        }
        let correlation_id = answer.correlation_id().to_owned();
        self.acknowledged.push(Acknowledged { action, ip: ip.map(str::to_owned), correlation_id });
        true
    }
}

fn send(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<String>,
) -> reqwest::Result<Answer> {
    let client = client.with("authorization", &format!("Bearer {API_TOKEN}"));
    client.try_send(method, path, body.map(|body| ("application/json", body)))
}
