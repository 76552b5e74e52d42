//! Which files are opened, and which are refused.

use rusqlite::Connection;
use tempfile::TempDir;

use super::ground::{KEY, TempStore, settings};
use crate::conformance::{Bench, Ground};
use crate::{
    Inspection, OpenError, Soundness, SqliteSettings, SqliteStore, check_pages, inspect,
    keys_in_use, refuse_foreign,
};

fn open(folder: &TempDir) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(settings(folder.path().join("store.db")))
}

fn raw(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("store.db")).unwrap()
}

#[test]
fn a_second_server_on_a_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let first = open(&folder).unwrap();
    let error = open(&folder).unwrap_err();
    assert!(matches!(&error, OpenError::InUse(path) if path.ends_with("store.db")));
    drop(first);
    open(&folder).unwrap();
}

#[test]
fn nobody_else_can_open_the_lock_that_keeps_a_second_server_away() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let _store = open(&folder).unwrap();
    for name in ["store.db", "store.db.lock"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_lock_belongs_to_the_owner_of_the_store_whoever_runs_a_command_on_it() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = TempDir::new().unwrap();
    drop(open(&folder).unwrap());
    let (store, lock) = (
        folder.path().join("store.db"),
        folder.path().join("store.db.lock"),
    );
    // Only root can run commands on the stores of others.
    if chown(&store, Some(65_534), Some(65_534)).is_err() {
        return;
    }
    std::fs::remove_file(&lock).unwrap();
    drop(open(&folder).unwrap());
    let owner = std::fs::metadata(lock).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (65_534, 65_534));
}

#[test]
fn a_log_without_its_database_is_not_removed() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("store.db-wal");
    std::fs::write(&log, [1; 5_000]).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Missing(_))));
    std::fs::write(folder.path().join("store.db"), []).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Missing(_))));
    assert_eq!(std::fs::read(&log).unwrap().len(), 5_000);
    std::fs::remove_file(log).unwrap();
    assert!(open(&folder).is_ok());
}

#[test]
fn a_copy_beside_the_log_of_another_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let (path, log) = (
        folder.path().join("store.db"),
        folder.path().join("store.db-wal"),
    );
    drop(open(&folder).unwrap());
    let copy = folder.path().join("copy.db");
    crate::copy(&path, &copy).unwrap();
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    std::fs::write(&log, [1; 5_000]).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::ForeignLog(_))));
    let refused = inspect(&path, &[KEY]);
    assert!(matches!(refused, Err(OpenError::ForeignLog(_))));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read(&log).unwrap().len(), 5_000);
    std::fs::remove_file(&log).unwrap();
    let store = open(&folder).unwrap();
    // From now on a log belongs to it, also after a crash.
    let header = std::fs::read(&path).unwrap();
    assert_eq!(header[18..20], [2, 2]);
    drop(store);
}

#[test]
fn a_log_is_looked_for_beside_the_database_that_a_link_leads_to() {
    let folder = TempDir::new().unwrap();
    let (link, volume) = (folder.path().join("store.db"), folder.path().join("volume"));
    std::fs::create_dir(&volume).unwrap();
    std::os::unix::fs::symlink("volume/real.db", &link).unwrap();
    drop(open(&folder).unwrap());
    let (real, log) = (volume.join("real.db"), volume.join("real.db-wal"));
    let copy = folder.path().join("copy.db");
    crate::copy(&link, &copy).unwrap();
    std::fs::write(&log, [1; 5_000]).unwrap();
    std::fs::rename(&copy, &real).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::ForeignLog(_))));
    std::fs::remove_file(&real).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Missing(at)) if at.ends_with("volume/real.db")));
    assert_eq!(std::fs::read(&log).unwrap().len(), 5_000);
}

#[test]
fn a_copy_that_was_not_finished_is_refused_by_its_name_and_by_its_length() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder).unwrap());
    let path = folder.path().join("store.db");
    let bytes = std::fs::read(&path).unwrap();
    let partial = folder.path().join(".ringbolt-backup-abc");
    std::fs::write(&partial, &bytes).unwrap();
    let opened = SqliteStore::open(settings(partial.clone()));
    assert!(matches!(opened, Err(OpenError::Unfinished(_))));
    let refused = refuse_foreign(&partial);
    assert!(matches!(refused, Err(OpenError::Unfinished(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    // As much as was copied before it was ended, under the name that a server looks for.
    std::fs::write(&path, &bytes[..bytes.len() / 2 / 4096 * 4096]).unwrap();
    let opened = open(&folder);
    assert!(matches!(opened, Err(OpenError::Sqlite(_))), "{opened:?}");
}

#[test]
fn pages_that_do_not_hang_together_are_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    drop(open(&folder).unwrap());
    let look = || check_pages(&path, std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(look(), Soundness::Sound);
    let mut bytes = std::fs::read(&path).unwrap();
    let damaged = bytes.len() / 2 / 4096 * 4096;
    bytes[damaged..damaged + 8192].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(look(), Soundness::Damaged(_)), "{:?}", look());
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let text = "a diary, long enough to be taken for something that it is not. ".repeat(20);
    std::fs::write(folder.path().join("store.db"), &text).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::NotOurs)));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("store.db")).unwrap(),
        text
    );

    let folder = TempDir::new().unwrap();
    raw(&folder)
        .execute_batch("CREATE TABLE diary (day TEXT)")
        .unwrap();
    assert!(matches!(open(&folder), Err(OpenError::NotOurs)));
}

#[test]
fn a_newer_or_changed_schema_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder).unwrap());
    drop(open(&folder).unwrap());
    raw(&folder)
        .execute("INSERT INTO migration VALUES (9, 'later', x'00', 0)", ())
        .unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Newer { .. })));
    raw(&folder)
        .execute_batch("DELETE FROM migration WHERE number = 9")
        .unwrap();
    drop(open(&folder).unwrap());
    raw(&folder)
        .execute_batch("UPDATE migration SET checksum = x'00'")
        .unwrap();
    assert!(matches!(
        open(&folder),
        Err(OpenError::Changed {
            migration: "0001_house"
        })
    ));
}

#[tokio::test]
async fn another_key_is_refused_and_a_list_with_the_old_one_is_taken() {
    let ground = TempStore::new();
    let folder = ground.folder.clone();
    let path = folder.path().join("store.db");
    let with = |keys| {
        SqliteStore::open(SqliteSettings {
            keys,
            ..settings(path.clone())
        })
    };
    let endpoint = {
        let bench = Bench::on(ground).await;
        let app = bench.app().await;
        bench.endpoint(app).await
    };
    assert!(matches!(
        with(vec![[6; 32]].into()),
        Err(OpenError::WrongKey)
    ));
    assert!(matches!(with(Vec::new().into()), Err(OpenError::NoKey)));
    let store = with(vec![[6; 32], KEY].into()).unwrap();
    assert!(
        crate::Catalogue::destination(&store, endpoint)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn secrets_cannot_be_read_from_the_file() {
    let ground = TempStore::new();
    let folder = ground.folder.clone();
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let new = bench.new_endpoint(app);
    let secret = new.secrets.current.expose();
    bench.store.create_endpoint(new).await.unwrap();
    drop(bench);
    let file = std::fs::read(folder.path().join("store.db")).unwrap();
    let holds = |part: &[u8]| file.windows(part.len()).any(|window| window == part);
    assert!(holds(b"https://example.com/hook"));
    assert!(!holds(&secret.as_bytes()[6..30]));
}

#[tokio::test]
async fn what_is_queued_is_written_before_it_closes() {
    let ground = TempStore::new();
    let (store, folder) = (ground.store.clone(), ground.folder.clone());
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    for _ in 0..50 {
        let accept = bench.to_accept(bench.message(app), &[]);
        bench.store.submit(crate::Write::Accept(accept)).unwrap();
    }
    store.close();
    let answers = bench.receipts(50).await;
    assert_eq!(answers.len(), 50);
    let late = bench.to_accept(bench.message(app), &[]);
    assert!(bench.store.submit(crate::Write::Accept(late)).is_err());
    assert!(bench.store.pending().await.is_err());
    assert!(
        bench
            .store
            .expunge_event_type("a".parse().unwrap())
            .await
            .is_err()
    );
    let count: i64 = raw(&folder)
        .query_row("SELECT count(*) FROM message", (), |row| row.get(0))
        .unwrap();
    assert_eq!(count, 50);
}

#[test]
fn a_crashed_store_opens() {
    let ground = TempStore::new();
    assert_eq!(ground.after_crash().store().health().problem, None);
}

fn names(folder: &TempDir) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_inspected_without_a_trace_while_it_is_open_and_afterwards() {
    let ground = TempStore::new();
    let folder = ground.folder.clone();
    let path = folder.path().join("store.db");
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let found = Inspection {
        steps_to_apply: 0,
        largest_id: endpoint.raw(),
    };
    assert_eq!(inspect(&path, &[KEY]).unwrap(), found);
    let wrong = inspect(&path, &[[6; 32]]);
    assert!(matches!(wrong, Err(OpenError::WrongKey)), "{wrong:?}");
    assert_ne!(bench.app().await, app, "and it goes on");

    drop(bench);
    let before = names(&folder);
    assert!(inspect(&path, &[KEY]).unwrap().largest_id > endpoint.raw());
    assert_eq!(names(&folder), before);
}

#[test]
fn what_a_start_would_refuse_is_refused_by_an_inspection() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store %?.db");
    std::fs::write(&path, "").unwrap();
    let new = inspect(&path, &[KEY]).unwrap();
    assert!(new.steps_to_apply > 0 && new.largest_id == 0, "{new:?}");
    drop(SqliteStore::open(settings(path.clone())).unwrap());
    assert_eq!(inspect(&path, &[KEY]).unwrap().steps_to_apply, 0);
    let raw = Connection::open(&path).unwrap();
    raw.execute("INSERT INTO migration VALUES (9, 'later', x'00', 0)", ())
        .unwrap();
    drop(raw);
    assert!(matches!(
        inspect(&path, &[KEY]),
        Err(OpenError::Newer { .. })
    ));
    std::fs::write(&path, "a diary ".repeat(200)).unwrap();
    assert!(matches!(inspect(&path, &[KEY]), Err(OpenError::NotOurs)));
}

#[tokio::test]
async fn the_keys_that_a_file_needs_are_told_from_those_that_it_does_not() {
    let ground = TempStore::new();
    let folder = ground.folder.clone();
    let path = folder.path().join("store.db");
    let bench = Bench::on(ground).await;
    let other = [6; 32];
    let needs = |keys: &[[u8; 32]]| {
        let found = keys_in_use(&path, keys).unwrap();
        (found.given, found.others)
    };
    assert_eq!(needs(&[KEY, other]), (vec![false, false], false));
    let app = bench.app().await;
    bench.endpoint(app).await;
    assert_eq!(needs(&[other, KEY]), (vec![false, true], false));
    assert_eq!(needs(&[other]), (vec![false], true));
    assert_eq!(needs(&[]), (vec![], true));
}
