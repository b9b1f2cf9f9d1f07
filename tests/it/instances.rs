//! Five real instances on one database, paused, killed and ended in a loop while operators work at
//! each of them: no acknowledged write is lost, and each scheduled run is counted once or
//! explained.
//!
//! `make chaos` lets it run for minutes: `INSTANCES_SECONDS` says how long, and `INSTANCES_SEED`
//! repeats the faults of an earlier run, whose seed was printed.

mod evidence;
mod fleet;
mod load;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::postgres::Postgres;
use crate::support::{
    API_TOKEN, Bangui, Builder, Fail2ban, PASSWORD, SOON, eventually, expect, heavy, random,
};
use evidence::{Evidence, Place};
use fleet::{Instance, Random};
use load::{Acknowledged, Operator, Tally};

const INSTANCES: u64 = 5;
const LEASE: Duration = Duration::from_secs(2);
/// The short form, for every run of the tests.
const SECONDS: u64 = 8;
/// A build without optimisation takes some 60; the limit tells growth from noise.
const PEAK_MIB_MAX: u64 = 250;
/// Between two items of work for the scheduled task.
const WORK_PACE: Duration = Duration::from_millis(100);

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

fn builder(folder: &Path, fail2ban: &Fail2ban) -> Builder {
    Bangui::builder()
        .data_dir(folder)
        .fail2ban(fail2ban)
        .env("BANGUI_API_TOKEN", API_TOKEN)
        .env("BANGUI_API_TOKEN_SCOPE", "write")
        .env("BANGUI_SCHEDULER_LEASE_SECONDS", LEASE.as_secs())
        .env("BANGUI_SESSION_CLEANUP_SECONDS", 1)
        .only_session_cleanup()
}

/// All at once, on a database that is not there yet.
fn start_at_once(builder: &Builder) -> Vec<Instance> {
    thread::scope(|scope| {
        let starts: Vec<_> =
            (0..INSTANCES).map(|_| scope.spawn(|| Instance::start(builder.clone()))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    })
}

/// Lets them suffer and operators work; returns what operators were answered, and when the last
/// fault was over.
fn trouble(
    instances: &mut [Instance],
    evidence: &mut Evidence,
    seed: u64,
    time: Duration,
) -> (Vec<Tally>, Instant) {
    let (banned, is_over) = (Mutex::default(), AtomicBool::new(false));
    let until = Instant::now() + time;
    thread::scope(|scope| {
        let operators: Vec<_> = (0_u8..)
            .zip(instances.iter())
            .map(|(number, instance)| {
                let random = Random(seed ^ (0x100 + u64::from(number)));
                let door = instance.door.clone();
                Operator { number, door, random, banned: &banned, is_over: &is_over }
            })
            .map(|operator| scope.spawn(|| operator.work()))
            .collect();
        let faults: Vec<_> = (0..)
            .zip(instances.iter_mut())
            .map(|(number, instance)| {
                let mut random = Random(seed.wrapping_add(number));
                scope.spawn(move || instance.trouble(&mut random, until))
            })
            .collect();
        while faults.iter().any(|fault| !fault.is_finished()) {
            evidence.add_work();
            thread::sleep(WORK_PACE);
        }
        let last = faults.into_iter().map(|fault| fault.join().unwrap()).max().unwrap();
        is_over.store(true, Ordering::Relaxed);
        (operators.into_iter().map(|operator| operator.join().unwrap()).collect(), last)
    })
}

/// After the last fault somebody holds the lock within two lease times.
fn check_holder(instances: &mut [Instance], evidence: &mut Evidence, last_fault: Instant) {
    let pids: Vec<_> =
        instances.iter_mut().map(|it| i64::from(it.running().process().id())).collect();
    let limit = (2 * LEASE).saturating_sub(last_fault.elapsed());
    eventually(limit, "a holder that lives", || {
        let holder = evidence.holder();
        expect(holder.is_some_and(|pid| pids.contains(&pid)), format!("{holder:?} of {pids:?}"))
    });
    println!("a holder {:?} after the last fault", last_fault.elapsed());
    for instance in instances {
        let client = instance.running().stranger();
        client.get("/health").expect(200);
        let told = client.with("authorization", &format!("Bearer {API_TOKEN}"));
        let told = told.get("/api/scheduler/lock").expect(200).json();
        assert!(told["pid"].as_i64().is_some_and(|pid| pids.contains(&pid)), "{told}");
    }
}

/// The whole of it: start, trouble, calm, judgement.
fn five_instances(place: &Place) {
    let seed = setting("INSTANCES_SEED").unwrap_or_else(random);
    let time = Duration::from_secs(setting("INSTANCES_SECONDS").unwrap_or(SECONDS));
    println!("INSTANCES_SEED={seed} INSTANCES_SECONDS={}", time.as_secs());
    let (fail2ban, folder) = (Fail2ban::start(), tempfile::tempdir().unwrap());
    let builder = match place {
        Place::Folder(folder) => builder(folder, &fail2ban),
        Place::Server(url) => builder(folder.path(), &fail2ban).env("BANGUI_DATABASE_URL", url),
    };
    let mut instances = start_at_once(&builder);
    let mut evidence = Evidence::open(place);
    eventually(SOON, "the first holder", || evidence.holder().ok_or_else(|| "none".to_owned()));
    evidence.place_witnesses();
    let (tallies, last_fault) = trouble(&mut instances, &mut evidence, seed, time);
    check_holder(&mut instances, &mut evidence, last_fault);
    eventually(SOON, "the rest of the work done", || {
        expect(evidence.work_left() == 0, format!("{} left", evidence.work_left()))
    });
    let mut open = Vec::new();
    eventually(2 * SOON, "a history that knows what fail2ban does", || {
        open = evidence.bans();
        open.retain(|row| row.unbanned_at.is_none());
        let mut own: Vec<_> = open.iter().map(|row| row.ip.clone()).collect();
        let mut banned = fail2ban.banned("sshd");
        own.sort_unstable();
        banned.sort_unstable();
        let differ: Vec<_> = own.iter().filter(|ip| !banned.contains(ip)).collect();
        let missing: Vec<_> = banned.iter().filter(|ip| !own.contains(ip)).collect();
        expect(own == banned, format!("open alone {differ:?}, banned alone {missing:?}"))
    });
    for instance in &mut instances {
        instance.fall(false);
    }
    judge(instances, evidence, tallies);
}

fn judge(instances: Vec<Instance>, mut evidence: Evidence, tallies: Vec<Tally>) {
    let mut faults = BTreeMap::new();
    for fault in instances.iter().flat_map(|instance| &instance.faults) {
        *faults.entry(*fault).or_insert(0) += 1;
    }
    let lives: Vec<_> = instances.into_iter().flat_map(|instance| instance.lives).collect();
    let (mut refused, mut broken) = (BTreeMap::new(), 0);
    let mut done: Vec<Acknowledged> = Vec::new();
    for tally in tallies {
        tally.refused.into_iter().for_each(|(status, n)| *refused.entry(status).or_insert(0) += n);
        broken += tally.broken;
        done.extend(tally.acknowledged);
    }
    let (audit, bans, removed) = (evidence.audit(), evidence.bans(), evidence.removed());
    let acquired = evidence.acquired();
    println!("faults {faults:?} in {} lives", lives.len());
    println!("acknowledged {}, refused {refused:?}, without an answer {broken}", done.len());
    println!("{}", verdict::attribution(&done, &bans));
    println!("audit: {:?} told, and again", verdict::told_again(&lives));
    println!("troubles: {:#?}", verdict::troubles(&lives));
    println!("epochs {}, peak {:?} MiB", acquired.len(), lives.iter().map(|it| it.peak_mib).max());
    println!("{:?}, removed {}", verdict::check_runs(&lives, &removed), removed.len());
    verdict::check_epochs(&lives, &acquired);
    verdict::check_acknowledged(&done, &audit, &bans);
    verdict::check_lives(&lives, PEAK_MIB_MAX);
    assert_eq!(evidence.integrity(), "ok");
    // What cannot be done now is said to be so.
    assert!(!refused.contains_key(&500), "{refused:?}");
    assert!(!done.is_empty() && acquired.len() > 1 && !faults.is_empty(), "nothing happened");
}

#[test]
fn five_instances_on_one_sqlite_file_lose_nothing_through_pauses_and_kills() {
    let _turn = heavy();
    let folder = tempfile::tempdir().unwrap();
    five_instances(&Place::Folder(folder.path().to_owned()));
}

#[test]
fn five_instances_on_one_postgres_lose_nothing_through_pauses_and_kills() {
    let _turn = heavy();
    five_instances(&Place::Server(Postgres::shared().create_database()));
}

#[test]
fn five_that_start_at_once_without_a_database_all_start_and_one_account_is_made() {
    let _turn = heavy();
    for is_password_known in [true, false, true] {
        let folder = tempfile::tempdir().unwrap();
        let builder = Bangui::builder().data_dir(folder.path());
        let builder =
            if is_password_known { builder } else { builder.without("BANGUI_ADMIN_PASSWORD") };
        let mut instances = start_at_once(&builder);
        if !is_password_known {
            set_up_at_once(&mut instances, folder.path());
        }
        for instance in &mut instances {
            instance.running().admin().get("/api/dashboard/status").expect(200);
            instance.fall(false);
        }
        let lives: Vec<_> = instances.into_iter().flat_map(|instance| instance.lives).collect();
        verdict::check_lives(&lives, PEAK_MIB_MAX);
        let place = Place::Folder(folder.path().to_owned());
        assert_eq!(Evidence::open(&place).integrity(), "ok");
    }
}

/// Five people have the code, and each of them wants to be the first.
fn set_up_at_once(instances: &mut [Instance], folder: &Path) {
    let code = std::fs::read_to_string(folder.join("setup-code")).unwrap();
    let body = json!({ "code": code.trim(), "password": PASSWORD });
    let mut statuses: Vec<_> = thread::scope(|scope| {
        let clients = instances.iter_mut().map(|it| it.running().stranger());
        let answers: Vec<_> = clients
            .map(|client| scope.spawn(|| { client }.post("/api/auth/setup", &body).status))
            .collect();
        answers.into_iter().map(|answer| answer.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    // The code of the first is used up, whichever of both the others notice.
    let is_late = |status: &u16| [401, 409].contains(status);
    assert!(statuses[0] == 204 && statuses[1..].iter().all(is_late), "{statuses:?}");
}
