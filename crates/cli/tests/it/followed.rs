//! `traillake serve --follow`: what is new comes in while the lake is served.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::folder::Folder;
use crate::served::{Served, token, url};

fn deliver(here: &Folder, name: &str, id: u32) {
    let record = format!(
        "{{\"Records\":[{{\"eventVersion\":\"1.08\",\"eventTime\":\"2024-05-06T12:00:00Z\",\
         \"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"eu-west-1\",\
         \"eventID\":\"00000000-0000-4000-8000-{id:012}\",\
         \"recipientAccountId\":\"111122223333\"}}]}}"
    );
    here.write(&format!("{name}.json"), record);
}

/// Asks again and again, for what takes a moment.
pub fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ask() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn count(served: &Served, token: &str) -> Value {
    served.get(&url("SELECT count(*) AS n FROM events"), token).is(200).json()["rows"][0].clone()
}

#[test]
fn what_is_new_comes_in_while_the_lake_is_served() {
    let here = Folder::new();
    deliver(&here, "logs/a", 1);
    here.run(&["ingest", "logs"]).done();
    here.run(&["source", "add", "trail", "logs"]).done();
    let reader = token(&here, &["alice"]);
    let feeder = token(&here, &["feeder", "--role", "ingest"]);
    let served = Served::start(&here, &["--follow", "--every", "1h"]);
    until("the first look", || {
        served.get("/v1/sources", &feeder).is(200).json()["sources"][0]["succeeded_at"].is_string()
    });
    let before = count(&served, &reader);
    deliver(&here, "logs/b", 2);
    served.ask("POST", "/v1/sources/look", &bearer(&reader), "").is(403);
    served.get("/v1/sources", &reader).is(403);
    served.ask("POST", "/v1/sources/look", &bearer(&feeder), "").is(202);
    until("the second object", || count(&served, &reader) != before);
    until("that a look brought one record", || {
        let source = served.get("/v1/sources", &feeder).is(200).json()["sources"][0].clone();
        source["name"] == "trail" && source["records_stored"] == 1
    });
    // A source that is added meanwhile is taken up, one that fails is told, and neither ends it.
    deliver(&here, "more/c", 3);
    here.run(&["source", "add", "more", "more"]).done();
    std::fs::remove_dir_all(here.path("logs")).unwrap();
    served.ask("POST", "/v1/sources/look", &bearer(&feeder), "").is(202);
    until("the source that was added", || {
        let sources = served.get("/v1/sources", &feeder).is(200).json();
        let sources = sources["sources"].as_array().unwrap().clone();
        let of = |name: &str| sources.iter().find(|source| source["name"] == name).cloned();
        of("more").is_some_and(|more| more["records_stored"] == 1)
            && of("trail").is_some_and(|trail| trail["failure"].is_string())
    });
    assert_eq!(served.stop(), 0);
    assert_eq!(here.csv("SELECT count(*) FROM events"), "3\n");
    here.run(&["check"]).done();
}

#[test]
fn a_source_that_cannot_be_taken_up_is_followed_as_one_that_fails() {
    let here = Folder::new();
    deliver(&here, "logs/a", 1);
    here.run(&["ingest", "logs"]).done();
    here.run(&["source", "add", "trail", "logs"]).done();
    let feeder = token(&here, &["feeder", "--role", "ingest"]);
    let served = Served::start(&here, &["--follow", "--every", "1h"]);
    let ready = || served.get("/ready?max_lag=3600", &feeder).status;
    until("the first look", || ready() == 200);
    let look = || served.ask("POST", "/v1/sources/look", &bearer(&feeder), "").is(202);
    let more = || {
        let sources = served.get("/v1/sources", &feeder).is(200).json();
        let sources = sources["sources"].as_array().unwrap().clone();
        sources.into_iter().find(|source| source["name"] == "more")
    };
    deliver(&here, "more/b", 2);
    here.run(&["source", "add", "more", "more"]).done();
    std::fs::rename(here.path("more"), here.path("away")).unwrap();
    look();
    until("what is wrong with it", || more().is_some_and(|more| more["failure"].is_string()));
    assert_eq!(ready(), 503);
    let metrics = served.get("/metrics", &feeder).is(200);
    let failed = "traillake_source_looks_failed_total{source=\"more\"} 1\n";
    assert!(metrics.text().contains(failed), "{}", metrics.text());
    let status = here.run(&["status"]).done().stdout;
    assert!(status.contains("no success yet; last look failed: could not open"), "{status}");

    std::fs::rename(here.path("away"), here.path("more")).unwrap();
    look();
    until("its first look", || {
        more().is_some_and(|more| more["failure"].is_null() && more["records_stored"] == 1)
    });
    assert_eq!(ready(), 200);

    // What a later version wrote is told too, and holds up none of the others.
    deliver(&here, "new/c", 3);
    here.run(&["source", "add", "new", "new"]).done();
    here.write("lake/sources/later.json", r#"{"format": 2}"#);
    look();
    until("a source beside one that cannot be read", || {
        let sources = served.get("/v1/sources", &feeder).is(200).json();
        let sources = sources["sources"].as_array().unwrap().clone();
        let of = |name: &str| sources.iter().find(|source| source["name"] == name).cloned();
        let failure = of("later").and_then(|later| later["failure"].as_str().map(str::to_owned));
        of("new").is_some_and(|new| new["records_stored"] == 1)
            && failure.is_some_and(|failure| failure.contains("`later` cannot be read"))
    });
    assert_eq!(ready(), 503);
    std::fs::remove_file(here.path("lake/sources/later.json")).unwrap();
    look();
    until("the others alone", || ready() == 200);
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_follower_whose_reader_goes_away_keeps_what_it_took_in_and_ends() {
    let here = Folder::new();
    deliver(&here, "logs/a", 1);
    let mut child = here.command(crate::folder::BINARY);
    child.args(["ingest", "logs", "--follow", "--every", "1s"]);
    let mut child = child.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("1 stored"), "{first}");
    deliver(&here, "logs/b", 2);
    assert_eq!(child.wait().unwrap().code(), Some(0), "as of a command behind `| head`");
    assert_eq!(here.csv("SELECT count(*) FROM events"), "2\n");
}

#[test]
fn what_is_followed_is_kept_small() {
    let here = Folder::new();
    let mut child = here.command(crate::folder::BINARY);
    child.args(["ingest", "logs", "--follow", "--every", "1s"]);
    child.env("TRAILLAKE_MAINTAIN_EVERY", "1s");
    std::fs::create_dir(here.path("logs")).unwrap();
    let mut child = child.stdout(std::process::Stdio::null()).spawn().unwrap();
    let one = |sql: &str| {
        let told = here.run(&["query", "--format", "csv", "--no-header", sql]);
        told.stdout.trim().to_owned()
    };
    for id in 1..=4 {
        deliver(&here, &format!("logs/{id}"), id);
        until("the next round", || one("SELECT count(*) FROM events") == id.to_string());
    }
    // Of a month that is over files become one as they come, two by two at the latest.
    let files = "SELECT count(*) <= 2 FROM system.files WHERE table_name = 'events'";
    until("at most two files", || one(files) == "true");
    let pid = child.id().to_string();
    assert!(here.command("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(here.csv("SELECT count(*) FROM events"), "4\n");
    here.run(&["check", "--read-data"]).done();
}

#[test]
fn whoever_watches_sees_how_the_sources_fare() {
    let here = Folder::new();
    deliver(&here, "logs/a", 1);
    here.run(&["ingest", "logs"]).done();
    let nothing = here.run(&["serve", "--state", "state", "--follow"]).exited(2);
    assert!(nothing.stderr.contains("the lake keeps no source"), "{}", nothing.stderr);
    here.run(&["source", "add", "trail", "logs"]).done();
    let served = Served::start(&here, &["--follow", "--no-auth", "--every", "1s"]);
    until("the first look", || served.ask("GET", "/ready?max_lag=3600", &[], "").status == 200);
    served.ask("GET", "/ready?max_lag=0", &[], "").is(503);
    let metrics = served.ask("GET", "/metrics", &[], "").is(200);
    let names: Vec<&str> =
        metrics.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(
        names[10..],
        [
            "traillake_source_lag_seconds gauge",
            "traillake_source_last_success_timestamp_seconds gauge",
            "traillake_source_backlog_messages gauge",
            "traillake_source_failed_objects gauge",
            "traillake_source_looks_total counter",
            "traillake_source_looks_failed_total counter",
            "traillake_source_messages_refused_total counter",
            "traillake_source_objects_total counter",
            "traillake_source_records_stored_total counter",
        ]
    );
    let failed = "traillake_source_looks_failed_total{source=\"trail\"} ";
    let value = |metrics: &str, of: &str| -> f64 {
        let found = metrics.lines().find_map(|line| line.strip_prefix(of));
        found.unwrap_or_else(|| panic!("{of} is not in {metrics}")).parse().unwrap()
    };
    assert_eq!(value(metrics.text(), failed), 0.0);
    std::fs::remove_dir_all(here.path("logs")).unwrap();
    until("a look that fails", || {
        let metrics = served.ask("GET", "/metrics", &[], "").is(200);
        value(metrics.text(), failed) > 0.0
    });
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_server_that_only_reads_tells_how_another_process_follows() {
    let here = Folder::new();
    deliver(&here, "logs/a", 1);
    deliver(&here, "more/b", 2);
    here.run(&["source", "add", "one", "logs"]).done();
    here.run(&["source", "add", "two", "more"]).done();
    here.run(&["ingest", "one"]).done();
    // Nobody has looked at the other yet.
    let feeder = token(&here, &["feeder", "--role", "ingest"]);
    let served = Served::start(&here, &[]);
    let metrics = || served.get("/metrics", &feeder).is(200).text().to_owned();
    let told =
        |what: &str, name: &str| metrics().contains(&format!("_{what}{{source=\"{name}\"}} "));
    until("that the notes are read", || told("failed_objects", "two"));
    assert!(told("lag_seconds", "one") && told("last_success_timestamp_seconds", "one"));
    assert!(!told("lag_seconds", "two"), "{}", metrics());
    // What looks brought only their own process knows.
    assert!(!told("looks_total", "one") && !metrics().contains("_looks_total"), "{}", metrics());
    let sources = served.get("/v1/sources", &feeder).is(200).json();
    let of = |at: usize, what: &str| sources["sources"][at][what].clone();
    assert_eq!((of(0, "name"), of(0, "objects")), ("one".into(), Value::Null));
    assert!(of(0, "succeeded_at").is_string() && of(1, "succeeded_at").is_null(), "{sources}");
    let look = served.ask("POST", "/v1/sources/look", &bearer(&feeder), "").is(400);
    assert!(look.message().contains("this server follows no source"), "{}", look.message());
    // Whether it is ready its own lake says.
    served.get("/ready?max_lag=3600", &feeder).is(200);
}

fn bearer(token: &str) -> [(&'static str, &str); 1] {
    let header: &'static str = Box::leak(format!("Bearer {token}").into_boxed_str());
    [("Authorization", header)]
}
