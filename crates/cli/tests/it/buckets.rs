//! Buckets from the command line: logs from S3, and a lake in S3, with an S3 on this machine.

use std::process::Command;

use traillake_testkit::s3::{ACCESS_KEY, S3, SECRET_KEY, Spoiled};

use crate::folder::{BINARY, Folder, Ran, event, log};

/// A folder, and an S3 with the demo's trail in bucket `trail` and an empty bucket `home`.
struct World {
    here: Folder,
    s3: S3,
    /// Serves the S3.
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> World {
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
    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.here.command(BINARY);
        command
            .args(args)
            .env("AWS_ENDPOINT_URL_S3", self.s3.endpoint())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "eu-west-1");
        Ran::of(&command.output().unwrap())
    }

    fn csv(&self, lake: &str, sql: &str) -> String {
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
