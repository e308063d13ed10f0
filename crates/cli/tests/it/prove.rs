//! `event`, `status`, `samples`.

use crate::folder::{Folder, event, log};

#[test]
fn an_event_comes_back_byte_for_byte() {
    let here = Folder::new();
    let odd =
        event(1, "GetObject", ",\"requestParameters\" : { \"k\":1376.0, \"k\": \"\\u003d\\/\" }");
    let plain = event(2, "PutObject", "");
    here.write("logs/one.json", log(&[odd.clone(), plain.clone()]));
    here.run(&["ingest", "logs"]).done();
    let [first, second] =
        ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"];
    assert_eq!(here.run(&["event", first]).done().stdout, odd);
    assert_eq!(here.run(&["event", second, first]).done().stdout, format!("{plain}\n{odd}"));
    for (before, behind) in [(" ", "\n"), ("'", "'"), ("\"", "\","), ("`", "`")] {
        let copied = format!("{before}{first}{behind}");
        assert_eq!(here.run(&["event", &copied]).done().stdout, odd, "{copied:?}");
    }
    let pretty = here.run(&["event", first, "--pretty"]).done().stdout;
    let spelled =
        "  \"requestParameters\": {\n    \"k\": 1376.0,\n    \"k\": \"\\u003d\\/\"\n  }\n}\n";
    assert!(pretty.ends_with(spelled), "{pretty}");
    let none = here.run(&["event", "no-such-id"]).exited(1);
    assert_eq!(none.stderr, "warning: no event `no-such-id` in store `default`\n");
}

#[test]
fn provenance_names_the_object_its_hashes_and_the_copies_that_differ() {
    let here = Folder::new();
    let path = here.write("logs/one.json", log(&[event(7, "A", ""), event(1, "GetObject", "")]));
    here.run(&["ingest", "logs"]).done();
    let other = event(1, "GetObject", "").replace("Root", "Unknown");
    let variant = here.write("logs/two.json", log(&[other]));
    here.run(&["ingest", "logs"]).done();
    let id = "00000000-0000-0000-0000-000000000001";
    let ran = here.run(&["event", id, "--provenance", "--format", "json"]).done();
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let sum = here.sh(&format!("sha256sum '{}'", path.display())).done().stdout;
    let found = &found[0];
    assert_eq!(found["object"]["object_key"], path.to_str().unwrap());
    assert_eq!(found["object"]["sha256"], sum.split(' ').next().unwrap());
    assert_eq!(found["index"], "1");
    assert_eq!(found["variants"][0]["object_key"], variant.to_str().unwrap());
    let text = here.run(&["event", id, "--provenance"]).done().stdout;
    assert!(text.contains("record     number 1 in the object, from 0\n"), "{text}");
    assert!(text.contains("differs in"), "{text}");
}

#[test]
fn status_adds_up() {
    let here = Folder::with_lake();
    let ran = here.run(&["status"]).done();
    for line in [
        "lake ./lake: 1 store\n",
        "store default, round 1\n",
        "  events from 2026-03-09",
        "  events     675 rows, 1 file, ",
        "  141 objects = ",
        "  685 records = 677 stored + 8 duplicates\n",
    ] {
        assert!(ran.stdout.contains(line), "{line:?} is not in\n{}", ran.stdout);
    }
    let ran = here.run(&["status", "--format", "json"]).done();
    let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["stores"][0]["adds_up"], true);
    assert_eq!(status["stores"][0]["records"]["stored"], 677);
}

#[test]
fn status_tells_of_every_store_that_can_be_read() {
    let here = Folder::with_lake();
    here.run(&["store", "create", "broken"]).done();
    here.run(&["--store", "broken", "ingest", "logs"]).done();
    std::fs::remove_dir_all(here.path("lake/stores/broken/events/_delta_log")).unwrap();
    let ran = here.run(&["status"]).exited(1);
    for line in
        ["\nstore broken\n  could not be read: ", "  685 records = 677 stored + 8 duplicates\n"]
    {
        assert!(ran.stdout.contains(line), "{line:?} is not in\n{}", ran.stdout);
    }
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    let ran = here.run(&["status", "--format", "json"]).exited(1);
    let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let stores = status["stores"].as_array().unwrap();
    assert!(stores[0]["store"] == "broken" && stores[0]["error"].is_string(), "{status}");
    assert_eq!(stores[1]["records"]["stored"], 677);
    let one = here.run(&["--store", "default", "status"]).done().stdout;
    assert!(one.contains("\nstore default, round 1\n") && !one.contains("broken"), "{one}");
    let unknown = here.run(&["status", "--store", "defualt"]).exited(2).stderr;
    assert!(unknown.starts_with("error: there is no store `defualt`\nhint: "), "{unknown}");
    let taken = here.run(&["store", "create", "information_schema"]).exited(2).stderr;
    assert!(taken.contains("`system` and `information_schema` are taken"), "{taken}");
}

/// Samples about what never happened in the demo. That they find what they should, and nothing
/// else, is seen on the events of testdata/fixtures.
const NOT_IN_THE_DEMO: &[&str] = &[
    "logins-without-mfa",
    "failed-logins",
    "sso-logins",
    "mfa-changes",
    "detection-changes",
    "open-security-groups",
    "shared-snapshots",
    "snapshot-copies",
    "key-changes",
    "instance-credentials",
    "instances-started",
    "remote-commands",
    "model-invocations",
    "network-changes",
    "endpoint-denials",
    "dns-changes",
    "organization-changes",
    "old-tls",
];

#[test]
fn every_sample_answers_on_the_demo() {
    let here = Folder::with_lake();
    let given = |sample: &str| match sample {
        "bucket-access" => vec!["-p", "bucket=example-payroll-exports"],
        "access-key" => vec!["-p", "key=AKIADEMODEPLOYBOT001"],
        "session-origin" => vec!["-p", "key=ASIADL3WYD3J25LN95E6"],
        "ip-address" => vec!["-p", "ip=203.0.113.77"],
        "timeline" | "activity-by-hour" => vec!["-p", "who=deploy-bot"],
        "role-activity" => vec!["-p", "role=arn:aws:iam::444455556666:role/DataExport"],
        "resource-history" => vec!["-p", "arn=arn:aws:s3:::example-payroll-exports"],
        "first-seen-calls" | "new-regions" | "new-addresses" => vec!["-p", "since=2026-03-11"],
        _ => vec![],
    };
    let list = here.run(&["samples", "--format", "json"]).done();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
    assert!(list.len() >= 40, "{} samples", list.len());
    for sample in &list {
        let name = sample["name"].as_str().unwrap();
        let mut args = vec!["query", "--sample", name];
        args.extend(given(name));
        let ran = here.run(&args).done();
        let absent = NOT_IN_THE_DEMO.contains(&name);
        assert_eq!(ran.stdout.is_empty(), absent, "{name} on the demo: {}", ran.stderr);
    }
}

#[test]
fn bucket_access_tells_callers_apart_and_finds_the_bucket_by_every_way() {
    let here = Folder::new();
    let call = |id: u32, identity: &str, more: &str| {
        event(id, "GetObject", more).replace("{\"type\":\"Root\"}", identity)
    };
    let parameters = ",\"requestParameters\":{\"bucketName\":\"books\",\"key\":\"a\"}";
    let resources = ",\"resources\":[{\"ARN\":\"arn:aws:s3:::books/a\"}]";
    let host =
        ",\"tlsDetails\":{\"clientProvidedHostHeader\":\"books.s3.eu-west-1.amazonaws.com\"}";
    let other = ",\"requestParameters\":{\"bucketName\":\"bookshop\"},\
                 \"resources\":[{\"ARN\":\"arn:aws:s3:::bookshop/a\"}]";
    let gov = ",\"resources\":[{\"ARN\":\"arn:aws-us-gov:s3:::books/a:b/c\"}]";
    let endpoint = ",\"requestParameters\":{\"Host\":\"books.bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com\"}";
    let dotted = ",\"tlsDetails\":{\"clientProvidedHostHeader\":\"books.s3-archive.s3.eu-west-1.amazonaws.com\"},\
                  \"resources\":[{\"ARN\":\"arn:aws:s3:::books.s3-archive/books\"}]";
    let fast =
        ",\"tlsDetails\":{\"clientProvidedHostHeader\":\"books.s3-accelerate.amazonaws.com\"}";
    here.write(
        "logs/one.json",
        log(&[
            call(1, "{\"type\":\"IAMUser\",\"arn\":\"arn:aws:iam::000000000001:user/ann\",\"accountId\":\"000000000001\"}", parameters),
            call(2, "{\"type\":\"AssumedRole\",\"arn\":\"arn:aws:sts::000000000001:assumed-role/r/s\",\"accountId\":\"000000000001\"}", resources),
            call(3, "{\"type\":\"AWSAccount\",\"principalId\":\"AIDAX\",\"accountId\":\"000000000002\"}", host),
            call(4, "{\"type\":\"AWSAccount\",\"principalId\":\"\",\"accountId\":\"anonymous\"}", parameters),
            call(5, "{\"type\":\"AWSAccount\",\"accountId\":\"ANONYMOUS_PRINCIPAL\"}", host),
            call(6, "{\"type\":\"IAMUser\",\"arn\":\"arn:aws:iam::000000000001:user/bob\",\"accountId\":\"000000000001\"}", other),
            call(7, "{\"type\":\"IAMUser\",\"arn\":\"gov\",\"accountId\":\"000000000001\"}", gov),
            call(8, "{\"type\":\"IAMUser\",\"arn\":\"endpoint\",\"accountId\":\"000000000001\"}", endpoint),
            call(9, "{\"type\":\"IAMUser\",\"arn\":\"dotted\",\"accountId\":\"000000000001\"}", dotted),
            call(10, "{\"type\":\"IAMUser\",\"arn\":\"fast\",\"accountId\":\"000000000001\"}", fast),
        ]),
    );
    here.run(&["ingest", "logs"]).done();
    let ran = here.run(&[
        "query",
        "--sample",
        "bucket-access",
        "-p",
        "bucket=books",
        "--format",
        "csv",
        "--no-header",
    ]);
    let mut callers: Vec<String> = (ran.done().stdout.lines())
        .map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    callers.sort();
    assert_eq!(
        callers,
        [
            "IAM user arn:aws:iam::000000000001:user/ann",
            "IAM user endpoint",
            "IAM user fast",
            "IAM user gov",
            "anonymous ANONYMOUS_PRINCIPAL",
            "anonymous anonymous",
            "another account 000000000002",
            "assumed role arn:aws:sts::000000000001:assumed-role/r/s",
        ]
    );
}
