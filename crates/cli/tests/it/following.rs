//! `traillake ingest --follow`: looks and sweeps go on beside one another.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use chrono::{DateTime, Utc};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;
use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::World;
use crate::folder::{BINARY, Folder, event, log};
use crate::followed::until;
use crate::served::{Served, token};

/// A follower that a test starts; it is ended with the value.
pub struct Follower {
    pub child: Child,
    /// What it brought in, a line each time.
    pub told: Lines<BufReader<ChildStdout>>,
    pub said: BufReader<ChildStderr>,
}

impl Follower {
    pub fn start(world: &World, args: &[&str], env: &[(&str, &str)]) -> Follower {
        let mut command = world.here.command(BINARY);
        world.set(command.args([&["ingest", "--follow"], args].concat()));
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = BufReader::new(child.stderr.take().unwrap());
        Follower { child, told, said }
    }

    /// Asks it to stop, and returns when it has heard.
    pub fn ask_to_stop(&mut self, here: &Folder) {
        let pid = self.child.id().to_string();
        assert!(here.command("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut line = String::new();
        while !line.contains("stopping after the round") {
            line.clear();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "it heard nothing");
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key of `at`, as CloudTrail delivers it.
pub fn key(at: DateTime<Utc>) -> String {
    let place = "111122223333_CloudTrail_eu-west-1";
    let (day, minute) = (at.format("%Y/%m/%d"), at.format("%Y%m%dT%H%MZ"));
    format!("AWSLogs/111122223333/CloudTrail/eu-west-1/{day}/{place}_{minute}_a.json")
}

pub const COUNT: &str = "SELECT count(*), count(DISTINCT eventID) FROM events";

#[test]
fn what_comes_today_does_not_wait_for_a_sweep_of_years() {
    let world = World::new();
    // The demo's trail is of one month; its listing is never answered.
    let is_old =
        |asked: &Asked| asked.is_listing() && asked.query.replace("%2F", "/").contains("/2026/03");
    world.s3.spoil(move |_, asked| is_old(asked).then_some(Spoiled::Late(3_600_000)));
    let mut follower = Follower::start(&world, &["s3://trail", "--every", "1s"], &[]);
    until("the sweep of the old month", || world.s3.asked().iter().any(is_old));
    put(&world, Utc::now(), 9_001);
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.ends_with("1 object, 1 record = 1 stored + 0 others"), "{told}");
    assert_eq!(world.csv("lake", COUNT), "1,1\n");
    drop(follower);
    world.s3.heal();
    world.run(&["ingest", "s3://trail"]).done();
    assert_eq!(world.csv("lake", COUNT), "676,676\n");
}

/// Puts an object with one event as if CloudTrail had delivered it at that time.
pub fn put(world: &World, at: DateTime<Utc>, id: u32) {
    let path = world.s3.bucket_folder("trail").join(key(at));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, log(&[event(id, "GetObject", "")])).unwrap();
}

#[test]
fn how_far_back_looks_go_and_how_often_all_is_listed_can_be_set() {
    for (setting, value) in [("DAYS_BACK", "12"), ("SWEEP_EVERY", "1s")] {
        let world = World::new();
        let name = format!("TRAILLAKE_FOLLOW_{setting}");
        let args = ["s3://trail", "--every", "1s"];
        let _follower = Follower::start(&world, &args, &[(name.as_str(), value)]);
        until("the first sweep", || world.run(&["query", COUNT]).stdout.contains("675"));
        put(&world, Utc::now() - chrono::TimeDelta::days(10), 9_001);
        until("what came to a day long past", || world.csv("lake", COUNT) == "676,676\n");
    }
}

#[test]
fn a_place_that_cannot_be_listed_is_told_until_it_can() {
    let world = World::new();
    world.run(&["source", "add", "trail", "s3://trail"]).done();
    world.s3.spoil(|_, asked| {
        let is_there = asked.query.replace("%2F", "/").contains("/us-east-2/");
        (asked.is_listing() && is_there).then_some(Spoiled::Refused(403, "AccessDenied"))
    });
    let failed = || {
        let told = world.run(&["status", "--format", "json"]).done().stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        told["stores"][0]["sources"][0]["last"]["objects_failed"].as_u64().unwrap()
    };
    world.run(&["ingest", "trail"]).exited(1);
    assert!(failed() > 0);
    assert!(world.run(&["status"]).done().stdout.contains(" failed"));
    world.s3.heal();
    world.run(&["ingest", "trail"]).done();
    assert_eq!(failed(), 0);
    assert_eq!(world.csv("lake", COUNT), "675,675\n");
}

/// Lets no object be read, so that a sweep goes on until the S3 is healed.
fn hold_up(world: &World) {
    let refused = Spoiled::Refused(503, "SlowDown");
    world.s3.spoil(move |_, asked| {
        (asked.is_reading() && asked.path.starts_with("/trail/AWSLogs")).then_some(refused)
    });
}

fn is_read(world: &World) -> bool {
    let asked = world.s3.asked();
    asked.iter().any(|asked| asked.is_reading() && asked.path.starts_with("/trail/AWSLogs"))
}

#[test]
fn a_follower_that_is_asked_to_stop_stops_its_sweep() {
    let world = World::new();
    hold_up(&world);
    let mut follower = Follower::start(&world, &["s3://trail", "--every", "1s"], &[]);
    until("the sweep to read", || is_read(&world));
    follower.ask_to_stop(&world.here);
    world.s3.heal();
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
    assert_eq!(world.csv("lake", COUNT), "0,0\n");
    world.run(&["ingest", "s3://trail"]).done();
    assert_eq!(world.csv("lake", COUNT), "675,675\n");
    world.run(&["check"]).done();
}

#[test]
fn a_source_that_is_removed_while_it_is_swept_makes_room_for_its_successor() {
    let world = World::new();
    std::fs::create_dir(world.here.path("empty")).unwrap();
    world.run(&["ingest", "empty"]).done();
    world.run(&["source", "add", "trail", "s3://trail"]).done();
    let feeder = token(&world.here, &["feeder", "--role", "ingest"]);
    hold_up(&world);
    let served = Served::start_set(&world.here, &["--follow", "--every", "1s"], |command| {
        world.set(command);
    });
    let names = || -> Vec<String> {
        let sources = served.get("/v1/sources", &feeder).is(200).json();
        let sources = sources["sources"].as_array().unwrap().iter();
        sources.map(|source| source["name"].as_str().unwrap().to_owned()).collect()
    };
    until("the sweep to read", || is_read(&world));
    world.run(&["source", "remove", "trail"]).done();
    // Whoever takes up one source has asked the other to leave.
    world.run(&["source", "add", "other", "empty"]).done();
    until("the other source", || names().contains(&"other".to_owned()));
    world.s3.heal();
    until("the source to be left", || names() == ["other"]);
    assert_eq!(world.csv("lake", COUNT), "0,0\n", "its sweep was stopped");
    world.run(&["source", "add", "trail", "s3://trail/AWSLogs"]).done();
    until("the sweep of its successor", || world.csv("lake", COUNT) == "675,675\n");
    assert_eq!(served.stop(), 0);
    world.run(&["check"]).done();
}

#[test]
fn logs_past_retention_are_left_out_and_do_not_stop_a_follower() {
    let world = World::new();
    std::fs::create_dir(world.here.path("empty")).unwrap();
    world.run(&["ingest", "empty"]).done();
    world.run(&["store", "update", "--retention-period", "30", "--yes"]).done();
    // The demo's trail is of a month that is long past.
    let mut follower = Follower::start(&world, &["s3://trail", "--every", "1s"], &[]);
    let mut line = String::new();
    while !line.contains("delivered before what the store keeps") {
        line.clear();
        assert_ne!(follower.said.read_line(&mut line).unwrap(), 0, "it left out nothing");
    }
    let path = world.s3.bucket_folder("trail").join(key(Utc::now()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, log(&[event(9_001, "GetObject", "")])).unwrap();
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.ends_with("1 object, 1 record = 1 stored + 0 others"), "{told}");
    assert_eq!(world.csv("lake", "SELECT count(*) FROM system.objects"), "1\n");
    follower.ask_to_stop(&world.here);
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_bad_source_holds_up_none_of_the_others_and_is_tried_again() {
    let world = World::new();
    std::fs::create_dir(world.here.path("away")).unwrap();
    world.run(&["source", "add", "trail", "s3://trail"]).done();
    world.run(&["source", "add", "away", "away"]).done();
    std::fs::remove_dir(world.here.path("away")).unwrap();
    let mut follower = Follower::start(&world, &["--every", "1s"], &[]);
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.contains("trail: 141 objects"), "{told}");
    until("what is wrong with the other", || {
        let status = world.run(&["status"]).done().stdout;
        status.contains("no success yet; last look failed: could not open")
    });
    world.here.write("away/new.json", log(&[event(9_001, "GetObject", "")]));
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.contains("away: 1 object"), "{told}");
    follower.ask_to_stop(&world.here);
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
}

#[test]
fn when_no_source_can_be_followed_the_command_is_wrong() {
    let here = Folder::new();
    for name in ["one", "another"] {
        std::fs::create_dir(here.path(name)).unwrap();
        here.run(&["source", "add", name, name]).done();
        std::fs::remove_dir(here.path(name)).unwrap();
    }
    for args in [&["ingest", "--follow"][..], &["ingest", "one", "--follow"]] {
        let ran = here.run(args).exited(2);
        assert!(ran.stderr.contains("error: could not open `"), "{args:?}: {}", ran.stderr);
    }
    // A place that was typed was meant.
    std::fs::create_dir(here.path("one")).unwrap();
    let ran = here.run(&["ingest", "one", "./nowhere", "--follow"]).exited(2);
    assert!(ran.stderr.contains("error: could not open `./nowhere`"), "{}", ran.stderr);
}

#[test]
fn a_note_that_cannot_be_read_or_kept_is_told() {
    let world = World::new();
    world.run(&["source", "add", "trail", "logs"]).done();
    world.run(&["ingest"]).done();
    let note = world.here.path("lake/sources/trail.note.json");
    let status = || world.run(&["status"]).done().stdout;
    std::fs::write(&note, "{").unwrap();
    for words in ["last success unknown, ", "; last look failed: its note cannot be read"] {
        assert!(status().contains(words), "{}", status());
    }
    world.run(&["ingest"]).done();
    assert!(!status().contains("failed"), "{}", status());
    // Nothing can be put where a folder is.
    std::fs::remove_file(&note).unwrap();
    std::fs::create_dir(&note).unwrap();
    world.here.write("logs/new.json", log(&[event(9_001, "GetObject", "")]));
    let mut follower = Follower::start(&world, &["--every", "1h"], &[]);
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.contains("trail: 1 object"), "{told}");
    let pid = follower.child.id().to_string();
    assert!(world.here.command("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut said = String::new();
    follower.said.read_to_string(&mut said).unwrap();
    assert!(said.contains("warning: how a look went could not be noted: "), "{said}");
}

#[test]
fn the_newest_delivery_is_of_a_source_and_of_no_other_whose_place_begins_alike() {
    let here = Folder::new();
    let times = ["2024-05-06T12:05:00Z", "2024-05-07T12:05:00Z"];
    let times = times.map(|at| at.parse::<DateTime<Utc>>().unwrap());
    for (name, at, id) in [("days", times[0], 1), ("days-x", times[1], 2)] {
        here.write(&format!("{name}/{}", key(at)), log(&[event(id, "GetObject", "")]));
        here.run(&["source", "add", name, name]).done();
    }
    here.run(&["ingest"]).done();
    let before = Utc::now();
    let status: Value =
        serde_json::from_str(&here.run(&["status", "--format", "json"]).done().stdout).unwrap();
    let sources = status["stores"][0]["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{status}");
    for (source, at) in sources.iter().zip(times) {
        let newest = source["newest_delivery"].as_str().unwrap();
        assert!(newest.starts_with(&at.format("%Y-%m-%d %H:%M:%S").to_string()), "{status}");
        let age = source["newest_delivery_age_seconds"].as_i64().unwrap();
        assert!(age >= (before - at).num_seconds() && age <= (Utc::now() - at).num_seconds());
        assert!(source.get("lag_seconds").is_none(), "that is the time since the last success");
    }
}

/// Returns the bytes of a file of the ledger in which no key can be read.
fn without_keys(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
    let columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    for column in columns.filter(|of| of.column_path().string() == "logical_key") {
        let (start, length) = column.byte_range();
        bytes[start as usize..(start + length) as usize].fill(0xff);
    }
    bytes
}

#[test]
fn the_newest_delivery_is_looked_for_in_the_last_days_first_and_then_everywhere() {
    let here = Folder::new();
    let deliver = |day: &str, account: &str, id: u32| {
        let at = format!("{day}T12:05:00Z").parse::<DateTime<Utc>>().unwrap();
        let key = key(at).replace("111122223333", account);
        here.write(&format!("days/{key}"), log(&[event(id, "GetObject", "")]));
    };
    let check = |newest: &str, found: &str| {
        let status = here.run(&["status", "--format", "json"]).done().stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        let source = &status["stores"][0]["sources"][0];
        assert_eq!(source["newest_delivery"].as_str().unwrap()[..10], *newest, "{status}");
        assert_eq!(source["last"]["newest_delivery"].as_str().unwrap()[..10], *found, "{status}");
    };
    deliver("2024-02-06", "111122223333", 1);
    deliver("2024-05-06", "111122223333", 2);
    here.run(&["source", "add", "days", "days", "--account", "111122223333"]).done();
    here.run(&["ingest"]).done();
    let month = here.path("lake/stores/default/objects/deliveredMonth=2024-02");
    let file = std::fs::read_dir(month).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, without_keys(&file)).unwrap();
    // What was delivered months before is not read.
    check("2024-05-06", "2024-05-06");
    std::fs::write(&file, whole).unwrap();
    // A look finds what the source leaves out, too: what it took in is older.
    deliver("2024-06-06", "444455556666", 3);
    here.run(&["ingest"]).done();
    check("2024-05-06", "2024-06-06");
}
