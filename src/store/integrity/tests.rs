//! Damage at every place of the file, and everything that is none.

use std::fs;

use super::super::backend::on;
use super::super::{AuditResult, NewAudit};
use super::*;

const PAGE: usize = 4096;

/// A folder with a database of some pages that was closed in order.
async fn closed() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bangui.db");
    let store = Store::open(&path).await.unwrap();
    fill(&store).await;
    store.close().await;
    (folder, path)
}

async fn fill(store: &Store) {
    let audit = NewAudit { action: "ban", reason: Some("x".repeat(2000)), ..NewAudit::default() };
    for _ in 0..20 {
        let id = store.begin_audit(&audit).await.unwrap();
        store.finish_audit(id, AuditResult::Success, None).await.unwrap();
    }
}

/// Another place for the same content.
fn copy_of(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bangui.db");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// A copy of a database whose last writes stand in its log alone, as a crash leaves it.
async fn crashed() -> (tempfile::TempDir, PathBuf) {
    let (_source, path) = closed().await;
    let store = Store::open(&path).await.unwrap();
    fill(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("bangui.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(set_aside::wal_path(&path), set_aside::wal_path(&copy)).unwrap();
    store.close().await;
    (folder, copy)
}

fn damage(path: &Path, at: usize, length: usize) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len().min(at + length);
    bytes[at..end].fill(0xa5);
    fs::write(path, bytes).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> =
        names.filter(|name| !name.ends_with(".guard") && !name.ends_with(".start")).collect();
    names.sort();
    names
}

/// What was set aside, without what belongs to it.
fn aside(folder: &Path) -> Vec<PathBuf> {
    let is_main = |name: &String| {
        name.contains(".corrupted-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    let names = names(folder).into_iter().filter(is_main);
    names.map(|name| folder.join(name)).collect()
}

async fn rows(store: &Store) -> usize {
    store.list_audit(i64::MAX, 1000).await.unwrap().len()
}

async fn start(path: &Path) -> Result<Store, Error> {
    Store::open_checked(path, OnCorruption::SetAside).await
}

#[tokio::test]
async fn a_whole_database_stays_and_a_new_one_is_made() {
    let (folder, path) = closed().await;
    let store = start(&path).await.unwrap();
    assert_eq!(rows(&store).await, 20);
    store.close().await;
    assert!(aside(folder.path()).is_empty());
    let deep = folder.path().join("new/er/bangui.db");
    assert_eq!(rows(&start(&deep).await.unwrap()).await, 0);
    let (folder, path) = crashed().await;
    assert_eq!(rows(&start(&path).await.unwrap()).await, 40, "the log is read");
    assert!(aside(folder.path()).is_empty());
}

#[tokio::test]
async fn damage_anywhere_sets_the_file_aside_as_it_is() {
    let (_folder, path) = closed().await;
    let whole = fs::read(path).unwrap();
    let pages = whole.len() / PAGE;
    assert!(pages > 20, "{pages}");
    let everywhere: Vec<_> = (0..pages).map(|page| (page * PAGE, PAGE)).collect();
    let special = [(0, 16), (16, 84), (100, 20), (0, whole.len())];
    let mut found = 0;
    for (at, length) in everywhere.iter().copied().chain(special) {
        let (folder, path) = copy_of(&whole);
        damage(&path, at, length);
        let damaged = fs::read(&path).unwrap();
        let store = start(&path).await.unwrap();
        let aside = aside(folder.path());
        // Free pages and the middle of long texts hold no structure that could be wrong.
        if aside.is_empty() {
            assert_eq!(rows(&store).await, 20, "at {at}");
            continue;
        }
        found += 1;
        assert_eq!(fs::read(&aside[0]).unwrap(), damaged, "at {at}: it stays as it was found");
        assert_eq!(rows(&store).await, 0, "at {at}");
        store.close().await;
    }
    assert!(found >= pages / 2 + special.len(), "{found} of {pages} pages");
}

#[tokio::test]
async fn a_file_that_is_shorter_than_it_was_is_set_aside() {
    for length in [PAGE / 2, 7 * PAGE, 9 * PAGE + 5] {
        let (folder, path) = closed().await;
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..length]).unwrap();
        let store = start(&path).await.unwrap();
        assert_eq!((rows(&store).await, aside(folder.path()).len()), (0, 1), "{length}");
    }
    // Without its file a log would be deleted by SQLite.
    for is_there in [true, false] {
        let (folder, path) = crashed().await;
        if is_there {
            fs::write(&path, b"").unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        let log = fs::read(set_aside::wal_path(&path)).unwrap();
        let store = start(&path).await.unwrap();
        assert_eq!(rows(&store).await, 0);
        let names = names(folder.path());
        let is_log = |name: &&String| name.contains(".corrupted-") && name.ends_with("-wal");
        let kept = names.iter().find(is_log).unwrap_or_else(|| panic!("{is_there} {names:?}"));
        assert_eq!(fs::read(folder.path().join(kept)).unwrap(), log);
    }
}

#[tokio::test]
async fn a_log_with_a_damaged_header_is_kept_and_its_file_goes_on() {
    let (folder, path) = crashed().await;
    let log = set_aside::wal_path(&path);
    damage(&log, 0, 16);
    let damaged = fs::read(&log).unwrap();
    let store = start(&path).await.unwrap();
    assert_eq!(rows(&store).await, 20, "what the file itself holds");
    let aside = aside(folder.path());
    assert_eq!(aside.len(), 1);
    assert!(aside[0].to_string_lossy().contains("bangui.db-wal.corrupted-"), "{aside:?}");
    assert_eq!(fs::read(&aside[0]).unwrap(), damaged);
}

#[tokio::test]
async fn a_log_that_breaks_off_is_what_a_power_cut_leaves() {
    for cut in [10, 32, 5000] {
        let (folder, path) = crashed().await;
        let log = set_aside::wal_path(&path);
        let bytes = fs::read(&log).unwrap();
        fs::write(&log, &bytes[..bytes.len().min(cut)]).unwrap();
        let store = start(&path).await.unwrap();
        assert!(rows(&store).await >= 20, "{cut}");
        assert!(aside(folder.path()).is_empty(), "{cut}");
    }
}

#[tokio::test]
async fn what_is_not_damage_moves_nothing() {
    // Of a later version.
    let (folder, path) = closed().await;
    let store = Store::open(&path).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations VALUES (9999, 'later', '', true, x'00', 1)";
    on!(store.pool, pool => {
        sqlx::query(later).execute(pool).await?;
    })
    .await
    .unwrap();
    store.close().await;
    let error = start(&path).await.unwrap_err();
    assert!(matches!(error, Error::Migration(_)), "{error}");
    assert!(aside(folder.path()).is_empty());
    // Something that is no file.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bangui.db");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("x"), b"x").unwrap();
    assert!(start(&path).await.is_err());
    assert_eq!(names(folder.path()), ["bangui.db"]);
}

#[tokio::test]
async fn a_damaged_file_that_is_open_elsewhere_stays() {
    let (folder, path) = closed().await;
    let other = Guard::take(&path).await.unwrap().share().await.unwrap();
    damage(&path, 0, 16);
    tokio::time::pause();
    let error = start(&path).await.unwrap_err().to_string();
    assert!(error.contains("another process has it open"), "{error}");
    assert!(aside(folder.path()).is_empty());
    tokio::time::resume();
    drop(other);
    start(&path).await.unwrap();
    assert_eq!(aside(folder.path()).len(), 1);
}

#[tokio::test]
async fn many_that_open_a_new_database_at_once_all_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bangui.db");
    let path = &path;
    let opened = futures_util::future::join_all((0..10).map(|_| start(path))).await;
    for store in opened {
        assert_eq!(rows(&store.unwrap()).await, 0);
    }
}

#[tokio::test]
async fn what_root_makes_beside_a_database_is_its_owners() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let (_folder, path) = closed().await;
    let beside = set_aside::with_ending(&path, ".guard");
    fs::remove_file(&beside).unwrap();
    // Only root can, and only root needs it.
    let _ = chown(&path, Some(65_534), None);
    start(&path).await.unwrap().close().await;
    let (own, of_database) = (fs::metadata(&beside).unwrap(), fs::metadata(&path).unwrap());
    assert_eq!((own.uid(), own.mode() & 0o777), (of_database.uid(), 0o600));
}
