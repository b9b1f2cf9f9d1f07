//! `bangui dead-letters`: what the collector has given up on is listed, sent once more or removed,
//! and nothing else is touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::Bangui;

const OLDER: &str = "999-0a1b2c3d.jsonl";
const NEWER: &str = "1764093600123-00000001.jsonl";

/// A collector's folder.
struct Collector(TempDir);

impl Collector {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn folder(&self, destination: &str) -> PathBuf {
        self.0.path().join("dead-letters").join(destination)
    }

    fn lay(&self, destination: &str, name: &str, reason: &str) {
        let header = json!({
            "destination": destination, "signal": "logs", "records": 3, "reason": reason,
            "first_refused_at": "2026-11-25T10:00:00Z", "given_up_at": "2026-11-25T16:00:00Z",
        });
        fs::create_dir_all(self.folder(destination)).unwrap();
        let line = format!("{{\"bangui\":{header},\"resourceLogs\":[]}}\n");
        fs::write(self.folder(destination).join(name), line).unwrap();
    }

    fn has(&self, path: &str) -> bool {
        self.0.path().join("dead-letters").join(path).symlink_metadata().is_ok()
    }

    /// Runs the command; what it says and its exit code.
    fn run(&self, words: &str) -> (Vec<String>, Option<i32>) {
        let builder = Bangui::builder().env("BANGUI_COLLECTOR_DIR", self.0.path().display());
        let arguments: Vec<_> = ["dead-letters"].into_iter().chain(words.split(' ')).collect();
        let output = builder.run(self.0.path(), &arguments, "");
        let lines = if output.code == Some(0) { output.stdout } else { output.stderr };
        (lines, output.code)
    }

    fn json(&self, words: &str) -> Vec<Value> {
        let (lines, code) = self.run(words);
        assert_eq!(code, Some(0), "{lines:?}");
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn sent(destination: &str, files: u8, records: u8) -> String {
    format!("{destination}: will be sent once more (files: {files}, records: {records})")
}

#[test]
fn files_are_listed_the_oldest_first() {
    let collector = Collector::new();
    let none = format!("no dead letters in {}", collector.folder("").display());
    let none = none.trim_end_matches('/').to_owned();
    assert_eq!(collector.run("list"), (vec![none], Some(0)));
    assert_eq!(collector.json("list --json"), [Value::Null; 0]);
    collector.lay("splunk", NEWER, "400 Bad Request");
    collector.lay("splunk", OLDER, "line one\nline\u{1b}[2J two, token=hunter2hunter2");
    collector.lay("otlp", NEWER, "413");
    fs::write(collector.folder("otlp").join(OLDER), "not ours").unwrap();
    let found = collector.json("list --json");
    let names: Vec<_> = found.iter().map(|it| (&it["destination"], &it["file"])).collect();
    let of = |destination: &str, file: &str| (json!(destination), json!(file));
    let expected = [of("otlp", OLDER), of("otlp", NEWER), of("splunk", OLDER), of("splunk", NEWER)];
    assert_eq!(names, expected.each_ref().map(|(destination, file)| (destination, file)));
    let unread = json!({"destination": "otlp", "file": OLDER, "state": "dead", "bytes": 8});
    assert_eq!(found[0], unread);
    assert_eq!((&found[3]["reason"], &found[3]["records"]), (&json!("400 Bad Request"), &json!(3)));
    assert_eq!(found[3]["given_up_at"], "2026-11-25T16:00:00Z");
    let (lines, code) = collector.run("list splunk");
    assert_eq!((lines.len(), code), (3, Some(0)), "{lines:?}");
    assert!(lines[0].starts_with("DESTINATION  STATE"), "{lines:?}");
    assert!(lines[1].ends_with("line one line [2J two, token=***"), "{lines:?}");
}

#[test]
fn replay_gives_files_to_the_collector_and_keeps_their_content() {
    let collector = Collector::new();
    collector.lay("splunk", OLDER, "400");
    collector.lay("splunk", NEWER, "400");
    collector.lay("otlp", NEWER, "413");
    let content = fs::read(collector.folder("splunk").join(OLDER)).unwrap();
    assert_eq!(collector.run("replay splunk"), (vec![sent("splunk", 2, 6)], Some(0)));
    let moved = collector.folder("splunk").join("replay");
    assert_eq!(fs::read(moved.join(OLDER)).unwrap(), content);
    assert_eq!(fs::metadata(&moved).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!collector.has(&format!("splunk/{OLDER}")) && collector.has(&format!("otlp/{NEWER}")));
    let states: Vec<_> =
        collector.json("list --json").iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["dead", "replay", "replay"]);
    // What is on its way is neither moved nor removed.
    assert_eq!(collector.run("replay"), (vec![sent("otlp", 1, 3)], Some(0)));
    let (lines, code) = collector.run("drop --all");
    assert!(lines[0].starts_with("no dead letters") && code == Some(0), "{lines:?}");
    assert!(moved.join(NEWER).exists());
}

#[test]
fn a_file_is_never_overwritten_and_keeps_no_other_back() {
    let collector = Collector::new();
    collector.lay("splunk", OLDER, "400");
    collector.lay("splunk", NEWER, "400");
    collector.lay("splunk/replay", OLDER, "another");
    let before = fs::read(collector.folder("splunk/replay").join(OLDER)).unwrap();
    let (lines, code) = collector.run("replay");
    assert_eq!(code, Some(1));
    assert_eq!(lines[0], sent("splunk", 1, 3));
    assert!(lines[1].contains("1 files failed") && lines[1].contains("is there already"));
    assert_eq!(fs::read(collector.folder("splunk/replay").join(OLDER)).unwrap(), before);
    assert!(collector.has(&format!("splunk/{OLDER}")));
    assert!(collector.has(&format!("splunk/replay/{NEWER}")));
}

#[test]
fn drop_removes_what_was_named() {
    let collector = Collector::new();
    collector.lay("splunk", OLDER, "400");
    collector.lay("otlp", NEWER, "413");
    let dropped = |name: &str| vec![format!("{name}: removed (files: 1, records: 3)")];
    assert_eq!(collector.run("drop otlp"), (dropped("otlp"), Some(0)));
    assert!(!collector.has(&format!("otlp/{NEWER}")) && collector.has(&format!("splunk/{OLDER}")));
    assert_eq!(collector.run("drop --all"), (dropped("splunk"), Some(0)));
    assert_eq!(collector.run("drop").1, Some(64), "removing everything has to be said");
}

#[test]
fn links_and_foreign_names_are_left_alone() {
    let collector = Collector::new();
    let outside = tempdir().unwrap();
    fs::write(outside.path().join(OLDER), "mine").unwrap();
    collector.lay("splunk", NEWER, "400");
    symlink(outside.path(), collector.folder("elsewhere")).unwrap();
    symlink(outside.path().join(OLDER), collector.folder("splunk").join(OLDER)).unwrap();
    for foreign in ["notes.txt", "1-0A1B2C3D.jsonl", "1-0a1b2c3d.jsonl.tmp"] {
        fs::write(collector.folder("splunk").join(foreign), "mine").unwrap();
    }
    fs::create_dir(collector.folder("splunk").join("2-0a1b2c3d.jsonl")).unwrap();
    let found = collector.json("list --json");
    assert_eq!(found.len(), 1, "{found:?}");
    // A folder to replay that leads elsewhere would carry the log out of the collector's folder.
    symlink(outside.path(), collector.folder("splunk").join("replay")).unwrap();
    let (lines, code) = collector.run("replay");
    assert!(code == Some(1) && lines.concat().contains("replay"), "{lines:?}");
    assert!(collector.has(&format!("splunk/{NEWER}")));
    fs::remove_file(collector.folder("splunk").join("replay")).unwrap();
    assert_eq!(collector.run("drop --all").1, Some(0));
    let left = fs::read_dir(collector.folder("splunk")).unwrap().count();
    assert_eq!(left, 5, "the link, the three foreign files and the folder");
    assert_eq!(fs::read(outside.path().join(OLDER)).unwrap(), b"mine");
}

#[test]
fn what_is_not_there_is_told() {
    let collector = Collector::new();
    collector.lay("splunk", NEWER, "400");
    let (lines, code) = collector.run("replay datadog");
    let told = "no dead letters for \"datadog\"; there are some for splunk";
    assert_eq!((lines, code), (vec![told.to_owned()], Some(1)));
    for name in ["../splunk", "splunk/replay", "."] {
        let (lines, code) = collector.run(&format!("drop {name}"));
        let told = format!("{name:?} cannot be a destination's name");
        assert_eq!((lines, code), (vec![told], Some(1)));
    }
    let missing = Path::new("/no/such/folder").display();
    let builder = Bangui::builder().env("BANGUI_COLLECTOR_DIR", missing);
    let output = builder.run(collector.0.path(), &["dead-letters", "list"], "");
    assert_eq!(output.code, Some(1));
    assert!(output.stderr[0].contains("BANGUI_COLLECTOR_DIR"), "{output:?}");
}
