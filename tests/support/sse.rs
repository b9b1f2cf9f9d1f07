//! A reader of server-sent events.

use std::io::{BufRead as _, BufReader};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::{Client, eventually};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// The events that arrived since the connection was opened. The reading thread ends with the
/// stream, which ends at the latest with the server.
pub(crate) struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    /// Opens `/api/events` as the client.
    pub(crate) fn open(client: &Client) -> Self {
        // Without a time limit: a stream of events has no end.
        let http = reqwest::blocking::Client::builder().timeout(None).no_proxy().build().unwrap();
        let mut request = http.get(format!("{}/api/events", client.base()));
        for (name, value) in client.headers() {
            request = request.header(name, value);
        }
        let response = request.send().unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let events = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&events);
        std::thread::spawn(move || {
            let (mut id, mut name) = (None, String::new());
            for line in BufReader::new(response).lines().map_while(Result::ok) {
                if let Some(text) = line.strip_prefix("id: ") {
                    id = Some(text.to_owned());
                } else if let Some(text) = line.strip_prefix("event: ") {
                    name = text.to_owned();
                } else if let Some(text) = line.strip_prefix("data: ") {
                    let data = serde_json::from_str(text).unwrap_or(Value::Null);
                    let event = Event { id: id.take(), name: std::mem::take(&mut name), data };
                    own.lock().unwrap().push(event);
                }
            }
        });
        Self(events)
    }

    pub(crate) fn so_far(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for an event of this name whose data fits.
    pub(crate) fn wait(&self, limit: Duration, name: &str, fits: impl Fn(&Value) -> bool) -> Event {
        eventually(limit, &format!("the event `{name}`"), || {
            let events = self.so_far();
            let found = events.iter().find(|event| event.name == name && fits(&event.data));
            found.cloned().ok_or_else(|| format!("{events:?}"))
        })
    }
}
