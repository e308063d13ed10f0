//! `coverage`: what was collected, what nobody listed, and what digests name that never came.

use serde_json::json;
use traillake_testkit::s3::Spoiled;

use crate::buckets::World;
use crate::folder::{Folder, event, log};

#[test]
fn coverage_counts_every_event_once() {
    let here = Folder::with_lake();
    for span in ["hour", "day", "month", "all"] {
        let ran = here.run(&["coverage", "--by", span, "--format", "ndjson"]).done();
        let rows: Vec<serde_json::Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events: u64 = rows.iter().map(|row| row["events"].as_u64().unwrap()).sum();
        assert_eq!(events, 675, "{span}");
    }
    let ran = here.run(&["coverage", "--since", "2026-03-11", "--until", "2026-03-12"]).done();
    let days: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!days.is_empty() && days.iter().all(|row| row["day"] == "2026-03-11"), "{days:?}");
}

/// Days of the demo's trail, with what coverage says of them; `in part` where there are events, but not
/// all was listed.
fn coverage(world: &World, account: &str, region: &str) -> Vec<String> {
    let args = ["coverage", "--since", "2026-03-08", "--until", "2026-03-13", "--format", "ndjson"];
    let told = world.run(&args).done().stdout;
    let rows = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let ours = rows.filter(|row| row["account"] == account && row["region"] == region);
    let mut days: Vec<String> = ours
        .filter(|row| row["category"].is_null() || row["category"] == "Management")
        .map(|row| {
            let part = row["state"] == "collected" && row["listed"] == false;
            let state = row["state"].as_str().unwrap();
            format!(
                "{} {state}{}",
                row["day"].as_str().unwrap(),
                if part { " in part" } else { "" }
            )
        })
        .collect();
    days.sort();
    days
}

#[test]
fn what_nobody_listed_is_told_apart_from_what_was_empty() {
    let world = World::new();
    let narrow = ["ingest", "s3://trail", "--since", "2026-03-11", "--region", "eu-west-1"];
    world.run(&narrow).done();
    let ours = ["111122223333", "eu-west-1"];
    let expected = [
        "2026-03-08 not collected",
        "2026-03-09 not collected",
        "2026-03-10 collected in part",
        "2026-03-11 collected",
        "2026-03-12 collected",
    ];
    assert_eq!(coverage(&world, ours[0], ours[1]), expected);
    let all_of =
        |state: &str| (8..=12).map(|day| format!("2026-03-{day:02} {state}")).collect::<Vec<_>>();
    assert_eq!(coverage(&world, ours[0], "us-east-1"), all_of("not collected"));
    // Somebody else looks at another part, and says nothing of ours.
    let other = ["ingest", "s3://trail", "--until", "2026-03-10", "--account", "111122223333"];
    world.run(&other).done();
    let expected = ["2026-03-08 empty", "2026-03-09 collected", "2026-03-10 collected in part"];
    assert_eq!(coverage(&world, ours[0], ours[1])[..3], expected);
    assert_eq!(coverage(&world, "444455556666", "us-east-2"), all_of("not collected"));
    // An object that cannot be had leaves a gap, until it can.
    world.s3.spoil(|_, asked| {
        let is_it = asked.path.contains("_us-east-2_20260311") && asked.method == "GET";
        is_it.then_some(Spoiled::Refused(403, "AccessDenied"))
    });
    world.run(&["ingest", "s3://trail"]).exited(1);
    assert_eq!(coverage(&world, "444455556666", "us-east-2"), {
        let mut days = all_of("not collected");
        days[4] = "2026-03-12 empty".to_owned();
        days
    });
    world.s3.heal();
    world.run(&["ingest", "s3://trail"]).done();
    let days = coverage(&world, "444455556666", "us-east-2");
    assert_eq!(days.iter().filter(|day| day.ends_with("collected")).count(), 1, "{days:?}");
    assert!(!days.iter().any(|day| day.ends_with("not collected")), "{days:?}");
    let months = world.run(&["coverage", "--by", "month", "--format", "ndjson"]).done().stdout;
    assert!(months.contains(r#""state":"empty""#) && !months.contains("not collected"), "{months}");
    world.run(&["check"]).done();
}

#[test]
fn what_digests_name_and_never_came_is_missing() {
    let here = Folder::new();
    let folder =
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/06/111122223333_CloudTrail_eu-west-1";
    here.write(&format!("logs/{folder}_20240506T1205Z_a.json"), log(&[event(1, "GetObject", "")]));
    here.write("logs/renamed.json", log(&[event(2, "GetObject", "")]));
    here.run(&["ingest", "logs"]).done();
    let hash = "SELECT inflated_sha256 FROM system.objects WHERE object_key LIKE '%renamed%'";
    let hash = here.csv(hash).trim().to_owned();
    let nothing = "SELECT count(*) FROM system.missing";
    assert_eq!(here.csv(nothing), "0\n", "without a digest");

    let file = |hour: u32, name: &str, hash: &str| {
        json!({
            "s3Bucket": "trail", "s3Object": format!("CloudTrail/{folder}_20240506T{hour}05Z_{name}.json"),
            "hashValue": hash, "hashAlgorithm": "SHA-256",
            "oldestEventTime": format!("2024-05-06T{hour}:00:00Z"),
            "newestEventTime": format!("2024-05-06T{hour}:04:00Z"),
        })
    };
    let other = "0".repeat(64);
    // One is there by its key, whatever its bytes are and whatever stands before it; one by its bytes;
    // two are not.
    let files =
        [file(12, "a", &other), file(12, "b", &hash), file(13, "c", &other), file(14, "d", "")];
    let day = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/05/06";
    for (hour, files) in [(13, &files[..3]), (14, &files[2..])] {
        let key = format!(
            "{day}/111122223333_CloudTrail-Digest_eu-west-1_t_eu-west-1_20240506T{hour}0000Z.json"
        );
        let digest = json!({
            "awsAccountId": "111122223333", "digestStartTime": format!("2024-05-06T{}:00:00Z", hour - 1),
            "digestEndTime": format!("2024-05-06T{hour}:00:00Z"), "digestS3Bucket": "trail",
            "digestS3Object": key, "newestEventTime": null, "oldestEventTime": null,
            "previousDigestS3Object": null, "logFiles": files,
        });
        here.write(&format!("logs/{key}"), digest.to_string());
    }
    here.run(&["ingest", "logs"]).done();
    let missing = "SELECT account, region, day, substr(object_key, -6), digest_key LIKE '%T130000Z.json' \
                   FROM system.missing ORDER BY first_event_at";
    let expected = "111122223333,eu-west-1,2024-05-06,c.json,true\n\
                    111122223333,eu-west-1,2024-05-06,d.json,false\n";
    assert_eq!(here.csv(missing), expected);
    let days = here.run(&["coverage", "--format", "ndjson"]).done().stdout;
    let of_state = |state: &str| -> Vec<serde_json::Value> {
        let rows = days.lines().map(|line| serde_json::from_str(line).unwrap());
        rows.filter(|row: &serde_json::Value| row["state"] == state).collect()
    };
    let [row] = &of_state("missing")[..] else { panic!("{days}") };
    assert_eq!(
        (&row["day"], &row["objects"], &row["events"]),
        (&json!("2024-05-06"), &json!(2), &json!(0))
    );
    assert_eq!(of_state("collected").len(), 1, "{days}");
    let all = here.run(&["coverage", "--by", "all", "--format", "ndjson"]).done().stdout;
    assert!(all.contains("\"state\":\"missing\",\"days\":1"), "{all}");
    let before =
        here.run(&["coverage", "--until", "2024-05-06", "--format", "ndjson"]).done().stdout;
    assert!(before.contains("collected") && !before.contains("missing"), "{before}");

    // It comes, and is missing no more.
    here.write(&format!("logs/{folder}_20240506T1305Z_c.json"), log(&[event(3, "GetObject", "")]));
    here.run(&["ingest", "logs"]).done();
    assert_eq!(here.csv(nothing), "1\n");
}
