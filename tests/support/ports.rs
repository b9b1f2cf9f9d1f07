//! Ports that no other test takes: neither one of this process nor one of a suite that runs beside
//! it on this machine.

use std::fs::{File, OpenOptions, TryLockError, create_dir_all};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::random;

/// Below the range from which the kernel takes ports for outgoing connections.
const FIRST: u16 = 10_000;
const BLOCK_PORTS: u16 = 300;
const BLOCKS: u16 = 33;

/// The shares of the range that are this process's own for as long as it holds their locks.
struct Blocks {
    locks: Vec<File>,
    ports: Vec<u16>,
}

impl Blocks {
    /// Takes one more block that nobody has.
    fn add(&mut self) {
        // Another user could not write into the folder of this one.
        let user = std::fs::metadata("/proc/self").unwrap().uid();
        let folder = std::env::temp_dir().join(format!("bangui-test-ports-{user}"));
        create_dir_all(&folder).unwrap();
        let start = u16::try_from(random() % u64::from(BLOCKS)).unwrap();
        let (number, lock) = (0..BLOCKS)
            .map(|it| (start + it) % BLOCKS)
            .find_map(|number| Some((number, locked(&folder.join(number.to_string()))?)))
            .expect("all ports are other tests'");
        let first = FIRST + number * BLOCK_PORTS;
        self.locks.push(lock);
        self.ports.extend(first..first + BLOCK_PORTS);
    }
}

/// The lock that a file is, unless another process has it.
fn locked(path: &Path) -> Option<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => panic!("{}: {error}", path.display()),
    }
}

/// A port of 127.0.0.1 on which nobody listens and that nobody else is ever told, so that it stays
/// free until it is used, and while its server is away.
pub(crate) fn free_port() -> u16 {
    static OWN: Mutex<Blocks> = Mutex::new(Blocks { locks: Vec::new(), ports: Vec::new() });
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match own.ports.pop() {
            Some(port) if TcpListener::bind(("127.0.0.1", port)).is_ok() => return port,
            Some(_) => {}
            None => own.add(),
        }
    }
}
