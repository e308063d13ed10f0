//! `find`, and that `mentions` is exactly what docs/sql.md says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::folder::{Folder, event, log};

/// The columns of a line, without the terms.
const HEADER: &str = "eventTime,account,region,eventSource,eventName,principal,sourceIPAddress,\
                      errorCode,eventID";

#[test]
fn events_come_newest_first_a_line_each() {
    let here = Folder::with_lake();
    let found = here.run(&["find", "AKIADEMODEPLOYBOT001", "--format", "csv"]).done();
    let mut lines = found.stdout.lines();
    assert_eq!(lines.next(), Some(HEADER));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 56, "{}", found.stdout);
    assert!(lines.is_sorted_by(|newer, older| newer[..23] >= older[..23]), "{}", found.stdout);
    assert!(lines[0].contains(",iam.amazonaws.com,"), "{}", lines[0]);
    assert_eq!(found.stderr, "");
    let piped = here.run(&["find", "AKIADEMODEPLOYBOT001"]).done().stdout;
    assert_eq!(piped.lines().count(), 56);
    assert!(piped.starts_with("{\"eventTime\":\"2026-03-11 "), "{piped}");
    let since = ["find", "AKIADEMODEPLOYBOT001", "--since", "2026-03-11", "--format", "csv"];
    let since = here.run(&since).done();
    assert_eq!(since.stdout.lines().count(), 1 + 36, "{}", since.stdout);
    assert!(since.stderr.contains("only events from 2026-03-11 00:00:00 on"), "{}", since.stderr);
}

#[test]
fn with_several_terms_each_line_says_which_and_a_note_what_is_missing() {
    let here = Folder::with_lake();
    let terms = ["find", "198.51.100.61", "AKIADEMODEPLOYBOT001", "198.51.100.6", "nobody"];
    let found = here.run(&terms).done();
    let mut terms = BTreeSet::new();
    for line in found.stdout.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let mentioned = line["terms"].as_array().unwrap();
        assert!(!mentioned.is_empty(), "{line}");
        terms.extend(mentioned.iter().map(|term| term.as_str().unwrap().to_owned()));
    }
    assert_eq!(terms.into_iter().collect::<Vec<_>>(), ["198.51.100.61", "AKIADEMODEPLOYBOT001"]);
    assert_eq!(
        found.stderr,
        "note: of 4 terms no event mentions 2 of them: `198.51.100.6`, `nobody`\n"
    );
}

#[test]
fn a_list_of_indicators_may_be_commented_and_defanged() {
    let here = Folder::with_lake();
    let list =
        "# from the advisory\n203[.]0[.]113[.]77  # the new address\n\nhxxps://evil[.]example\n";
    here.write("iocs.txt", list);
    let counted = here.run(&["find", "-f", "iocs.txt", "--count", "--format", "csv"]).done();
    let events = here.csv("SELECT count(*) FROM events WHERE mentions('203.0.113.77')");
    assert_eq!(
        counted.stdout,
        format!(
            "term,events,first,last\n\
             203.0.113.77,{},2026-03-11 02:13:20.000,{}\
             https://evil.example,0,,\n",
            events.trim(),
            here.csv("SELECT max(eventTime) FROM events WHERE mentions('203.0.113.77')"),
        )
    );
    assert_eq!(
        counted.stderr,
        "note: `203[.]0[.]113[.]77` is read as `203.0.113.77`\n\
         note: `hxxps://evil[.]example` is read as `https://evil.example`\n"
    );
    let piped = here.sh("traillake find -f - 10.2.27.43 --format csv < iocs.txt").done();
    let either =
        "SELECT count(*) FROM events WHERE mentions('203.0.113.77') OR mentions('10.2.27.43')";
    let lines = piped.stdout.lines().count() - 1;
    assert_eq!(lines.to_string(), here.csv(either).trim());
}

#[test]
fn nothing_found_is_no_silent_no() {
    let here = Folder::with_lake();
    let none = here.run(&["find", "AKIANOBODYEVERUSEDIT", "--until", "2020-01-01"]).exited(0);
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("0 rows\n"), "{}", none.stderr);
    assert!(none.stderr.contains("note: this lake holds events from "), "{}", none.stderr);
    let network = here.run(&["find", "203.0.113.0/24"]).exited(0);
    assert!(network.stderr.contains("`203.0.113.0/24` is a network"), "{}", network.stderr);
    let counted = here.run(&["find", "nobody", "--count", "--since", "2030-01-01"]).exited(0);
    assert_eq!(counted.stdout, "{\"term\":\"nobody\",\"events\":0,\"first\":null,\"last\":null}\n");
    assert!(counted.stderr.contains("note: this lake holds events from "), "{}", counted.stderr);
    here.write("empty.txt", "# nothing yet\n");
    let empty = here.run(&["find", "-f", "empty.txt"]).exited(2);
    assert!(empty.stderr.starts_with("error: there is nothing to look for\n"), "{}", empty.stderr);
    let absent = here.run(&["find", "-f", "absent.txt"]).exited(2);
    assert!(absent.stderr.contains("could not read `absent.txt`"), "{}", absent.stderr);
    here.run(&["find"]).exited(2);
}

#[test]
fn what_became_no_event_is_told_of() {
    let here = Folder::new();
    let no_time = "{\"eventName\":\"x\",\"key\":\"a.b\\\\Ec\"}";
    here.write("logs/one.json", log(&[event(1, "ListBuckets", ""), no_time.to_owned()]));
    here.run(&["ingest", "logs"]).exited(1);
    for (term, told) in [("a.b\\\\Ec", true), ("axb", false), ("a.b", true), ("ListBuckets", false)]
    {
        let found = here.run(&["find", term]);
        let note = "note: records that could not become events hold such text too: 1 in `rejects`";
        assert_eq!(found.stderr.contains(note), told, "{term}: {}", found.stderr);
    }
}

/// Every field that a record may have holds a text of its own, spelled so that it must be decoded.
#[test]
fn every_field_of_a_record_is_searched() {
    let here = Folder::new();
    let mut fields = BTreeMap::new();
    let mut place = |path: &str| {
        let term = format!("needle{}", fields.len());
        fields.insert(path.to_owned(), term.clone());
        format!("\"x \\u006e{}/\"", &term[1..])
    };
    let mut more = String::new();
    for name in [
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
        "errorMessage",
        "requestID",
        "apiVersion",
        "eventType",
        "sharedEventID",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "eventCategory",
        "sessionCredentialFromConsole",
        "annotation",
        "neverDocumented",
    ] {
        more += &format!(",\"{name}\":{}", place(name));
    }
    for name in [
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "serviceEventDetails",
        "addendum",
        "edgeDeviceDetails",
        "insightDetails",
        "eventContext",
        "otherNew",
    ] {
        let (value, deep, key) =
            (place(name), place(&format!("{name} deep")), place(&format!("{name} key")));
        more += &format!(",\"{name}\":{{\"a\":{value},\"b\":[{{\"c\":[{deep}]}}],{key}:7}}");
    }
    more += &format!(
        ",\"resources\":[{{\"ARN\":{}}},{{\"new\":{}}}]",
        place("ARN"),
        place("resources new")
    );
    more += &format!(
        ",\"tlsDetails\":{{\"tlsVersion\":[{}],\"new\":{}}}",
        place("tls"),
        place("tls new")
    );
    // A key that repeats, a field of another type: kept beside the columns.
    more +=
        &format!(",\"readOnly\":{},\"userAgent\":{}", place("readOnly"), place("userAgent again"));
    here.write("logs/one.json", log(&[event(1, "All", &more), event(2, "None", "")]));
    here.run(&["ingest", "logs"]).done();
    let mentioned = |term: &str| {
        let sql = format!("SELECT eventName FROM events WHERE mentions('{term}')");
        here.csv(&sql)
    };
    let all: Vec<String> = fields.values().map(|term| format!("'{term}'")).collect();
    let sql = format!("SELECT array_join(mentioned(ARRAY[{}]), ' ') FROM events", all.join(", "));
    let lines = here.csv(&sql);
    let found: BTreeSet<&str> = lines.split_whitespace().collect();
    let missing: Vec<_> =
        fields.iter().filter(|(_, term)| !found.contains(term.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?} of {lines}");
    for no_text in ["userAgent", "neverDocumented", "tlsDetails", "new", "All1", "eedle1"] {
        assert_eq!(mentioned(no_text), "", "{no_text}");
    }
    assert_eq!(mentioned("All"), "All\n");
}

/// A walk of each record's own text, written from docs/sql.md, finds the same events.
#[test]
fn mentions_is_what_a_walk_of_the_records_finds() {
    let here = Folder::with_lake();
    let texts = here.run(&["query", "--format", "ndjson", "SELECT eventJson AS t FROM events"]);
    let records: Vec<Value> = (texts.done().stdout.lines())
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            serde_json::from_str(line["t"].as_str().unwrap()).unwrap()
        })
        .collect();
    let walked: Vec<(String, Vec<String>)> = records
        .iter()
        .map(|record| {
            let mut texts = Vec::new();
            record.as_object().unwrap().iter().for_each(|(key, value)| {
                let is_text = !["eventTime", "readOnly", "managementEvent"].contains(&key.as_str());
                let is_payload = PAYLOADS.contains(&key.as_str());
                if is_text {
                    walk(value, is_payload, &mut texts);
                }
            });
            (record["eventID"].as_str().unwrap().to_owned(), texts)
        })
        .collect();
    let mut terms: Vec<String> = Vec::new();
    for (number, (_, texts)) in walked.iter().enumerate() {
        let text = &texts[(number * 7) % texts.len()];
        terms.push(text.clone());
        terms.extend(text.split(['/', ':', '-', ' ']).map(str::to_owned));
        terms.extend(text.get(1..).map(str::to_owned));
    }
    terms.retain(|term| !term.is_empty() && term.len() < 100);
    terms.sort_unstable();
    terms.dedup();
    let terms: Vec<String> = terms.into_iter().step_by(5).collect();
    assert!(terms.len() > 100, "{}", terms.len());
    let listed: Vec<String> =
        terms.iter().map(|term| format!("'{}'", term.replace('\'', "''"))).collect();
    let sql =
        format!("SELECT eventID AS id, mentioned(ARRAY[{}]) AS t FROM events", listed.join(","));
    here.write("all.sql", &sql);
    let answered = here.run(&["query", "-f", "all.sql"]).done().stdout;
    let mut wrong = Vec::new();
    for line in answered.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (_, texts) = walked.iter().find(|(id, _)| line["id"] == **id).unwrap();
        let expected: Vec<&String> =
            terms.iter().filter(|term| texts.iter().any(|text| holds(text, term))).collect();
        let found: Vec<&str> =
            line["t"].as_array().unwrap().iter().map(|term| term.as_str().unwrap()).collect();
        if found != expected {
            wrong.push(format!("{}: {found:?}, not {expected:?}", line["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fields whose keys count too.
const PAYLOADS: &[&str] = &[
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "addendum",
    "edgeDeviceDetails",
    "insightDetails",
    "eventContext",
];

fn walk(value: &Value, is_payload: bool, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) if is_payload => texts.push(number.to_string()),
        Value::Array(elements) => {
            elements.iter().for_each(|element| walk(element, is_payload, texts));
        }
        Value::Object(members) => {
            for (key, member) in members {
                if is_payload {
                    texts.push(key.clone());
                }
                walk(member, is_payload, texts);
            }
        }
        _ => {}
    }
}

/// Whether the text holds the term as a whole token.
fn holds(text: &str, term: &str) -> bool {
    let (text, term): (Vec<char>, Vec<char>) = (text.chars().collect(), term.chars().collect());
    let both = |a: Option<&char>, b: Option<&char>| match (a, b) {
        (Some(a), Some(b)) => a.is_alphanumeric() && b.is_alphanumeric(),
        _ => false,
    };
    let escape = |before: &[char]| match before {
        [.., '%', a, b] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        _ => false,
    };
    (0..text.len()).any(|at| {
        let (before, rest) = text.split_at(at);
        rest.starts_with(&term)
            && (!both(before.last(), term.first()) || escape(before))
            && !both(term.last(), rest.get(term.len()))
    })
}
