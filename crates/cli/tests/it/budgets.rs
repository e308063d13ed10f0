//! What a question to a lake in a bucket costs, counted by the S3 itself.

use std::path::Path;

use serde_json::{Value, json};
use traillake_testkit::damage;
use traillake_testkit::s3::Spoiled;
use traillake_testkit::table_log::commits_to_checkpoint;

use crate::buckets::{World, asked_of_home};
use crate::folder::{event, log};
use crate::served::Served;

const LAKE: &str = "s3://home/lake";
/// So many files are of another time than anybody asks about.
const FILES: usize = 10_000;
/// So many are of the time that is asked about; but for one, all that they hold is, so that their
/// footers answer.
const IN_RANGE: usize = 3;
const READ: usize = 1;
const SQL: &str = "SELECT count(*) FROM events \
                   WHERE eventTime >= '2026-03-10 00:00:00' AND eventTime < '2026-03-12 00:00:00'";

/// Makes a round of a lake name [`FILES`] files more, of a month of 2001, which nobody reads.
fn add_files(commit: &Path) {
    let mut actions = damage::actions(&std::fs::read(commit).unwrap()).unwrap();
    damage::multiply(&mut actions, FILES, |add, number| {
        let mut stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
        for bound in ["minValues", "maxValues"] {
            let time = stats[bound]["eventTime"].as_str().unwrap().to_owned();
            stats[bound]["eventTime"] = json!(format!("2001-01-02{}", &time[10..]));
        }
        add["path"] = json!(format!("eventMonth=2001-01/part-{number:08}.parquet"));
        add["partitionValues"] = json!({"eventMonth": "2001-01"});
        add["stats"] = json!(stats.to_string());
    });
    std::fs::write(commit, damage::commit(&actions)).unwrap();
}

/// Forgets what was kept of the lake here, as on another machine.
fn forget(world: &World) {
    let _ = std::fs::remove_dir_all(world.here.path("home/.cache"));
    world.s3.asked();
}

/// The number before the first of these words.
#[track_caller]
fn number(text: &str, words: &str) -> usize {
    let before = text.split(words).next().unwrap();
    let last = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap();
    last.parse().unwrap_or_else(|_| panic!("no number before `{words}`: {text}"))
}

/// Brings in a round of one event, of this day.
fn bring_in(world: &World, number: u32, day: &str) {
    let event = event(number, "GetObject", "").replace("2024-01-01T", &format!("{day}T"));
    world.here.write(&format!("more/{number}.json"), log(&[event]));
    let ran = world.run(&["--lake", LAKE, "ingest", "more"]).done();
    assert!(ran.stdout.contains("1 stored"), "round {number}: {}{}", ran.stdout, ran.stderr);
}

/// Asserts what the question costs who asks for the first time, and who asks again, and that both
/// are told so; [`IN_RANGE`] files are of the time it asks about.
fn check_costs(world: &World, expected: &str) {
    // As from another continent: who waits asks for nothing twice.
    world.s3.spoil(|_, _| Some(Spoiled::Late(30)));
    forget(world);
    let timed = ["--lake", LAKE, "query", "--format", "csv", "--no-header", "--timing", SQL];
    let cold = world.run(&timed).done();
    let requests = asked_of_home(world);
    assert_eq!(cold.stdout, expected);
    assert!(requests <= 20, "{requests} requests");
    assert_eq!(number(&cold.stderr, " request"), requests, "{}", cold.stderr);
    let warm = world.run(&timed).done();
    assert_eq!((asked_of_home(world), number(&warm.stderr, " request")), (1, 1), "{}", warm.stderr);
    assert_eq!(warm.stdout, expected);

    forget(world);
    let told = world.csv(LAKE, &format!("EXPLAIN ANALYZE {SQL}"));
    let told_requests = [" requests", " requests more to open the lake"];
    let sum: usize = told_requests.iter().map(|words| number(&told, words)).sum();
    assert_eq!(sum, asked_of_home(world), "{told}");
    assert!(number(&told, " bytes in ") > 0 && number(&told, " of ") == READ, "{told}");
    let table = told.split_once("table default.events: ").unwrap().1;
    assert_eq!(number(table, " of "), IN_RANGE, "{told}");
}

#[test]
fn a_count_bounded_by_time_over_ten_thousand_files_costs_twenty_requests_and_says_so() {
    let world = World::new();
    world.run(&["--lake", LAKE, "ingest", "s3://trail"]).done();
    // Two rounds more of the time asked about, and others.
    for number in 2..=7 {
        bring_in(&world, number, if number <= 3 { "2026-03-10" } else { "2024-01-01" });
    }
    let expected = world.csv(LAKE, SQL);
    assert_ne!(expected, "2\n");
    let log_folder = world.s3.bucket_folder("home").join("lake/stores/default/events/_delta_log");
    add_files(&log_folder.join("00000000000000000007.json"));
    // The eighth round writes a checkpoint.
    bring_in(&world, 8, "2024-01-01");
    assert!(log_folder.join("00000000000000000008.checkpoint.parquet").exists());
    forget(&world);
    let files = world.csv(LAKE, "SELECT count(*) >= 10000 FROM system.files");
    assert_eq!(files, "true\n");
    check_costs(&world, &expected);

    forget(&world);
    let served = Served::start_set(&world.here, &["--no-auth"], |command| {
        world.set(command.env("TRAILLAKE_LAKE", LAKE));
    });
    let answer = served.post("", &json!({ "sql": SQL })).is(200).json();
    let statistics = &answer["statistics"];
    assert_eq!(statistics["files_read"], READ, "{answer}");
    for name in ["requests", "bytes_read"] {
        assert!(statistics[name].as_u64().unwrap() > 0, "{name}: {answer}");
    }
    assert!(statistics["opening_requests"].is_u64(), "{answer}");
    assert_eq!(served.stop(), 0);

    // It costs most just before the next checkpoint: commits that none holds are read each.
    world.s3.heal();
    let commits = commits_to_checkpoint(&log_folder).unwrap() as u32;
    for number in 9..8 + commits {
        bring_in(&world, number, "2024-01-01");
    }
    check_costs(&world, &expected);
}

#[test]
fn a_question_to_a_lake_in_a_bucket_costs_few_requests_and_again_one() {
    let world = World::new();
    let lake = "s3://home/lake";
    world.run(&["--lake", lake, "ingest", "s3://trail"]).done();
    let sql = "SELECT count(*) FROM events WHERE eventTime >= '2024-05-01' \
               AND eventSource = 'iam.amazonaws.com'";
    // As from another continent: who waits asks for nothing twice.
    world.s3.spoil(|_, _| Some(Spoiled::Late(30)));
    let cold = world.csv(lake, sql);
    let requests = asked_of_home(&world);
    assert!(requests <= 20, "{requests} requests");
    assert_eq!(world.csv(lake, sql), cold);
    assert_eq!(asked_of_home(&world), 1);
    world.s3.heal();
    let told = world.csv(lake, &format!("EXPLAIN ANALYZE {sql}"));
    assert!(told.contains(" bytes in 0 requests"), "{told}");
    assert!(told.contains("1 requests more to open the lake"), "{told}");
    // What came since is seen, and the cache may go at any time.
    world.here.write("more/a.json", log(&[event(7_001, "GetObject", "")]));
    world.run(&["--lake", lake, "ingest", "more"]).done();
    assert_eq!(world.csv(lake, "SELECT count(*) FROM events"), "676\n");
    std::fs::remove_dir_all(world.here.path("home/.cache")).unwrap();
    assert_eq!(world.csv(lake, "SELECT count(*) FROM events"), "676\n");
    // A store that was made since is found.
    world.run(&["--lake", lake, "store", "create", "other"]).done();
    assert_eq!(world.csv(lake, "SELECT count(*) FROM other.events"), "0\n");
    assert!(world.csv(lake, "SHOW SCHEMAS").contains("other"));
}
