//! `traillake ingest --follow` with a queue: what messages bring in, beside looks and sweeps.

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Utc;
use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::World;
use crate::double::{self, JSON, Request};
use crate::folder::Folder;
use crate::followed::until;
use crate::following::{COUNT, Follower, key, put};
use crate::queue::Queue;

/// A queue in which a message of no consequence comes as soon as it is asked for.
struct BusyQueue {
    url: String,
    received: Arc<AtomicUsize>,
}

impl BusyQueue {
    /// A queue that says `attributes` when it is asked how many messages wait.
    fn start(attributes: &'static str) -> BusyQueue {
        let received = Arc::new(AtomicUsize::new(0));
        let counted = received.clone();
        let url = double::play(JSON, move |request| {
            (200, answer(request, &counted, attributes).to_owned())
        });
        BusyQueue { url, received }
    }

    fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

/// Answers a request in SQS's JSON protocol.
fn answer<'a>(request: &Request, received: &AtomicUsize, attributes: &'a str) -> &'a str {
    match request.header("x-amz-target") {
        "AmazonSQS.ReceiveMessage"
            if received.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) =>
        {
            r#"{"Messages":[{"MessageId":"m","ReceiptHandle":"r",
                "Body":"{\"Event\":\"s3:TestEvent\"}"}]}"#
        }
        "AmazonSQS.DeleteMessageBatch" => r#"{"Successful":[{"Id":"0"}],"Failed":[]}"#,
        "AmazonSQS.GetQueueAttributes" => attributes,
        _ => "{}",
    }
}

const EIGHT_WAIT: &str = r#"{"Attributes":{"ApproximateNumberOfMessages":"7",
    "ApproximateNumberOfMessagesNotVisible":"1"}}"#;

#[test]
fn a_busy_queue_of_one_source_makes_nobody_look_at_another_more_often() {
    let world = World::new();
    let queue = BusyQueue::start(EIGHT_WAIT);
    world.run(&["source", "add", "plain", "s3://trail"]).done();
    world.run(&["source", "add", "told", "s3://home", "--sqs", &queue.url]).done();
    let env = [("AWS_ENDPOINT_URL", queue.url.as_str())];
    let mut follower = Follower::start(&world, &["--every", "1h"], &env);
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.contains("plain: 141 objects, 685 records = 677 stored"), "{told}");
    world.s3.asked();
    let before = queue.received();
    until("further messages", || queue.received() > before + 20);
    let listings = world.s3.asked().into_iter().filter(|asked| asked.path.starts_with("/trail"));
    assert_eq!(listings.collect::<Vec<_>>(), [], "it was looked at, and the hour is not over");
    follower.ask_to_stop(&world.here);
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
    let status = world.run(&["status"]).done().stdout;
    assert!(status.contains("source told: s3://home, last success"), "{status}");
    assert_eq!(status.matches(", 8 messages wait").count(), 1, "{status}");
}

#[test]
fn a_queue_that_does_not_say_how_many_messages_wait_is_not_taken_at_less() {
    let world = World::new();
    let queue = BusyQueue::start(r#"{"Attributes":{"ApproximateNumberOfMessages":"7"}}"#);
    world.run(&["source", "add", "told", "s3://home", "--sqs", &queue.url]).done();
    let env = [("AWS_ENDPOINT_URL", queue.url.as_str())];
    let mut follower = Follower::start(&world, &["--every", "1h"], &env);
    // It is asked each time that messages were removed.
    until("further messages", || queue.received() > 20);
    follower.ask_to_stop(&world.here);
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
    let status = world.run(&["status"]).done().stdout;
    assert!(status.contains("source told: s3://home") && !status.contains(" wait"), "{status}");
}

#[test]
fn a_message_about_an_object_that_is_gone_stays_until_its_bucket_can_be_listed() {
    let world = World::new();
    let queue = Queue::start();
    let env = [("AWS_ENDPOINT_URL", queue.url.as_str())];
    let args = ["s3://trail", "--sqs", queue.url.as_str(), "--every", "1s"];
    let mut follower = Follower::start(&world, &args, &env);
    // What the demo's trail holds is old: its sweep brings it in.
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.contains("141 objects"), "{told}");
    // To HEAD there is no word of what is not there.
    let absent = Spoiled::Refused(404, "NoSuchBucket");
    world.s3.spoil(move |_, asked| asked.path.starts_with("/trail").then_some(absent));
    queue.tell_of("trail", &key(Utc::now()));
    for _ in 0..2 {
        until("the bucket to be listed", || {
            queue.removed() > 0 || world.s3.asked().iter().any(Asked::is_listing)
        });
        assert_eq!(queue.removed(), 0, "nobody knows that it is gone");
        queue.show();
    }
    world.s3.heal();
    queue.show();
    until("the message to be removed", || queue.removed() == 1);
    follower.ask_to_stop(&world.here);
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
}

#[test]
fn what_a_lost_message_did_not_tell_of_comes_with_the_next_sweep_and_once() {
    let world = World::new();
    let queue = Queue::start();
    let env = [("AWS_ENDPOINT_URL", queue.url.as_str()), ("TRAILLAKE_FOLLOW_SWEEP_EVERY", "1s")];
    let args = ["s3://trail", "--sqs", queue.url.as_str(), "--every", "1s"];
    let mut follower = Follower::start(&world, &args, &env);
    let told = follower.told.next().unwrap().unwrap();
    assert!(told.contains("141 objects"), "{told}");
    // Of a day that no look goes back to.
    let at = Utc::now() - chrono::TimeDelta::days(10);
    put(&world, at, 9_001);
    until("the sweep", || world.csv("lake", COUNT) == "676,676\n");
    // It was not lost, but late.
    queue.tell_of("trail", &key(at));
    until("the message to be removed", || queue.removed() == 1);
    follower.ask_to_stop(&world.here);
    assert_eq!(follower.child.wait().unwrap().code(), Some(130));
    assert_eq!(world.csv("lake", COUNT), "676,676\n");
    assert_eq!(world.csv("lake", "SELECT count(*) FROM system.objects"), "142\n");
}

#[test]
fn what_sqs_refuses_is_told_in_its_words_alone() {
    let absent = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"It is not there."}"#;
    let denied = r#"{"__type":"AccessDeniedException","message":"Not for you."}"#;
    let check = |status: u16, answer: &'static str, words: &str| {
        let world = World::new();
        let url = double::play(JSON, move |_| (status, answer.to_owned()));
        world.run(&["source", "add", "told", "s3://home", "--sqs", &url]).done();
        let env = [("AWS_ENDPOINT_URL", url.as_str())];
        let mut follower = Follower::start(&world, &["--every", "1h"], &env);
        let mut line = String::new();
        while !line.contains("could not read the queue") {
            line.clear();
            assert_ne!(follower.said.read_line(&mut line).unwrap(), 0, "it refused nothing");
        }
        let said = format!("warning: could not read the queue `{url}`: {words}; next look in ");
        assert!(line.starts_with(&said), "{line}");
    };
    check(400, absent, "there is no such queue");
    let words = "AccessDeniedException: Not for you. (is `sqs:ReceiveMessage` allowed on it?)";
    check(403, denied, words);
    let expired = r#"{"__type":"ExpiredTokenException","message":"It was good for an hour."}"#;
    let words = "the credentials have expired; renew them (`aws sso login`) and run this again";
    check(400, expired, words);
}

#[test]
fn a_queue_is_for_one_source() {
    let world = World::new();
    let add = |name: &str, queue: &str| {
        let url = format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{queue}");
        world.run(&["source", "add", name, "s3://trail", "--sqs", &url])
    };
    add("one", "told").done();
    let refused = add("two", "told").exited(2).stderr;
    assert!(refused.contains("/told` tells the source `one` already\nhint: "), "{refused}");
    add("two", "other").done();
}

#[test]
fn a_queue_that_can_be_none_is_no_source() {
    let here = Folder::new();
    for url in ["notaurl", "arn:aws:sqs:eu-west-1:111122223333:trail"] {
        let ran = here.run(&["source", "add", "trail", "s3://trail", "--sqs", url]).exited(2);
        assert!(ran.stderr.contains(&format!("error: `{url}` is no queue\n")), "{}", ran.stderr);
    }
    assert!(!here.path("lake").exists());
}
