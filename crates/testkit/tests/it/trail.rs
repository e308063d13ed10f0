use std::collections::{BTreeMap, BTreeSet, HashMap};

use flate2::read::GzDecoder;
use serde_json::Value;
use traillake_testkit::trail::{Filling, Trail, TrailOptions, Truth};

fn small() -> TrailOptions {
    TrailOptions {
        accounts: 3,
        objects: 60,
        days: 62,
        filling: Filling::Median(40),
        duplicate_share: 0.1,
        late_share: 0.02,
        ..TrailOptions::default()
    }
}

/// The exact texts of the records of all objects.
fn told(trail: &Trail) -> Vec<String> {
    let mut told = Vec::new();
    for number in 0..trail.objects() {
        let body = trail.object(number).body;
        let file: HashMap<&str, Vec<Box<serde_json::value::RawValue>>> =
            serde_json::from_str(&body).unwrap();
        told.extend(file["Records"].iter().map(|record| record.get().to_owned()));
    }
    told
}

fn events(trail: &Trail) -> Vec<Value> {
    told(trail).iter().map(|record| serde_json::from_str(record).unwrap()).collect()
}

#[test]
fn the_truth_is_what_the_objects_say() {
    let trail = Trail::new(small());
    let told = told(&trail);
    let texts: BTreeSet<&String> = told.iter().collect();
    let truth = trail.truth();
    let counted = Truth {
        records: told.len() as u64,
        events: texts.len() as u64,
        duplicates: (told.len() - texts.len()) as u64,
    };
    assert_eq!(truth, counted);
    assert!(truth.duplicates > truth.records / 20, "{truth:?}");
    let ids: BTreeSet<String> = events(&trail).iter().map(|e| e["eventID"].to_string()).collect();
    assert_eq!(ids.len() as u64, truth.events);
}

#[test]
fn a_retold_trail_has_other_objects_and_the_same_events() {
    let (trail, retold) = (Trail::new(small()), Trail::new(small()).retold());
    let (first, second) = (told(&trail), told(&retold));
    assert_eq!(first.iter().collect::<BTreeSet<_>>(), second.iter().collect::<BTreeSet<_>>());
    assert_eq!(first.len(), second.len());
    let bodies: BTreeSet<_> = (0..trail.objects()).map(|n| trail.object(n).body).collect();
    let keys: BTreeSet<_> = (0..trail.objects()).map(|n| trail.object(n).key).collect();
    for number in 0..retold.objects() {
        let object = retold.object(number);
        assert!(!bodies.contains(&object.body) && !keys.contains(&object.key));
    }
}

#[test]
fn keys_go_forward_in_time_and_events_stand_near_their_delivery() {
    let trail = Trail::new(small());
    let mut before = String::new();
    let mut other_days = 0;
    for number in 0..trail.objects() {
        let object = trail.object(number);
        let parts: Vec<&str> = object.key.split('/').collect();
        let [logs, org, account, kind, region, year, month, day, name] = parts[..] else {
            panic!("{}", object.key)
        };
        assert_eq!((logs, org, kind), ("AWSLogs", "o-trail00lake", "CloudTrail"));
        let start = format!("{account}_CloudTrail_{region}_{year}{month}{day}T");
        assert!(name.starts_with(&start) && name.ends_with(".json.gz"), "{name}");
        let delivered = name[start.len() - 9..start.len() + 4].to_owned();
        assert!(before <= delivered, "{before} {delivered}");
        before = delivered;
        let file: Value = serde_json::from_str(&object.body).unwrap();
        let records = file["Records"].as_array().unwrap();
        assert_eq!(records.len(), object.records as usize);
        for record in records {
            assert_eq!(record["recipientAccountId"], account);
            let day = format!("{year}-{month}-{day}");
            other_days += u32::from(!record["eventTime"].as_str().unwrap().starts_with(&day));
        }
    }
    assert!(other_days > 0);
}

#[test]
fn trails_hold_what_audits_ask_for() {
    let events = events(&Trail::new(TrailOptions { error_share: 0.1, ..small() }));
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut bytes = 0;
    for event in &events {
        bytes += event.to_string().len();
        for field in ["eventVersion", "eventType", "eventCategory", "readOnly", "errorCode"] {
            seen.entry(field.into()).or_default().insert(event[field].to_string());
        }
        seen.entry("type".into()).or_default().insert(event["userIdentity"]["type"].to_string());
        seen.entry("call".into()).or_default().insert(event["eventName"].to_string());
    }
    let types = seen["type"].iter().map(String::as_str).collect::<Vec<_>>();
    let expected = [
        "\"AWSAccount\"",
        "\"AWSService\"",
        "\"AssumedRole\"",
        "\"Directory\"",
        "\"FederatedUser\"",
        "\"IAMUser\"",
        "\"IdentityCenterUser\"",
        "\"Root\"",
        "\"SAMLUser\"",
        "\"Unknown\"",
        "\"WebIdentityUser\"",
        "null",
    ];
    assert_eq!(types, expected);
    assert_eq!(seen["eventType"].len(), 3, "{:?}", seen["eventType"]);
    assert_eq!(seen["eventCategory"].len(), 2);
    assert_eq!(seen["eventVersion"].len(), 4);
    assert!(seen["errorCode"].len() > 4 && seen["call"].len() > 30, "{seen:?}");
    let average = bytes / events.len();
    assert!((1100..1600).contains(&average), "{average} bytes an event");
}

#[test]
fn files_are_the_same_for_any_number_of_threads() {
    let trail = Trail::new(small());
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = trail.write_to(folders[0].path(), 1).unwrap();
    let three = trail.write_to(folders[1].path(), 3).unwrap();
    assert_eq!(one, three);
    assert_eq!((one.objects, one.records), (60, trail.truth().records));
    for number in [0, 31, 59] {
        let object = trail.object(number);
        let read = |folder: &tempfile::TempDir| std::fs::read(folder.path().join(&object.key));
        let (first, second) = (read(&folders[0]).unwrap(), read(&folders[1]).unwrap());
        assert_eq!(first, second);
        assert_eq!(std::io::read_to_string(GzDecoder::new(&first[..])).unwrap(), object.body);
    }
}

#[test]
fn a_trail_never_changes() {
    // Recorded figures rest on it: whoever changes this number changes what they were measured on.
    let trail = Trail::new(small());
    let objects = (0..trail.objects()).map(|number| trail.object(number));
    let fnv = objects.fold(0xCBF2_9CE4_8422_2325, |sum, object| {
        let bytes = object.key.bytes().chain(object.body.bytes());
        bytes.fold(sum, |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    });
    assert_eq!(format!("{fnv:016x}"), "400966a42c07cbc0");
}
