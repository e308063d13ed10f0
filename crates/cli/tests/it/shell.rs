//! `shell`, from a pipe.

use insta::assert_snapshot;

use crate::folder::Folder;

fn typed(here: &Folder, lines: &str) -> crate::folder::Ran {
    here.write("typed", lines);
    here.sh("traillake shell < typed")
}

#[test]
fn statements_and_commands_one_after_another() {
    let here = Folder::with_lake();
    let ran = typed(
        &here,
        "SELECT count(*) AS n\nFROM events; SELECT ';' AS semicolon;\n\\x\nSELECT 1 AS a;\n\
         \\format csv\nSELECT 2 AS b;\n\\store\n\\samples bucket hostheader\n\\q\nSELECT 3;\n",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let begin = ran.stdout.split("Who touched a bucket").next().unwrap();
    assert_snapshot!(begin, @r#"
    {"n":675}
    {"semicolon":";"}
    -[ row 1 ]--------------------------------------------------
    a | 1
    b
    2
    default
    "#);
    assert!(!ran.stdout.contains('3') || !ran.stdout.ends_with("3\n"), "nothing follows \\q");
}

#[test]
fn an_error_is_said_and_the_shell_goes_on() {
    let here = Folder::with_lake();
    let ran = typed(&here, "SELECT nope FROM events;\n\\tming\nSELECT 1 AS a").exited(1);
    assert_eq!(ran.stdout, "{\"a\":1}\n", "the last statement needs no semicolon");
    assert!(ran.stderr.contains("`nope`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `\\timing`?"), "{}", ran.stderr);
}

#[test]
fn words_that_other_shells_know_are_understood() {
    let here = Folder::with_lake();
    let lines = "\\format xml\nhelp\n\\o lake/a.csv\nSELECT 1 AS a;\nExit\nSELECT 2 AS b;\n";
    let ran = typed(&here, lines).exited(1);
    let told = "error: there is no format `xml`\nhint: there are table, vertical, ";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert!(ran.stderr.contains("`lake/a.csv` lies in the lake"), "{}", ran.stderr);
    assert!(ran.stdout.contains("\\q              leave\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("{\"a\":1}\n"), "{}", ran.stdout);
}

#[test]
fn tables_can_be_described() {
    let here = Folder::with_lake();
    let tables = typed(&here, "\\d\n").exited(0).stdout;
    for table in ["events", "system.objects", "system.coverage"] {
        assert!(tables.lines().any(|line| line == table), "{table} is not in\n{tables}");
    }
    let columns = typed(&here, "\\d events\n").exited(0).stdout;
    assert!(
        columns.contains("requestParameters ") && columns.contains("map(varchar, varchar)"),
        "{columns}"
    );
    typed(&here, "\\d evnts\n").exited(1);
}

#[test]
fn answers_go_to_files_and_come_from_files() {
    let here = Folder::with_lake();
    here.write("two.sql", "SELECT 1 AS a;\n\\format json\nSELECT 2 AS b");
    let two = "SELECT 7 AS seven;\nSELECT 8 AS eight;\n";
    let ran = typed(&here, &format!("\\o out.csv\n{two}\\o\n\\i two.sql\n")).exited(0);
    assert_eq!(here.read("out.csv"), "seven\n7\neight\n8\n");
    assert_eq!(ran.stdout, "{\"a\":1}\n[\n{\"b\":2}\n]\n");
    // What can hold one answer only keeps it, and no other goes astray.
    let ran = typed(&here, &format!("\\o one.json\n{two}\\o two.ndjson\n{two}")).exited(1);
    assert!(ran.stderr.contains("`one.json` can hold one answer only"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(here.read("one.json"), "[\n{\"seven\":7}\n]\n");
    assert_eq!(here.read("two.ndjson"), "{\"seven\":7}\n{\"eight\":8}\n");
}
