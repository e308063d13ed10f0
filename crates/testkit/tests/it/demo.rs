use std::collections::BTreeMap;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use traillake_testkit::demo;

#[test]
fn the_committed_archive_is_the_one_we_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/demo/trail.tar.gz");
    let (made, kept) = (demo::archive().unwrap(), std::fs::read(path).unwrap());
    let again = "cargo run -p traillake-testkit --example make_demo testdata/demo/trail.tar.gz";
    assert!(made == kept, "testdata/demo/trail.tar.gz is not what testkit makes; run `{again}`");
    assert!(kept.len() < 300_000, "{} bytes", kept.len());
}

fn told() -> Vec<Value> {
    let mut told = Vec::new();
    for (key, bytes) in demo::objects().unwrap() {
        let file: Value = serde_json::from_reader(GzDecoder::new(&bytes[..])).unwrap();
        let account = key.split('/').nth(2).unwrap();
        for record in file["Records"].as_array().unwrap() {
            assert_eq!(record["recipientAccountId"], account, "{key}");
        }
        if key.contains("/CloudTrail/") {
            told.extend(file["Records"].as_array().unwrap().iter().cloned());
        }
    }
    told
}

#[test]
fn files_hold_every_event_and_repeat_eight() {
    let (told, mut times) = (told(), BTreeMap::new());
    for event in &told {
        *times.entry(event["eventID"].to_string()).or_insert(0) += 1;
    }
    let mut expected: Vec<String> =
        demo::events().iter().map(|event| format!("\"{}\"", event.id)).collect();
    expected.sort();
    assert_eq!(times.keys().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(told.len(), expected.len() + 8);
}
