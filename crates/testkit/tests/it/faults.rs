use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use traillake_testkit::faults::{Counted, Faults, Outcome, PowerLoss, Reply, Stops, Trouble};

/// A little protocol: two data objects, then a commit that must not be there without them.
async fn publish(store: Arc<dyn ObjectStore>) -> Result<(), Error> {
    store.put(&Path::from("data/1"), "one".into()).await?;
    store.put(&Path::from("data/2"), "two".into()).await?;
    store.get(&Path::from("data/1")).await?;
    let create = PutOptions::from(PutMode::Create);
    store.put_opts(&Path::from("commit"), "1,2".into(), create).await?;
    store.delete(&Path::from("data/1")).await
}

async fn names(store: &InMemory) -> Vec<String> {
    let found: Vec<_> = store.list(None).try_collect().await.unwrap();
    found.into_iter().map(|object| object.location.to_string()).collect()
}

async fn states(counted: Counted, outcome: Outcome) -> Vec<(bool, String)> {
    let mut states = Vec::new();
    for faults in Stops::new(counted, outcome) {
        let disk = Arc::new(InMemory::new());
        let heard = publish(faults.wrap(disk.clone())).await;
        states.push((heard.is_ok(), names(&disk).await.join(" ")));
    }
    states
}

#[tokio::test]
async fn a_run_stops_at_every_step_there_is_and_then_not_at_all() {
    let before = ["", "data/1", "data/1 data/2", "commit data/1 data/2", "commit data/2"];
    let not_applied = states(Counted::Changes, Outcome::NotApplied).await;
    let seen: Vec<_> = not_applied.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(seen, before);
    let heard: Vec<_> = not_applied.iter().map(|(heard, _)| *heard).collect();
    assert_eq!(heard, [false, false, false, false, true]);

    let after =
        ["data/1", "data/1 data/2", "commit data/1 data/2", "commit data/2", "commit data/2"];
    for (outcome, last_heard) in [(Outcome::Applied, true), (Outcome::AppliedUnheard, false)] {
        let applied = states(Counted::Changes, outcome).await;
        let seen: Vec<_> = applied.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(seen, after, "{outcome:?}");
        assert_eq!(applied[3].0, last_heard, "{outcome:?}");
    }
    assert_eq!(states(Counted::All, Outcome::NotApplied).await.len(), before.len() + 1);
}

#[tokio::test]
async fn after_a_stop_nothing_works_and_nothing_changes() {
    let disk = Arc::new(InMemory::new());
    let faults = Arc::new(Faults::stop_at(1, Counted::Changes, Outcome::NotApplied));
    let store = faults.wrap(disk.clone());
    let one = Path::from("data/1");
    publish(store.clone()).await.unwrap_err();
    store.get(&one).await.unwrap_err();
    store.list(None).try_collect::<Vec<_>>().await.unwrap_err();
    store.list_with_delimiter(None).await.unwrap_err();
    store.delete(&one).await.unwrap_err();
    store.put_multipart(&one).await.unwrap_err();
    assert_eq!(names(&disk).await, ["data/1"]);
    assert_eq!(faults.trace(), ["put data/1", "put data/2"]);
}

#[tokio::test]
async fn one_call_fails_and_the_next_works() {
    for (reply, applied) in [(Reply::Precondition, true), (Reply::Full, false)] {
        let disk = Arc::new(InMemory::new());
        let trouble = Trouble::Fail { reply, applied };
        let store = Arc::new(Faults::none(Counted::Changes).with(2, trouble)).wrap(disk.clone());
        let error = publish(store.clone()).await.unwrap_err();
        assert_eq!(matches!(error, Error::Precondition { .. }), reply == Reply::Precondition);
        assert_eq!(names(&disk).await.contains(&"commit".to_owned()), applied);
        let again = publish(store).await;
        assert_eq!(matches!(again, Err(Error::AlreadyExists { .. })), applied, "{again:?}");
    }
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_gives_everything() {
    let disk = Arc::new(InMemory::new());
    let store = Arc::new(Faults::none(Counted::Changes).with(1, Trouble::Fill)).wrap(disk.clone());
    let error = publish(store.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Generic { .. }), "{error}");
    store.get(&Path::from("data/1")).await.unwrap();
    store.put(&Path::from("data/3"), "three".into()).await.unwrap_err();
    store.delete(&Path::from("data/1")).await.unwrap();
    assert_eq!(names(&disk).await, [""; 0]);
}

#[tokio::test]
async fn random_failures_repeat_with_their_seed() {
    let run = async |seed| {
        let faults = Arc::new(Faults::none(Counted::All).with_random_failures(seed, 0.4));
        let store = faults.wrap(Arc::new(InMemory::new()));
        let mut heard = Vec::new();
        for name in 0..50 {
            heard.push(store.put(&Path::from(format!("{name}")), "x".into()).await.is_ok());
        }
        heard
    };
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
    assert!(first.contains(&true) && first.contains(&false));
}

/// Every file of a folder with its bytes.
fn contents(root: &FilePath) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// Runs `work` in a fresh folder, loses power under 100 seeds, and returns everything that was
/// found then, as `name=bytes …`.
fn outcomes(work: impl Fn(&FilePath, &PowerLoss)) -> BTreeSet<String> {
    let outcome = |seed| {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lake");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("old"), "old").unwrap();
        let power = PowerLoss::watch(&root).unwrap();
        work(&root, &power);
        power.crash(seed).unwrap();
        let found = contents(&root);
        power.crash(seed + 1).unwrap();
        assert_eq!(contents(&root), found, "what survived once is sure");
        let found: Vec<_> = found.iter().map(|(name, bytes)| format!("{name}={bytes}")).collect();
        found.join(" ")
    };
    (0..100).map(outcome).collect()
}

#[track_caller]
fn check_outcomes(work: impl Fn(&FilePath, &PowerLoss), expected: &[&str]) {
    let found = outcomes(work);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn bytes_and_names_are_lost_each_on_its_own() {
    let write = |root: &FilePath| fs::write(root.join("new"), "ab").unwrap();
    check_outcomes(
        |root, _| write(root),
        &["new= old=old", "new=a old=old", "new=ab old=old", "old=old"],
    );
    check_outcomes(
        |root, power| {
            write(root);
            power.sync_file(&root.join("new")).unwrap();
        },
        &["new=ab old=old", "old=old"],
    );
    check_outcomes(
        |root, power| {
            write(root);
            power.sync_folder(root).unwrap();
        },
        &["new= old=old", "new=a old=old", "new=ab old=old"],
    );
    check_outcomes(
        |root, power| {
            write(root);
            power.sync_file(&root.join("new")).unwrap();
            power.sync_folder(root).unwrap();
        },
        &["new=ab old=old"],
    );
}

#[test]
fn a_link_keeps_the_bytes_of_its_file_and_a_removed_name_may_be_back() {
    check_outcomes(
        |root, power| {
            fs::write(root.join("staged"), "ab").unwrap();
            power.sync_file(&root.join("staged")).unwrap();
            fs::hard_link(root.join("staged"), root.join("new")).unwrap();
            power.sync_folder(root).unwrap();
            fs::remove_file(root.join("staged")).unwrap();
        },
        &["new=ab old=old", "new=ab old=old staged=ab"],
    );
    check_outcomes(
        |root, power| {
            fs::write(root.join("staged"), "new").unwrap();
            power.sync_file(&root.join("staged")).unwrap();
            fs::rename(root.join("staged"), root.join("old")).unwrap();
        },
        &["old=new", "old=old"],
    );
}

#[test]
fn a_folder_nobody_synced_takes_everything_with_it() {
    let work = |root: &FilePath, power: &PowerLoss, parent: bool| {
        fs::create_dir(root.join("in")).unwrap();
        fs::write(root.join("in/new"), "ab").unwrap();
        power.sync_file(&root.join("in/new")).unwrap();
        power.sync_folder(&root.join("in")).unwrap();
        if parent {
            power.sync_folder(root).unwrap();
        }
    };
    check_outcomes(|root, power| work(root, power, false), &["in/new=ab old=old", "old=old"]);
    check_outcomes(|root, power| work(root, power, true), &["in/new=ab old=old"]);
}

#[test]
fn an_append_is_cut_and_a_change_in_place_costs_everything() {
    let appended = outcomes(|root, _| fs::write(root.join("old"), "oldest").unwrap());
    assert_eq!(
        appended.iter().map(String::as_str).collect::<Vec<_>>(),
        ["old=old", "old=olde", "old=oldes", "old=oldest"]
    );
    let changed = outcomes(|root, _| fs::write(root.join("old"), "new").unwrap());
    assert!(changed.contains("old=") && changed.contains("old=new"), "{changed:?}");
}

#[test]
fn no_sync_works_once_the_power_is_cut() {
    let work = |root: &FilePath, power: &PowerLoss| {
        fs::write(root.join("new"), "ab").unwrap();
        power.cut_at(1);
        power.sync_file(&root.join("new")).unwrap();
        power.sync_folder(root).unwrap_err();
        power.sync_folder(root).unwrap_err();
        assert_eq!(power.syncs(), 3);
    };
    check_outcomes(work, &["new=ab old=old", "old=old"]);
}
