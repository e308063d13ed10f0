//! How a bucket is reached and what is asked of it, as the S3 sees it.

use traillake_testkit::s3::{ACCESS_KEY, Asked, PUBLIC, SECRET_KEY};

use crate::buckets::{World, keys};
use crate::folder::{BINARY, Ran};

/// What was asked of the bucket of logs since the last look, each with its value of a header.
fn asked_of_trail(world: &World, header: &str) -> Vec<(Asked, Option<String>)> {
    let asked = world.s3.asked_with(header);
    let asked: Vec<_> =
        asked.into_iter().filter(|(asked, _)| asked.path.starts_with("/trail")).collect();
    assert!(!asked.is_empty(), "nothing was asked");
    asked
}

#[test]
fn a_profile_says_who_asks_and_so_does_a_process_that_it_names() {
    let world = World::new();
    let told = serde_json::json!({
        "Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY,
    });
    let told = world.here.write("told.json", told.to_string());
    let config = format!(
        "[profile kept]\nregion = eu-central-2\n\n\
         [profile told]\nregion = ap-south-1\ncredential_process = cat {}\n",
        told.display()
    );
    let kept =
        format!("[kept]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    world.here.write("home/.aws/config", config);
    world.here.write("home/.aws/credentials", kept);
    for (profile, region) in [("kept", "eu-central-2"), ("told", "ap-south-1")] {
        let mut command = world.here.command(BINARY);
        command.args(["ingest", "s3://trail", "--rehash", "--profile", profile]);
        command.env("AWS_ENDPOINT_URL_S3", world.s3.endpoint());
        Ran::of(&command.output().unwrap()).done();
        let asked = asked_of_trail(&world, "authorization");
        let is_ours = |value: &Option<String>| {
            let value = value.as_deref().unwrap_or_default();
            value.contains(&format!("Credential={ACCESS_KEY}/"))
                && value.contains(&format!("/{region}/s3/"))
        };
        assert!(asked.iter().all(|(_, value)| is_ours(value)), "{profile}: {asked:#?}");
        assert!(asked.iter().any(|(asked, _)| asked.is_listing()));
        assert!(asked.iter().any(|(asked, _)| asked.is_reading()));
    }
    assert_eq!(world.csv("lake", "SELECT count(*) FROM events"), "675\n");
}

#[test]
fn who_pays_says_so_and_who_is_nobody_signs_nothing() {
    let world = World::new();
    world.here.write("keys", keys(&world)[0].clone() + "\n");
    world.run(&["ingest", "s3://trail", "--requester-pays"]).done();
    world.run(&["ingest", "s3://trail", "--requester-pays", "--keys", "keys", "--rehash"]).done();
    let asked = asked_of_trail(&world, "x-amz-request-payer");
    assert!(asked.iter().all(|(_, value)| value.as_deref() == Some("requester")), "{asked:#?}");
    assert!(asked.iter().any(|(asked, _)| asked.is_listing()));
    assert!(asked.iter().any(|(asked, _)| asked.is_reading()));
    assert!(asked.iter().any(|(asked, _)| asked.method == "HEAD"));
    // This S3 answers nobody who does not sign.
    world.run(&["ingest", "s3://trail", "--no-sign-request"]).exited(2);
    world.here.write("keys", keys(&world)[1].clone() + "\n");
    world.run(&["ingest", "s3://trail", "--no-sign-request", "--keys", "keys"]).exited(1);
    let asked = asked_of_trail(&world, "authorization");
    assert!(asked.iter().all(|(_, value)| value.is_none()), "{asked:#?}");
    assert!(asked.iter().any(|(asked, _)| asked.is_listing()));
    assert!(asked.iter().any(|(asked, _)| asked.method == "HEAD"));
}

#[test]
fn a_public_bucket_is_read_by_who_has_no_credentials() {
    let world = World::new();
    std::fs::rename(world.s3.bucket_folder("trail"), world.s3.bucket_folder(PUBLIC)).unwrap();
    let mut command = world.here.command(BINARY);
    // The flag says where, not the environment.
    command.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1");
    let endpoint = world.s3.endpoint();
    let args = ["ingest", "s3://public", "--no-sign-request", "--endpoint-url", &endpoint];
    Ran::of(&command.args(args).output().unwrap()).done();
    assert_eq!(world.csv("lake", "SELECT count(*) FROM events"), "675\n");
    let asked = world.s3.asked_with("authorization");
    assert!(asked.iter().any(|(asked, _)| asked.is_reading()));
    assert!(asked.iter().all(|(_, value)| value.is_none()), "{asked:#?}");
}

#[test]
fn all_that_is_put_into_a_lake_is_encrypted_as_the_settings_say() {
    let world = World::new();
    let mut command = world.here.command(BINARY);
    command.env("TRAILLAKE_S3_ENCRYPTION", "AES256");
    world.set(command.args(["--lake", "s3://home/lake", "ingest", "logs"]));
    Ran::of(&command.output().unwrap()).done();
    let asked = world.s3.asked_with("x-amz-server-side-encryption");
    let is_put = |asked: &Asked| match asked.method.as_str() {
        "PUT" => !asked.query.contains("partNumber"),
        "POST" => asked.query.contains("uploads"),
        _ => false,
    };
    let puts: Vec<_> = asked.into_iter().filter(|(asked, _)| is_put(asked)).collect();
    assert!(puts.iter().any(|(asked, _)| asked.path.ends_with(".parquet")), "{puts:#?}");
    assert!(puts.iter().any(|(asked, _)| asked.path.ends_with(".json")), "{puts:#?}");
    assert!(puts.iter().all(|(_, value)| value.as_deref() == Some("AES256")), "{puts:#?}");
}

#[test]
fn of_one_kind_only_its_folders_are_listed_and_its_logs_read() {
    let world = World::new();
    let kinds = "SELECT kind, count(*) FROM system.objects GROUP BY kind ORDER BY kind";
    world.run(&["ingest", "s3://trail", "--kind", "insights"]).done();
    let asked = world.s3.asked();
    let is_of_events = |asked: &&Asked| {
        format!("{}?{}", asked.path, asked.query.replace("%2F", "/")).contains("/CloudTrail/")
    };
    assert_eq!(asked.iter().filter(is_of_events).collect::<Vec<_>>(), Vec::<&Asked>::new());
    assert_eq!(world.csv("lake", kinds), "insights,1\n");
    world.run(&["ingest", "s3://trail", "--kind", "events"]).done();
    assert_eq!(world.csv("lake", kinds), "events,140\ninsights,1\n");
}

#[test]
fn a_place_that_holds_nothing_is_named() {
    let world = World::new();
    std::fs::create_dir(world.here.path("empty")).unwrap();
    world.run(&["source", "add", "typo", "s3://trail/AWSLog"]).done();
    for (args, place) in [
        (&["ingest", "s3://trail/AWSLog/"][..], "`s3://trail/AWSLog/`"),
        (&["ingest", "typo"][..], "`s3://trail/AWSLog`"),
        (&["ingest", "./empty", "s3://home"][..], "`./empty`, `s3://home`"),
    ] {
        let ran = world.run(args).done();
        let warning = format!("warning: there is nothing under {place}\n");
        assert!(ran.stderr.contains(&warning), "{args:?}: {}", ran.stderr);
    }
    // What is known is not nothing, nor is what was not asked for.
    for args in [
        &["ingest", "s3://trail"][..],
        &["ingest", "s3://trail"],
        &["ingest", "./empty", "s3://trail"],
        &["ingest", "s3://trail", "--since", "2030-01-01"],
    ] {
        let ran = world.run(args).done();
        assert!(!ran.stderr.contains("nothing under"), "{args:?}: {}", ran.stderr);
    }
}
