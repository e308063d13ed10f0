//! What stores are set to: retention, holds, selectors, stopping and deleting, as somebody types it.

use serde_json::{Value, json};

use crate::folder::Folder;

fn json_of(here: &Folder, args: &[&str]) -> Value {
    let args = [args, &["--format", "json"]].concat();
    serde_json::from_str(&here.run(&args).done().stdout).unwrap()
}

fn count(here: &Folder, sql: &str) -> u64 {
    here.csv(sql).trim().parse().unwrap()
}

fn days_until(here: &Folder, share: f64) -> String {
    // Retention that cuts the trail at a share of its events.
    let sql = format!(
        "SELECT date_diff('day', date_trunc('day', from_unixtime(approx_percentile(to_unixtime(eventTime), {share}))), \
         date_trunc('day', now())) FROM events"
    );
    here.csv(&sql).trim().to_owned()
}

#[test]
fn retention_shows_first_what_would_go_and_then_takes_it_and_nothing_else() {
    let here = Folder::with_lake();
    let all = count(&here, "SELECT count(*) FROM events");
    let days = days_until(&here, 0.5);
    let old = format!(
        "SELECT count(*) FROM events WHERE eventTime < date_trunc('day', now()) - interval '{days}' day"
    );
    let going = count(&here, &old);
    assert!(going > 0 && going < all, "{going} of {all}");
    for dry_run in [&[][..], &["--dry-run"], &["--dry-run", "--ingestion", "stop"]] {
        let args = [&["store", "update", "--retention-period", &days], dry_run].concat();
        let asked = here.run(&args).done();
        assert!(asked.stdout.contains("would leave"), "{}", asked.stdout);
        assert!(asked.stderr.contains("nothing is changed yet"), "{}", asked.stderr);
        assert_eq!(count(&here, "SELECT count(*) FROM events"), all);
        let shown = json_of(&here, &["store", "show"]);
        assert_eq!((&shown["retention_days"], &shown["status"]), (&Value::Null, &"ENABLED".into()));
    }
    here.run(&["store", "update", "--dry-run", "--ingestion", "stop"]).done();
    assert_eq!(json_of(&here, &["store", "show"])["status"], "ENABLED");
    here.run(&["store", "update", "--dry-run", "--yes"]).exited(2);

    let done = json_of(&here, &["store", "update", "--retention-period", &days, "--yes"]);
    assert_eq!(done["leaving"]["rows"], going, "{done}");
    assert_eq!(count(&here, "SELECT count(*) FROM events"), all - going);
    assert_eq!(count(&here, &old), 0);
    // Everything still adds up, and is sound.
    let status = json_of(&here, &["status"]);
    assert_eq!(status["stores"][0]["adds_up"], true, "{status}");
    let status = here.run(&["status"]).done().stdout;
    assert!(status.contains(&format!(" present + {going} expired")), "{status}");
    here.run(&["check", "--read-data"]).done();
    let show = here.run(&["store", "show"]).done().stdout;
    assert!(show.contains(&format!("retention  {days} days")), "{show}");
    let sql = "SELECT status, retention_days FROM system.stores";
    assert_eq!(here.csv(sql).trim(), format!("ENABLED,{days}"));
    // The trail is known, whatever has left; and nothing more is due.
    let again = here.run(&["ingest", "logs"]).done().stdout;
    assert!(again.contains("known"), "{again}");
    let nothing = here.run(&["maintain", "--dry-run"]).done().stdout;
    assert!(!nothing.contains("leave"), "{nothing}");
    // A copy of the logs elsewhere, and a store that has never seen them: refused before it is read.
    let moved = here.sh("cp -r logs copy && traillake ingest copy");
    assert_eq!(moved.code, 2, "{}", moved.stderr);
    assert!(moved.stderr.contains("were delivered before"), "{}", moved.stderr);
    let here = Folder::with_logs();
    here.run(&["store", "create", "default"]).done();
    here.run(&["store", "update", "--retention-period", "7", "--yes"]).done();
    let refused = here.run(&["ingest", "logs"]).exited(2);
    assert!(refused.stderr.contains("were delivered before"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--since"), "{}", refused.stderr);
    // Where nobody chose the objects the old ones stop nothing.
    here.run(&["source", "add", "trail", "logs"]).done();
    let told = here.run(&["ingest", "trail"]).done();
    assert!(told.stderr.contains("left out"), "{}", told.stderr);
    assert_eq!(count(&here, "SELECT count(*) FROM system.objects"), 0);
}

#[test]
fn what_is_held_stays_until_it_is_released() {
    let here = Folder::with_lake();
    let held = count(&here, "SELECT count(*) FROM events WHERE eventName = 'GetCallerIdentity'");
    let all = count(&here, "SELECT count(*) FROM events");
    assert!(held > 0 && held < all);
    let hold = "case-7=eventName = 'GetCallerIdentity' -- whoever asked";
    let said = here.run(&["store", "update", "--hold", hold]).done();
    assert!(said.stderr.contains(&format!("keeps {held} events")), "{}", said.stderr);
    let done = json_of(&here, &["store", "update", "--retention-period", "7", "--yes"]);
    assert_eq!(done["leaving"]["held"], held, "{done}");
    assert_eq!(here.csv("SELECT DISTINCT eventName FROM events").trim(), "GetCallerIdentity");
    assert_eq!(count(&here, "SELECT count(*) FROM events"), held);
    here.run(&["check", "--read-data"]).done();
    let wrong = here.run(&["store", "update", "--hold", "x=eventNam = 'a'"]).exited(2);
    assert!(wrong.stderr.contains("does not exist"), "{}", wrong.stderr);
    let none = here.run(&["store", "update", "--dry-run", "--hold", "x=eventName = 'None'"]).done();
    assert!(none.stderr.starts_with("warning: hold `x` keeps 0 events\n"), "{}", none.stderr);
    for half in ["x=true) OR (true", "x=true LIMIT 0", "x=true) LIMIT (0"] {
        let refused = here.run(&["store", "update", "--hold", half]).exited(2);
        assert!(refused.stderr.starts_with("error: "), "{half}: {}", refused.stderr);
    }
    here.run(&["store", "update", "--hold", hold]).done();
    let other =
        here.run(&["store", "update", "--hold", "case-7=eventName = 'none'", "--yes"]).exited(2);
    assert!(other.stderr.contains("there is a hold `case-7` already"), "{}", other.stderr);
    assert_eq!(count(&here, "SELECT count(*) FROM events"), held);
    assert_eq!(json_of(&here, &["store", "show"])["holds"].as_object().unwrap().len(), 1);
    let refused = here.run(&["store", "update", "--release", "case-8", "--yes"]).exited(2);
    assert!(refused.stderr.contains("no hold `case-8`"), "{}", refused.stderr);
    here.run(&["store", "update", "--release", "case-7"]).done();
    assert_eq!(count(&here, "SELECT count(*) FROM events"), held, "nothing is changed yet");
    here.run(&["store", "update", "--release", "case-7", "--yes"]).done();
    assert_eq!(count(&here, "SELECT count(*) FROM events"), 0);
    here.run(&["check", "--read-data"]).done();
}

/// The file of the settings that are in force.
fn newest_settings(here: &Folder) -> std::path::PathBuf {
    let settings = std::fs::read_dir(here.path("lake/stores")).unwrap();
    let settings = settings.map(|entry| entry.unwrap().path());
    settings.filter(|path| path.extension().is_some_and(|of| of == "json")).max().unwrap()
}

#[test]
fn upkeep_that_nobody_watches_takes_a_month_at_most() {
    let here = Folder::with_lake();
    let all = count(&here, "SELECT count(*) FROM events");
    let days: u64 = days_until(&here, 1.0).parse().unwrap();
    // As it was set when nothing was old yet.
    let young = (days + 1_000).to_string();
    here.run(&["store", "update", "--retention-period", &young, "--yes"]).done();
    let settings = newest_settings(&here);
    let text = std::fs::read_to_string(&settings).unwrap();
    let text = text.replace(&format!("\"retention_days\":{young}"), "\"retention_days\":7");
    std::fs::write(&settings, text).unwrap();
    let told = here.run(&["maintain"]).exited(1);
    assert!(told.stderr.contains("more than a month at once"), "{}", told.stderr);
    assert!(told.stderr.contains("--yes"), "{}", told.stderr);
    assert_eq!(count(&here, "SELECT count(*) FROM events"), all);
    let dry = here.run(&["maintain", "--dry-run"]).done().stdout;
    assert!(dry.contains("would leave"), "{dry}");
    let done = here.run(&["maintain", "--yes"]).done().stdout;
    assert!(done.contains(" left, of "), "{done}");
    assert_eq!(count(&here, "SELECT count(*) FROM events"), 0);
}

#[test]
fn selectors_of_a_store_and_of_a_run_leave_out_and_count() {
    let here = Folder::with_logs();
    let category = r#"{"Field": "eventCategory", "Equals": ["Management"]}"#;
    let of = |field: &str| format!(r#"[{{"FieldSelectors": [{category}, {field}]}}]"#);
    here.write("iam.json", of(r#"{"Field": "eventSource", "Equals": ["iam.amazonaws.com"]}"#));
    here.write("no-list.json", of(r#"{"Field": "eventName", "NotStartsWith": ["List"]}"#));
    here.write("wrong.json", of(r#"{"Field": "sourceIPAddress", "Equals": ["a"]}"#));
    let wrong = here.run(&["ingest", "logs", "--select", "wrong.json"]).exited(2);
    assert!(wrong.stderr.contains("selector 1"), "{}", wrong.stderr);
    here.run(&["store", "create", "iam"]).done();
    here.run(&["store", "update", "iam", "--advanced-event-selectors", "iam.json"]).done();
    let said = here.run(&["--store", "iam", "ingest", "logs", "--select", "no-list.json"]).done();
    assert!(said.stdout.contains("deselected"), "{}", said.stdout);
    let asked = |sql: &str| {
        let args = ["--store", "iam", "query", sql, "--format", "csv", "--no-header"];
        here.run(&args).done().stdout.trim().to_owned()
    };
    assert_eq!(asked("SELECT DISTINCT eventSource FROM events"), "iam.amazonaws.com");
    assert_eq!(asked("SELECT count(*) FROM events WHERE eventName LIKE 'List%'"), "0");
    let sums = "SELECT sum(records) = sum(stored + duplicates + respelled + variants + deselected \
                + rejects), sum(deselected) > 0 FROM system.objects";
    assert_eq!(asked(sums), "true,true");
    let shown = json_of(&here, &["store", "show", "iam"]);
    assert_eq!(shown["advanced_event_selectors"][0]["FieldSelectors"][1]["Field"], "eventSource");
    here.run(&["store", "update", "iam", "--advanced-event-selectors", "all"]).done();
    assert_eq!(json_of(&here, &["store", "show", "iam"])["advanced_event_selectors"], Value::Null);
}

#[test]
fn a_store_is_stopped_deleted_and_restored() {
    let here = Folder::with_lake();
    let stopped = here.run(&["store", "update", "--ingestion", "stop"]).done().stdout;
    assert!(stopped.contains("STOPPED_INGESTION"), "{stopped}");
    let refused = here.run(&["ingest", "logs"]).exited(2);
    assert!(refused.stderr.contains("ingestion was stopped"), "{}", refused.stderr);
    here.run(&["store", "update", "--ingestion", "start"]).done();
    let refused = here.run(&["store", "restore", "default"]).exited(2).stderr;
    assert_eq!(refused, "error: store `default` cannot be restored: it is not to be deleted\n");
    let refused = here.run(&["store", "delete", "default"]).exited(2);
    assert!(refused.stderr.contains("--no-termination-protection-enabled"), "{}", refused.stderr);
    here.run(&["store", "update", "--no-termination-protection-enabled"]).done();
    let deleted = here.run(&["store", "delete", "default"]).done();
    assert!(deleted.stdout.contains("PENDING_DELETION"), "{}", deleted.stdout);
    for args in [&["query", "SELECT count(*) FROM events"][..], &["ingest", "logs"], &["find", "x"]]
    {
        let refused = here.run(args).exited(2);
        assert!(refused.stderr.contains("is to be deleted"), "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("store restore"), "{args:?}: {}", refused.stderr);
    }
    // What looks at all stores goes on.
    for args in [&["status"][..], &["store", "list"], &["store", "show"], &["maintain"]] {
        let told = here.run(args).done().stdout;
        let tells = told.contains("to be deleted") || told.contains("PENDING_DELETION");
        assert!(tells, "{args:?}: {told}");
    }
    here.run(&["store", "create", "other"]).done();
    here.run(&["--store", "other", "query", "SELECT count(*) FROM events"]).done();
    here.run(&["store", "restore", "default"]).done();
    assert!(count(&here, "SELECT count(*) FROM events") > 0);
    here.run(&["check", "--read-data"]).done();
}

#[test]
fn a_store_that_was_deleted_a_week_ago_is_removed_by_upkeep() {
    let here = Folder::with_lake();
    here.run(&["--store", "other", "store", "create", "other"]).done();
    here.run(&["store", "update", "--no-termination-protection-enabled"]).done();
    here.run(&["store", "delete", "default"]).done();
    let settings = newest_settings(&here);
    let mut deleted: Value = serde_json::from_slice(&std::fs::read(&settings).unwrap()).unwrap();
    let at = deleted["deletion_requested_at"].as_str().unwrap().to_owned();
    let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
    let ago = |days| json!((at - chrono::TimeDelta::days(days)).to_rfc3339());
    let maintained = |args: &[&str]| here.run(&[&["maintain"], args].concat()).done().stdout;
    for (days, told) in [(6, "to be deleted after"), (8, "would be removed")] {
        deleted["deletion_requested_at"] = ago(days);
        std::fs::write(&settings, deleted.to_string()).unwrap();
        let dry = maintained(&["--dry-run"]);
        assert!(dry.contains(told), "{days} days ago: {dry}");
        assert!(here.path("lake/stores/default").exists());
    }
    let done = maintained(&[]);
    assert!(done.contains("store default, removed"), "{done}");
    assert!(!here.path("lake/stores/default").exists());
    let left = here.run(&["store", "list"]).done().stdout;
    assert!(left.contains("other") && !left.contains("default"), "{left}");
    let told = maintained(&[]);
    assert!(!told.contains("default"), "{told}");
    here.run(&["check", "--read-data"]).done();
    // Its name is free, for a store that knows nothing of it.
    here.run(&["ingest", "logs"]).done();
    here.run(&["check", "--read-data"]).done();
}

#[test]
fn a_store_that_is_damaged_keeps_no_other_from_being_tended() {
    let here = Folder::with_lake();
    here.run(&["store", "create", "sound"]).done();
    here.run(&["--store", "sound", "ingest", "logs"]).done();
    let log = |store: &str| here.path(&format!("lake/stores/{store}/events/_delta_log"));
    for commit in std::fs::read_dir(log("default")).unwrap() {
        std::fs::write(commit.unwrap().path(), "no log").unwrap();
    }
    let told = here.run(&["maintain"]).exited(1);
    assert!(told.stdout.contains("store default, which could not be tended"), "{}", told.stdout);
    assert!(told.stdout.contains("\nstore sound, "), "{}", told.stdout);
    assert!(told.stderr.starts_with("warning: default: "), "{}", told.stderr);
    // Where there is no other, the command could not run.
    std::fs::remove_dir_all(here.path("lake/stores/sound")).unwrap();
    let told = here.run(&["maintain"]).exited(2);
    assert!(told.stderr.starts_with("error: "), "{}", told.stderr);
}
