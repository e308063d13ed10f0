//! Every example in every `--help` runs.

use traillake_testkit::s3::{ACCESS_KEY, S3, SECRET_KEY};

use crate::folder::Folder;

/// Every command, subcommands too.
pub fn commands(here: &Folder) -> Vec<Vec<String>> {
    let mut commands = vec![vec![]];
    let mut next = 0;
    while next < commands.len() {
        let path: Vec<String> = commands[next].clone();
        next += 1;
        let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let help = here.run(&args).done().stdout;
        let Some(listed) = help.split("\nCommands:\n").nth(1) else { continue };
        for line in listed.lines().take_while(|line| line.starts_with("  ")) {
            let name = line.split_whitespace().next().unwrap();
            let mut longer = path.clone();
            longer.push(name.to_owned());
            commands.push(longer);
        }
    }
    commands
}

#[test]
fn every_example_runs() {
    let prepared = Folder::with_lake();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let s3 = runtime.block_on(S3::start(&["my-trail-bucket"])).unwrap();
    let credentials = format!(
        "export AWS_ENDPOINT_URL_S3={} AWS_ACCESS_KEY_ID={ACCESS_KEY} \
         AWS_SECRET_ACCESS_KEY={SECRET_KEY}",
        s3.endpoint()
    );
    let commands = commands(&prepared);
    assert!(commands.len() > 12, "{commands:?}");
    for command in commands {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let help = prepared.run(&args).done().stdout;
        let examples = help.split("\nExamples:\n").nth(1).unwrap();
        let examples: Vec<&str> = examples.lines().map(str::trim).collect();
        assert_eq!(examples.len(), 3, "{command:?}");
        for example in examples {
            // Each begins where the last one began.
            let here = Folder::new();
            let copied =
                here.sh(&format!("cp -r '{0}/lake' '{0}/logs' .", prepared.path("").display()));
            assert_eq!(copied.code, 0, "{}", copied.stderr);
            // A server serves until it is asked to stop: once, which `timeout` does in the
            // foreground only.
            let example = match example.starts_with("traillake serve") {
                true => format!("timeout --foreground --preserve-status -s INT 3 {example}"),
                false => example.to_owned(),
            };
            let ran = here.sh(&format!("{credentials}; set -o pipefail; {example}"));
            assert_eq!(ran.code, 0, "{example}: {}", ran.stderr);
        }
    }
}
