//! `GET /metrics`: this instance's series and no others, whatever the collector does and however
//! many ask; a scrape never holds up anything else.

use std::thread;
use std::time::{Duration, Instant};

use http::Method;

use crate::support::{
    Answer, Bangui, Builder, Collector, Manner, SOON, Upstream, eventually, expect, patient,
};

/// The limit of a fetch is 3 s; what waits for one must not take much longer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const LATE: Duration = Duration::from_millis(4500);
/// What is asked beside a scrape that hangs; generous, since other tests run at the same time.
const AT_ONCE: Duration = Duration::from_secs(1);

fn before(upstream: &Upstream) -> Builder {
    Bangui::builder()
        .env("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=here")
        .env("BANGUI_METRICS_UPSTREAM_URL", upstream.url())
}

fn started(manner: &Manner) -> (Upstream, Bangui) {
    let upstream = Upstream::start(manner);
    let bangui = before(&upstream).start();
    (upstream, bangui)
}

/// What so many scrapes at once are answered.
fn at_once(bangui: &Bangui, scrapes: usize) -> Vec<Answer> {
    thread::scope(|scope| {
        let scrape = || bangui.stranger().get("/metrics");
        let running: Vec<_> = (0..scrapes).map(|_| scope.spawn(scrape)).collect();
        running.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

/// Fails unless a scrape is answered within the limit with a 503 that says this.
#[track_caller]
fn assert_refused(bangui: &Bangui, reason: &str) {
    let asked = Instant::now();
    let answer = bangui.stranger().get("/metrics").expect_problem(503);
    assert!(asked.elapsed() < LATE, "after {:?}", asked.elapsed());
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains(reason), "{detail}");
}

#[test]
fn two_instances_behind_one_collector_show_their_own() {
    let _turn = patient();
    let collector = Collector::start();
    let exposition = format!("http://127.0.0.1:{}/metrics", collector.port("EXPOSITION_PORT"));
    let start = || {
        Bangui::builder()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
            .env("BANGUI_METRICS_UPSTREAM_URL", &exposition)
            .export_often()
            .start()
    };
    let both = [start(), start()];
    // Both are alike but for how often they were asked for nothing.
    for (bangui, times) in both.iter().zip([3, 5]) {
        (0..times).for_each(|_| _ = bangui.stranger().get("/nothing").expect(404));
    }
    for (bangui, times) in both.iter().zip([3, 5]) {
        let text = eventually(SOON, "its own requests", || {
            let text = bangui.stranger().get("/metrics").body;
            let own = text.lines().filter(|line| {
                line.starts_with("bangui_http_requests_total{") && line.contains("\"other\"")
            });
            let counts: Vec<_> = own.filter_map(|line| line.rsplit_once(' ')).collect();
            let is_right = counts.len() == 1 && counts[0].1 == times.to_string();
            expect(is_right, text.clone()).map(|()| text)
        });
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let mut series: Vec<_> = samples.iter().map(|it| it.rsplit_once(' ').unwrap().0).collect();
        series.sort_unstable();
        assert!(series.windows(2).all(|two| two[0] != two[1]), "a series is there twice: {text}");
        for label in ["job=", "instance="] {
            let is_there = series.iter().any(|it| it.contains(&format!("{{{label}")));
            assert!(!is_there && !text.contains(&format!(",{label}")), "{label} in {text}");
        }
        assert_eq!(series.iter().filter(|it| it.starts_with("target_info")).count(), 1, "{text}");
    }
}

#[test]
fn scrapes_at_once_and_within_a_second_are_one_question() {
    let text = "# TYPE a gauge\na{instance=\"here\",job=\"bangui\"} 1\na{instance=\"there\"} 2\n";
    let (upstream, bangui) = started(&Manner::Text(text.into(), Duration::from_millis(500)));
    let answers = at_once(&bangui, 8);
    assert!(answers.iter().all(|it| it.status == 200 && it.body == "# TYPE a gauge\na 1\n"));
    assert_eq!(upstream.requests(), 1);
    thread::sleep(Duration::from_millis(1100));
    bangui.stranger().get("/metrics").expect(200);
    assert_eq!(upstream.requests(), 2, "it is kept for a second only");
}

#[test]
fn a_scraper_that_hangs_up_costs_the_others_nothing() {
    let text = "a{instance=\"here\"} 1\n";
    let (upstream, bangui) = started(&Manner::Text(text.into(), Duration::from_millis(1500)));
    let impatient = reqwest::blocking::Client::new();
    thread::scope(|scope| {
        let url = format!("{}/metrics", bangui.stranger().base());
        scope.spawn(move || impatient.get(url).timeout(Duration::from_millis(700)).send().is_err());
        eventually(SOON, "the first fetch", || expect(upstream.requests() == 1, "none"));
        bangui.stranger().get("/metrics").expect(200);
    });
    assert_eq!(upstream.requests(), 1, "its fetch goes on without it");
}

#[test]
fn a_collector_that_is_silent_holds_up_nobody() {
    let _turn = patient();
    let (upstream, bangui) = started(&Manner::Silence);
    thread::scope(|scope| {
        // More than have a place to wait.
        let scrapes = scope.spawn(|| {
            let asked = Instant::now();
            (at_once(&bangui, 48), asked.elapsed())
        });
        eventually(SOON, "the fetch", || expect(upstream.requests() == 1, "none"));
        let asked = Instant::now();
        bangui.stranger().get("/health").expect(200);
        assert!(asked.elapsed() < AT_ONCE, "/health after {:?}", asked.elapsed());
        let (answers, took) = scrapes.join().unwrap();
        assert!(took > FETCH_TIMEOUT && took < LATE, "{took:?}");
        let detail = |it: &Answer| it.json()["detail"].as_str().unwrap().to_owned();
        let told: Vec<_> = answers.iter().map(|it| (it.status, detail(it))).collect();
        let of = |words: &str| told.iter().filter(|it| it.0 == 503 && it.1.contains(words)).count();
        let (in_time, at_once) = (of("no answer within 3 s"), of("too many scrapes at once"));
        assert!(in_time == 32 && at_once == 16, "{told:?}");
    });
    assert_eq!(upstream.requests(), 1, "a failure is shared, too");
}

#[test]
fn an_exposition_without_an_end_is_given_up() {
    let (_upstream, bangui) = started(&Manner::Trickle);
    assert_refused(&bangui, "no answer within 3 s");
}

#[test]
fn an_exposition_of_any_size_is_not_taken() {
    let (_upstream, bangui) = started(&Manner::Flood);
    assert_refused(&bangui, "more than 16777216 bytes");
}

#[test]
fn without_this_instance_the_answer_says_so() {
    let text = "a{instance=\"there\",job=\"bangui\"} 1\n";
    let (_upstream, bangui) = started(&Manner::Text(text.into(), Duration::ZERO));
    assert_refused(&bangui, "no metrics of this instance");
}

#[test]
fn the_format_is_prometheus_text_whatever_is_asked_for() {
    let text = "# HELP a A.\n# TYPE a counter\na{instance=\"here\",job=\"bangui\"} 1\n";
    let (_upstream, bangui) = started(&Manner::Text(text.into(), Duration::ZERO));
    let accepts = [
        // What Prometheus sends.
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text",
        "text/plain",
    ];
    for accept in accepts {
        let answer = bangui.stranger().with("accept", accept).get("/metrics").expect(200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(answer.body, "# HELP a A.\n# TYPE a counter\na 1\n");
    }
    let whole = bangui.stranger().get("/metrics").expect(200).body;
    let head = bangui.stranger().send(Method::HEAD, "/metrics", None).expect(200);
    assert_eq!(head.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(
        (head.header("content-length"), head.body.as_str()),
        (&*whole.len().to_string(), "")
    );
}
