//! Buckets from the command line: logs from S3, and a lake in S3, with an S3 on this machine.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use traillake_testkit::random::Random;
use traillake_testkit::s3::{ACCESS_KEY, Asked, S3, SECRET_KEY, Spoiled};

use crate::folder::{BINARY, Folder, Ran, event, log};
use crate::followed::until;

/// A folder, and an S3 with the demo's trail in bucket `trail` and an empty bucket `home`.
pub struct World {
    pub here: Folder,
    pub s3: S3,
    /// Serves the S3.
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new() -> World {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let s3 = runtime.block_on(S3::start(&["trail", "home"])).unwrap();
        let here = Folder::with_logs();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(here.path("logs/."))
            .arg(s3.bucket_folder("trail"))
            .status()
            .unwrap();
        assert!(copied.success());
        World { here, s3, runtime }
    }

    /// Runs the binary with credentials and endpoint in its environment.
    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.here.command(BINARY);
        self.set(command.args(args));
        Ran::of(&command.output().unwrap())
    }

    /// Lets a command reach the S3.
    pub fn set(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL_S3", self.s3.endpoint())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "eu-west-1");
    }

    pub fn csv(&self, lake: &str, sql: &str) -> String {
        let args = ["--lake", lake, "query", "--format", "csv", "--no-header", sql];
        self.run(&args).done().stdout
    }
}

#[test]
fn logs_come_from_a_bucket_into_a_lake_on_disk() {
    let world = World::new();
    let folder = world.here.run(&["--lake", "other", "ingest", "logs"]).done();
    let bucket = world.run(&["ingest", "s3://trail"]).done();
    let counts = |ran: &Ran| ran.stdout.lines().nth(1).unwrap().to_owned();
    assert_eq!(counts(&bucket), counts(&folder));
    let again = world.run(&["ingest", "s3://trail/AWSLogs"]).done();
    assert!(again.stdout.contains("141 known"), "{}", again.stdout);
    let path = world.csv("lake", "SELECT DISTINCT substr(\"$path\", 1, 19) FROM events");
    assert_eq!(path, "s3://trail/AWSLogs/\n");
}

#[test]
fn a_lake_lives_in_a_bucket() {
    let world = World::new();
    let lake = "s3://home/lakes/prod";
    let missing = world.run(&["--lake", lake, "query", "SELECT 1"]).exited(2);
    assert!(missing.stderr.contains("no lake at `s3://home/lakes/prod`"), "{}", missing.stderr);
    let taken = world.run(&["--lake", lake, "ingest", "s3://trail"]).done();
    assert!(taken.stdout.contains("685 records = 677 stored + 8 duplicates"), "{}", taken.stdout);
    assert_eq!(world.csv(lake, "SELECT count(*) FROM events"), "675\n");
    let again = world.run(&["--lake", lake, "ingest", "logs"]).done();
    assert!(again.stdout.contains("141 copies"), "{}", again.stdout);
    assert_eq!(
        world.csv(lake, "SELECT count(*), count(DISTINCT eventID) FROM events"),
        "675,675\n"
    );
    let not_a_lake = world.run(&["--lake", "s3://trail", "ingest", "logs"]).exited(2);
    assert!(not_a_lake.stderr.contains("neither empty nor a lake"), "{}", not_a_lake.stderr);
    assert!(!world.here.path("s3:").exists(), "nothing is written here");
    let inside = world.run(&["--lake", "s3://trail/lake", "ingest", "s3://trail"]).exited(2);
    assert!(inside.stderr.contains("lie inside one another"), "{}", inside.stderr);
    assert!(!world.s3.bucket_folder("trail").join("lake").exists());
}

#[test]
fn commits_to_a_bucket_survive_what_s3_answers() {
    for spoiled in
        [Spoiled::DoneThenRefused(500, "InternalError"), Spoiled::Refused(503, "SlowDown")]
    {
        let world = World::new();
        world.s3.spoil(move |number, asked| {
            (asked.method == "PUT" && number.is_multiple_of(3)).then_some(spoiled)
        });
        let lake = "s3://home/lake";
        world.run(&["--lake", lake, "ingest", "logs"]).done();
        world.s3.heal();
        assert_eq!(world.csv(lake, "SELECT count(*) FROM events"), "675\n", "{spoiled:?}");
        let objects = "SELECT count(*), sum(stored), sum(duplicates) FROM system.objects";
        assert_eq!(world.csv(lake, objects), "141,677,8\n", "{spoiled:?}");
    }
}

#[test]
fn what_is_missing_is_named_before_anything_is_made() {
    let world = World::new();
    world.s3.spoil(|_, _| Some(Spoiled::Refused(403, "AccessDenied")));
    let refused = world.run(&["ingest", "s3://trail"]).exited(2);
    let words = "error: cannot list `s3://trail/`: access denied: `s3:ListBucket` on \
                 `arn:aws:s3:::trail` is missing\n";
    assert_eq!(refused.stderr, words);
    assert!(!world.here.path("lake").exists());
    world.s3.heal();
    let mut command = world.here.command(BINARY);
    command.args(["ingest", "s3://trail"]).env("AWS_ENDPOINT_URL_S3", world.s3.endpoint());
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let refused = Ran::of(&command.output().unwrap()).exited(2);
    assert!(refused.stderr.contains("no AWS credentials"), "{}", refused.stderr);
    let refused = world.run(&["ingest", "s3:///logs"]).exited(2);
    assert!(refused.stderr.contains("`s3:///logs` is no bucket"), "{}", refused.stderr);
    drop(world.runtime);
}

/// `User: … is not authorized to perform: …`, as IAM and KMS say it.
macro_rules! refused {
    ($what:literal) => {
        concat!(
            "User: arn:aws:sts::111122223333:assumed-role/reader/me is not authorized to perform: ",
            $what
        )
    };
}

#[test]
fn a_lake_that_s3_refuses_says_what_is_missing_in_words() {
    let world = World::new();
    let lake = "s3://home/lakes/prod";
    world.run(&["--lake", lake, "ingest", "logs"]).done();
    let args = ["--lake", lake, "ingest", "s3://trail"];
    let check = |method: &'static str, listing: bool, spoiled: Spoiled, words: &str| {
        world.s3.spoil(move |_, asked| {
            let is_of_lake = asked.path.starts_with("/home") && asked.method == method;
            (is_of_lake && asked.is_listing() == listing).then_some(spoiled)
        });
        let said = world.run(&args).exited(2).stderr;
        assert!(said.contains(&format!("cause: {words}\n")), "{words}: {said}");
        assert!(!said.contains("<?xml") && !said.contains("</"), "{said}");
    };
    let file = "arn:aws:s3:::home/lakes/prod/traillake.json";
    let denied = Spoiled::Told(403, "AccessDenied", "Access Denied");
    let missing =
        |action: &str, on: &str| format!("access denied: `{action}` on `{on}` is missing");
    check("GET", false, denied, &missing("s3:GetObject", file));
    check("GET", true, denied, &missing("s3:ListBucket", "arn:aws:s3:::home"));
    check("PUT", false, denied, &missing("s3:PutObject", file));
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    check(
        "PUT",
        false,
        Spoiled::Told(
            403,
            "AccessDenied",
            refused!(
                "kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:111122223333:key/1 because no \
                 identity-based policy allows the kms:GenerateDataKey action"
            ),
        ),
        &format!(
            "{}: no identity-based policy allows the kms:GenerateDataKey action",
            missing("kms:GenerateDataKey", key)
        ),
    );
    check(
        "GET",
        false,
        Spoiled::Told(400, "KMS.DisabledException", "key &quot;1&quot; is disabled."),
        "the KMS key cannot be used: KMS.DisabledException: key \"1\" is disabled.",
    );
    check(
        "GET",
        false,
        Spoiled::Told(400, "ExpiredToken", "The provided token has expired."),
        "the credentials have expired; renew them (`aws sso login`) and run this again",
    );
    check("GET", false, Spoiled::Refused(404, "NoSuchBucket"), "there is no bucket `home`");
    check("GET", true, Spoiled::Refused(404, "NoSuchBucket"), "there is no bucket `home`");
    check(
        "PUT",
        false,
        Spoiled::Told(400, "InvalidStorageClass", "The storage class is not valid"),
        "InvalidStorageClass: The storage class is not valid",
    );
    // Who may only read may still see what would be done.
    world.s3.spoil(move |_, asked| (asked.method == "PUT").then_some(denied));
    world.run(&["--lake", lake, "maintain", "--dry-run"]).done();
    world.s3.heal();
    check_truth(&world, lake, "refused");
}

/// Requests to the bucket of a lake since the last call.
pub fn asked_of_home(world: &World) -> usize {
    world.s3.asked().iter().filter(|asked| asked.path.starts_with("/home")).count()
}

#[test]
fn the_lake_keeps_sources_and_how_they_went() {
    let world = World::new();
    let none = world.run(&["ingest"]).exited(2);
    assert!(none.stderr.contains("the lake keeps none"), "{}", none.stderr);
    world.run(&["source", "add", "trail", "s3://trail/", "--account", "111122223333"]).done();
    let taken = world.run(&["source", "add", "trail", "logs"]).exited(2);
    assert!(taken.stderr.contains("there is a source `trail` already"), "{}", taken.stderr);
    let wrong = world.run(&["source", "add", "No Name", "logs"]).exited(2);
    assert!(wrong.stderr.contains("cannot name a source"), "{}", wrong.stderr);
    assert_eq!(world.run(&["source", "list"]).done().stdout, "trail  s3://trail  into default\n");
    let shown = world.run(&["source", "show", "trail"]).done().stdout;
    assert!(shown.contains("never looked at"), "{shown}");
    let named = world.run(&["ingest", "trail", "--format", "json"]).done().stdout;
    let all = world.run(&["ingest", "--format", "json"]).done().stdout;
    let number = |text: &str, pointer: &str| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        json.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap()
    };
    let read = number(&named, "/objects/read");
    assert!(read > 0, "{named}");
    assert_eq!(number(&all, "/objects/read"), 0);
    let status = world.run(&["status"]).done().stdout;
    assert!(status.contains("source trail: s3://trail, last success"), "{status}");
    assert!(status.contains("newest delivery"), "{status}");
    world.run(&["source", "remove", "trail"]).done();
    world.run(&["source", "remove", "trail"]).exited(2);
    assert_eq!(world.csv("lake", "SELECT count(*) > 0 FROM events"), "true\n");
}

/// The keys of the demo's trail.
pub fn keys(world: &World) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let mut folders = vec![world.s3.bucket_folder("trail")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let key = path.strip_prefix(world.s3.bucket_folder("trail")).unwrap();
            match path.is_dir() {
                true => folders.push(path),
                false => keys.push(key.to_str().unwrap().to_owned()),
            }
        }
    }
    keys.sort();
    assert_eq!(keys.len(), 141);
    keys
}

/// Where [`write_inventory`] writes a manifest.
pub const MANIFEST: &str = "inventory/2024-05-06T00-00Z/manifest.json";

/// Writes an inventory of the bucket `trail` with these columns, and its manifest.
pub fn write_inventory(world: &World, columns: &str, lines: &str) {
    let data = traillake_testkit::trail::gzip(lines.as_bytes()).unwrap();
    world.here.write("inventory/data/a.csv.gz", data);
    let manifest = serde_json::json!({
        "sourceBucket": "trail", "destinationBucket": "arn:aws:s3:::x", "fileFormat": "CSV",
        "fileSchema": columns, "files": [{"key": "p/trail/i/data/a.csv.gz"}],
    });
    world.here.write(MANIFEST, manifest.to_string());
}

#[test]
fn named_objects_come_in_without_a_listing() {
    let world = World::new();
    let keys = keys(&world);
    world.here.write("keys", format!("{}\ns3://trail/{}\nno/such.json.gz\n", keys[0], keys[1]));
    world.s3.asked();
    let some = world.run(&["ingest", "s3://trail", "--keys", "keys"]).exited(1);
    assert!(some.stdout.starts_with("3 objects = 2 read + 1 failed\n"), "{}", some.stdout);
    assert!(some.stderr.contains("no/such.json.gz"), "{}", some.stderr);
    // What may not be looked at counts too.
    world.here.write("others", format!("{}\n{}\n", keys[2], keys[3]));
    let denied = Spoiled::Refused(403, "AccessDenied");
    world.s3.spoil(move |_, asked| (asked.method == "HEAD").then_some(denied));
    let none = world.run(&["ingest", "s3://trail", "--keys", "others"]).exited(1);
    assert!(none.stdout.starts_with("2 objects = 2 failed\n"), "{}", none.stdout);
    assert!(!none.stdout.contains("nothing new"), "{}", none.stdout);
    let missing = format!("`s3:GetObject` on `arn:aws:s3:::trail/{}` is missing", keys[2]);
    assert!(none.stderr.contains(&missing), "{}", none.stderr);
    world.s3.heal();
    let lines: String = keys.iter().map(|key| format!("\"trail\",\"{key}\"\n")).collect();
    write_inventory(&world, "Bucket, Key", &lines);
    let rest = world.run(&["ingest", "--inventory", MANIFEST]).done();
    assert!(rest.stdout.contains("2 known"), "{}", rest.stdout);
    assert!(!world.s3.asked().iter().any(|asked| asked.is_listing()));
    assert_eq!(world.csv("lake", "SELECT count(*) FROM events"), "675\n");
    let none = world.run(&["ingest", "--keys", "keys"]).exited(2);
    assert!(none.stderr.contains("is in no bucket"), "{}", none.stderr);
    let once = world.run(&["ingest", "s3://trail", "--keys", "/dev/null"]).exited(2);
    assert!(once.stderr.contains("a list is read more than once"), "{}", once.stderr);
}

#[test]
fn a_stored_source_keeps_what_it_is_narrowed_to() {
    let world = World::new();
    let narrowed = ["--since", "2026-03-10", "--until", "2026-03-11", "--account", "777788889999"];
    world.run(&[&["source", "add", "part", "s3://trail"][..], &narrowed].concat()).done();
    let shown = world.run(&["source", "show", "part"]).done().stdout;
    assert!(shown.contains("only events before 2026-03-11 00:00:00"), "{shown}");
    let none = world.run(&["ingest", "part", "--account", "111122223333"]).exited(2);
    assert!(none.stderr.contains("has nothing of what is selected"), "{}", none.stderr);
    let taken = world.run(&["ingest", "part", "--region", "us-east-1"]).done();
    // Delivered from the tenth on, until three days after the eleventh.
    assert!(taken.stderr.contains("delivered until 2026-03-14 00:00:00"), "{}", taken.stderr);
    let days = "SELECT DISTINCT substr(CAST(delivered_at AS varchar), 1, 10), region \
                FROM system.objects ORDER BY 1";
    let expected = "2026-03-10,us-east-1\n2026-03-11,us-east-1\n2026-03-12,us-east-1\n\
                    2026-03-13,us-east-1\n";
    assert_eq!(world.csv("lake", days), expected);
}

#[test]
fn a_plan_of_a_bucket_says_what_it_takes() {
    let world = World::new();
    let plan = world.run(&["ingest", "s3://trail", "--until", "2024-05-08", "--dry-run"]).done();
    assert!(plan.stdout.contains(" LIST requests: "), "{}", plan.stdout);
    assert!(plan.stdout.contains(" of lake, about "), "{}", plan.stdout);
    assert!(plan.stderr.contains("delivered until 2024-05-11 00:00:00"), "{}", plan.stderr);
    let plan = world.run(&["ingest", "s3://trail", "--dry-run", "--format", "json"]).done().stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let told = |name: &str| plan["estimate"][name].as_u64().unwrap() as usize;
    world.s3.asked();
    world.run(&["ingest", "s3://trail"]).done();
    let (lists, gets): (Vec<Asked>, Vec<Asked>) =
        world.s3.asked().into_iter().partition(Asked::is_listing);
    assert_eq!((told("get_requests"), told("head_requests")), (gets.len(), 0));
    // One more to see whether there is a bucket, one for `AWSLogs` and one for the organization.
    assert_eq!(told("list_requests") + 3, lists.len(), "{lists:#?}");
}

/// What must stand in a lake that the demo's trail went into, however often.
pub fn check_truth(world: &World, lake: &str, what: &str) {
    let events = "SELECT count(*), count(DISTINCT eventID) FROM events";
    assert_eq!(world.csv(lake, events), "675,675\n", "{what}");
    let objects = "SELECT count(DISTINCT inflated_sha256), sum(stored), sum(duplicates) \
                   FROM system.objects WHERE state <> 'copy'";
    assert_eq!(world.csv(lake, objects), "141,677,8\n", "{what}");
}

/// Parts of a run in each of which a call is spoiled.
const PARTS: usize = 5;

#[test]
fn whatever_the_nth_answer_of_the_lakes_bucket_is_nothing_is_lost_or_doubled() {
    let lake = "s3://home/lake";
    let args = ["--lake", lake, "ingest", "logs"];
    let faultless = World::new();
    faultless.run(&args).done();
    // A run may find some of it done sooner than another.
    let calls = asked_of_home(&faultless) - 4;
    for (code, name) in [(412_u16, "PreconditionFailed"), (503, "SlowDown")] {
        let mut random = Random::new(u64::from(code));
        for part in 0..PARTS {
            // From the first call of a run to its last.
            let n = calls * part / PARTS + random.below((calls / PARTS) as u64) as usize;
            let world = World::new();
            let hits = Arc::new(AtomicUsize::new(0));
            let counted = hits.clone();
            world.s3.spoil(move |number, asked| {
                let is_hit = (n..n + 2).contains(&number) && asked.path.starts_with("/home");
                is_hit.then(|| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Spoiled::Refused(code, name)
                })
            });
            let first = world.run(&args);
            let what = format!("{code} at {n} of {calls}: {}", first.stderr);
            assert!(hits.load(Ordering::Relaxed) > 0, "it came to no such call: {what}");
            world.s3.heal();
            world.run(&args).done();
            check_truth(&world, lake, &what);
        }
    }
}

#[test]
fn two_ingesters_on_the_same_slices_bring_everything_in_once() {
    let world = World::new();
    let lake = "s3://home/lake";
    let start = || -> Child {
        let mut command = world.here.command(BINARY);
        command.args(["--lake", lake, "ingest", "s3://trail"]);
        world.set(&mut command);
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    // Neither gets its first round in before both are about to.
    let waiting = Arc::new(AtomicUsize::new(0));
    let counted = waiting.clone();
    world.s3.spoil(move |_, asked| {
        let first = "/events/_delta_log/00000000000000000001.json";
        (asked.method == "PUT" && asked.path.ends_with(first)).then(|| {
            counted.fetch_add(1, Ordering::Relaxed);
            Spoiled::Held
        })
    });
    let mut both = [start(), start()];
    until("both to commit", || waiting.load(Ordering::Relaxed) == 2);
    assert!(both.iter_mut().all(|child| child.try_wait().unwrap().is_none()));
    // Both have listed, and read, the same.
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for Asked { path, query, .. } in world.s3.asked() {
        let is_month = query.replace("%2F", "/").contains("/2026/03/");
        if path.starts_with("/trail/AWSLogs/") || (path == "/trail" && is_month) {
            *asked.entry(format!("{path}?{query}")).or_default() += 1;
        }
    }
    assert!(asked.len() > 141 && asked.values().all(|times| *times == 2), "{asked:#?}");
    world.s3.heal();
    for child in &mut both {
        assert!(child.wait().unwrap().success());
    }
    world.run(&["--lake", lake, "ingest", "s3://trail"]).done();
    check_truth(&world, lake, "two at once");
}

#[test]
fn a_process_that_dies_leaves_a_lake_in_a_bucket_whole() {
    let steps = [
        "data-written",
        "manifest-written",
        "commit-events:before",
        "commit-events:after",
        "commit-objects:before",
        "commit-objects:after",
    ];
    for step in steps {
        let world = World::new();
        let died =
            crate::kills::dies_in_bucket(&world.s3.endpoint(), &world.here.path("logs"), step);
        assert_ne!(died.code, Some(0), "{step}: {}", died.talk);
        world.run(&["--lake", "s3://home", "ingest", "logs"]).done();
        check_truth(&world, "s3://home", step);
    }
}

#[test]
fn following_brings_in_what_is_new_until_it_is_stopped() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    let here = Folder::new();
    let delivery = |minute: u32, id: u32| {
        let name = format!(
            "logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/06/\
             111122223333_CloudTrail_eu-west-1_20240506T12{minute:02}Z_a.json"
        );
        here.write(&name, log(&[event(id, "GetObject", "")]));
    };
    delivery(1, 1);
    let mut child = here
        .command(BINARY)
        .args(["ingest", "logs", "--follow", "--every", "1s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = told.next().unwrap().unwrap();
    assert!(first.ends_with("1 object, 1 record = 1 stored + 0 others"), "{first}");
    // What has no date in its path is looked at every time.
    here.write("logs/new.json", log(&[event(2, "PutObject", "")]));
    let second = told.next().unwrap().unwrap();
    assert!(second.ends_with("1 object, 1 record = 1 stored + 0 others"), "{second}");
    let pid = child.id().to_string();
    assert!(here.command("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(here.csv("SELECT count(*) FROM events"), "2\n");
    let refused = here.run(&["ingest", "-", "--follow"]).exited(2);
    assert!(refused.stderr.contains("standard input cannot be followed"), "{}", refused.stderr);
}
