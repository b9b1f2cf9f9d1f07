//! What the benchmarks share: CPU time of a process, rounds in ABBA order, and how figures are
//! shown.
//!
//! A machine that others use as well makes wall time worthless, and a single figure too: the
//! contestants take turns within one run, every round does the same work, and what is told is the
//! ratio of medians. See docs/PERFORMANCE.md.

use std::fmt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Whatever keeps a benchmark from having a result. A missed goal does not: it is a result.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rounds that must be left after the disturbed ones were discarded.
const ROUNDS_KEPT_MIN: usize = 11;
/// A machine that is never quiet still gets an answer, with the number of discarded rounds in it.
const ROUNDS_MAX: usize = 33;
/// A round in which a contestant is this much above its median was disturbed by something else.
const DISTURBED_FACTOR: f64 = 1.15;

/// Runs the contestant that `BENCH_ONLY` names, or compares all of them.
pub(crate) fn run(
    bench: &str,
    only: impl FnOnce(&str) -> Result<()>,
    compare: impl FnOnce() -> Result<()>,
) -> ExitCode {
    let done = match std::env::var("BENCH_ONLY") {
        Ok(name) => only(&name),
        Err(_) => compare(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{bench}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// User and system time so far, of all threads of this process or of its finished children.
pub(crate) fn cpu_time(who: UsageWho) -> Result<Duration> {
    let usage = getrusage(who)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(microseconds)?))
}

/// The middle of some figures, zero if there are none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        length if length % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

/// What came of all rounds.
pub(crate) struct Rounds {
    /// For each contestant, the median over the rounds that were kept.
    pub(crate) medians: Vec<f64>,
    /// How many rounds the medians stand on.
    pub(crate) kept: usize,
    /// How many rounds were left out as disturbed.
    pub(crate) discarded: usize,
}

impl Rounds {
    /// Lets contestants, known by their number, take turns: first to last and back to first, so
    /// that a machine which grows faster or slower during a round favours none of them. `run`
    /// gives the cost of one turn, which must always be the same work.
    pub(crate) fn run(
        contestants: usize,
        mut run: impl FnMut(usize) -> Result<f64>,
    ) -> Result<Self> {
        let mut rounds: Vec<Vec<f64>> = Vec::new();
        loop {
            let mut round = vec![0.0; contestants];
            for contestant in (0..contestants).chain((0..contestants).rev()) {
                round[contestant] += run(contestant)? / 2.0;
            }
            rounds.push(round);
            let result = Self::of(contestants, &rounds);
            if result.kept >= ROUNDS_KEPT_MIN || rounds.len() >= ROUNDS_MAX {
                return Ok(result);
            }
        }
    }

    fn of(contestants: usize, rounds: &[Vec<f64>]) -> Self {
        let medians_of = |rounds: &[&Vec<f64>]| -> Vec<f64> {
            let figures = |contestant| median(rounds.iter().map(|round| round[contestant]));
            (0..contestants).map(figures).collect()
        };
        let all: Vec<_> = rounds.iter().collect();
        let medians = medians_of(&all);
        // A disturbed round goes as a whole, or the contestants would no longer have shared the
        // same conditions.
        let mut kept = all;
        kept.retain(|round| {
            round.iter().zip(&medians).all(|(figure, median)| *figure <= median * DISTURBED_FACTOR)
        });
        let medians = if kept.is_empty() { medians } else { medians_of(&kept) };
        Self { medians, kept: kept.len(), discarded: rounds.len() - kept.len() }
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} rounds kept, {} discarded", self.kept, self.discarded)?;
        if self.kept < ROUNDS_KEPT_MIN {
            out.write_str(": too noisy, measure again")?;
        }
        Ok(())
    }
}

/// The bound that a ratio is held against.
pub(crate) enum Bound {
    /// A cost: at most so many times the peer's.
    AtMost(f64),
    /// A gain: at least so many times faster than the peer.
    AtLeast(f64),
}

/// One goal and what was measured for it.
pub(crate) struct Goal {
    /// What is held against what.
    pub(crate) what: String,
    /// The measured ratio.
    pub(crate) ratio: f64,
    /// What it should be.
    pub(crate) bound: Bound,
}

/// The closing table, in Markdown.
pub(crate) fn goals_table(goals: &[Goal]) -> String {
    let mut table = "| goal | measured | wanted | |\n|---|---|---|---|\n".to_owned();
    for Goal { what, ratio, bound } in goals {
        let (wanted, is_met) = match bound {
            Bound::AtMost(most) => (format!("≤ {most}×"), ratio <= most),
            Bound::AtLeast(least) => (format!("≥ {least}×"), ratio >= least),
        };
        let verdict = if is_met { "met" } else { "missed" };
        table += &format!("| {what} | {ratio:.2}× | {wanted} | {verdict} |\n");
    }
    table
}

/// The sentence that says when and where figures were measured.
pub(crate) fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let today = jiff::Zoned::now().date();
    let (rustc, python) = (version("rustc", "-V"), version("python3", "-V"));
    format!("Measured on {today}: {model}, {cores} cores, load {load} before; {rustc}; {python}.")
}

fn version(tool: &str, argument: &str) -> String {
    let output = Command::new(tool).arg(argument).output();
    let text = output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    text.unwrap_or_else(|_| format!("no {tool}"))
}

/// A positive number from the environment, for runs under a profiler.
pub(crate) fn number_from_env(name: &str, usual: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => Ok(text.parse().map_err(|error| format!("{name}={text}: {error}"))?),
        Err(_) => Ok(usual),
    }
}
