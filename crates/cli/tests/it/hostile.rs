//! Text that attackers choose: shown, never obeyed.

use crate::folder::{Folder, event, log};

#[test]
fn a_table_shows_what_a_pipe_gets_raw() {
    let here = Folder::new();
    let agent = ",\"userAgent\":\"\\u001b[2Jcurl \\u202enimda\\u009b31m\\n=1+1\"";
    here.write("logs/one.json", log(&[event(1, "GetObject", agent)]));
    here.run(&["ingest", "logs"]).done();
    let sql = "SELECT userAgent FROM events";
    let answer = |format: &str| here.run(&["query", "--format", format, sql]).done().stdout;
    for format in ["table", "vertical", "markdown"] {
        let shown = answer(format);
        assert!(shown.contains("u001b") && shown.contains("u202e"), "{format}: {shown:?}");
        let safe = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(shown.chars().all(safe), "{format}: {shown:?}");
    }
    assert_eq!(answer("csv"), "userAgent\n\"\u{1b}[2Jcurl \u{202e}nimda\u{9b}31m\n=1+1\"\n");
    let safe = here.run(&["query", "--csv-safe", "--format", "csv", "SELECT '=1+1' AS a"]).done();
    assert_eq!(safe.stdout, "a\n'=1+1\n");
    assert_eq!(safe.stderr, "note: --csv-safe put a `'` before 1 value\n");
}

#[test]
fn messages_do_not_obey_names_either() {
    let here = Folder::new();
    here.write("logs/\u{1b}[31mred\n.json", "{\"Records\":[{\"eventName\":");
    let ran = here.run(&["ingest", "logs"]).exited(1);
    assert!(ran.stderr.contains("\\u001b[31mred\\n.json"), "{:?}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
}
