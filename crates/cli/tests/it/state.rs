//! The state of `traillake serve`: the credentials that its first start makes, where they are found
//! again, and whose they are.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;

use serde_json::json;

use crate::folder::{BINARY, Folder};
use crate::served::{Served, url};

#[test]
fn the_first_start_makes_credentials_that_work() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &[]);
    let first = here.read("state/token").trim().to_owned();
    // Nobody reads it at a terminal: what is said is kept, as in systemd's journal.
    let greeting = &served.greeting;
    assert!(!greeting.contains(&first) && greeting.contains("$(cat state/token)"), "{greeting}");
    assert!(here.read("state/aws-credentials").contains("aws_secret_access_key = "));
    for name in ["state/token", "state/aws-credentials", "state/server.key", "state/state.db"] {
        assert_eq!(fs::metadata(here.path(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(here.path("state")).unwrap().mode() & 0o777, 0o700);
    let answer = served.get(&url("SELECT count(*) AS n FROM events"), &first).is(200).json();
    let told = here.csv("SELECT count(*) FROM events");
    assert_eq!(answer["rows"], json!([{"n": told.trim().parse::<u64>().unwrap()}]));
    assert_eq!(answer["columns"], json!([{"name": "n", "type": "bigint"}]));
    // No secret stands in the state in the clear.
    let secret = first.rsplit('_').next().unwrap().as_bytes();
    for name in ["state/state.db", "state/state.db-wal"] {
        let bytes = fs::read(here.path(name)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{name}");
    }
    assert_eq!(served.stop(), 0);
    // Where they are is found again, and said of none that was made later.
    for (command, file) in [("token", "state/token"), ("key", "state/aws-credentials")] {
        here.run(&[command, "add", "eve", "--state", "state"]).done();
        let listed = here.run(&[command, "list", "--state", "state"]).done().stdout;
        let files: Vec<bool> =
            listed.lines().map(|line| line.ends_with(&format!("  in {file}"))).collect();
        assert_eq!(files.iter().filter(|of_file| **of_file).count(), 1, "{listed}");
        assert!(listed.lines().any(|line| line.contains("  eve  ") && !line.contains(file)));
    }
    let again = Served::start(&here, &[]);
    assert_eq!(again.greeting, "");
    again.get("/v1/stores", &first).is(200);
}

#[test]
fn who_sits_at_a_terminal_is_told_the_first_token() {
    let here = Folder::with_lake();
    let serve = format!("exec '{BINARY}' serve --state state --listen 127.0.0.1:0");
    let mut command = here.command("script");
    command.args(["-qec", &serve, "/dev/null"]).stdout(Stdio::piped());
    let Ok(mut at_terminal) = command.spawn() else {
        return skipped("there is no `script` that makes a terminal");
    };
    let mut said = BufReader::new(at_terminal.stdout.take().unwrap());
    let mut greeting = String::new();
    while !greeting.contains("listening on ") {
        assert_ne!(said.read_line(&mut greeting).unwrap(), 0, "it never listened: {greeting}");
    }
    // The server ends with its terminal.
    at_terminal.kill().unwrap();
    at_terminal.wait().unwrap();
    let token = here.read("state/token");
    assert!(greeting.contains(&format!("Bearer {}\"", token.trim())), "{greeting}");
}

/// Says, past the output that is held back, that a test checks less than it could.
fn skipped(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not a macro: the output of those is shown of tests that fail alone.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test} does not check all: {why}");
}

#[test]
fn a_state_that_others_can_reach_is_not_trusted() {
    let here = Folder::new();
    here.run(&["token", "add", "eve", "--state", "state"]).done();
    let set = |name: &str, mode| {
        fs::set_permissions(here.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = |word: &str| {
        let ran = here.run(&["key", "add", "alice", "--state", "state"]).exited(2);
        assert!(ran.stderr.contains(word) && ran.stdout.is_empty(), "{word}: {}", ran.stderr);
    };
    for (name, open, word) in [
        ("state", 0o720, "others may write to `state`; `chmod go-w state` ends that"),
        ("state", 0o702, "others may write to `state`"),
        ("state/server.key", 0o640, "others may read or write `state/server.key`; `chmod go-rwx"),
        ("state/server.key", 0o602, "others may read or write `state/server.key`"),
        ("state/state.db", 0o606, "others may write to `state/state.db`"),
    ] {
        let before = fs::metadata(here.path(name)).unwrap().mode() & 0o777;
        set(name, open);
        refused(word);
        set(name, before);
        here.run(&["token", "list", "--state", "state"]).done();
    }
    for name in ["state", "state/server.key"] {
        let own = fs::metadata(here.path(name)).unwrap().uid();
        if std::os::unix::fs::chown(here.path(name), Some(own + 65_534), None).is_err() {
            return skipped("only root gives a file to another user");
        }
        refused(&format!("`{name}` belongs to another user"));
        std::os::unix::fs::chown(here.path(name), Some(own), None).unwrap();
    }
    here.run(&["token", "list", "--state", "state"]).done();
}

#[test]
fn a_state_that_is_not_there_is_told_and_not_made() {
    let here = Folder::new();
    for command in [
        &["token", "list"][..],
        &["key", "list"],
        &["token", "remove", "AAAA"],
        &["key", "remove", "AAAA"],
    ] {
        let ran = here.run(&[command, &["--state", "sate"]].concat()).exited(2);
        assert!(ran.stderr.starts_with("error: there is no server's state at `sate`\nhint: "));
        assert!(ran.stdout.is_empty(), "{command:?}: {}", ran.stdout);
    }
    here.run(&["token", "list"]).exited(2);
    assert_eq!(here.names(), Vec::<String>::new());
    here.run(&["key", "add", "eve", "--state", "state"]).done();
    let none = here.run(&["token", "list", "--state", "state"]).done();
    assert_eq!(none.stdout, "no tokens\n");
    let none = here.run(&["token", "list", "--state", "state", "--format", "json"]).done();
    assert_eq!(none.stdout.trim(), "[]");
}

#[test]
fn credentials_are_written_to_no_file_of_somebody_else() {
    let here = Folder::with_lake();
    here.sh("mkdir -m 700 state").done();
    let other = here.write("other", "not ours");
    std::os::unix::fs::symlink(&other, here.path("state/token")).unwrap();
    let open = here.write("state/aws-credentials", "old");
    fs::set_permissions(open, fs::Permissions::from_mode(0o644)).unwrap();
    let served = Served::start(&here, &[]);
    assert_eq!(here.read("other"), "not ours");
    for name in ["state/token", "state/aws-credentials"] {
        let found = fs::symlink_metadata(here.path(name)).unwrap();
        assert_eq!((found.is_file(), found.mode() & 0o777), (true, 0o600), "{name}");
    }
    served.get("/v1/stores", here.read("state/token").trim()).is(200);
}
