//! `query`.

use insta::assert_snapshot;

use crate::folder::{Folder, event, log};

#[test]
fn one_answer_in_every_format() {
    let here = Folder::with_lake();
    let sql = "SELECT eventName, count(*) AS calls, max(eventTime) AS last FROM events \
               WHERE userIdentity.userName = 'svc-backup-admin' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3";
    let answer = |format: &str| here.run(&["query", "--format", format, sql]).done().stdout;
    assert_snapshot!(answer("table"), @r#"
     eventName    | calls | last
    --------------+-------+-------------------------
     DeleteObject |    30 | 2026-03-11 03:05:58.000
     GetObject    |    30 | 2026-03-11 02:47:58.000
     AssumeRole   |     1 | 2026-03-11 02:54:48.000
    "#);
    assert_snapshot!(answer("vertical"), @r#"
    -[ row 1 ]--------------------------------------------------
    eventName | DeleteObject
    calls     | 30
    last      | 2026-03-11 03:05:58.000
    -[ row 2 ]--------------------------------------------------
    eventName | GetObject
    calls     | 30
    last      | 2026-03-11 02:47:58.000
    -[ row 3 ]--------------------------------------------------
    eventName | AssumeRole
    calls     | 1
    last      | 2026-03-11 02:54:48.000
    "#);
    assert_snapshot!(answer("markdown"), @r#"
    | eventName | calls | last |
    | --- | ---: | --- |
    | DeleteObject | 30 | 2026-03-11 03:05:58.000 |
    | GetObject | 30 | 2026-03-11 02:47:58.000 |
    | AssumeRole | 1 | 2026-03-11 02:54:48.000 |
    "#);
    assert_snapshot!(answer("json"), @r#"
    [
    {"eventName":"DeleteObject","calls":30,"last":"2026-03-11 03:05:58.000"},
    {"eventName":"GetObject","calls":30,"last":"2026-03-11 02:47:58.000"},
    {"eventName":"AssumeRole","calls":1,"last":"2026-03-11 02:54:48.000"}
    ]
    "#);
    assert_snapshot!(answer("ndjson"), @r#"
    {"eventName":"DeleteObject","calls":30,"last":"2026-03-11 03:05:58.000"}
    {"eventName":"GetObject","calls":30,"last":"2026-03-11 02:47:58.000"}
    {"eventName":"AssumeRole","calls":1,"last":"2026-03-11 02:54:48.000"}
    "#);
    assert_snapshot!(answer("csv"), @r#"
    eventName,calls,last
    DeleteObject,30,2026-03-11 03:05:58.000
    GetObject,30,2026-03-11 02:47:58.000
    AssumeRole,1,2026-03-11 02:54:48.000
    "#);
    assert_snapshot!(answer("tsv"), @r#"
    eventName	calls	last
    DeleteObject	30	2026-03-11 03:05:58.000
    GetObject	30	2026-03-11 02:47:58.000
    AssumeRole	1	2026-03-11 02:54:48.000
    "#);
    for file in ["answer.parquet", "answer.arrow"] {
        here.run(&["query", "-o", file, sql]).done();
    }
    let back = "SELECT * FROM answer ORDER BY calls DESC, eventName";
    let read = here.run(&["query", "--lookup", "answer=answer.parquet", "--format", "csv", back]);
    assert_eq!(read.done().stdout, answer("csv"));
    assert!(std::fs::read(here.path("answer.arrow")).unwrap().starts_with(b"ARROW1"));
    assert_eq!(here.run(&["query", sql]).done().stdout, answer("ndjson"), "in a pipe: ndjson");
}

#[test]
fn maps_rows_and_lists_in_text_and_json() {
    let here = Folder::new();
    let more = ",\"requestParameters\":{\"bucketName\":\"b\",\"size\":1376.0,\"tags\":[\"x\"]},\
                \"resources\":[{\"ARN\":\"arn:aws:s3:::b\",\"accountId\":\"000000000001\"}]";
    here.write("logs/one.json", log(&[event(1, "GetObject", more)]));
    here.run(&["ingest", "logs"]).done();
    let sql = "SELECT requestParameters, resources FROM events";
    let answer = |format: &str| here.run(&["query", "--format", format, sql]).done().stdout;
    assert_snapshot!(answer("ndjson"), @r#"
    {"requestParameters":{"bucketName":"b","size":"1376.0","tags":"[\"x\"]"},"resources":[{"accountId":"000000000001","type":null,"arn":"arn:aws:s3:::b","arnPrefix":null}]}
    "#);
    assert_snapshot!(answer("vertical"), @r#"
    -[ row 1 ]--------------------------------------------------
    requestParameters | {bucketName=b, size=1376.0, tags=["x"]}
    resources         | [{accountId=000000000001, type=null, arn=arn:aws:s3:::b, arnPrefix=null}]
    "#);
}

#[test]
fn values_are_bound_and_never_become_sql() {
    let here = Folder::with_lake();
    let sql = "SELECT count(*) FROM events WHERE eventName = :name";
    let count = |value: &str| {
        let ran = here.run(&["query", "--format", "csv", "--no-header", "-p", value, sql]);
        ran.done().stdout
    };
    assert_eq!(count("name=GetObject"), "139\n");
    assert_eq!(count("name=x' OR '1' = '1"), "0\n");
    let missing = here.run(&["query", sql]).exited(2);
    assert!(missing.stderr.contains("name"), "{}", missing.stderr);
    let placed = "SELECT count(*) FROM events WHERE eventName = ? AND awsRegion = ?";
    let ran = here.run(&[
        "query",
        "--format",
        "csv",
        "--no-header",
        "-p",
        "1=GetBucketAcl",
        "-p",
        "2=nowhere",
        placed,
    ]);
    assert_eq!(ran.done().stdout, "0\n");
}

#[test]
fn a_statement_comes_from_an_argument_a_file_or_a_pipe() {
    let here = Folder::with_lake();
    here.write("question.sql", "-- how many?\nSELECT count(*) AS n FROM events;\n");
    assert_eq!(here.run(&["query", "-f", "question.sql"]).done().stdout, "{\"n\":675}\n");
    assert_eq!(here.sh("traillake query - < question.sql").done().stdout, "{\"n\":675}\n");
    assert_eq!(here.sh("traillake query < question.sql").done().stdout, "{\"n\":675}\n");
}

#[test]
fn time_bounds_and_older_states() {
    let here = Folder::with_logs();
    let [first, second] = ["2026/03/09", "2026/03/11"].map(|day| {
        let files = format!("find logs -path '*{day}*' -name '*.gz'");
        format!("traillake --quiet ingest $({files})")
    });
    here.sh(&first).done();
    let sql = "SELECT count(*) FROM events";
    let before = here.csv(sql);
    here.sh(&second).done();
    assert_ne!(here.csv(sql), before);
    let at = here.run(&["query", "--at", "1", "--format", "csv", "--no-header", sql]).done();
    assert_eq!(at.stdout, before);
    let bounded = here.run(&[
        "query",
        "--since",
        "2026-03-11T03:00:00Z",
        "--until",
        "2026-03-11T03:09:42Z",
        "--format",
        "csv",
        "--no-header",
        "SELECT max(eventName) FROM events WHERE eventName LIKE 'Stop%'",
    ]);
    assert_eq!(bounded.done().stdout, "StopLogging\n");
}

#[test]
fn lookups_join_files_beside_the_lake() {
    let here = Folder::with_lake();
    here.write("accounts.csv", "id,team\n444455556666,\"Payroll, EMEA\"\n012345678901,none\n");
    here.write("teams.ndjson", "{\"id\":\"444455556666\",\"lead\":\"kim\"}\n");
    let sql = "SELECT a.team, t.lead, count(*) AS n FROM events e \
               JOIN accounts a ON a.id = e.recipientAccountId JOIN teams t ON t.id = a.id \
               WHERE eventName = 'StopLogging' GROUP BY 1, 2";
    let lookups = ["--lookup", "accounts=accounts.csv", "--lookup", "teams=teams.ndjson"];
    let mut args = vec!["query"];
    args.extend(lookups);
    args.push(sql);
    let ran = here.run(&args).done();
    assert_eq!(ran.stdout, "{\"team\":\"Payroll, EMEA\",\"lead\":\"kim\",\"n\":1}\n");
    let missing = here.run(&["query", "--lookup", "a=none.csv", "SELECT 1"]).exited(2);
    assert!(missing.stderr.contains("could not read `none.csv`"), "{}", missing.stderr);
}

#[test]
fn logs_can_be_asked_without_a_lake() {
    let here = Folder::with_logs();
    let sql = "SELECT count(*) AS n FROM events";
    let ran = here.run(&["query", "--from", "logs", sql]).done();
    assert_eq!(ran.stdout, "{\"n\":675}\n");
    assert_eq!(here.names(), ["logs"]);
    here.write("bad/broken.json", "{\"Records\":[{\"eventName\":");
    let ran = here.run(&["query", "--from", "logs", "--from", "bad", sql]).exited(1);
    assert_eq!(ran.stdout, "{\"n\":675}\n", "the answer is there; the exit code says the rest");
}

#[test]
fn an_empty_answer_says_why_it_may_be_empty() {
    let here = Folder::new();
    let management = ",\"eventCategory\":\"Management\",\"managementEvent\":true";
    here.write("logs/one.json", log(&[event(1, "ListBuckets", management)]));
    here.run(&["ingest", "logs"]).done();
    let sample = ["query", "--sample", "bucket-access", "-p", "bucket=books", "-p"];
    let ask = |since: &str| {
        let mut args = sample.to_vec();
        args.push(since);
        here.run(&args).done().transcript()
    };
    assert_snapshot!(ask("since=2023-12-01"), @r#"
    --- stderr
    0 rows
    note: data events were never recorded in this lake: CloudTrail records calls on S3 objects, Lambda functions and DynamoDB items (data events) only where a trail selects them
    --- exit 0
    "#);
    assert_snapshot!(ask("since=2024-06-01"), @r#"
    --- stderr
    0 rows
    note: this lake holds events from 2024-01-01 00:00:01 to 2024-01-01 00:00:01; the statement asks for events from 2024-06-01 00:00:00 on
    note: data events were never recorded in this lake: CloudTrail records calls on S3 objects, Lambda functions and DynamoDB items (data events) only where a trail selects them
    --- exit 0
    "#);
}

#[test]
fn a_span_counts_back_from_now() {
    let here = Folder::new();
    let on = ",\"requestParameters\":{\"bucketName\":\"books\"}";
    let ago = |id: u32, name: &str, days: i64| {
        let time = chrono::Utc::now() - chrono::TimeDelta::days(days);
        let time = time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        event(id, name, on).replace(&format!("2024-01-01T00:00:{id:02}Z"), &time)
    };
    here.write("logs/a.json", log(&[ago(1, "GetObject", 29), ago(2, "PutObject", 31)]));
    here.run(&["ingest", "logs"]).done();
    let found = |since: &[&str]| {
        let mut args = vec!["query", "--format", "csv", "--no-header"];
        args.extend(["--sample", "bucket-access", "-p", "bucket=books"]);
        args.extend(since);
        let told = here.run(&args).done().stdout;
        ["GetObject", "PutObject"].map(|name| told.contains(name))
    };
    for (since, expected) in [
        (&["-p", "since=30d"][..], [true, false]),
        (&["-p", "since=32d"], [true, true]),
        (&["-p", "since=12h"], [false, false]),
        (&["--since", "30d"], [true, false]),
        (&[], [true, true]),
    ] {
        assert_eq!(found(since), expected, "{since:?}");
    }
}

#[test]
fn logs_that_became_no_event_are_told_where_none_is_found() {
    let here = Folder::new();
    for name in ["a", "b"] {
        here.write(&format!("logs/{name}.json"), format!("{{\"Records\":[{{\"{name}\":"));
    }
    here.run(&["ingest", "logs"]).exited(1);
    let note = "note: the store `default` holds no events: 2 objects were rejected, as a whole or in \
                part; `system.rejects` says why\n";
    for args in [&["query", "SELECT count(*) FROM events"][..], &["coverage"]] {
        let ran = here.run(args).done();
        assert!(ran.stderr.ends_with(note), "{args:?}: {}", ran.stderr);
    }
    let ran = here.run(&["query", "SELECT count(*) FROM insights"]).done();
    assert!(ran.stderr.contains("holds no Insights events"), "{}", ran.stderr);
}

#[test]
fn ctrl_c_cancels_a_query() {
    let here = Folder::with_lake();
    let long = "SELECT count(*) FROM events a, events b, events c, events d, events e \
                WHERE a.eventID < b.userAgent";
    let ran = here.interrupted("query started", &["query", long]).exited(130);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "warning: interrupted\n"));
}

#[test]
fn explain_and_timing_talk_about_files() {
    let here = Folder::with_lake();
    let sql = "SELECT count(*) AS n FROM events WHERE eventName = 'StopLogging'";
    let plan = here.run(&["query", "--explain", "--format", "vertical", sql]).done();
    assert!(plan.stdout.contains("events"), "{}", plan.stdout);
    let timed = here.run(&["query", "--timing", sql]).done();
    assert_eq!(timed.stdout, "{\"n\":1}\n");
    assert!(timed.stderr.contains(" of 1 file"), "{}", timed.stderr);
}
