//! Messages of a queue and what they tell of: removed once it is committed, and not before.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::World;
use crate::folder::{BINARY, event, log};
use crate::followed::until;
use crate::queue::Queue;
use crate::served::Served;

const LAKE: &str = "s3://home/lake";
/// An object of a day at which no look goes back any more.
const KEY: &str = "live/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/06/\
                   111122223333_CloudTrail_eu-west-1_20240506T1200Z_a.json";

/// Follows the source `live` of the lake.
fn follow(world: &World, queue: &Queue) -> Child {
    let mut command = world.here.command(BINARY);
    world.set(command.args(["--lake", LAKE, "ingest", "live", "--follow", "--every", "1h"]));
    command.env("AWS_ENDPOINT_URL", &queue.url);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether everything was looked at that the source held at first.
fn is_swept(world: &World) -> bool {
    let told = world.run(&["--lake", LAKE, "status", "--format", "json"]).stdout;
    let told: Value = serde_json::from_str(&told).unwrap_or_default();
    told["stores"][0]["sources"][0]["last"]["sweep"].is_object()
}

#[test]
fn a_message_is_removed_when_its_object_is_committed_and_not_before() {
    let world = World::new();
    let queue = Queue::start();
    let url = queue.url.as_str();
    let add = ["--lake", LAKE, "source", "add", "live", "s3://trail/live", "--sqs", url];
    world.run(&add).done();
    let mut follower = follow(&world, &queue);
    until("the sweep of nothing", || is_swept(&world));

    let is_commit =
        |asked: &Asked| asked.method == "PUT" && asked.path.contains("/events/_delta_log/");
    world.s3.spoil(move |_, asked| is_commit(asked).then_some(Spoiled::Held));
    let path = world.s3.bucket_folder("trail").join(KEY);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, log(&[event(1, "GetObject", "")])).unwrap();
    queue.tell_of("trail", KEY);
    until("the commit", || world.s3.asked().iter().any(is_commit));
    // Whoever removes it at any other time has had the time.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((queue.hidden(), queue.removed()), (1, 0));
    let count = "SELECT count(*), count(DISTINCT eventID) FROM events";
    assert_eq!(world.csv(LAKE, count), "0,0\n");
    follower.kill().unwrap();
    follower.wait().unwrap();

    // The commit of who died may be made as well, at any time from here on.
    world.s3.heal();
    queue.show();
    let mut follower = follow(&world, &queue);
    until("the message to be removed", || queue.removed() == 1);
    assert_eq!(world.csv(LAKE, count), "1,1\n");
    let objects = "SELECT count(*), sum(stored) FROM system.objects";
    assert_eq!(world.csv(LAKE, objects), "1,1\n");
    assert_eq!(queue.hidden(), 0);
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn whoever_watches_sees_how_many_messages_wait() {
    let world = World::new();
    let queue = Queue::start();
    std::fs::create_dir(world.here.path("empty")).unwrap();
    world.run(&["ingest", "empty"]).done();
    world.run(&["source", "add", "live", "s3://trail/live", "--sqs", &queue.url]).done();
    // They name what is no source, and stay.
    for key in ["a", "b", "c"] {
        queue.tell_of("elsewhere", key);
    }
    let args = ["--follow", "--no-auth", "--every", "1s"];
    let served = Served::start_set(&world.here, &args, |command| {
        world.set(command);
        command.env("AWS_ENDPOINT_URL", &queue.url);
    });
    let value = |name: &str| -> Option<f64> {
        let metrics = served.ask("GET", "/metrics", &[], "").is(200);
        let start = format!("traillake_source_{name}{{source=\"live\"}} ");
        metrics.text().lines().find_map(|line| line.strip_prefix(&start))?.parse().ok()
    };
    until("three messages that wait", || value("backlog_messages") == Some(3.0));
    assert_eq!(value("messages_refused_total"), Some(3.0));
    assert_eq!((queue.hidden(), queue.removed()), (3, 0));
    assert_eq!(served.stop(), 0);
}
