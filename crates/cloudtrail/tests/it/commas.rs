//! Commas too many and too few in a list: each is a reject of its own, and no record is lost.

use proptest::prelude::*;
use serde_json::json;
use traillake_cloudtrail::{Kind, Limits, ObjectSummary};

use crate::support::{decode_within, event};

fn record(id: &str) -> String {
    event(&format!(r#""eventID":"{id}""#))
}

/// Decodes a body held and streamed, which must find the same; returns the eventIDs found.
fn found(body: &str) -> (Vec<String>, ObjectSummary) {
    let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    let [held, streamed] = [Limits::default(), streamed].map(|limits| {
        let decoded = decode_within(body.as_bytes(), &limits);
        let ids = decoded.text(Kind::Events, "eventID").into_iter().flatten();
        (ids.collect::<Vec<_>>(), decoded.summary)
    });
    assert_eq!((&held.0, &held.1.rejects), (&streamed.0, &streamed.1.rejects), "{body:.200}");
    assert_eq!((held.1.records, &held.1.fault), (streamed.1.records, &streamed.1.fault));
    held
}

/// A list in which `A`, `B` and `C` stand for records and `^` for the places of the rejects, whose
/// bytes and reasons these are.
fn check(list: &str, rejects: &[(&str, &str)]) {
    for (start, end) in [("{\"Records\":[", "]}"), ("[", "]\n"), ("{\"x\":[],\"Records\":[ ", "]}")]
    {
        let (mut body, mut places) = (start.to_owned(), Vec::new());
        for part in list.chars() {
            match part {
                'A' | 'B' | 'C' => body.push_str(&record(&part.to_string())),
                '^' => places.push(body.len() as u64),
                other => body.push(other),
            }
        }
        body.push_str(end);
        let (ids, summary) = found(&body);
        assert_eq!(summary.fault, None, "{list}");
        let all: Vec<String> =
            list.matches(['A', 'B', 'C']).map(std::borrow::ToOwned::to_owned).collect();
        assert_eq!(ids, all, "{list}: {summary:?}");
        let offsets: Vec<u64> = summary.rejects.iter().map(|reject| reject.offset).collect();
        assert_eq!(offsets, places, "{list}: {summary:?}");
        assert_eq!(summary.rejects.len(), rejects.len(), "{list}: {summary:?}");
        for (reject, (bytes, reason)) in summary.rejects.iter().zip(rejects) {
            assert_eq!((&reject.bytes[..], reject.truncated), (bytes.as_bytes(), false), "{list}");
            assert!(reject.reason.contains(reason), "{list}: {}", reject.reason);
        }
    }
}

const BEFORE: (&str, &str) = (",", "a comma with no record before it");
const BEHIND: (&str, &str) = (",", "a comma with no record behind it");
const MISSING: &str = "a comma is missing";

#[test]
fn a_wrong_comma_costs_no_record() {
    check("A,B,C^,", &[BEHIND]);
    check("A,B ^, ", &[BEHIND]);
    check("^,A,B", &[BEFORE]);
    check("A^,,B", &[BEHIND]);
    check("A^, ^,\n,B", &[BEHIND, BEHIND]);
    check("A^ B", &[(" ", MISSING)]);
    check("A^B,C", &[("", MISSING)]);
    check("A^\r\n\tB ,C", &[("\r\n\t", MISSING)]);
    check(" ^,^,A^B^,^,,C^,^,", &[BEFORE, BEFORE, ("", MISSING), BEHIND, BEHIND, BEHIND, BEHIND]);
}

#[test]
fn wrong_commas_beside_what_is_no_record_are_told_too() {
    check("A^ ^7,B", &[(" ", MISSING), ("7", "must be an object")]);
    let bad = r#"{"eventName":tru}"#;
    check(&format!("A^,,^{bad}^,,B"), &[BEHIND, (bad, "invalid JSON"), BEHIND]);
    check(&format!("A,^{bad}^,"), &[(bad, "invalid JSON"), BEHIND]);
    check(&format!("A^ ^{bad},B"), &[(" ", MISSING), (bad, "invalid JSON")]);
    let (ids, summary) = found("{\"Records\":[,]}");
    assert_eq!((ids.len(), summary.records, summary.rejected), (0, 1, 1), "{summary:?}");
    let text = |id: &str| json!({"EventId": id, "CloudTrailEvent": record(id)}).to_string();
    let (ids, summary) = found(&format!("{{\"Events\":[{},,{}]}}", text("a"), text("b")));
    assert_eq!((ids, summary.rejected), (vec!["a".to_owned(), "b".to_owned()], 1));
}

#[test]
fn wrong_commas_in_white_space_that_no_window_holds_are_told_alike() {
    let pad = " ".repeat(3 << 20);
    let (a, b, c) = (record("a"), record("b"), record("c"));
    let (ids, summary) = found(&format!("[{pad}{a}{pad}{b}{pad},{pad},{pad}{c},{pad}]"));
    assert_eq!(ids, ["a", "b", "c"], "{summary:?}");
    let reasons: Vec<&str> = summary.rejects.iter().map(|reject| &*reject.reason).collect();
    assert_eq!(reasons, ["a comma is missing between two records", BEHIND.1, BEHIND.1]);
    assert!(summary.rejects[0].truncated && summary.rejects[0].bytes.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn commas_doubled_dropped_and_added_cost_no_record(
        first in 0_u64..3,
        between in prop::collection::vec(0_u64..4, 0..12),
        last in 0_u64..3,
        white in prop::sample::select(vec!["", " ", "\n  "]),
        is_bare in any::<bool>(),
    ) {
        let commas = |count: u64| format!(",{white}").repeat(count as usize);
        let mut list = commas(first) + &record("0");
        for (number, count) in between.iter().enumerate() {
            list += &format!("{white}{}{}", commas(*count), record(&(number + 1).to_string()));
        }
        list += &commas(last);
        let body = if is_bare { format!("[{list}]") } else { format!("{{\"Records\":[{list}]}}") };
        let (ids, summary) = found(&body);
        let all: Vec<String> = (0..=between.len()).map(|number| number.to_string()).collect();
        prop_assert_eq!(ids, all);
        let faults = between.iter().map(|count| count.abs_diff(1)).sum::<u64>() + first + last;
        prop_assert_eq!(summary.rejected, faults, "{}: {:?}", body, summary);
        prop_assert!(summary.rejects.is_sorted_by_key(|reject| reject.offset));
        prop_assert!(summary.fault.is_none());
    }
}
