//! Ten thousand histories: several processes on one database, and everything that can go wrong,
//! drawn from a seed. Time is paused tokio's, so that nothing waits and each seed gives the same
//! history each time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::model::{Random, Seen, Weather, World};
use super::process::Process;

const HISTORIES: u64 = 10_000;
/// With the shortest of leases, whole seconds matter most.
const LEASE_SECONDS: [u64; 5] = [2, 3, 4, 10, 30];
/// Things go wrong for so many lease times.
const TROUBLE: u32 = 5;
const HOUR_MS: i64 = 3_600_000;

struct Simulation {
    world: Arc<Mutex<World>>,
    random: Random,
    lease_time: Duration,
    processes: Vec<Process>,
    lives: u64,
    /// Whether the database's clock may jump in this history.
    jumps: bool,
    end: Instant,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x0123_4567_89ab_cdef));
        let count = 2 + usize::try_from(random.below(4)).unwrap();
        let lease_seconds = LEASE_SECONDS[usize::try_from(random.below(5)).unwrap()];
        let lease_time = Duration::from_secs(lease_seconds);
        let trouble = lease_time * TROUBLE;
        let (world, jumps) = (World::new(seed, count, trouble), random.chance(50));
        let end = Instant::now() + trouble;
        let mut own =
            Self { world, random, lease_time, processes: Vec::new(), lives: 0, jumps, end };
        own.processes = (0..count).map(|number| own.start(number)).collect();
        own
    }

    fn start(&mut self, number: usize) -> Process {
        self.lives += 1;
        Process::start(&self.world, number, self.lives, self.lease_time)
    }

    /// A moment up to some lease times from now, but before the trouble ends.
    fn later(&mut self, lease_times: u32) -> Instant {
        (Instant::now() + self.random.time(self.lease_time * lease_times)).min(self.end)
    }

    async fn run(mut self) -> Seen {
        while Instant::now() < self.end {
            let until = self.later(1);
            sleep_until(until).await;
            self.go_wrong();
        }
        self.calm();
        sleep(self.lease_time * 2).await;
        self.check_holder().await;
        self.world.lock().unwrap().seen
    }

    /// Who suffers next: half of the time the holder, who has the most to lose.
    fn victim(&mut self) -> usize {
        let any = usize::try_from(self.random.below(self.processes.len() as u64)).unwrap();
        let holder = self.processes.iter().position(|process| process.lease().is_some());
        holder.filter(|_| self.random.chance(50)).unwrap_or(any)
    }

    fn go_wrong(&mut self) {
        let number = self.victim();
        let (until, lease_time) = (self.later(3), self.lease_time);
        match self.random.below(8) {
            0 | 1 => self.world.lock().unwrap().paused[number] = until,
            2 => self.world.lock().unwrap().cut_off[number] = until,
            3 => self.world.lock().unwrap().cut_off.fill(until),
            4 => {
                self.processes[number].crash();
                if self.random.chance(50) {
                    self.processes[number] = self.start(number);
                }
            }
            5 if self.processes[number].is_up() => self.processes[number].stop(),
            5 => self.processes[number] = self.start(number),
            6 => {
                // Slow answers that still come in time are worth as much as such that do not.
                let is_slow = self.random.chance(50);
                let delay = self.random.time(if is_slow { lease_time / 4 } else { lease_time * 2 });
                let loss_percent = if is_slow { 0 } else { self.random.below(50) };
                let hold = self.random.time(lease_time);
                self.world.lock().unwrap().weather = Weather { delay, loss_percent, hold };
            }
            _ => {
                self.world.lock().unwrap().weather = Weather::default();
                self.jump();
            }
        }
    }

    /// Sets the database's clock by an hour, or by up to two lease times. Or an operator deletes
    /// the row, which promises as little for what happens outside of the database.
    fn jump(&mut self) {
        if !self.jumps {
            return;
        }
        let short = i64::try_from(self.random.time(self.lease_time * 2).as_millis()).unwrap();
        let by = if self.random.chance(50) { HOUR_MS } else { short };
        let mut world = self.world.lock().unwrap();
        if self.random.chance(20) {
            world.delete();
        } else {
            world.clock_ms += if self.random.chance(50) { by } else { -by };
        }
        world.has_jumped = true;
    }

    /// The trouble ends; who is down stays down, but not all.
    fn calm(&mut self) {
        {
            let now = Instant::now();
            let mut world = self.world.lock().unwrap();
            world.weather = Weather::default();
            world.paused.fill(now);
            world.cut_off.fill(now);
        }
        if !self.processes.iter().any(Process::is_up) {
            self.processes[0] = self.start(0);
        }
    }

    /// From now on somebody holds the lock, always the same.
    async fn check_holder(&self) {
        let mut first = None;
        for _ in 0..5 {
            let leases: Vec<_> = self.processes.iter().filter_map(Process::lease).collect();
            let (seed, row) = {
                let world = self.world.lock().unwrap();
                (world.seed, world.table.look(world.now_ms()))
            };
            let [lease] = &leases[..] else {
                panic!("seed {seed}: {} hold it, {:?}, {row:?}", leases.len(), self.lease_time)
            };
            let row = row.filter(|row| !row.is_stale && row.epoch == lease.epoch());
            assert!(row.is_some(), "seed {seed}: the database knows another");
            let epoch = *first.get_or_insert(lease.epoch());
            assert_eq!(epoch, lease.epoch(), "seed {seed}: it was lost again");
            sleep(self.lease_time / 4).await;
        }
        let world = self.world.lock().unwrap();
        let last_written = world.record.last_written();
        assert_eq!(first, Some(last_written), "seed {}: its tasks do not run", world.seed);
    }
}

fn history(seed: u64) -> Seen {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { Simulation::new(seed).run().await })
}

#[test]
fn in_ten_thousand_histories_there_is_one_writer_and_soon_a_holder_again() {
    let threads = std::thread::available_parallelism().map_or(1, |it| it.get() as u64).min(8);
    let run = |first: u64| {
        (first..HISTORIES).step_by(usize::try_from(threads).unwrap()).map(history).fold(
            Seen::default(),
            |sum, seen| Seen {
                written: sum.written + seen.written,
                refused: sum.refused + seen.refused,
                effects: sum.effects + seen.effects,
                late_effects: sum.late_effects + seen.late_effects,
                epochs: sum.epochs + seen.epochs,
            },
        )
    };
    let sums: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    println!("{sums:?}");
    let sum = |part: fn(&Seen) -> u64| sums.iter().map(part).sum::<u64>();
    // Else the trouble is no trouble.
    assert!(sum(|seen| seen.epochs) > 2 * HISTORIES, "{sums:?}");
    assert!(sum(|seen| seen.written) > 10 * HISTORIES, "{sums:?}");
    assert!(sum(|seen| seen.refused) > HISTORIES / 20, "{sums:?}");
    assert!(sum(|seen| seen.late_effects) > 0, "{sums:?}");
}

#[test]
fn a_seed_gives_the_same_history_each_time() {
    let twice = [7, 7].map(|seed| format!("{:?}", history(seed)));
    assert_eq!(twice[0], twice[1]);
}
