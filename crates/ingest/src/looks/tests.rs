use serde_json::json;
use traillake_store::Mark;

use super::*;
use crate::report::{Fault, FaultKind};
use crate::source::Month;

const ROOT: &str = "s3://trail/audit/AWSLogs";

fn at(text: &str) -> DateTime<Utc> {
    let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    DateTime::parse_from_rfc3339(&text).unwrap().to_utc()
}

/// A walk that meets folders below `AWSLogs`; those with a `-` in front are left out.
fn looking(folders: &[&str]) -> Looking {
    let mut places = Places::default();
    for folder in folders {
        let is_left = folder.starts_with('-');
        places.meet(&format!("{ROOT}/{}", folder.trim_start_matches('-')), is_left);
    }
    Looking { uri: "s3://trail/audit".to_owned(), places }
}

fn fault(folder: &str, kind: FaultKind) -> Report {
    let object = format!("{ROOT}/{folder}");
    let faults = vec![Fault { object, kind, reason: String::new() }];
    Report { faults, faults_total: 1, ..Report::default() }
}

fn days(looks: &Looks) -> Vec<String> {
    let spelled = |run: DayRun| {
        let region = run.region.unwrap_or_else(|| "?".to_owned());
        let listed = if run.listed { "" } else { "not " };
        let first = run.first_day;
        format!("{} {region} {first}..{} {listed}listed", &run.account[..2], run.last_day)
    };
    looks.days().into_iter().map(spelled).collect()
}

const EAST: &str = "111122223333/CloudTrail/us-east-1";
const WEST: &str = "111122223333/CloudTrail/us-west-2";
const JANUARY: &str = "111122223333/CloudTrail/us-east-1/2024/01";

#[test]
fn what_a_selection_leaves_out_is_not_listed() {
    let selection = Selection {
        since: Some(at("2024-01-10")),
        until: Some(at("2024-01-20T12:00:00Z")),
        regions: ["us-east-1".to_owned()].into(),
        ..Selection::default()
    };
    let walked = looking(&[EAST, JANUARY, &format!("-{WEST}"), "-444455556666", "777788889999"]);
    let looks = walked.done(&selection, &Report::default(), at("2024-02-01T05:59:59Z"));
    let expected = [
        "11 us-east-1 2024-01-01..2024-01-09 not listed",
        "11 us-east-1 2024-01-10..2024-01-19 listed",
        "11 us-east-1 2024-01-20..2024-01-31 not listed",
        "11 us-west-2 2024-01-01..2024-01-31 not listed",
        "44 ? 2024-01-01..2024-01-31 not listed",
    ];
    assert_eq!(days(&looks), expected);
    let kinds = [Kind::Digest].into();
    let digests = Selection { kinds, ..Selection::default() };
    let looks = looking(&[JANUARY]).done(&digests, &Report::default(), at("2024-01-03"));
    assert_eq!(days(&looks), ["11 us-east-1 2024-01-01..2024-01-02 not listed"]);
}

#[test]
fn what_could_not_be_had_is_not_listed() {
    let check = |report: &Report, expected: &[&str]| {
        let walked = looking(&[EAST, JANUARY, WEST]);
        let looks = walked.done(&Selection::default(), report, at("2024-01-21"));
        let east: Vec<String> = days(&looks)
            .into_iter()
            .filter_map(|d| Some(d.strip_prefix("11 us-east-1 ")?.into()))
            .collect();
        assert_eq!(east, expected, "{report:?}");
    };
    let object = format!("{JANUARY}/15/111122223333_CloudTrail_us-east-1_20240115T0005Z_a.json.gz");
    // Events may be delivered three days late.
    let around = [
        "2024-01-01..2024-01-11 listed",
        "2024-01-12..2024-01-15 not listed",
        "2024-01-16..2024-01-20 listed",
    ];
    check(&fault(&object, FaultKind::Archived), &around);
    check(&fault(&object, FaultKind::Rejected), &["2024-01-01..2024-01-20 listed"]);
    check(&fault(WEST, FaultKind::Unreadable), &["2024-01-01..2024-01-20 listed"]);
    let digests = "111122223333/CloudTrail-Digest/us-east-1";
    check(&fault(digests, FaultKind::Unreadable), &["2024-01-01..2024-01-20 listed"]);
    for whole in [JANUARY, EAST, "111122223333", "somewhere"] {
        check(&fault(whole, FaultKind::Unreadable), &["2024-01-01..2024-01-20 not listed"]);
    }
    let more = Report { faults_total: 1_001, ..Report::default() };
    check(&more, &["2024-01-01..2024-01-20 not listed"]);
}

#[test]
fn looks_add_up_in_any_order() {
    let all = Selection::default();
    let late = Selection { since: Some(at("2024-01-17")), ..all.clone() };
    let early = Selection { until: Some(at("2024-01-05")), ..all.clone() };
    let west = [EAST, JANUARY, WEST];
    let fine = Report::default();
    let looks = [
        looking(&["-111122223333"]).done(&early, &fine, at("2024-01-19")),
        looking(&west).done(&late, &fine, at("2024-01-20")),
        looking(&west).done(&early, &fine, at("2024-01-18")),
        looking(&west).begun(at("2024-01-21")),
    ];
    let expected = [
        "11 us-east-1 2024-01-01..2024-01-04 listed",
        "11 us-east-1 2024-01-05..2024-01-16 not listed",
        "11 us-east-1 2024-01-17..2024-01-19 listed",
        "11 us-east-1 2024-01-20..2024-01-20 not listed",
    ];
    for first in 0..looks.len() {
        let mut sum = Looks::default();
        (0..looks.len()).for_each(|n| sum.add(looks[(first + n) % looks.len()].clone()));
        assert_eq!(days(&sum)[..4], expected, "from {first}");
        let text = file::write(&sum).unwrap();
        assert_eq!(Looks::of_files([text.as_bytes()]).unwrap(), sum, "{text}");
    }
}

#[test]
fn a_place_in_two_buckets_is_listed_when_both_are() {
    let mut sum =
        looking(&[JANUARY]).done(&Selection::default(), &Report::default(), at("2024-01-09"));
    let mut other = Places::default();
    other.meet(&format!("s3://other/AWSLogs/{JANUARY}"), false);
    let other = Looking { uri: "s3://other/".to_owned(), places: other };
    sum.add(other.done(
        &Selection { since: Some(at("2024-01-05")), ..Selection::default() },
        &Report::default(),
        at("2024-01-09"),
    ));
    let expected = [
        "11 us-east-1 2024-01-01..2024-01-04 not listed",
        "11 us-east-1 2024-01-05..2024-01-08 listed",
    ];
    assert_eq!(days(&sum), expected);
}

#[test]
fn below_a_prefix_there_is_nothing_else() {
    let uri = format!("{ROOT}/{JANUARY}");
    let mut places = Places::default();
    places.meet(&uri, false);
    let done =
        Looking { uri, places }.done(&Selection::default(), &Report::default(), at("2024-03-01"));
    let expected = [
        "11 us-east-1 2024-01-01..2024-01-28 listed",
        "11 us-east-1 2024-01-29..2024-02-29 not listed",
    ];
    assert_eq!(days(&done), expected);
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let check = |text: &str, reason: &str| {
        let error = Looks::of_files([text.as_bytes()]).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    check(r#"{"format":2,"looked_at":null,"listed":{}}"#, "format 2");
    check("{", "cannot be read");
    let bad =
        r#"{"format":1,"looked_at":null,"listed":{"r":[{"times":[[null,"x"]],"places":{}}]}}"#;
    check(bad, "no time");
}

fn month(label: &str, folders: &str) -> Month {
    Month { bucket: 0, label: label.to_owned(), folders: folders.to_owned() }
}

/// The newest commit of a lake after so many rounds.
fn mark(round: i64) -> Option<Mark> {
    let commit = format!("00000000-0000-4000-8000-{round:012}");
    let mark = json!({"round": round, "version": round + 2, "commit": commit});
    Some(serde_json::from_value(mark).unwrap())
}

#[test]
fn a_run_has_months_of_which_nothing_more_is_expected_and_for_a_quarter_of_an_hour_others() {
    let check = |label: &str, listed_at: &str, now: &str, until: Option<&str>| {
        let mut course = Course::begun(at("2024-03-01"));
        assert!(course.finish(&month(label, "a"), at(listed_at), mark(7)));
        let found = course.listed_until(&month(label, "a"), at(now));
        assert_eq!(found, until.map(at), "{label}, listed at {listed_at}, at {now}");
        let others = course.listed_until(&month(label, "b"), at(now));
        assert_eq!(others, None, "{label}: its folders are others now");
    };
    check("2024/02", "2024-03-04", "2024-03-09", Some("2024-03-09"));
    check("2023/12", "2024-03-04", "2024-03-04", Some("2024-03-04"));
    for growing in ["2024/02", "2024/03", "2024/xx"] {
        let listed_at = "2024-03-03T23:50:00Z";
        check(growing, listed_at, listed_at, Some(listed_at));
        check(growing, listed_at, "2024-03-04T00:05:00Z", Some(listed_at));
        check(growing, listed_at, "2024-03-04T00:05:01Z", None);
        check(growing, listed_at, "2024-03-03T23:49:59Z", None);
    }
    // A clock that was ahead believed that a month was over.
    check("2024/06", "2031-01-01", "2024-03-04", None);
    // Nothing would tell a lake that has the month from one that does not.
    let mut course = Course::begun(at("2024-03-01"));
    assert!(!course.finish(&month("2023/11", "a"), at("2024-03-04"), None));
    assert_eq!(course.listed_until(&month("2023/11", "a"), at("2024-03-04")), None);
}

#[test]
fn a_run_is_gone_on_with_until_it_has_ended() {
    let mut course = Course::begun(at("2024-03-10"));
    assert!(course.finish(&month("2024/01", "a"), at("2024-03-10"), mark(7)));
    let told = |course: &Course| Looks::of_course("over".to_owned(), course.clone());
    assert!(course.finish(&month("2024/03", "a"), at("2024-03-10"), mark(7)));
    let mut further = course.clone();
    assert!(further.finish(&month("2023/12", "a"), at("2024-03-11"), mark(9)));
    assert!(further.finish(&month("2024/03", "a"), at("2024-03-11"), mark(9)));
    assert_eq!(further.mark(), mark(9));
    let mut later = Course::begun(at("2024-03-20"));
    assert!(later.finish(&month("2024/02", "a"), at("2024-03-20"), mark(8)));
    let ended = |course: &Course| {
        let mut ended = course.clone();
        ended.end();
        ended
    };
    let goes_on =
        |looks: &Looks, began: &str, round| looks.course("over", at(began), round).cloned();
    // How far a run is adds up, its end counts more, and a later run more than both.
    let check = |courses: &[&Course], expected: Option<&Course>| {
        for first in 0..courses.len() {
            let mut sum = Looks::default();
            (0..courses.len()).for_each(|n| sum.add(told(courses[(first + n) % courses.len()])));
            assert_eq!(goes_on(&sum, "2024-04-01", 9).as_ref(), expected, "from {first}");
            let text = file::write(&sum).unwrap();
            assert_eq!(Looks::of_files([text.as_bytes()]).unwrap(), sum, "{text}");
        }
    };
    check(&[&course, &further], Some(&further));
    check(&[&course, &ended(&course), &further], None);
    check(&[&later, &ended(&further), &course], Some(&later));
    // Not of another name, not after a month, and not in a lake that lacks its rounds.
    let looks = told(&further);
    assert_eq!(looks.course("other", at("2024-03-12"), 9), None);
    assert!(goes_on(&looks, "2024-04-09", 9).is_some());
    assert_eq!(goes_on(&looks, "2024-04-10", 9), None);
    assert_eq!(goes_on(&looks, "2024-03-12", 8), None);
    assert_eq!(goes_on(&looks, "2024-03-09", 9), None, "a clock that was ahead");
    // Whoever lists everything ends it, whenever that one began, and none of another name.
    for (name, goes) in [("over", false), ("other", true)] {
        let mut sum = told(&later);
        sum.end(&[name.to_owned()]);
        sum.add(told(&later));
        assert_eq!(goes_on(&sum, "2024-04-01", 9).is_some(), goes, "{name}");
    }
    // By then nobody needs to know of it.
    let mut sum = looks;
    sum.add(looking(&[JANUARY]).begun(at("2024-05-01")));
    assert_eq!(sum.courses.len(), 0);
}

#[test]
fn a_run_that_an_earlier_version_told_of_is_not_gone_on_with() {
    let told = |more: &str| {
        let months = r#""months":{"2024/01":"a"}"#;
        let run =
            format!(r#"{{"began":"2024-03-10T00:00:00Z","ended":false,"round":7,{more}{months}}}"#);
        let text =
            format!(r#"{{"format":1,"looked_at":null,"listed":{{}},"courses":{{"over":{run}}}}}"#);
        Looks::of_files([text.as_bytes()]).unwrap()
    };
    let goes_on = |looks: &Looks| looks.course("over", at("2024-03-12"), 9).is_some();
    let ours = told(r#""version":9,"commit":"00000000-0000-4000-8000-000000000007","#);
    assert!(goes_on(&ours));
    assert_eq!(ours.courses["over"].mark(), mark(7));
    // That version knows months by the number of a round alone.
    let theirs = told("");
    assert!(!goes_on(&theirs));
    for [first, second] in [[&ours, &theirs], [&theirs, &ours]] {
        let mut sum = first.clone();
        sum.add(second.clone());
        assert!(!goes_on(&sum), "{sum:?}");
    }
}
