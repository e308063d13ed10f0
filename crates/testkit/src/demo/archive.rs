//! The demo's events as log files, and the files as one archive.

use std::collections::BTreeMap;
use std::io;

use flate2::{Compression, GzBuilder};

use super::{ORGANIZATION, PRODUCTION, at, events};
use crate::random::Random;
use crate::trail::{Event, gzip, key, push_letters, push_uuid};

/// Records of one file that another repeats.
const REPEATED: usize = 8;

/// Returns the log files by key, from `AWSLogs/` on, as CloudTrail would deliver them: gzipped,
/// every five minutes by account and region. Two files come a day late, and one repeats eight
/// records of another.
///
/// # Errors
/// None in practice: those of writing to memory.
pub fn objects() -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut deliveries: BTreeMap<(i64, String, String), Vec<Event>> = BTreeMap::new();
    for event in events() {
        let slot = (event.time / 300 + 2) * 300 - 30;
        let place = (slot + lateness(&event), event.account.clone(), event.region.clone());
        deliveries.entry(place).or_default().push(event);
    }
    let mut random = Random::new(3);
    let (mut objects, mut repeated) = (BTreeMap::new(), Vec::<Event>::new());
    for ((time, account, region), mut events) in deliveries {
        let same_place = |event: &Event| event.account == account && event.region == region;
        if repeated.first().is_some_and(same_place) {
            events.append(&mut repeated);
        }
        if events.iter().filter(|event| event.name == "DeleteObject").count() > REPEATED {
            repeated = events[..REPEATED].to_vec();
        }
        let mut body = r#"{"Records":["#.to_owned();
        for (number, event) in events.iter().enumerate() {
            body.push_str(if number == 0 { "" } else { "," });
            event.write(&mut body);
        }
        body.push_str("]}");
        let key = object_key("CloudTrail", &account, &region, time, &mut random);
        objects.insert(key, gzip(body.as_bytes())?);
    }
    let (key, body) = insight(&mut random);
    objects.insert(key, gzip(body.as_bytes())?);
    Ok(objects)
}

/// Returns [`objects`] as a tar archive, gzipped: the same bytes every time.
///
/// # Errors
/// None in practice: those of writing to memory.
pub fn archive() -> io::Result<Vec<u8>> {
    let encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(encoder);
    for (key, bytes) in objects()? {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(at(13, 0, 0, 0) as u64);
        archive.append_data(&mut header, &key, bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// How much later than usual an event comes: those of a few hours of two accounts, a day.
fn lateness(event: &Event) -> i64 {
    let slow = at(10, 0, 0, 0)..at(10, 4, 0, 0);
    if event.account != PRODUCTION && slow.contains(&event.time) { 86_400 } else { 0 }
}

fn object_key(kind: &str, account: &str, region: &str, time: i64, random: &mut Random) -> String {
    let mut unique = String::new();
    push_letters(&mut unique, 16, random);
    let key = key(&format!("{ORGANIZATION}/"), account, region, time, &unique);
    key.replace("CloudTrail", kind)
}

/// What CloudTrail Insights made of the refused calls: the start and the end of one incident.
fn insight(random: &mut Random) -> (String, String) {
    let mut shared = String::new();
    push_uuid(&mut shared, random);
    let mut records = Vec::new();
    for (state, time) in [("Start", "2026-03-11T02:13:00Z"), ("End", "2026-03-11T02:15:00Z")] {
        let mut id = String::new();
        push_uuid(&mut id, random);
        let duration = if state == "End" { r#","insightDuration":2"# } else { "" };
        records.push(format!(
            r#"{{"eventVersion":"1.11","eventTime":"{time}","awsRegion":"us-east-1","eventID":"{id}","eventType":"AwsCloudTrailInsight","recipientAccountId":"{PRODUCTION}","sharedEventID":"{shared}","insightDetails":{{"state":"{state}","eventSource":"iam.amazonaws.com","eventName":"ListUsers","insightType":"ApiErrorRateInsight","errorCode":"AccessDenied","insightContext":{{"statistics":{{"baseline":{{"average":0.0}},"insight":{{"average":2.0}}{duration},"baselineDuration":11336}},"attributions":[{{"attribute":"userIdentityArn","insight":[{{"value":"arn:aws:iam::{PRODUCTION}:user/deploy-bot","average":2.0}}],"baseline":[]}}]}}}},"eventCategory":"Insight"}}"#
        ));
    }
    let body = format!(r#"{{"Records":[{}]}}"#, records.join(","));
    let time = at(11, 2, 40, 0);
    (object_key("CloudTrail-Insight", PRODUCTION, "us-east-1", time, random), body)
}
