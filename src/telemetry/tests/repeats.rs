//! Lines that say the same again and again: the first ten, then one with the number of the rest.

use serde_json::json;

use super::*;

#[test]
fn a_line_that_repeats_is_written_ten_times_and_then_counted() {
    let path = LogPath::start();
    path.run(|| {
        for number in 0..50 {
            tracing::warn!(name: "test_repeats", error = "token=hunter2");
            // Others are no repetition, and facts are told each time.
            tracing::warn!(name: "test_differs", number);
            tracing::info!(name: "test_informs", is_told = true);
            tracing::warn!(name: "user_login_attempt", username = "admin");
        }
    });
    let out = path.end();
    let count = |event: &str| out.lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!(count("test_repeats"), 11);
    assert_eq!(["test_differs", "test_informs", "user_login_attempt"].map(count), [50; 3]);
    let last = out.lines.iter().rfind(|line| line["event"] == "test_repeats").unwrap();
    assert_eq!((&last["repeats"], &last["error"]), (&json!(40), &json!("token=***")));
    // What is left out takes no number: a gap would look like a loss.
    let numbers: Vec<_> = out.lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=out.lines.len() as u64).collect::<Vec<_>>());
    assert_eq!(out.logs.len(), out.lines.len(), "both outputs leave out the same");
}

#[test]
fn what_a_silent_thread_repeats_stays_on_stdout() {
    let path = LogPath::start();
    path.run(|| {
        let _silent = opentelemetry::Context::enter_telemetry_suppressed_scope();
        (0..15).for_each(|_| tracing::warn!(name: "test_repeats", error = "away"));
    });
    let out = path.end();
    assert_eq!((out.lines.len(), out.logs.len()), (11, 0));
}

#[test]
fn the_count_is_told_although_the_line_never_comes_again() {
    let (reader, writer) = std::io::pipe().unwrap();
    let stdout = Stdout::writing_to(File::from(OwnedFd::from(writer)), 1).unwrap();
    let interval = Duration::from_millis(50);
    let repeats = Repeats::with_interval(Outputs::new(stdout, None), interval);
    let mut fields = super::super::record::Fields::default();
    fields.text("error", "away");
    let line = super::super::repeats::Line {
        severity: super::super::record::Severity::Warning,
        logger_name: "app.test",
        event: "test_repeats",
        travels: true,
    };
    let admitted = (0..15).filter(|_| repeats.admit(line, &fields)).count();
    assert_eq!(admitted, 10);
    let told = BufReader::new(reader).lines().next().unwrap().unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["repeats"], &told["error"]), (&json!(5), &json!("away")));
    // After an interval without the line it is new again; a longer pause changes nothing.
    std::thread::sleep(2 * interval);
    assert!(repeats.admit(line, &fields));
}
