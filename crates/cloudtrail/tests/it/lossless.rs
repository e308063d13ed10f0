//! Whatever is valid JSON in a record's place becomes a row that gives its bytes back.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use traillake_cloudtrail::{Kind, rebuild_all};

use crate::support::{check_spare_column, decode, event};

/// Decodes a record; returns its shape, after having checked that its bytes come back.
fn shape(record: &str) -> String {
    let decoded = decode(format!("{{\"Records\":[{record}]}}").as_bytes());
    assert_eq!(decoded.summary.rows, 1, "{record}: {:?}", decoded.summary.rejects);
    let rebuilt = decoded.records(Kind::Events).remove(0);
    assert_eq!(String::from_utf8_lossy(&rebuilt), record);
    decoded.text(Kind::Events, "_shape").remove(0).unwrap()
}

fn check(members: &str, expected: &str) {
    assert_eq!(shape(&event(members)), format!("1e{{eventTime,eventSource,eventName{expected}}}"));
}

#[test]
fn shapes_say_what_columns_cannot() {
    check("", "");
    check(r#""errorCode":null,"requestParameters":null"#, ",errorCode~,requestParameters~");
    check(
        r#""requestParameters":"","responseElements":{ }"#,
        ",requestParameters=,responseElements=",
    );
    check(r#""userIdentity":{},"tlsDetails":null"#, ",userIdentity{},tlsDetails~");
    check(r#""userIdentity":"x","resources":7"#, ",userIdentity!,resources!");
    check(r#""readOnly":"true","managementEvent":1"#, ",readOnly',managementEvent!");
    check(r#""userAgent":12.50,"requestID":{"a":[]}"#, ",userAgent=,requestID=");
    check(r#""userAgent":"a\u003db","errorMessage":"\u0041""#, ",userAgent^h,errorMessage!");
    check(r#""userAgent":"\ud800","errorCode":"\u0000""#, ",userAgent!,errorCode");
    check(r#""new":1,"userIdentity":{"n w":[]}"#, r#",new?,userIdentity{"n w"?}"#);
    check(r#""event\u0049D":"x""#, r#","event\u0049D""#);
    check(r#""errorCode":"a","errorCode":"b""#, ",errorCode!,errorCode");
    check(
        r#""userIdentity":{"arn":"a"},"userIdentity":{"arn":"b"}"#,
        ",userIdentity!,userIdentity{arn}",
    );
}

#[test]
fn lists_name_each_layout_once() {
    check(r#""resources":[]"#, ",resources[]");
    check(r#""resources":[{"ARN":"a"},{"ARN":"b"},{"ARN":"c"}]"#, ",resources[{ARN}]");
    check(
        r#""resources":[{"ARN":"a"},{"accountId":"1","arn":2},null,[1],{},{}]"#,
        ",resources[{ARN}{accountId,arn=}~!{}]",
    );
    check(r#""resources":[{"arn":"a","ARN":"b","x":1}]"#, ",resources[{arn!,ARN,x?}]");
}

#[test]
fn times_keep_their_spelling() {
    let check = |spelled: &str, at: &str, mark: &str| {
        let record = format!(r#"{{"eventTime":{spelled},"eventSource":"s","eventName":"n"}}"#);
        let decoded = decode(format!("[{record}]").as_bytes());
        assert_eq!(decoded.records(Kind::Events), [record.as_bytes()]);
        assert_eq!(decoded.text(Kind::Events, "eventTime"), [Some(at.to_owned())]);
        assert_eq!(
            decoded.text(Kind::Events, "_shape"),
            [Some(format!("1e{{eventTime{mark},eventSource,eventName}}"))]
        );
    };
    check(r#""2022-02-08 09:23:37+11:00""#, "2022-02-07T22:23:37Z", "@Y-m-d_H:M:S+11:00");
    check(r#""2022-02-08T09:23:37.125Z""#, "2022-02-08T09:23:37.125Z", "@Y-m-dTH:M:S.3Z");
    check(r#""20220208T092337Z""#, "2022-02-08T09:23:37Z", "@YmdTHMSZ");
    check("1644312217", "2022-02-08T09:23:37Z", "@#0.0");
    check("1644312217000", "2022-02-08T09:23:37Z", "@#3.0");
    // Finer than the column, and a leap second: the text is kept.
    check(r#""2022-02-08T09:23:37.123456789Z""#, "2022-02-08T09:23:37.123456Z", "!");
    check(r#""2016-12-31T23:59:60Z""#, "2017-01-01T00:00:00Z", "!");
    // Java's doubles, and the midnight that ends a day.
    check("1.644312217E9", "2022-02-08T09:23:37Z", "!");
    check("1.6443122175e12", "2022-02-08T09:23:37.500Z", "!");
    check("1644312217.123456789", "2022-02-08T09:23:37.123456Z", "!");
    check(r#""2022-02-08T24:00:00Z""#, "2022-02-09T00:00:00Z", "!");
}

#[test]
fn white_space_is_a_style() {
    let check = |record: &str, style: &str| {
        let shape = shape(record);
        assert_eq!(shape[2..].split('{').next(), Some(style), "{record}");
    };
    let tail = r#""eventSource":"s","eventName":"n""#;
    check(&format!(r#"{{"eventTime":"2022-02-08T09:23:37Z",{tail}}}"#), "");
    check(
        r#"{"eventTime": "2022-02-08T09:23:37Z", "eventSource": "s", "eventName": "n", "resources": [{}, {}]}"#,
        "(0010100010)",
    );
    check(
        "{\n      \"eventTime\": \"2022-02-08T09:23:37Z\",\n      \"eventSource\": \"s\",\n      \"eventName\": \"n\",\n      \"userIdentity\": {\n        \"arn\": \"a\"\n      }\n    }",
        "(nnn0100000+4+2)",
    );
    check(
        "{\r\n\t\"eventTime\" : \"2022-02-08T09:23:37Z\",\r\n\t\"eventSource\" : \"s\",\r\n\t\"eventName\" : \"n\",\r\n\t\"tlsDetails\" : { },\r\n\t\"resources\" : [ {\r\n\t\t\"ARN\" : \"a\"\r\n\t} ]\r\n}",
        "(nnn1111100+0+1rt)",
    );
    // No style: one gap is unlike the others.
    check(&format!(r#"{{"eventTime": "2022-02-08T09:23:37Z",{tail}}}"#), "!");
}

#[test]
fn depth_and_repeats_lose_nothing() {
    let deep = |n: usize| format!("{}{}", r#"{"a":["#.repeat(n), "]}".repeat(n));
    check(&format!(r#""requestParameters":{}"#, deep(100)), ",requestParameters=");
    check(&format!(r#""unknown":{}"#, deep(100)), ",unknown?");
    let decoded = decode(format!("[{}]", event(&format!(r#""a":{}"#, deep(2_000)))).as_bytes());
    assert!(decoded.summary.rejects[0].reason.contains("nested too deeply"));
}

#[test]
fn only_a_missing_time_source_or_name_is_a_reject() {
    let check = |record: &str, reason: &str| {
        let decoded = decode(format!("{{\"Records\":[{record}]}}").as_bytes());
        let rejects = &decoded.summary.rejects;
        assert_eq!(rejects.len(), 1, "{record}");
        assert_eq!((rejects[0].offset, rejects[0].bytes.as_slice()), (12, record.as_bytes()));
        assert!(rejects[0].reason.contains(reason), "{}", rejects[0].reason);
    };
    check(r#"{"eventSource":"s","eventName":"n"}"#, "`eventTime`");
    check(r#"{"eventTime":"soon","eventSource":"s","eventName":"n"}"#, "`eventTime`");
    check(r#"{"eventTime":"2022-02-08T09:23:37Z","eventName":"n"}"#, "`eventSource`");
    check(
        r#"{"eventTime":"2022-02-08T09:23:37Z","eventSource":"s","eventName":null}"#,
        "`eventName`",
    );
    check("17", "object");
    check(r#"{"a":01}"#, "invalid JSON at byte 6");
    check(&event("").replace("S", "S\u{1}"), "control character");
    // What is no call has no source and no name; another category excuses nothing.
    let item = r#"{"eventCategory":"C","eventTime":"2022-02-08T09:23:37Z","eventData":{"a":1}}"#;
    check(item, "`eventSource`");
    let item = item.replace("\"C\"", "\"ConfigurationItem\"");
    let decoded = decode(format!("{{\"Records\":[{item}]}}").as_bytes());
    assert_eq!(decoded.records(Kind::Events), [item.as_bytes()]);
    let unknown = decoded.text(Kind::Events, "_unknown_fields");
    assert_eq!(unknown, [Some(r#"{"eventData":{"a":1}}"#.to_owned())]);
    check(
        r#"{"eventTime":"2022-02-08T09:23:37Z","eventTime":null,"eventSource":null,"eventSource":null,"eventName":"n"}"#,
        "`eventSource`",
    );
    // Months have four digits and two.
    check(
        r#"{"eventTime":"0000-01-01T00:00:00+23:00","eventSource":"s","eventName":"n"}"#,
        "`eventTime`",
    );
    check(
        r#"{"eventTime":"9999-12-31T23:59:59-23:59","eventSource":"s","eventName":"n"}"#,
        "`eventTime`",
    );
    // A wrong type hides nothing.
    let shape = shape(r#"{"eventTime":"2022-02-08T09:23:37Z","eventSource":{},"eventName":7}"#);
    assert_eq!(shape, "1e{eventTime,eventSource=,eventName=}");
}

#[test]
fn a_repetition_that_cannot_be_read_hides_nothing() {
    let check = |record: &str, columns: [&str; 3], expected: &str| {
        assert_eq!(shape(record), expected, "{record}");
        let decoded = decode(format!("{{\"Records\":[{record}]}}").as_bytes());
        for (name, value) in ["eventTime", "eventSource", "eventName"].into_iter().zip(columns) {
            assert_eq!(decoded.text(Kind::Events, name), [Some(value.to_owned())], "{record}");
        }
    };
    let usual = ["2021-07-29T05:06:07Z", "s", "n"];
    let record = |after: &str| {
        format!(
            r#"{{"eventTime":"2021-07-29T05:06:07Z","eventSource":"s","eventName":"n",{after}}}"#
        )
    };
    check(&record(r#""eventTime":null"#), usual, "1e{eventTime,eventSource,eventName,eventTime!}");
    check(
        &record(r#""eventTime":"soon","event\u0054ime":1e99"#),
        usual,
        r#"1e{eventTime,eventSource,eventName,eventTime!,"event\u0054ime"!}"#,
    );
    check(
        &record(r#""eventSource":null,"eventName":null,"eventName":null"#),
        usual,
        "1e{eventTime,eventSource,eventName,eventSource!,eventName!,eventName!}",
    );
    check(
        &record(
            r#""eventTime":"2022-02-08T09:23:37Z","eventTime":[],"eventName":"m","eventName":null"#,
        ),
        ["2022-02-08T09:23:37Z", "s", "m"],
        "1e{eventTime!,eventSource,eventName!,eventTime,eventTime!,eventName,eventName!}",
    );
    // Other fields: the last counts, whatever it is.
    check(
        &record(r#""errorCode":"a","errorCode":null"#),
        usual,
        "1e{eventTime,eventSource,eventName,errorCode!,errorCode~}",
    );
    // The time of an aggregate stands in an object of its own.
    let window = r#""timeWindow":{"windowStart":"2025-11-20T10:00:00Z"}"#;
    for after in
        [r#""timeWindow":null"#, r#""timeWindow":{}"#, r#""timeWindow":{"windowStart":7e99}"#]
    {
        let record = format!(r#"{{"eventType":"AwsAggregatedEvent",{window},{after}}}"#);
        let decoded = decode(format!("{{\"Records\":[{record}]}}").as_bytes());
        assert_eq!(decoded.records(Kind::Aggregated), [record.as_bytes()]);
        let times = decoded.text(Kind::Aggregated, "eventTime");
        assert_eq!(times, [Some("2025-11-20T10:00:00Z".to_owned())]);
    }
}

/// White space, or none where there shall be none.
fn gap(spaced: bool) -> BoxedStrategy<&'static str> {
    if !spaced {
        return Just("").boxed();
    }
    let gaps = prop_oneof![Just(" "), Just("\n  "), Just("\r\n\t"), Just("  \t ")];
    prop_oneof![5 => Just(""), 1 => gaps].boxed()
}

fn raw_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 =<>&'/.:{}\\[\\],-]{0,8}",
        "[é😀\u{7f}\u{2028}\u{fffd}]",
        Just(r"\u0000".to_owned()),
        Just(r"\ud800".to_owned()),
        Just(r"\udc00\ud800".to_owned()),
        Just(r"\ud83d\ude00".to_owned()),
        Just(r"\u003d".to_owned()),
        Just(r"\u003C".to_owned()),
        Just(r"\u00e9".to_owned()),
        Just(r"\/".to_owned()),
        Just(r#"\""#.to_owned()),
        Just(r"\\".to_owned()),
        Just(r"\n\b\u0007\u001F".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn key() -> impl Strategy<Value = String> {
    let known: Vec<&str> = vec![
        "eventID",
        "eventVersion",
        "userIdentity",
        "sessionContext",
        "sessionIssuer",
        "attributes",
        "webIdFederationData",
        "type",
        "arn",
        "ARN",
        "accountId",
        "resources",
        "requestParameters",
        "readOnly",
        "managementEvent",
        "tlsDetails",
        "tlsVersion",
        "onBehalfOf",
        "userId",
        "userAgent",
        "errorCode",
        "creationDate",
        "event\\u0049D",
        "ARNPrefix",
        "eventTime",
        "eventName",
        "eventSource",
        "new-key",
        "new.key",
        "",
    ];
    prop_oneof![6 => prop::sample::select(known).prop_map(|key| format!("\"{key}\"")), 1 => raw_string()]
}

fn object(value: impl Strategy<Value = String>, spaced: bool) -> impl Strategy<Value = String> {
    let gap = || gap(spaced);
    let member = (gap(), key(), gap(), gap(), value, gap());
    (prop::collection::vec(member, 0..7), gap()).prop_map(|(members, empty)| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"))
            .collect();
        if members.is_empty() {
            format!("{{{empty}}}")
        } else {
            format!("{{{}}}", members.join(","))
        }
    })
}

fn value(spaced: bool) -> impl Strategy<Value = String> {
    let gap = move || gap(spaced);
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("\"true\"".to_owned()),
        Just("\"2022-02-08T09:23:37.5Z\"".to_owned()),
        Just("-0.0".to_owned()),
        Just("1.688560107857E9".to_owned()),
        Just("12345678901234567890123".to_owned()),
        raw_string(),
    ];
    scalar.prop_recursive(5, 48, 6, move |value| {
        let list = (prop::collection::vec((gap(), value.clone(), gap()), 0..4), gap()).prop_map(
            |(elements, empty)| {
                let elements: Vec<String> =
                    elements.into_iter().map(|(a, v, b)| format!("{a}{v}{b}")).collect();
                if elements.is_empty() {
                    format!("[{empty}]")
                } else {
                    format!("[{}]", elements.join(","))
                }
            },
        );
        prop_oneof![1 => list, 2 => object(value, spaced)]
    })
}

/// A value inside of up to two hundred lists and objects, and often of just so many.
fn deep(spaced: bool) -> impl Strategy<Value = String> {
    let level = move || (any::<bool>(), key(), gap(spaced), gap(spaced), gap(spaced));
    let levels =
        prop_oneof![prop::collection::vec(level(), 200), prop::collection::vec(level(), 0..200),];
    (value(spaced), levels).prop_map(|(value, levels)| {
        levels.into_iter().fold(value, |value, (is_list, key, a, b, c)| match is_list {
            true => format!("[{a}{value}{b}]"),
            false => format!("{{{a}{key}{b}:{c}{value}}}"),
        })
    })
}

/// Needed fields, last so that they are readable whatever stands before.
const NEEDED: &str = r#""eventTime":"2022-02-08T09:23:37Z","eventSource":"s","eventName":"n"}"#;

/// Adds the needed fields to an object.
fn record(object: &str, gap: &str) -> String {
    let members = &object[..object.len() - 1];
    let comma = if members[1..].trim().is_empty() { "" } else { "," };
    format!("{members}{comma}{gap}{NEEDED}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_object_comes_back(object in object(value(true), true), gap in gap(true)) {
        shape(&record(&object, gap));
    }

    #[test]
    fn compact_objects_need_no_spare_column(object in object(value(false), false)) {
        let shape = shape(&record(&object, ""));
        prop_assert!(!shape.ends_with('!'), "{}", shape);
    }
}

/// Objects as above, a thousand in one log: with the spare column nulled exactly those that use it
/// do not come back.
#[test]
fn the_spare_column_is_what_brings_back_those_that_use_it() {
    let objects = prop::collection::vec((object(value(true), true), gap(true)), 1_000);
    let mut runner = prop::test_runner::TestRunner::deterministic();
    let objects = objects.new_tree(&mut runner).unwrap().current();
    let records: Vec<String> = objects.iter().map(|(object, gap)| record(object, gap)).collect();
    let decoded = decode(format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes());
    let rows = decoded.rows(Kind::Events);
    let rebuilt = rebuild_all(&rows).unwrap();
    let all = (0..rows.num_rows()).map(|row| rebuilt.value(row));
    assert!(records.iter().map(String::as_bytes).eq(all));
    let used = check_spare_column(&rows, &rebuilt);
    assert_eq!(used as u64, decoded.summary.spare_rows);
    assert!(used > 0 && used < records.len(), "{used} of {}", records.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_two_hundred_levels_deep_comes_back(key in key(), value in deep(true)) {
        shape(&record(&format!("{{{key}:{value}}}"), ""));
    }

    #[test]
    fn what_is_deep_and_compact_needs_no_spare_column(key in key(), value in deep(false)) {
        let shape = shape(&record(&format!("{{{key}:{value}}}"), ""));
        prop_assert!(!shape.ends_with('!'), "{}", shape);
    }
}
