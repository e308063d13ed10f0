//! Bringing in a bucket, killed half way and started again.

use std::process::{Child, Command, Stdio};

use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::World;
use crate::folder::{BINARY, event, log};
use crate::followed::until;

const COUNT: &str = "SELECT count(*), count(DISTINCT eventID) FROM events";
/// Months beside the demo's; the first is the last to come in.
const MONTHS: [&str; 3] = ["2023/01", "2023/02", "2023/03"];

/// The demo's trail and an object in each of [`MONTHS`].
fn world() -> World {
    let world = World::new();
    for (number, month) in MONTHS.into_iter().enumerate() {
        put(&world, month, 8_000 + number as u32);
    }
    world
}

/// Delivers an event to a month.
fn put(world: &World, month: &str, id: u32) {
    let folder = format!("AWSLogs/111122223333/CloudTrail/eu-west-1/{month}/06");
    let day = month.replace('/', "") + "06";
    let name = format!("111122223333_CloudTrail_eu-west-1_{day}T1200Z_{id}.json");
    let path = world.s3.bucket_folder("trail").join(folder).join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, log(&[event(id, "GetObject", "")])).unwrap();
}

/// Whether all that a month's folder holds is asked for.
fn lists(asked: &Asked, month: &str) -> bool {
    let query = asked.query.replace("%2F", "/");
    asked.is_listing() && query.contains(&format!("/{month}/")) && !query.contains("delimiter")
}

fn start(world: &World, args: &[&str]) -> Child {
    let mut command: Command = world.here.command(BINARY);
    world.set(command.args(args));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a run that has brought in all months but the last, of which the listing never comes.
fn kill_half_way(world: &World, args: &[&str]) {
    world.s3.spoil(|_, asked| lists(asked, MONTHS[0]).then_some(Spoiled::Late(3_600_000)));
    let mut child = start(world, args);
    let is_there = || world.s3.asked().iter().any(|asked| lists(asked, MONTHS[0]));
    until("the last month", is_there);
    child.kill().unwrap();
    child.wait().unwrap();
    world.s3.heal();
    world.s3.asked();
}

/// Which of the months were listed.
fn listed(world: &World) -> Vec<&'static str> {
    let asked = world.s3.asked();
    let is_listed = |month: &&str| asked.iter().any(|asked| lists(asked, month));
    MONTHS.into_iter().filter(is_listed).collect()
}

#[test]
fn what_is_killed_half_way_goes_on_from_there_and_then_lists_everything() {
    let world = world();
    let ingest = ["ingest", "s3://trail"];
    kill_half_way(&world, &ingest);
    // Late, in a month that was brought in.
    put(&world, MONTHS[2], 9_000);
    // A plan is of everything.
    let plan = world.run(&["ingest", "s3://trail", "--dry-run", "--format", "json"]).done().stdout;
    let told: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(told["total"]["new_objects"], 2, "{plan}");
    world.s3.asked();
    let resumed = world.run(&ingest).done().stdout;
    assert!(resumed.contains("brought in by a run that was cut off"), "{resumed}");
    assert_eq!(listed(&world), [MONTHS[0]]);
    assert_eq!(world.csv("lake", COUNT), "678,678\n");
    world.s3.asked();
    let next = world.run(&ingest).done().stdout;
    assert!(!next.contains("cut off"), "{next}");
    assert_eq!(listed(&world), MONTHS);
    assert_eq!(world.csv("lake", COUNT), "679,679\n");
    world.run(&["check"]).done();
}

#[test]
fn a_sweep_goes_on_from_a_sweep_and_keeps_nothing_from_who_types() {
    let world = world();
    let follow = ["ingest", "s3://trail", "--follow", "--every", "1h"];
    kill_half_way(&world, &follow);
    put(&world, MONTHS[2], 9_000);
    let mut child = start(&world, &follow);
    until("the last month", || world.csv("lake", COUNT) == "678,678\n");
    assert_eq!(listed(&world), [MONTHS[0]]);
    child.kill().unwrap();
    child.wait().unwrap();
    world.run(&["ingest", "s3://trail"]).done();
    assert_eq!(listed(&world), MONTHS);
    assert_eq!(world.csv("lake", COUNT), "679,679\n");
}
