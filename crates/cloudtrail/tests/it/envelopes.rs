//! Every form in which people have CloudTrail's records.

use proptest::prelude::*;
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

/// Decodes a body held and streamed; both must give these eventIDs and rejects.
fn check_found(body: &str, ids: &[&str], rejects: &[&str]) {
    let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    for limits in [Limits::default(), streamed] {
        let decoded = decode_within(body.as_bytes(), &limits);
        let summary = &decoded.summary;
        let found: Vec<_> = decoded.text(Kind::Events, "eventID").into_iter().flatten().collect();
        assert_eq!(found, ids, "{body}: {summary:?}");
        assert_eq!(summary.fault, None, "{body}");
        let found = summary.rejects.iter().map(|reject| String::from_utf8_lossy(&reject.bytes));
        assert_eq!(found.collect::<Vec<_>>(), rejects, "{body}: {summary:?}");
        for reject in &summary.rejects {
            assert!(body.as_bytes()[reject.offset as usize..].starts_with(&reject.bytes));
        }
    }
}

#[test]
fn no_first_key_hides_a_record() {
    let last = event(r#""eventID":"last""#);
    let check = |hidden: &str, rejects: &[&str]| {
        check_found(&format!("{hidden}\n{last}\n"), &["hidden", "last"], rejects);
    };
    let after = |member: &str| format!("{{{member},{}", &event(r#""eventID":"hidden""#)[1..]);
    for member in [
        r#""events":[]"#,
        r#""Events":[]"#,
        r#""logEvents":[]"#,
        r#""Records":[]"#,
        r#""Record\u0073":[]"#,
        r#""eventVersion":"1","Records":[]"#,
        r#""digestStartTime":"2024-01-02T03:04:05Z""#,
        r#""digestEndTime":1"#,
        r#""digestS3Object":"k""#,
        r#""message":"{}""#,
        r#""CloudTrailEvent":"{}""#,
        r#""detail-type":"x","detail":{}"#,
    ] {
        check(&after(member), &[]);
    }
    // What its list holds is told beside it.
    check(&after(r#""events":[{"x":1}]"#), &[r#"{"x":1}"#]);
    // Records in several places of one object: what is not taken is told.
    let inner = event(r#""eventID":"hidden""#);
    let text = serde_json::to_string(&event(r#""eventID":"more""#)).unwrap();
    for other in [
        format!(r#"{{"Records":[{inner}],"message":{text}}}"#),
        format!(
            r#"{{"events":[{{"detail-type":"x","detail":{inner}}}],"CloudTrailEvent":{text}}}"#
        ),
    ] {
        check(&other, &[&other]);
    }
    let twice = format!(r#"{{"message":{text},"message":{text}}}"#);
    check_found(&format!("{last}\n{twice}\n"), &["last"], &[&twice]);
}

#[test]
fn escaped_keys_are_keys() {
    let all = records(2);
    check(&format!(r#"{{"Record\u0073":[{}]}}"#, all.join(",")), Body::Records, &all);
    let bare =
        r#"{"event\u0054ime":"2024-01-02T03:04:05Z","event\u0053ource":"s","\u0065ventName":"n"}"#;
    check(bare, Body::Single, &[bare.to_owned()]);
    let text = serde_json::to_string(&all[0]).unwrap();
    check(&format!(r#"{{"CloudTrail\u0045vent":{text}}}"#), Body::LookupEvents, &all[..1]);
}

/// Records that are no JSON, none of which may cost another.
const BROKEN: &[&str] = &[
    "{\"eventVersion\":\"1.08\",\"eventName\":\"a\nb\"}",
    r#"{"eventVersion":"1.08","eventName":"a"b"}"#,
    r#"{"eventVersion":"1.08","eventName":"ab,"eventID":"x"}"#,
    r#"{"eventVersion":"1.08","eventName":"a","eventID":"x}"#,
    r#"{"eventVersion":"1.08","eventName":"a"b","userIdentity":{"type":"x","n":1},"resources":[{"ARN":"a"},{"ARN":"b"}],"readOnly":true}"#,
    r#"{"eventVersion":"1.08","eventName":"a"b","userAgent":"say \"hi\"","x":{"y":[1,{"z":2},{"z":3}]}}"#,
    r#"{"eventVersion":"1.08","eventName":"a"b","x":{"n":1},"userAgent":"a\"b","y":[{"z":1},{"z":2}],"eventID":"1"}"#,
    r#"{"eventVersion":"1.08","eventName":"a","userIdentity":{"type":"x"}"#,
    r#"{"eventVersion":tru,"eventName":"a"}"#,
    "{\"eventName\":\"a\nb\",\"requestParameters\":{\"items\":[{\"x\":1},{\"eventTime\":\"2024-01-02T03:04:05Z\",\"eventSource\":\"s\",\"eventName\":\"forged\",\"eventID\":\"forged\"}]},\"eventID\":\"1\"}",
];

#[test]
fn a_broken_record_costs_no_other_of_its_list() {
    let good: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|id| event(&format!(r#""eventID":"{id}","requestParameters":{{"l":[{{}},{{}}]}}"#)))
        .collect();
    let (a, b, c) = (good[0].as_str(), good[1].as_str(), good[2].as_str());
    for bad in BROKEN {
        // An open string at the end takes the brackets with it: that is an object cut short.
        let is_open = bad.ends_with("\"x}");
        let lists = [[bad, a, b, c], [a, bad, b, c], [a, b, c, bad]];
        for list in &lists[..if is_open { 2 } else { 3 }] {
            for between in [",", ",\n  ", " ,\r\n"] {
                let list = list.join(between);
                for body in [
                    format!("{{\"Records\":[{list}]}}"),
                    format!("{{\"Records\": [\n{list}\n] }}\n"),
                    format!("[{list}]"),
                    format!("{{\"x\":[],\"Records\":[{list}]}}\n{{\"Records\":[]}}"),
                ] {
                    check_found(&body, &["a", "b", "c"], &[bad]);
                }
            }
        }
        // Members behind the list, and one that is broken too.
        let (x, y) = (BROKEN[0], BROKEN[1]);
        let body = format!("{{\"Records\":[{a},{bad},{b},{x},{y},{c}],\"y\":{{\"z\":1}}}}");
        check_found(&body, &["a", "b", "c"], &[bad, x, y]);
    }
}

#[test]
fn a_stream_of_many_windows_is_found_whole() {
    let limits = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    let records = |body: &str| {
        let decoded = decode_within(body.as_bytes(), &limits);
        (decoded.summary.rows, decoded.summary.rejected, decoded.summary.fault)
    };
    // White space that no window holds.
    let pad = " ".repeat(3 << 20);
    let (a, b) = (event(r#""eventID":"a""#), event(r#""eventID":"b""#));
    let text = json!({ "CloudTrailEvent": a }).to_string();
    assert_eq!(records(&format!("{pad}[{pad}{a}{pad},{pad}{b}{pad}]{pad}")), (2, 0, None));
    assert_eq!(records(&format!("{{{pad}\"Events\":{pad}[{pad}{text}{pad}]{pad}}}")), (1, 0, None));
    assert_eq!(records(&format!("{{\"Records\":{pad}[{pad}{a},{b}]}}{pad}{a}")), (3, 0, None));
    // Broken records anywhere in them.
    let record = |n: usize| match n % 500 {
        7 => BROKEN[n / 500 % BROKEN.len()].to_owned(),
        _ => event(&format!(r#""eventID":"{n}","userAgent":"{}""#, "x".repeat(n % 300))),
    };
    let list: Vec<String> = (0..20_000).map(record).collect();
    assert_eq!(records(&format!("{{\"Records\":[{}]}}", list.join(","))), (19_960, 40, None));
    assert_eq!(records(&format!("[{}]", list.join(",\n"))), (19_960, 40, None));
}

#[test]
fn a_broken_envelope_costs_no_other_of_its_list() {
    let text = |id: &str| {
        let record = event(&format!(r#""eventID":"{id}""#));
        json!({"EventId": id, "CloudTrailEvent": record}).to_string()
    };
    let (a, b) = (text("a"), text("b"));
    for bad in [r#"{"EventId":"x"y","CloudTrailEvent":"{}"}"#, "{\"EventId\":\"x\ny\"}"] {
        let body = format!("{{\"Events\":[{a},{bad},{b}]}}");
        check_found(&body, &["a", "b"], &[bad]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_quote_or_line_break_anywhere_costs_one_record(
        at in any::<prop::sample::Index>(),
        inserted in prop::sample::select(vec!["\"", "\n", "\\", "\u{1}", "\"\"", "x"]),
        streamed in any::<bool>(),
    ) {
        let whole = event(concat!(
            r#""eventID":"1","userIdentity":{"type":"x","arn":"a\"b{","sessionContext":{"a":{"b":1}}},"#,
            r#""requestParameters":{"l":[{"k":"v"},{"k":[1,2]}],"s":"}]},{"},"resources":[{"ARN":"a"},{"ARN":"b"}],"#,
            r#""readOnly":true"#
        ));
        let mut bad = whole.clone();
        bad.insert_str(at.index(whole.len() - 1) + 1, inserted);
        let others: Vec<String> =
            ["a", "b", "c"].iter().map(|id| whole.replace(r#""1""#, &format!("\"{id}\""))).collect();
        let body = format!("{{\"Records\":[{},{bad},{},{}]}}", others[0], others[1], others[2]);
        let held = if streamed { 8 } else { 1 << 20 };
        let limits = Limits { in_memory_bytes_max: held, ..Limits::default() };
        let decoded = decode_within(body.as_bytes(), &limits);
        let summary = &decoded.summary;
        prop_assert_eq!(summary.records, 4, "{}: {:?}", bad, summary);
        let ids = decoded.text(Kind::Events, "eventID");
        for id in ["a", "b", "c"] {
            prop_assert!(ids.contains(&Some(id.to_owned())), "{}: {:?}", bad, summary);
        }
    }
}

#[test]
fn a_log_is_found_behind_what_is_foreign() {
    let all = records(2);
    let lines: String = (0..150).map(|n| format!("# line {n}\n")).collect();
    let strangers: String = (0..150).map(|n| format!("{{\"level\":{n}}}\n")).collect();
    for before in [lines, strangers] {
        let body = format!("{before}{}\n", all.join("\n"));
        let summary = decode(body.as_bytes()).summary;
        assert_eq!((summary.rows, summary.rejected), (2, 150), "{summary:?}");
    }
    // A broken member before the list hides it no more than a sound one.
    let body = format!("{{\"note\":\"a\nb\",\"Records\":[{}]}}", all.join(","));
    assert_eq!(decode(body.as_bytes()).summary.rows, 2);
}

#[test]
fn what_looks_like_a_log_and_is_none_is_told_apart() {
    let record = event(r#""eventVersion":"1.08""#);
    let is_suspect = |body: &[u8]| {
        let summary = decode(body).summary;
        assert!(!summary.recognised && summary.rows == 0, "{summary:?}");
        summary.suspect
    };
    assert!(is_suspect(format!("{{\"_source\":{record}}}").as_bytes()));
    assert!(is_suspect(format!("<14>host: {record}\n").as_bytes()));
    assert!(!is_suspect(b"{\"name\":\"package\"}"));
    assert!(!is_suspect(b"text about eventTime and eventSource"));
    for bom in [&b"\xff\xfe"[..], b""] {
        let wide = |text: &str| -> Vec<u8> {
            [bom, &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat()
        };
        let summary = decode(&wide(&record)).summary;
        assert_eq!((summary.fault, summary.suspect), (Some(ObjectFault::Utf16), true));
        assert!(!decode(&wide("{}")).summary.suspect);
    }
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
    check(format!("{{\"Records\":[{},}}{}]}}", all[0], all[1]), 13 + all[0].len());
    check(format!("{{\"Records\":[{}:{}]}}", all[0], all[1]), 12 + all[0].len());
    // What was told before it, a comma too many, changes nothing.
    check(format!("[{},,{}}}]", all[0], all[1]), 3 + all[0].len() + all[1].len());
}

#[test]
fn what_is_not_cloudtrails_gives_nothing() {
    for body in [
        "hello\nworld\n",
        "{}",
        "{\"name\":\"package\"}",
        "[1,2,3]",
        "[,1,,2 3,]",
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

/// A cell of a Lake query's result.
fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn results_of_lake_queries() {
    let all = records(3);
    let export = |end: &str, all: &[String]| {
        let rows = all.iter().map(|r| format!("x,{},\"a, \"\"b\"\"{end}\"{end}", cell(r)));
        format!("eventID,eventJson,userAgent{end}{}", rows.collect::<String>())
    };
    check(&export("\n", &all), Body::LakeExport, &all);
    check(&format!("\u{feff}{}", export("\r\n", &all)), Body::LakeExport, &all);
    check(
        &format!("\"EVENTJSON\"\n{}\n\n{}", cell(&all[0]), cell(&all[1])),
        Body::LakeExport,
        &all[..2],
    );
    check("eventJson\n", Body::LakeExport, &[]);
    check("eventJson", Body::LakeExport, &[]);
    // The record as it was written, line breaks and all.
    let wide = all[0].replace(',', ",\n  ");
    check(&export("\n", std::slice::from_ref(&wide)), Body::LakeExport, &[wide]);
}

#[test]
fn rows_of_a_lake_query_that_are_broken_are_rejects_and_the_rest_goes_on() {
    let all = records(2);
    let [first, last] = [cell(&all[0]), cell(&all[1])];
    for (row, reason) in [
        ("1,2", "a row of 2 values under 1 names"),
        ("\"a\"b", "a malformed row: text behind a value in quotes"),
        ("a\"b", "a malformed row: a quote within a value that has none"),
        ("\"\"", "a row without an event"),
        ("\"{\"\"a\"\":}\"", "invalid JSON at byte 5 of the record"),
    ] {
        let body = format!("eventJson\n{first}\n{row}\n{last}\n");
        let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
        for limits in [Limits::default(), streamed] {
            let decoded = decode_within(body.as_bytes(), &limits);
            let found = decoded.records(Kind::Events);
            assert_eq!(found, [all[0].as_bytes(), all[1].as_bytes()], "{row}");
            let rejects = &decoded.summary.rejects;
            assert_eq!(rejects.len(), 1, "{row}: {rejects:?}");
            assert!(rejects[0].reason.starts_with(reason), "{row}: {rejects:?}");
            let at = ("eventJson\n".len() + first.len() + 1) as u64;
            assert!((at..=at + 1).contains(&rejects[0].offset), "{row}: {rejects:?}");
        }
    }
    // A quote that is never closed: the next line is tried.
    let body = format!("eventJson\n\"open\n{last}\n");
    let decoded = decode(body.as_bytes());
    assert_eq!(decoded.records(Kind::Events), [all[1].as_bytes()]);
    assert_eq!(decoded.summary.rejects.len(), 1, "{:?}", decoded.summary.rejects);
}

/// Someone who may write to the bucket could put an object there that holds nothing else: what is
/// not held whole must not pile up.
#[test]
fn an_object_too_large_to_hold_has_no_more_digests_than_a_batch() {
    let digest = r#"{"awsAccountId":"000000000001","digestStartTime":"2019-11-08T15:49:11Z","digestEndTime":"2019-11-08T16:49:11Z","digestS3Bucket":"b","digestS3Object":"k","logFiles":[]}"#;
    let body = format!("{digest}\n").repeat(1_500);
    let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    for (limits, taken) in [(Limits::default(), 1_500), (streamed, 1_024)] {
        let decoded = decode_within(body.as_bytes(), &limits);
        assert_eq!(decoded.rows(Kind::Digest).num_rows(), taken);
        assert_eq!(decoded.summary.rejected, 1_500 - taken as u64);
        let first = decoded.summary.rejects.first();
        assert!(first.is_none_or(|first| first.reason.contains("digest")), "{first:?}");
    }
}
