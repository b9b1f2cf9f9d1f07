//! One instance in the simulation: the real keeper, and a task that writes while it may. It can be
//! paused as by SIGSTOP, where time goes on and the process does not; it can crash, and be stopped.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::super::keeper::Keeper;
use super::super::lease::Lease;
use super::model::{Connection, World};
use super::promises;
use crate::store::Claim;

/// A process that runs, or did.
pub(super) struct Process {
    held: watch::Sender<Option<Lease>>,
    stop: CancellationToken,
    handle: AbortHandle,
    /// Whether it was told to end; it takes a moment.
    is_ending: bool,
}

impl Process {
    /// Starts the process with a number; its life differs from an earlier one's.
    pub(super) fn start(
        world: &Arc<Mutex<World>>,
        number: usize,
        life: u64,
        lease_time: Duration,
    ) -> Self {
        let held = watch::Sender::new(None);
        let stop = CancellationToken::new();
        let connection = Connection { world: Arc::clone(world), process: number };
        let claim = Claim {
            owner: format!("{number}.{life}"),
            pid: 1,
            hostname: String::new(),
            heartbeat_timeout: i64::try_from(lease_time.as_secs()).unwrap(),
        };
        let keeper = Keeper::new(connection.clone(), claim, lease_time, held.clone());
        let (keep, stopped) = (keeper.run(stop.clone()), stop.clone());
        let write = write_always(connection, held.subscribe(), lease_time);
        let life = async move {
            // Which of both wakes up first after a pause must not matter.
            if number.is_multiple_of(2) {
                tokio::join!(biased; keep, until(write, stopped));
            } else {
                tokio::join!(biased; until(write, stopped), keep);
            }
        };
        tokio::spawn(promises::watch(Arc::clone(world), held.subscribe(), lease_time));
        let sleep = Box::pin(sleep_until(Instant::now()));
        let pausable = Pausable { life: Box::pin(life), world: Arc::clone(world), number, sleep };
        Self { held, stop, handle: tokio::spawn(pausable).abort_handle(), is_ending: false }
    }

    /// The lease, if the process believes to hold one.
    pub(super) fn lease(&self) -> Option<Lease> {
        self.held.borrow().clone().filter(Lease::is_held)
    }

    pub(super) fn is_up(&self) -> bool {
        !self.is_ending
    }

    pub(super) fn crash(&mut self) {
        self.is_ending = true;
        self.handle.abort();
    }

    pub(super) fn stop(&mut self) {
        self.is_ending = true;
        self.stop.cancel();
    }
}

/// The scheduled tasks end before the lock is released.
async fn until(work: impl Future<Output = ()>, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// A task that does something, and writes that it did, whenever this process holds the lock.
async fn write_always(
    connection: Connection,
    mut held: watch::Receiver<Option<Lease>>,
    lease_time: Duration,
) {
    loop {
        let lease = held.borrow_and_update().clone();
        let Some(lease) = lease else {
            if held.changed().await.is_err() {
                return;
            }
            continue;
        };
        // Some tasks do a thing now and then, and some one after the other.
        let pace = lease_time / [2, 10][connection.process % 2];
        let work = async {
            loop {
                let pause = connection.world().random.time(pace);
                sleep(pause).await;
                let Some(fence) = lease.fence() else { return };
                connection.world().effect(fence);
                // An answer that never comes is not waited for: what was sent may be done yet.
                let _ = timeout(lease_time / 4, connection.write(fence)).await;
            }
        };
        tokio::select! {
            biased;
            () = lease.lost() => {}
            () = work => lease.lost().await,
        }
    }
}

/// A future that is not polled while its process is paused.
struct Pausable {
    life: Pin<Box<dyn Future<Output = ()> + Send>>,
    world: Arc<Mutex<World>>,
    number: usize,
    sleep: Pin<Box<Sleep>>,
}

impl Future for Pausable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = self.world.lock().unwrap().paused[self.number];
        if Instant::now() < until {
            self.sleep.as_mut().reset(until);
            if self.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        self.life.as_mut().poll(context)
    }
}
