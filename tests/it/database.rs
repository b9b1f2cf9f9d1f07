//! The database file in the hands of real processes: damage before and while it is served, copies
//! made under load, and the way back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Bangui, Database, PASSWORD, SOON, eventually, expect};

/// A folder whose database has an account, and rows of the audit log.
fn used_folder() -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    let bangui = Bangui::builder().data_dir(folder.path()).start();
    sign_in_often(&bangui, 5);
    assert!(bangui.stop().status.success());
    folder
}

fn sign_in_often(bangui: &Bangui, times: usize) {
    for _ in 0..times {
        bangui.admin();
    }
}

fn damage(path: &Path, at: usize, length: usize) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len().min(at + length);
    bytes[at..end].fill(0xa5);
    fs::write(path, bytes).unwrap();
}

/// The databases that were set aside, without what belongs to them.
fn aside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let is_aside = |path: &PathBuf| {
        let name = name(path);
        name.starts_with("bangui.db.corrupted-")
            && !name.ends_with("-wal")
            && !name.ends_with("-shm")
    };
    entries.filter(is_aside).collect()
}

fn audit_rows(bangui: &Bangui) -> usize {
    let rows = bangui.admin().get("/api/audit?limit=500").expect(200).json();
    rows["items"].as_array().unwrap().len()
}

#[test]
fn a_damaged_file_is_set_aside_by_one_of_three_and_all_serve_the_new_one() {
    for (at, length) in [(0, 100), (4096, usize::MAX / 2)] {
        let folder = used_folder();
        let path = folder.path().join("bangui.db");
        damage(&path, at, length);
        let damaged = fs::read(&path).unwrap();
        let start = || Bangui::builder().data_dir(folder.path()).start();
        let all: Vec<Bangui> = thread::scope(|scope| {
            let starts: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let told: Vec<Value> =
            all.iter().flat_map(|bangui| bangui.events("database_corrupted")).collect();
        let [line] = &told[..] else { panic!("one of them tells: {told:#?}") };
        let aside = aside(folder.path());
        assert_eq!((&line["level"], &line["database_path"]), (&json!("critical"), &json!(path)));
        assert_eq!((aside.len(), &line["set_aside"]), (1, &json!(aside[0])));
        assert_eq!(fs::read(&aside[0]).unwrap(), damaged);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for bangui in all {
            bangui.admin();
            assert!(bangui.stop().status.success());
        }
    }
}

#[test]
fn who_would_rather_not_start_is_told_why() {
    let folder = used_folder();
    let path = folder.path().join("bangui.db");
    damage(&path, 0, 100);
    let before = fs::read(&path).unwrap();
    let builder = Bangui::builder().env("BANGUI_DATABASE_SET_ASIDE_CORRUPTED", false);
    let output = builder.run(folder.path(), &["serve"], "");
    assert_eq!(output.code, Some(1), "{output:?}");
    let told = |event: &str| {
        let lines = output.stdout.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines.into_iter().find(|line| line["event"] == event);
        found.unwrap_or_else(|| panic!("{event}: {output:?}"))
    };
    assert!(told("database_corrupted").get("set_aside").is_none());
    let error = told("startup_failed")["error"].to_string();
    assert!(error.contains("BANGUI_DATABASE_SET_ASIDE_CORRUPTED"), "{error}");
    assert_eq!((fs::read(&path).unwrap(), aside(folder.path()).len()), (before, 0));
}

#[test]
fn damage_while_serving_stops_the_service_and_the_next_start_begins_anew() {
    let folder = used_folder();
    let mut bangui = Bangui::builder().data_dir(folder.path()).start();
    let other = Bangui::builder().data_dir(folder.path()).start();
    // All that is read from now on is read from the file, and the newest pages are audit rows.
    let path = folder.path().join("bangui.db");
    Database::open(folder.path()).run("PRAGMA wal_checkpoint(TRUNCATE)");
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = fs::metadata(&path).unwrap().len();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(4096)).unwrap();
    let garbage = vec![0xa5; usize::try_from(length).unwrap() - 4096];
    std::io::Write::write_all(&mut file, &garbage).unwrap();
    let login = json!({"username": "admin", "password": PASSWORD});
    let line = eventually(SOON, "the damage", || {
        // A sign-in reads the account and writes into the audit log.
        let _ = bangui.stranger().post("/api/auth/login", &login);
        let found = bangui.events("database_corrupted");
        found.first().cloned().ok_or_else(|| format!("{:#?}", bangui.log()))
    });
    assert_eq!((&line["level"], line.get("set_aside")), (&json!("critical"), None));
    let status = bangui.process().wait(SOON).expect("it stops by itself");
    assert_eq!(status.code(), Some(1));
    // The other one has the file open: it stays where it is until that one ends, too.
    assert_eq!(aside(folder.path()).len(), 0);
    drop(other);
    let again = Bangui::builder().data_dir(folder.path()).start();
    assert_eq!(aside(folder.path()).len(), 1);
    again.admin();
}

#[test]
fn a_backup_under_load_is_whole_and_costs_no_write() {
    let folder = tempdir().unwrap();
    let bangui = Bangui::builder().data_dir(folder.path()).start();
    let database_path = folder.path().join("bangui.db");
    Database::open(folder.path()).run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) \
         INSERT INTO bans (jail, ip, banned_at, unbanned_at, source, reason) \
         SELECT 'sshd', i, i, i, 'log', hex(randomblob(100)) FROM n",
    );
    let is_over = AtomicBool::new(false);
    let copy = folder.path().join("copy.db");
    let (written, codes) = thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut written = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        bangui.admin();
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let codes: Vec<_> = (0..3)
            .map(|_| {
                let to = copy.display().to_string();
                let output =
                    Bangui::builder().run(folder.path(), &["backup", "--force", "--to", &to], "");
                assert!(output.code == Some(0), "{output:?}");
                assert!(output.stdout[0].starts_with(&to), "{output:?}");
                output.code
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        let written: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        (written, codes)
    });
    assert!(written > 0 && codes.len() == 3);
    assert_eq!(bangui.events("audit_write_failed").len(), 0);
    assert_eq!(bangui.events("http_internal_error").len(), 0);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let checked = Bangui::builder()
        .env("BANGUI_DATABASE_URL", format!("sqlite://{}", copy.display()))
        .run(folder.path(), &["check-database"], "");
    assert_eq!((checked.code, &checked.stdout[..]), (Some(0), &["ok".to_owned()][..]));
    assert!(bangui.stop().status.success());
    let text = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(text(&copy) > text(&database_path) / 2);
}

/// As docs/BACKUP.md says it.
#[test]
fn the_documented_way_back_leads_back() {
    let folder = tempdir().unwrap();
    let bangui = Bangui::builder().data_dir(folder.path()).start();
    sign_in_often(&bangui, 3);
    let before = audit_rows(&bangui);
    let output = Bangui::builder().run(folder.path(), &["backup"], "");
    assert_eq!(output.code, Some(0), "{output:?}");
    let copy = output.stdout[0].split(" (").next().unwrap().to_owned();
    assert!(copy.starts_with(&folder.path().join("backups/bangui-").display().to_string()));
    sign_in_often(&bangui, 3);
    assert!(bangui.stop().status.success());
    // Stop, put the old one away with all that belongs to it, copy, start.
    let away = folder.path().join("before-restore");
    fs::create_dir(&away).unwrap();
    for name in ["bangui.db", "bangui.db-wal", "bangui.db-shm"] {
        let _ = fs::rename(folder.path().join(name), away.join(name));
    }
    fs::copy(copy, folder.path().join("bangui.db")).unwrap();
    let bangui = Bangui::builder().data_dir(folder.path()).start();
    // Each look at them is a sign-in of its own.
    assert_eq!(audit_rows(&bangui), before + 1);
    assert_eq!(bangui.events("database_corrupted").len(), 0);
    assert_eq!(bangui.stranger().signed_in(PASSWORD).get("/api/audit").status, 200);
}

#[test]
fn commands_for_the_database_say_what_is_wrong() {
    let folder = tempdir().unwrap();
    let run = |words: &[&str]| Bangui::builder().run(folder.path(), words, "");
    for words in [&["backup"][..], &["check-database"]] {
        let output = run(words);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr[0].contains("there is no database at"), "{output:?}");
    }
    assert_eq!(run(&["backup", "there"]).code, Some(64));
    let folder = used_folder();
    let run = |words: &[&str]| Bangui::builder().run(folder.path(), words, "");
    let copy = folder.path().join("copy.db").display().to_string();
    assert_eq!(run(&["backup", "--to", &copy]).code, Some(0));
    let output = run(&["backup", "--to", &copy]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr[0].contains("--force"), "{output:?}");
    assert_eq!(run(&["check-database"]).stdout, ["ok"]);
    damage(&folder.path().join("bangui.db"), 4096, usize::MAX / 2);
    let output = run(&["check-database"]);
    assert!(output.code == Some(1) && !output.stderr.is_empty(), "{output:?}");
    assert_eq!(run(&["backup"]).code, Some(1));
    eventually(SOON, "no unfinished copy", || {
        let left = fs::read_dir(folder.path().join("backups")).unwrap().count();
        expect(left == 0, left.to_string())
    });
}
