//! A model of the database: the lock's row, a clock that can jump, and a network in between that
//! delays and loses. It does what the statements of `store/lock.rs` do; a test holds both together.
//!
//! Whoever changes the row waits for a scheduled write that is under way, in order, and is
//! evaluated after the wait: so it is in SQLite, which has one writer, and in Postgres, where the
//! write has locked the row.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::super::database::Database;
use super::promises::Record;
use crate::store::{Claim, Fence, LockRow, Renewal};

/// SplitMix64: small, and the same everywhere.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below a limit.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Up to a time, in milliseconds.
    pub(super) fn time(&mut self, limit: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(limit.as_millis()).unwrap() + 1))
    }
}

/// The row, as SQLite would hold it.
#[derive(Debug, Clone)]
struct Row {
    owner: Option<String>,
    heartbeat_at: i64,
    heartbeat_timeout: i64,
    epoch: i64,
}

/// The table and its statements.
#[derive(Debug, Default)]
pub(super) struct Table {
    row: Option<Row>,
    /// The epoch of a row that was deleted.
    kept: i64,
}

impl Row {
    fn is_stale(&self, now_ms: i64) -> bool {
        let age = now_ms.div_euclid(1000) - self.heartbeat_at;
        age < -(self.heartbeat_timeout / 3) || age > self.heartbeat_timeout
    }

    fn is_of(&self, fence: &Fence) -> bool {
        self.epoch == fence.epoch && self.owner.as_ref() == Some(&fence.owner)
    }
}

impl Table {
    pub(super) fn look(&self, now_ms: i64) -> Option<LockRow> {
        self.row.as_ref().map(|row| LockRow {
            pid: row.owner.is_some().then_some(1),
            hostname: None,
            owner: row.owner.clone(),
            epoch: row.epoch,
            age_seconds: (now_ms - row.heartbeat_at * 1000) as f64 / 1000.0,
            heartbeat_timeout: row.heartbeat_timeout,
            is_stale: row.is_stale(now_ms),
        })
    }

    /// The new heartbeat is as old as the statement: Postgres evaluates what is inserted before it
    /// waits for the row, and the condition after it.
    pub(super) fn acquire(
        &mut self,
        claim: &Claim,
        seen: i64,
        begun_ms: i64,
        now_ms: i64,
    ) -> Option<i64> {
        let may_take = self.row.as_ref().is_none_or(|row| {
            let is_own = row.owner.as_ref().is_none_or(|owner| *owner == claim.owner);
            row.epoch == seen.max(self.kept) && (is_own || row.is_stale(now_ms))
        });
        may_take.then(|| {
            let epoch = seen.max(self.kept) + 1;
            self.row = Some(Row {
                owner: Some(claim.owner.clone()),
                heartbeat_at: begun_ms.div_euclid(1000),
                heartbeat_timeout: claim.heartbeat_timeout,
                epoch,
            });
            epoch
        })
    }

    pub(super) fn renew(&mut self, fence: &Fence, now_ms: i64) -> bool {
        let row = self.row.as_mut().filter(|row| row.is_of(fence));
        row.map(|row| row.heartbeat_at = now_ms.div_euclid(1000)).is_some()
    }

    pub(super) fn release(&mut self, claim: &Claim) -> bool {
        let row = self.row.as_mut().filter(|row| row.owner.as_ref() == Some(&claim.owner));
        row.map(|row| row.owner = None).is_some()
    }

    /// An operator takes the lock away.
    pub(super) fn delete(&mut self) {
        self.kept = self.row.take().map_or(self.kept, |row| row.epoch);
    }

    /// When the row becomes stale if no heartbeat comes: once more than the whole seconds of its
    /// time are over.
    pub(super) fn stale_at_ms(&self) -> Option<i64> {
        self.row.as_ref().map(|row| (row.heartbeat_at + row.heartbeat_timeout + 1) * 1000)
    }

    /// Whether a scheduled write would be made.
    pub(super) fn admits(&self, fence: &Fence, now_ms: i64) -> bool {
        self.row.as_ref().is_some_and(|row| row.is_of(fence) && !row.is_stale(now_ms))
    }
}

/// How long a statement waits for another's transaction before the database gives it up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What goes wrong on the way to the database now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    /// A statement or its answer may take so long.
    pub(super) delay: Duration,
    /// Of a hundred statements, so many are lost on the way, and as many answers.
    pub(super) loss_percent: u64,
    /// A scheduled write may stay under way for so long between its look at the fence and its end.
    pub(super) hold: Duration,
}

/// What was seen in one history, or in many.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) written: u64,
    pub(super) refused: u64,
    pub(super) effects: u64,
    /// Effects of one that was the holder no longer; only a jump of the clock allows them.
    pub(super) late_effects: u64,
    pub(super) epochs: u64,
}

/// Everything outside of the processes.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) random: Random,
    pub(super) table: Table,
    /// Held while the row is being changed, or a write relies on it.
    turn: Arc<Turn<()>>,
    begun: Instant,
    /// When the trouble ends.
    end: Instant,
    /// The database's clock is ahead of time by so much.
    pub(super) clock_ms: i64,
    /// Whether it has jumped in this history, or the row was deleted.
    pub(super) has_jumped: bool,
    pub(super) weather: Weather,
    /// Until when a process does not run, and until when it does not reach the database.
    pub(super) paused: Vec<Instant>,
    pub(super) cut_off: Vec<Instant>,
    /// What `promises` knows of the past.
    pub(super) record: Record,
    pub(super) seen: Seen,
}

impl World {
    pub(super) fn new(seed: u64, processes: usize, trouble: Duration) -> Arc<Mutex<Self>> {
        let now = Instant::now();
        let mut random = Random(seed);
        let clock_ms = 1_700_000_000_000 + i64::try_from(random.below(1000)).unwrap();
        Arc::new(Mutex::new(Self {
            seed,
            random,
            table: Table::default(),
            turn: Arc::default(),
            begun: now,
            end: now + trouble,
            clock_ms,
            has_jumped: false,
            weather: Weather::default(),
            paused: vec![now; processes],
            cut_off: vec![now; processes],
            record: Record::default(),
            seen: Seen::default(),
        }))
    }

    /// As much of a time as is over before the trouble ends, with room for two of them.
    fn before_the_end(&self, time: Duration) -> Duration {
        time.min(self.end.saturating_duration_since(Instant::now()) / 2)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock_ms + i64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }
}

/// The way of one process to the database.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) process: usize,
}

impl Connection {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Sends work to the database, if the weather lets it through; it is done then although nobody
    /// may wait for it any longer.
    async fn send<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, &'static str>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, &'static str>> + Send + 'static,
    {
        let (there, back, lost) = {
            let world = &mut *self.world();
            let Weather { delay, loss_percent, .. } = world.weather;
            let delay = world.before_the_end(delay);
            let random = &mut world.random;
            (random.time(delay), random.time(delay), [(); 2].map(|()| random.chance(loss_percent)))
        };
        let (tell, told) = oneshot::channel();
        let (own, work) = (self.clone(), work(self.clone()));
        let arrive = async move {
            pass(there).await;
            if lost[0] || own.is_cut_off() {
                return own.lose(tell).await;
            }
            let value = work.await;
            pass(back).await;
            if lost[1] || own.is_cut_off() {
                return own.lose(tell).await;
            }
            let _ = tell.send(value);
        };
        tokio::spawn(arrive);
        told.await.unwrap_or(Err("the connection broke"))
    }

    /// Changes the row by one statement, when it is its turn. It is given the time at which the
    /// database began with it.
    async fn change<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&mut World, i64) -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        self.send(|own| async move {
            let begun_ms = own.world().now_ms();
            let turn = Arc::clone(&own.world().turn);
            let Ok(_turn) = timeout(BUSY_TIMEOUT, turn.lock()).await else { return Err("busy") };
            Ok(statement(&mut own.world(), begun_ms))
        })
        .await
    }

    fn is_cut_off(&self) -> bool {
        self.world().cut_off[self.process] > Instant::now()
    }

    /// Half of the time a connection breaks, half of the time nothing is heard any more.
    async fn lose<T>(&self, tell: oneshot::Sender<T>) {
        if self.world().random.chance(50) {
            tell_nothing_for_long(tell).await;
        }
    }

    /// A scheduled write: a transaction that looks at the fence first and ends some time after.
    pub(super) async fn write(&self, fence: &Fence) -> Result<bool, &'static str> {
        let fence = fence.clone();
        self.send(|own| async move {
            let turn = Arc::clone(&own.world().turn);
            let Ok(_turn) = timeout(BUSY_TIMEOUT, turn.lock()).await else { return Err("busy") };
            if !own.world().begin_write(&fence) {
                return Ok(false);
            }
            let hold = {
                let world = &mut *own.world();
                let hold = world.before_the_end(world.weather.hold);
                world.random.time(hold)
            };
            pass(hold).await;
            own.world().commit_write(&fence);
            Ok(true)
        })
        .await
    }
}

/// Time that a timer would round up to a millisecond is not spent at all.
async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

async fn tell_nothing_for_long<T>(tell: oneshot::Sender<T>) {
    sleep(Duration::from_secs(3600)).await;
    drop(tell);
}

impl Database for Connection {
    type Error = &'static str;

    async fn look(&self) -> Result<Option<LockRow>, Self::Error> {
        self.send(|own| async move {
            let world = own.world();
            Ok(world.table.look(world.now_ms()))
        })
        .await
    }

    async fn acquire(&self, claim: &Claim, seen: i64) -> Result<Option<i64>, Self::Error> {
        let claim = claim.clone();
        self.change(move |world, begun_ms| {
            let now_ms = world.now_ms();
            let epoch = world.table.acquire(&claim, seen, begun_ms, now_ms);
            if let Some(epoch) = epoch {
                world.given(epoch, &claim.owner);
            }
            epoch
        })
        .await
    }

    async fn renew(&self, fence: &Fence) -> Result<Option<Renewal>, Self::Error> {
        let (epoch, fence) = (fence.epoch, fence.clone());
        let renewal = self.change(move |world, begun_ms| {
            let is_renewed = world.table.renew(&fence, begun_ms);
            if is_renewed {
                world.renewed(&fence);
            }
            let time = begun_ms.div_euclid(1000);
            is_renewed.then_some(Renewal { time, has_requests: false })
        });
        let renewal = renewal.await;
        if let Ok(None) = renewal {
            self.world().told_lost(epoch);
        }
        renewal
    }

    async fn release(&self, claim: &Claim) -> Result<bool, Self::Error> {
        let claim = claim.clone();
        self.change(move |world, _| {
            let is_released = world.table.release(&claim);
            if is_released {
                world.released(&claim.owner);
            }
            is_released
        })
        .await
    }
}
