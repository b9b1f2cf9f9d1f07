//! Instances on one database, and what is done to them: each is paused, killed and ended by turns
//! drawn from a seed, and everything that its processes said is kept.

use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::support::{Bangui, Builder, Client};

/// SplitMix64: the same seed gives the same faults.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn milliseconds(&mut self, from: u64, until: u64) -> Duration {
        Duration::from_millis(from + self.below(until - from))
    }
}

/// What can be done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// For less than the lease.
    ShortPause,
    /// For longer than the lease, and less than a writer waits for another.
    LongPause,
    Kill,
    Stop,
}

/// A time in which a process did not run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// One process, from its start to its end.
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) lines: Vec<Value>,
    pub(super) stderr: Vec<String>,
    pub(super) pauses: Vec<Pause>,
    pub(super) was_killed: bool,
    pub(super) peak_mib: u64,
}

/// Where the load finds the instance now, if it is up.
pub(super) type Door = Arc<Mutex<Option<Client>>>;

/// One of several instances.
pub(super) struct Instance {
    builder: Builder,
    running: Option<Bangui>,
    pauses: Vec<Pause>,
    pub(super) door: Door,
    pub(super) lives: Vec<Life>,
    pub(super) faults: Vec<Fault>,
}

impl Instance {
    /// Starts it.
    pub(super) fn start(builder: Builder) -> Self {
        let door = Door::default();
        let (lives, faults, pauses) = (Vec::new(), Vec::new(), Vec::new());
        let mut own = Self { builder, running: None, pauses, door, lives, faults };
        own.rise();
        own
    }

    fn rise(&mut self) {
        let bangui = self.builder.clone().start();
        *self.door.lock().unwrap() = Some(bangui.stranger());
        self.running = Some(bangui);
    }

    pub(super) fn running(&mut self) -> &mut Bangui {
        self.running.as_mut().expect("it runs")
    }

    /// Troubles it until a time; then it runs. Returns when the last fault was over.
    pub(super) fn trouble(&mut self, random: &mut Random, until: Instant) -> Instant {
        loop {
            let rest = random.milliseconds(300, 3000);
            sleep(rest.min(until.saturating_duration_since(Instant::now())));
            if Instant::now() >= until {
                return Instant::now();
            }
            let fault = match random.below(10) {
                0..=2 => Fault::ShortPause,
                3..=5 => Fault::LongPause,
                6..=8 => Fault::Kill,
                _ => Fault::Stop,
            };
            self.suffer(fault, random);
        }
    }

    fn suffer(&mut self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::ShortPause => self.pause(random.milliseconds(50, 1500)),
            Fault::LongPause => self.pause(random.milliseconds(2500, 4500)),
            Fault::Kill | Fault::Stop => {
                self.fall(fault == Fault::Kill);
                sleep(random.milliseconds(0, 1000));
                self.rise();
            }
        }
        self.faults.push(fault);
    }

    fn pause(&mut self, time: Duration) {
        let from = Timestamp::now();
        self.running().process().signal("STOP");
        sleep(time);
        self.running().process().signal("CONT");
        self.pauses.push(Pause { from, until: Timestamp::now() });
    }

    /// Ends the process, without a word or as its init system does.
    pub(super) fn fall(&mut self, is_kill: bool) {
        *self.door.lock().unwrap() = None;
        let mut bangui = self.running.take().expect("it runs");
        let pid = bangui.process().id();
        let peak_mib = peak_mib(pid);
        let ended = if is_kill { bangui.kill() } else { bangui.stop() };
        assert!(is_kill || ended.status.success(), "{pid} ended with {}", ended.status);
        self.lives.push(Life {
            pid,
            lines: ended.lines,
            stderr: ended.stderr,
            pauses: std::mem::take(&mut self.pauses),
            was_killed: is_kill,
            peak_mib,
        });
    }
}

fn peak_mib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
