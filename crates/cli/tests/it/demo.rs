//! `demo`, and what its answers are.

use serde_json::Value;

use crate::folder::Folder;

#[test]
fn the_demo_runs_twice_and_what_it_says_to_try_works() {
    let here = Folder::new();
    let first = here.run(&["demo"]).done();
    assert!(first.stdout.contains("\n5. "), "{}", first.stdout);
    assert_eq!(here.names(), ["traillake-demo"]);
    let tried = first.stdout.split("Try next:\n").nth(1).unwrap();
    for line in tried.lines().filter(|line| !line.contains("FOLDER")) {
        let ran = here.sh(line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    }
    let again = here.run(&["demo"]).done();
    assert!(again.stdout.contains("nothing new, nothing was read"), "{}", again.stdout);
    let answers = |text: &str| text.split("\n1. ").nth(1).unwrap().to_owned();
    assert_eq!(answers(&again.stdout), answers(&first.stdout));
}

#[test]
fn the_demo_only_unpacks_into_a_folder_of_its_own() {
    let here = Folder::new();
    here.write("mine/thesis.txt", "do not lose");
    let ran = here.run(&["demo", "mine"]).exited(2);
    assert!(ran.stderr.starts_with("error: `mine` is not empty\nhint: "), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(here.path("mine")).unwrap().count(), 1);
}

#[test]
fn the_answers_are_those_that_were_worked_out() {
    let here = Folder::with_lake();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo/questions.toml");
    let questions: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let questions: Value = serde_json::to_value(&questions).unwrap();
    let questions = questions["question"].as_array().unwrap();
    assert_eq!(questions.len(), 5);
    for question in questions {
        let rows: Vec<&str> =
            question["rows"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
        let answer = here.csv(question["sql"].as_str().unwrap());
        assert_eq!(answer.lines().collect::<Vec<_>>(), rows, "{}", question["ask"]);
    }
}
