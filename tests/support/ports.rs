//! Ports that no other test takes: neither one of this process nor one of a suite that runs beside
//! it on this machine.

use std::fs::{File, OpenOptions, TryLockError, create_dir_all};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};

use super::random;

/// Below the range from which the kernel takes ports for outgoing connections.
const FIRST: u16 = 10_000;
/// More than one process uses before those that it used first are long free again.
const BLOCK_PORTS: u16 = 300;
const BLOCKS: u16 = 33;

/// A share of the range that is this process's own for as long as it holds the lock.
struct Block {
    first: u16,
    next: u16,
    _lock: File,
}

impl Block {
    fn take() -> Self {
        // Another user could not write into the folder of this one.
        let user = std::fs::metadata("/proc/self").unwrap().uid();
        let folder = std::env::temp_dir().join(format!("bangui-test-ports-{user}"));
        create_dir_all(&folder).unwrap();
        let start = u16::try_from(random() % u64::from(BLOCKS)).unwrap();
        (0..BLOCKS)
            .map(|it| (start + it) % BLOCKS)
            .find_map(|number| {
                let path = folder.join(number.to_string());
                let file =
                    OpenOptions::new().create(true).append(true).open(&path).unwrap_or_else(
                        |error| panic!("{} cannot be locked: {error}", path.display()),
                    );
                match file.try_lock() {
                    Ok(()) => {
                        Some(Self { first: FIRST + number * BLOCK_PORTS, next: 0, _lock: file })
                    }
                    Err(TryLockError::WouldBlock) => None,
                    Err(TryLockError::Error(error)) => panic!("{}: {error}", path.display()),
                }
            })
            .expect("all blocks of ports are in use by other tests")
    }

    fn next(&mut self) -> u16 {
        let port = self.first + self.next;
        self.next = (self.next + 1) % BLOCK_PORTS;
        port
    }
}

/// A port of 127.0.0.1 on which nobody listens and that nobody else is told, so that it stays free
/// until it is used.
pub(crate) fn free_port() -> u16 {
    static OWN: Mutex<Option<Block>> = Mutex::new(None);
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let block = own.get_or_insert_with(Block::take);
    (0..BLOCK_PORTS)
        .map(|_| block.next())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("no free port in this process's block")
}
