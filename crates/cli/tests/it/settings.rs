//! Settings, colour, and what the program says of itself.

use insta::assert_snapshot;

use crate::folder::{BINARY, Folder};

#[test]
fn each_value_says_where_it_came_from() {
    let here = Folder::new();
    here.write("traillake.toml", "store = 'audit'\n[ingest]\njobs = 2\n");
    here.write("home/.config/traillake/traillake.toml", "store = 'mine'\ncolor = 'never'\n");
    let config = here
        .sh("TRAILLAKE_QUERY_TIMEOUT=30s traillake --lake elsewhere config | sed \"s#$HOME#~#\"");
    assert_snapshot!(config.done().stdout, @r#"
    lake               = elsewhere  # flag --lake
    store              = audit      # traillake.toml
    color              = never      # ~/.config/traillake/traillake.toml
    progress           = true       # default
    log-format         = text       # default
    ingest.jobs        = 2          # traillake.toml
    ingest.memory      = 512MB      # default
    query.memory       = auto       # default
    query.timeout      = 30s        # environment TRAILLAKE_QUERY_TIMEOUT
    query.rows-max     = none       # default
    follow.days-back   = 3          # default
    follow.sweep-every = 24h        # default
    maintain.every     = 1h         # default
    serve.deliver-to   = none       # default
    s3.cache           = 1GB        # default
    s3.encryption      = bucket     # default
    s3.storage-class   = bucket     # default
    "#);
    here.write("traillake.toml", "stroe = 'audit'\n");
    assert_snapshot!(here.run(&["config"]).transcript(), @r#"
    --- stderr
    error: unknown key `stroe` in `traillake.toml`
    hint: did you mean `store`?
    --- exit 2
    "#);
    let named = here.run(&["--config", "none.toml", "config"]).exited(2);
    assert_eq!(named.stderr, "error: there is no configuration file `none.toml`\n");
}

#[test]
fn a_misspelt_variable_is_noticed() {
    let here = Folder::new();
    let ran = here.sh("TRAILLAKE_LAEK=x traillake version").done();
    assert_eq!(
        ran.stderr,
        "warning: environment variable `TRAILLAKE_LAEK` sets nothing; did you mean `TRAILLAKE_LAKE`?\n"
    );
}

#[test]
fn colour_only_where_it_is_wanted() {
    let here = Folder::new();
    let colored = |line: &str| here.sh(line).exited(2).stderr.contains('\u{1b}');
    assert!(!colored("traillake status"));
    assert!(colored("traillake --color always status"));
    assert!(!colored("traillake --color never status"));
    assert!(colored("TRAILLAKE_COLOR=always traillake status"));
    // A terminal, as far as the program can tell.
    let on_terminal = |line: &str| {
        let script = format!("script -qec '{line}' /dev/null || true");
        here.sh(&script).stdout.contains('\u{1b}')
    };
    if here.sh("command -v script").code != 0 {
        eprintln!("SKIPPED: no `script` to make a terminal with");
        return;
    }
    assert!(on_terminal(&format!("{BINARY} status")));
    assert!(!on_terminal(&format!("NO_COLOR=1 {BINARY} status")));
}

#[test]
fn messages_can_be_json() {
    let here = Folder::new();
    let ran = here.run(&["--log-format", "json", "status"]).exited(2);
    let line: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(line["level"], "error");
    assert!(line["message"].as_str().unwrap().starts_with("no lake at `./lake`"));
}

#[test]
fn bare_is_a_short_help_where_nobody_types() {
    let here = Folder::new();
    assert!(here.run(&[]).done().stdout.starts_with("traillake demo "));
    let version = here.run(&["version", "--format", "json"]).done().stdout;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["lake_format"], 1);
    let wrong = here.run(&["frobnicate"]).exited(2);
    assert!(wrong.stderr.starts_with("error: "), "{}", wrong.stderr);
}
