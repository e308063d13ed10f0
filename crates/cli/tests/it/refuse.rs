//! What is refused, and how that reads. Nothing that is refused leaves a trace.

use insta::assert_snapshot;

use crate::folder::{BINARY, Folder, Ran, event, log};

#[test]
fn no_lake_says_how_to_get_one() {
    let here = Folder::new();
    for command in [
        &["query", "SELECT 1"][..],
        &["status"],
        &["coverage"],
        &["shell"],
        &["event", "x"],
        &["store", "list"],
    ] {
        let ran = here.run(command).exited(2);
        assert_eq!(
            ran.stderr,
            "error: no lake at `./lake`\nhint: name it with `--lake` or TRAILLAKE_LAKE, or make one: \
             `traillake ingest FOLDER`, `traillake demo`\n",
            "{command:?}"
        );
    }
    assert_eq!(here.names(), Vec::<String>::new(), "reading creates nothing");
}

#[test]
fn a_folder_that_is_not_a_lake_is_never_written_to() {
    let here = Folder::new();
    here.write("logs/one.json", log(&[event(1, "GetObject", "")]));
    here.write("lake/thesis.txt", "do not lose");
    assert_snapshot!(here.run(&["ingest", "logs"]).transcript(), @r#"
    --- stderr
    error: `./lake` is neither empty nor a lake
    hint: name an empty folder, or one that does not exist yet
    --- exit 2
    "#);
    assert_snapshot!(here.run(&["query", "SELECT 1"]).transcript(), @r#"
    --- stderr
    error: `./lake` is neither empty nor a lake
    hint: a lake has a file `traillake.json`; name it with `--lake` or TRAILLAKE_LAKE
    --- exit 2
    "#);
    assert_eq!(std::fs::read_dir(here.path("lake")).unwrap().count(), 1);
}

#[test]
fn a_lake_inside_its_source_is_refused_before_it_is_made() {
    let here = Folder::new();
    here.write("logs/one.json", log(&[event(1, "GetObject", "")]));
    for (lake, source) in [("logs/lake", "logs"), ("logs", "logs"), ("lake", ".")] {
        let ran = here.run(&["--lake", lake, "ingest", source]).exited(2);
        assert!(ran.stderr.contains("lie inside one another"), "{lake} {source}: {}", ran.stderr);
    }
    assert_eq!(here.names(), ["logs"]);
    assert_eq!(std::fs::read_dir(here.path("logs")).unwrap().count(), 1);
}

#[test]
fn a_source_that_is_not_there_makes_no_lake() {
    let here = Folder::new();
    let ran = here.run(&["ingest", "lgos"]).exited(2);
    assert!(ran.stderr.starts_with("error: could not open `"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cause: No such file"), "{}", ran.stderr);
    let ran = here.run(&["ingest", "gs://bucket/prefix"]).exited(2);
    assert!(ran.stderr.contains("hint: write a path or `s3://bucket/prefix`"), "{}", ran.stderr);
    assert_eq!(here.names(), Vec::<String>::new());
    let here = Folder::with_logs();
    here.run(&["source", "add", "trail", "logs"]).done();
    let ran = here.run(&["ingest", "trial"]).exited(2);
    assert_eq!(
        ran.stderr,
        "error: there is no source or file `trial`\nhint: did you mean `trail`?\n"
    );
    let role = ["source", "add", "org", "s3://org-trail", "--role-arn", "arn:foo"];
    let ran = here.run(&role).exited(2);
    assert!(ran.stderr.contains("write the ARN of a role"), "{}", ran.stderr);
}

/// No row of a time in which nothing can be reads as nothing that happened.
#[test]
fn a_window_turned_round_is_refused_wherever_one_is_typed() {
    let here = Folder::with_lake();
    for command in [
        &["query", "SELECT count(*) FROM events"][..],
        &["find", "AKIADEMODEPLOYBOT001"],
        &["coverage"],
        &["export", "-o", "out"],
        &["ingest", "logs"],
        &["source", "add", "trail", "logs"],
    ] {
        let window = ["--since", "2026-03-12", "--until", "2026-03-11T02:00"];
        let ran = here.run(&[command, &window].concat()).exited(2);
        let told = "error: `--since` (2026-03-12 00:00:00) is not before `--until` \
                    (2026-03-11 02:00:00)\nhint: ";
        assert!(ran.stderr.starts_with(told), "{command:?}: {}", ran.stderr);
    }
    assert_eq!(here.names(), ["lake", "logs"]);
}

#[test]
fn nothing_is_written_into_a_lake() {
    let here = Folder::with_lake();
    here.sh("ln -s lake/stores link && mkdir other").done();
    for command in [
        &["query", "SELECT 1 AS a", "-o", "lake/a.csv"][..],
        &["query", "SELECT 1 AS a", "-o", "link/a.csv"],
        &["query", "SELECT 1 AS a", "--from", "logs", "-o", "lake/stores/a.csv"],
        &["find", "AKIADEMODEPLOYBOT001", "-o", "lake/stores/default/a.csv"],
        &["coverage", "-o", "./logs/../lake/a.csv"],
        &["export", "-o", "lake/stores/foo"],
        &["export", "-o", "nowhere/../lake/foo/bar"],
    ] {
        let ran = here.run(command).exited(2);
        assert!(ran.stderr.contains("` lies in the lake at `./lake`"), "{command:?} {ran:?}");
    }
    let files = here.sh("find . -name '*.csv' -o -name foo -o -name nowhere").done().stdout;
    assert_eq!(files, "");
    here.run(&["check"]).done();
    // What only would be a lake is none.
    let outside =
        ["--lake", "other", "query", "SELECT 1 AS a", "--from", "logs", "-o", "other/a.csv"];
    here.run(&outside).done();
    assert_eq!(here.read("other/a.csv"), "a\n1\n");
}

#[test]
fn a_wrong_statement_is_shown_with_its_place_and_a_way_out() {
    let here = Folder::new();
    here.write("logs/one.json", log(&[event(1, "GetObject", "")]));
    here.run(&["ingest", "logs"]).done();
    assert_snapshot!(here.run(&["query", "SELECT evntName FROM events"]).transcript(), @r#"
    --- stderr
    error: column `evntName` does not exist
    1 | SELECT evntName FROM events
      |        ^^^^^^^^
    hint: did you mean `eventName`?
    --- exit 2
    "#);
    assert_snapshot!(here.run(&["query", "SELECT 1 FROM evnts"]).transcript(), @r#"
    --- stderr
    error: there is no table `evnts`
    1 | SELECT 1 FROM evnts
      |               ^^^^^
    hint: did you mean `events`?
    --- exit 2
    "#);
    assert_snapshot!(here.run(&["query", "DELETE FROM events"]).transcript(), @r#"
    --- stderr
    error: `DELETE` statements cannot be run: a query only reads
    1 | DELETE FROM events
      | ^^^^^^
    hint: start with SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE
    --- exit 2
    "#);
    assert_snapshot!(here.run(&["query", "SELECT 1; SELECT 2"]).transcript(), @r#"
    --- stderr
    error: a second statement starts here
    1 | SELECT 1; SELECT 2
      |           ^^^^^^
    hint: run one statement at a time
    --- exit 2
    "#);
}

#[test]
fn what_is_refused_says_what_to_do_instead() {
    let here = Folder::with_lake();
    for (args, message, hint) in [
        (&["--at", "99", "SELECT 1"][..], "no state as of round 99", "lists the rounds"),
        (&["--at", "2020-01-01", "SELECT 1"], "no state as of 2020-01-01", "lists the rounds"),
        (&["  "], "the statement is empty", "start with SELECT"),
        (
            &["--sample", "bucket-access", "-p", "bucket=s3://books"],
            "parameter `bucket`: `s3://books` is not the name of the bucket",
            "`traillake find TERM`",
        ),
        (&["--sample", "access-key", "-p", "key= "], "parameter `key`: it is empty", ""),
        (&["-p", "x=1", "SELECT 1"], "`x` is given", "write `:x` where its value belongs"),
        (&["-p", "a=1", "-p", "x=1", "SELECT :a"], "`x` is given", "asks for `:a`"),
        (&["-p", "a=1", "-p", "a=2", "SELECT :a"], "`a` is given twice", "give it once"),
        (&["SELECT cout(*) FROM events"], "function `cout`", "did you mean `count`?"),
        (&["SELECT 1 FROM events WHERE eventname = GetObject"], "`GetObject`", "'GetObject'"),
        (&["SELECT 1 FROM events WHERE awsRegion IN ('a', north)"], "`north`", "'north'"),
        (&["SELECT 1 FROM events WHERE 'a' = evntName"], "`evntName`", "mean `eventName`?"),
    ] {
        let ran = here.run(&[&["query"], args].concat()).exited(2).stderr;
        assert!(ran.starts_with("error: ") && ran.contains(message), "{args:?}: {ran}");
        let told = ran.split("hint: ").nth(1).unwrap_or_default();
        assert!(told.contains(hint), "{args:?}: {ran}");
    }
    let lookup = here.run(&["query", "--lookup", "a", "SELECT 1"]).exited(2).stderr;
    assert!(lookup.contains("write NAME=FILE"), "{lookup}");
    let little = here.run(&["ingest", "logs", "--memory", "1KB"]).exited(2).stderr;
    assert!(little.contains("give 16.0 MB or more"), "{little}");
    let scheme = here.run(&["--lake", "gs://x/y", "status"]).exited(2).stderr;
    assert!(scheme.contains("only folders, `file://` and `s3://` URLs"), "{scheme}");
    here.write("bad/a.json", "{\"Records\":[{\"a\":1}]]}");
    let told = here.run(&["ingest", "bad"]).exited(1).stderr;
    assert_eq!(told.matches("at byte 20").count(), 1, "{told}");
}

#[test]
fn limits_are_errors_that_name_themselves() {
    let here = Folder::with_lake();
    let rows = here.run(&["query", "--rows-max", "10", "SELECT eventID FROM events"]).exited(2);
    assert!(rows.stderr.contains("more than 10 rows"), "{}", rows.stderr);
    assert!(rows.stderr.contains("`--rows-max`"), "{}", rows.stderr);
    let long = "SELECT count(*) FROM events a, events b, events c WHERE a.eventID < b.userAgent";
    let time = here.run(&["query", "--timeout", "200ms", long]).exited(2);
    assert!(time.stderr.contains("took longer than 0.2 s"), "{}", time.stderr);
    assert!(time.stderr.contains("`--timeout`"), "{}", time.stderr);
}

/// What a query put on disk is gone however it ends, and what a killed one left goes with the next.
#[test]
fn no_query_leaves_anything_in_the_temporary_folder() {
    let here = Folder::with_lake();
    let temporary = here.path("temporary");
    let of = |name: &str| temporary.join(format!("traillake-spill-{name}"));
    for name in ["dead", "alive", "strange"] {
        std::fs::create_dir_all(of(name)).unwrap();
        std::fs::write(of(name).join("spilled"), "rows").unwrap();
    }
    std::fs::write(of("dead").join("lock"), "").unwrap();
    let alive = std::fs::File::create(of("alive").join("lock")).unwrap();
    alive.lock().unwrap();
    let run = |memory: &str, sql: &str| {
        let mut command = here.command(BINARY);
        command.env("TMPDIR", &temporary).args(["query", "--memory", memory, sql]);
        command.output().unwrap().status.code()
    };
    assert_eq!(run("1GB", "SELECT count(*) FROM events"), Some(0));
    // All of it is sorted, on disk too, before the first row fails.
    let sorted = "SELECT 1 / (n - n), eventJson FROM (SELECT a.eventJson, row_number() OVER \
                  (ORDER BY b.eventID, a.eventID) AS n \
                  FROM events a, (SELECT eventID FROM events LIMIT 200) b)";
    assert_eq!(run("32MB", sorted), Some(2));
    let left = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["traillake-spill-alive", "traillake-spill-strange"]);
}

#[test]
fn an_answer_never_replaces_a_file_unless_told_to() {
    let here = Folder::with_lake();
    let sql = "SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 2";
    here.run(&["query", "-o", "top.csv", sql]).done();
    assert_eq!(here.read("top.csv"), "eventName,n\nGetObject,139\nPutObject,87\n");
    let again = here.run(&["query", "-o", "top.csv", sql]).exited(2);
    assert_eq!(
        again.stderr,
        "error: `top.csv` exists\nhint: give another name, or `--force` to replace it\n"
    );
    here.run(&["query", "-o", "top.csv", "--force", "--no-header", sql]).done();
    assert_eq!(here.read("top.csv"), "GetObject,139\nPutObject,87\n");
    let name = here.run(&["query", "-o", "top.xyz", sql]).exited(2);
    assert!(name.stderr.contains("the name `top.xyz` tells no format"), "{}", name.stderr);
    // A query that fails half way leaves neither the file nor a part of it.
    let fails = "SELECT 1 / (length(eventName) - length(eventName)) FROM events";
    here.run(&["query", "-o", "half.csv", fails]).exited(2);
    assert_eq!(here.names(), ["lake", "logs", "top.csv"]);
}

#[test]
fn what_a_terminal_cannot_show_is_no_error_in_a_pipe() {
    let here = Folder::with_lake();
    let ran = here.sh("traillake query --format parquet 'SELECT 1 AS a' | head -c 4").done();
    assert_eq!(ran.stdout, "PAR1");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let here = Folder::with_lake();
    let ran = here.sh("traillake query 'SELECT * FROM events a, (SELECT 1 FROM events LIMIT 50)' \
         | head -n 1 > first; echo ${PIPESTATUS[0]}");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("0\n", ""));
    assert_eq!(here.read("first").lines().count(), 1);
}

#[test]
fn what_a_command_came_to_is_its_exit_code_also_where_nobody_reads_its_report() {
    let here = Folder::with_lake();
    here.write("bad/broken.json", "{\"Records\":[{\"eventName\":");
    here.write("lake/stores/default/events/mine.txt", "x");
    let missing = "00000000-0000-4000-8000-000000000000";
    for args in [
        &["check"][..],
        &["check", "--format", "json"],
        &["ingest", "bad"],
        &["samples", "nothing-of-the-kind", "--format", "json"],
        &["event", missing, "--provenance", "--format", "json"],
    ] {
        let (reader, stdout) = std::io::pipe().unwrap();
        drop(reader);
        let ran = here.command(BINARY).args(args).stdout(stdout).output().unwrap();
        let ran = Ran::of(&ran).exited(1);
        assert!(!ran.stderr.contains("error:"), "{args:?}: {}", ran.stderr);
    }
}
