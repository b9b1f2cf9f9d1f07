//! A real OpenSearch as a child of the test: it may be killed and started again on its port.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, Process, SOON, eventually, expect, free_port, inherited, script};

/// A first run has to fetch it.
const READY_TIMEOUT: Duration = Duration::from_secs(900);
/// Documents of one page; the server itself gives 10,000 at most.
const PAGE_DOCUMENTS: usize = 5000;

/// One node with its data in a folder of its own.
pub(crate) struct OpenSearch {
    folder: TempDir,
    port: u16,
    client: Client,
    process: Option<Process>,
}

impl OpenSearch {
    pub(crate) fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let client = Client::new(format!("http://127.0.0.1:{port}"));
        let mut own = Self { folder, port, client, process: None };
        own.run();
        own
    }

    /// Starts it on its port and waits until it takes documents.
    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none(), "OpenSearch runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        // The script ends by becoming the server, so the child's id is the server's.
        let mut command = Command::new(script("serve-opensearch.sh"));
        command.env_clear().envs(inherited());
        command.env("OPENSEARCH_PORT", self.port.to_string());
        command.env("OPENSEARCH_DIR", self.folder.path().join("state"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = Process::spawn("serve-opensearch.sh", &mut command);
        eventually(READY_TIMEOUT, "OpenSearch", || {
            if let Some(status) = process.status() {
                panic!("OpenSearch ended with {status}: {}", self.said());
            }
            // After a restart its indices come back one by one.
            let path = "/_cluster/health?wait_for_no_initializing_shards=true&timeout=1s";
            let answer = self.client.try_send(Method::GET, path, None);
            let answer = answer.map_err(|error| error.to_string())?;
            let is_ready = answer.status == 200 && answer.json()["status"] != "red";
            if is_ready { Ok(()) } else { Err(answer.body) }
        });
        self.process = Some(process);
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("OpenSearch runs").kill();
    }

    /// Where it takes requests.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Lets searches see everything that was written until now.
    pub(crate) fn refresh(&self) {
        self.client.post("/_refresh", &json!({})).expect(200);
    }

    /// How many documents the indices have; 0 when there is no such index.
    pub(crate) fn count(&self, indices: &str) -> usize {
        self.refresh();
        let path = format!("/{indices}/_count?ignore_unavailable=true");
        let answer = self.ask(&path, &json!({}));
        usize::try_from(answer["count"].as_u64().unwrap()).unwrap()
    }

    /// Asks something. An index that is being made answers 503 for a moment.
    fn ask(&self, path: &str, body: &Value) -> Value {
        eventually(SOON, path, || {
            let answer = self.client.post(path, body);
            expect(answer.status != 503, &*answer.body)?;
            Ok(answer.expect(200).json())
        })
    }

    /// What a query finds, as hits with `_index`, `_id` and `_source`; all of them, page by page.
    pub(crate) fn search(&self, indices: &str, query: &Value) -> Vec<Value> {
        self.refresh();
        let (mut hits, mut after) = (Vec::new(), None);
        loop {
            let mut body = json!({
                "query": query, "size": PAGE_DOCUMENTS, "track_total_hits": false,
                "sort": [{ "uid": { "order": "asc", "unmapped_type": "keyword" } }],
            });
            if let Some(after) = after.take() {
                body["search_after"] = after;
            }
            let mut answer = self.ask(&format!("/{indices}/_search"), &body);
            let Value::Array(page) = answer["hits"]["hits"].take() else { panic!("{answer}") };
            let Some(last) = page.last() else { return hits };
            after = Some(last["sort"].clone());
            hits.extend(page);
        }
    }

    /// Every document, by its uid; fails when one stands twice, whatever its ids are.
    pub(crate) fn documents(&self, indices: &str) -> BTreeMap<String, Value> {
        let mut documents = BTreeMap::new();
        for hit in self.search(indices, &json!({ "match_all": {} })) {
            let uid = hit["_source"]["uid"].as_str().unwrap().to_owned();
            let previous = documents.insert(uid, hit);
            assert!(previous.is_none(), "{previous:?} stands twice");
        }
        documents
    }

    /// Removes indices.
    pub(crate) fn delete(&self, indices: &str) {
        self.client.delete(&format!("/{indices}")).expect(200);
    }

    /// Changes settings of indices.
    pub(crate) fn set(&self, indices: &str, settings: &Value) {
        self.client.put(&format!("/{indices}/_settings"), settings).expect(200);
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("opensearch.out")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}
