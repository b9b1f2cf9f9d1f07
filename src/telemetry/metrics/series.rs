//! Series that are recorded to with every request, found without the SDK's look-up.
//!
//! For each measurement the SDK would pick the attributes that its view lists, copy them and hash
//! them, which costs several times as much as the record itself. A bound series has that behind it.
//! Each thread keeps those that it has used, so there is nothing to lock and nothing to allocate;
//! what they count is shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::thread::LocalKey;

/// Series that one thread keeps of one instrument; any more are bound for each measurement.
const KEPT_MAX: usize = 1000;

/// What tells one series from another: words, by where they stand in the program, and a number.
/// The same word at two places only makes two handles of one series.
pub(super) type Key = ([*const str; 3], u16);

/// The series of one thread.
pub(super) type Series<T> = RefCell<HashMap<Key, T>>;

/// Uses a series, which is bound the first time.
pub(super) fn with<T>(
    series: &'static LocalKey<Series<T>>,
    key: Key,
    bind: impl Fn() -> T,
    then: impl Fn(&T),
) {
    let is_done = series.try_with(|series| {
        let Ok(mut kept) = series.try_borrow_mut() else { return false };
        if let Some(own) = kept.get(&key) {
            then(own);
        } else if kept.len() < KEPT_MAX {
            then(kept.entry(key).or_insert_with(&bind));
        } else {
            return false;
        }
        true
    });
    // A thread that ends, or too many series.
    if !is_done.unwrap_or(false) {
        then(&bind());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static SERIES: Series<u16> = RefCell::default();
    }

    fn key(number: u16) -> Key {
        (["", "", ""].map(std::ptr::from_ref), number)
    }

    #[test]
    fn a_series_is_bound_once_until_there_are_too_many() {
        let (bound, sum) = (Cell::new(0), Cell::new(0_u32));
        let record = |number| {
            let bind = || {
                bound.set(bound.get() + 1);
                number
            };
            with(&SERIES, key(number), bind, |own| sum.set(sum.get() + u32::from(*own)));
        };
        for number in 0..u16::try_from(KEPT_MAX).unwrap() {
            record(number);
            record(number);
        }
        assert_eq!((bound.get(), sum.get()), (1000, 999 * 1000));
        record(1000);
        record(1000);
        assert_eq!((bound.get(), sum.get()), (1002, 999 * 1000 + 2000), "these are not kept");
    }
}
