//! Every form in which people have CloudTrail's records.

use serde_json::json;
use traillake_cloudtrail::{Body, Kind, Limits, ObjectFault};

use crate::support::{decode, decode_within, event};

fn records(count: usize) -> Vec<String> {
    (0..count).map(|n| event(&format!(r#""eventID":"{n}""#))).collect()
}

/// Decodes a body held and streamed; both must find these records.
fn check(body: &str, form: Body, expected: &[String]) {
    let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    for limits in [Limits::default(), streamed] {
        let decoded = decode_within(body.as_bytes(), &limits);
        let summary = &decoded.summary;
        assert!(summary.rejects.is_empty(), "{body}: {:?}", summary.rejects);
        assert_eq!(summary.format, Some(form), "{body}");
        let found = decoded.records(Kind::Events);
        let found: Vec<&str> = found.iter().map(|r| std::str::from_utf8(r).unwrap()).collect();
        assert_eq!(found, expected, "{body}");
        let indexes: Vec<String> = (0..expected.len()).map(|n| n.to_string()).collect();
        let found = decoded.text(Kind::Events, "_index");
        assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), indexes);
    }
}

#[test]
fn bare_forms() {
    let all = records(3);
    check(&format!("{{\"Records\":[{}]}}", all.join(",")), Body::Records, &all);
    let around = format!(
        "\u{feff}{{ \"x\" : [1,{{}}], \"Records\" : [ {} ] , \"y\": \"]\" }}\n",
        all.join(" ,\n")
    );
    check(&around, Body::Records, &all);
    check(&all[0], Body::Single, &all[..1]);
    check(&format!("[{}]", all.join(", ")), Body::Array, &all);
    check(&format!("{}\n", all.join("\n")), Body::Lines, &all);
    check(&all.join("\r\n\r\n"), Body::Lines, &all);
    let lines = format!("{{\"Records\":[{}]}}\n{{\"Records\":[{},{}]}}\n", all[0], all[1], all[2]);
    check(&lines, Body::Records, &all);
    check("[]", Body::Array, &[]);
    check("{\"Records\":[]}", Body::Records, &[]);
}

#[test]
fn envelopes_of_other_tools() {
    let all = records(2);
    let lookup =
        |record: &String| json!({"EventId": "x", "CloudTrailEvent": record, "Username": "u"});
    let events: Vec<_> = all.iter().map(lookup).collect();
    check(&json!({ "Events": events, "NextToken": "t" }).to_string(), Body::LookupEvents, &all);
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    check(&lines.join("\n"), Body::LookupEvents, &all);
    check(&json!(events).to_string(), Body::LookupEvents, &all);

    let bridge = |record: &String| {
        format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","region":"r","resources":[],"detail":{record}}}"#
        )
    };
    let bridged: Vec<String> = all.iter().map(bridge).collect();
    check(&bridged.join("\n"), Body::EventBridge, &all);
    check(&format!("[{}]", bridged.join(",")), Body::EventBridge, &all);

    let message = |record: &String| json!({"id": "1", "timestamp": 1, "message": record});
    let messages: Vec<_> = all.iter().map(message).collect();
    let subscription =
        json!({"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": messages});
    check(&subscription.to_string(), Body::CloudWatchLogs, &all);
    check(&json!({ "events": messages }).to_string(), Body::CloudWatchLogs, &all);
    let exported: Vec<String> =
        all.iter().map(|record| format!("2024-01-02T03:04:05.000Z {record}")).collect();
    check(&exported.join("\n"), Body::CloudWatchLogs, &all);
    let carried = json!({"timestamp": 1, "message": bridge(&all[0])});
    check(&carried.to_string(), Body::CloudWatchLogs, &all[..1]);
}

#[test]
fn a_bad_record_costs_no_other() {
    let all = records(3);
    let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    let check = |body: &[u8], bad: &[u8], index: u64, reason: &str| {
        for limits in [Limits::default(), streamed.clone()] {
            let decoded = decode_within(body, &limits);
            let summary = &decoded.summary;
            assert_eq!((summary.rows, summary.rejected), (2, 1), "{summary:?}");
            let reject = &summary.rejects[0];
            assert_eq!(String::from_utf8_lossy(&reject.bytes), String::from_utf8_lossy(bad));
            assert!(body[reject.offset as usize..].starts_with(bad));
            assert_eq!(reject.index, index);
            assert!(reject.reason.contains(reason), "{}", reject.reason);
        }
    };
    let wrap = |middle: &[u8]| {
        let mut body = format!("{{\"Records\":[{},", all[0]).into_bytes();
        body.extend_from_slice(middle);
        body.extend(format!(",{}]}}", all[2]).into_bytes());
        body
    };
    for bad in [
        &b"{\"a\":tru}"[..],
        b"{\"a\" 1}",
        b"{,}",
        b"nonsense",
        b"\"text, with ]\"",
        b"[1,{}]",
        b"null",
    ] {
        check(&wrap(bad), bad, 1, "");
    }
    let latin = [b"{\"a\":\"caf", &b"\xe9\"}"[..]].concat();
    check(&wrap(&latin), &latin, 1, "invalid UTF-8 at byte 9");
    let broken = format!("{}\n{{\"eventID\":\"open\n{}", all[0], all[2]);
    check(broken.as_bytes(), b"{\"eventID\":\"open", 1, "invalid JSON");
    let unbalanced = format!("{}\n{{\"eventID\":{{\n{}\n", all[0], all[2]);
    check(unbalanced.as_bytes(), b"{\"eventID\":{", 1, "");
    let stranger = format!("{}\n{{\"level\":\"info\"}}\n{}\n", all[0], all[2]);
    check(stranger.as_bytes(), b"{\"level\":\"info\"}", 1, "no record");
    let text = format!("{}\nhello\n{}\n", all[0], all[2]);
    check(text.as_bytes(), b"hello", 1, "no JSON");
    let cut = format!("{{\"Records\":[{},{},{}", all[0], all[1], &all[2][..40]);
    check(cut.as_bytes(), &all[2].as_bytes()[..40], 2, "cut short after 2 records");
    let cut = format!("{{\"Records\":[{},{}", all[0], all[1]);
    check(cut.as_bytes(), b"", 2, "cut short after 2 records");
}

#[test]
fn contradicting_brackets_refuse_the_object() {
    let all = records(2);
    let check = |body: String, at: usize| {
        let decoded = decode(body.as_bytes());
        let summary = &decoded.summary;
        assert!(
            matches!(summary.fault, Some(ObjectFault::Malformed { at: found, .. }) if found == at as u64),
            "{body}: {summary:?}"
        );
        assert_eq!((summary.records, summary.rows, summary.rejected), (1, 0, 1));
        assert_eq!(summary.rejects[0].offset, at as u64);
        assert!(decoded.batches.is_empty());
    };
    check(format!("[{}}},{}]", all[0], all[1]), 1 + all[0].len());
    check(format!("{{\"Records\":[{} {}]}}", all[0], all[1]), 13 + all[0].len());
    check(format!("[{},,{}]", all[0], all[1]), 2 + all[0].len());
}

#[test]
fn what_is_not_cloudtrails_gives_nothing() {
    for body in [
        "hello\nworld\n",
        "{}",
        "{\"name\":\"package\"}",
        "[1,2,3]",
        "{\"a\":",
        "]",
        "\u{0}\u{1}",
        "{\"configurationItems\":[{\"awsAccountId\":\"1\"}]}",
        "version account-id eni\n2 1 eni\n",
        "{\"eventType\":\"click\"}\n{\"eventType\":\"view\"}\n",
        "   \n",
        "{\"message\":\"started\"}",
    ] {
        let decoded = decode(body.as_bytes());
        let summary = &decoded.summary;
        assert!(!summary.recognised && summary.fault.is_none(), "{body}: {summary:?}");
        assert_eq!((summary.records, summary.rejects.len()), (0, 0), "{body}");
        assert!(decoded.batches.is_empty());
    }
}

#[test]
fn rows_of_a_refused_object_never_mix_with_others() {
    let mut decoder =
        traillake_cloudtrail::Decoder::new(Limits { batch_rows_max: 3, ..Limits::default() });
    let mut batches = Vec::new();
    let mut sink = |batch: traillake_cloudtrail::Batch| {
        batches.push(batch.rows);
        std::ops::ControlFlow::Continue(())
    };
    let good = format!("[{}]", records(2).join(","));
    let bad = format!("[{}}}", records(9).join(","));
    for (number, body) in [&good, &bad, &good, &bad, &good].into_iter().enumerate() {
        let inspected =
            traillake_cloudtrail::inspect(&mut body.as_bytes(), &Limits::default()).unwrap();
        let mut again = || panic!("held");
        decoder.decode(number as i64, &inspected, &mut again, &mut sink).unwrap();
    }
    decoder.finish(&mut sink);
    let schema = Kind::Events.schema();
    let rows = arrow::compute::concat_batches(&schema, &batches).unwrap();
    let objects = rows.column_by_name("_object").unwrap();
    let objects = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(objects);
    assert_eq!(objects.values().to_vec(), [0, 0, 2, 2, 4, 4]);
}
