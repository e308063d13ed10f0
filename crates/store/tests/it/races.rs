//! Several writers at once: as tasks, and interleaved call by call.

use std::sync::Arc;
use std::time::Duration;

use traillake_store::{ObjectState, Result, StoreWriter};
use traillake_testkit::faults::{Counted, Faults};
use traillake_testkit::random::Random;

use crate::world::{self, Disk, Object, check_truth, commit, object, objects, read, record};

/// Commits rounds of these objects in an order of its own; returns how often it was rebased.
async fn ingest(writer: StoreWriter, mut rounds: Vec<Vec<Object>>, seed: u64) -> Result<u32> {
    let mut random = Random::new(seed);
    let mut rebased = 0;
    while !rounds.is_empty() {
        let next = random.below(rounds.len() as u64) as usize;
        rebased += commit(&writer, &rounds.swap_remove(next), 5).await?.rebased;
    }
    Ok(rebased)
}

/// Rounds that overlap in every way: same objects, same bytes under other keys, same records in
/// other objects, other spellings, other values.
fn rounds_of(who: &str) -> Vec<Vec<Object>> {
    let shared = objects("shared", 0, 4, 3);
    let copies: Vec<Object> = objects("own", 100, 3, 2)
        .into_iter()
        .map(|object| Object { key: format!("{who}/{}", object.key), ..object })
        .collect();
    let mixed = vec![
        object(&format!("{who}/mixed"), vec![record("m", 0, who), record("id-00001", 1, "v1")]),
        object(&format!("{who}/again"), vec![record("m", 0, &who.to_uppercase())]),
    ];
    vec![shared[..2].to_vec(), shared[2..].to_vec(), copies, mixed]
}

async fn check_race(disk: &Disk, who: &[&str]) {
    let mut all: Vec<Object> = who.iter().flat_map(|who| rounds_of(who)).flatten().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all.dedup_by(|a, b| a.key == b.key);
    check_truth(disk, &all.iter().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ingesters_at_once_bring_everything_in_exactly_once() {
    let mut rebased = 0;
    for seed in 0..12 {
        let disk = Disk::memory();
        let who = ["ann", "bob", "eve"];
        let mut tasks = Vec::new();
        for (n, name) in (0u64..).zip(who) {
            let delays =
                Faults::none(Counted::All).with_delays(seed * 3 + n, Duration::from_micros(300));
            let faults = Arc::new(delays);
            let disk = disk.wrapped(Arc::new(move |objects| faults.wrap(objects)));
            tasks.push(tokio::spawn(async move {
                let writer = world::writer(&disk).await?;
                ingest(writer, rounds_of(name), seed + n).await
            }));
        }
        for task in tasks {
            rebased += task.await.unwrap().unwrap();
        }
        check_race(&disk, &who).await;
    }
    assert!(rebased > 0, "no race was lost");
}

#[tokio::test]
async fn two_ingesters_interleaved_call_by_call() {
    let mut rebased = 0;
    for seed in 0..40 {
        let disk = Disk::memory();
        world::writer(&disk).await.unwrap();
        let turns = turns::Turns::new(seed, 2);
        let run = |who: &'static str, number: usize| {
            let (turns, disk) = (turns.clone(), disk.clone());
            async move {
                let behind = turns.clone();
                let disk = disk.wrapped(Arc::new(move |inner| behind.wrap(number, inner)));
                let rounds = rounds_of(who);
                let result = match world::writer(&disk).await {
                    Ok(writer) => ingest(writer, rounds, seed + number as u64).await,
                    Err(error) => Err(error),
                };
                turns.leave(number);
                result
            }
        };
        let (a, b) = tokio::join!(run("ann", 0), run("bob", 1));
        rebased += a.unwrap() + b.unwrap();
        check_race(&disk, &["ann", "bob"]).await;
    }
    assert!(rebased > 20, "{rebased} races were lost");
}

#[tokio::test]
async fn a_loser_gives_way_and_keeps_what_is_its_own() {
    let disk = Disk::memory();
    let (ann, bob) = (world::writer(&disk).await.unwrap(), world::writer(&disk).await.unwrap());
    let a = object("a", vec![record("1", 0, "one"), record("2", 0, "two")]);
    let copy = Object { key: "copy".to_string(), ..a.clone() };
    let b = object("b", vec![record("1", 0, "uno"), record("2", 0, "two"), record("3", 0, "drei")]);
    commit(&ann, std::slice::from_ref(&a), 1).await.unwrap();
    // Bob has not seen Ann's round.
    assert_eq!(bob.token(), 0);
    let mut input = world::round(&[a.clone(), copy.clone(), b.clone()]);
    input.planned_at = Some(0);
    let receipt = bob.commit_round(input, &world::Words, world::at(2)).await.unwrap();
    assert_eq!((receipt.token, receipt.rebased), (2, 1));
    assert_eq!(receipt.known, [0]);
    assert_eq!(receipt.objects[0].state, ObjectState::Copy);
    let counts = receipt.objects[1].counts;
    assert_eq!((counts.stored, counts.duplicates, counts.variants), (1, 1, 1));
    assert_eq!(check_truth(&disk, &[&a, &copy, &b]).await, 2);
}

#[tokio::test]
async fn a_rebase_writes_again_only_what_changed() {
    let disk = Disk::memory();
    let (ann, bob) = (world::writer(&disk).await.unwrap(), world::writer(&disk).await.unwrap());
    let far = object("far", vec![record("1", 200, "far away")]);
    let near = object("near", vec![record("2", 0, "here")]);
    commit(&ann, std::slice::from_ref(&far), 1).await.unwrap();
    let mut input = world::round(std::slice::from_ref(&near));
    input.planned_at = Some(0);
    let receipt = bob.commit_round(input, &world::Words, world::at(2)).await.unwrap();
    assert_eq!((receipt.token, receipt.rebased), (2, 1));
    check_truth(&disk, &[&far, &near]).await;
    // One file of events and one of notes; of the ledger one for each attempt, as it names the round.
    let snapshot = read(&disk).await;
    let mut sizes = 0;
    for (table, times) in [("events", 1), ("notes", 1), ("objects", 2)] {
        let files = snapshot.table(table).unwrap().files().await.unwrap();
        let added = files
            .iter()
            .filter(|file| table != "events" || file.partition.as_deref() == Some("2023-11"));
        sizes += added.map(|file| file.size).max().unwrap() * times;
    }
    assert!(receipt.bytes_written <= sizes + 64, "{} of {sizes}", receipt.bytes_written);
}

/// A store whose callers take turns: one call at a time, whose is decided by a seed.
mod turns {
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use futures::stream::BoxStream;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };
    use tokio::sync::Notify;
    use traillake_testkit::random::Random;

    #[derive(Debug)]
    pub struct Turns {
        state: Mutex<State>,
        changed: Notify,
    }

    #[derive(Debug)]
    struct State {
        random: Random,
        /// Calls waiting, by caller; none once it has left.
        waiting: Vec<Option<usize>>,
        /// Whose turn it is.
        turn: Option<usize>,
    }

    impl Turns {
        pub fn new(seed: u64, callers: usize) -> Arc<Turns> {
            let random = Random::new(seed);
            let state = State { random, waiting: vec![Some(0); callers], turn: None };
            Arc::new(Turns { state: Mutex::new(state), changed: Notify::new() })
        }

        pub fn wrap(
            self: &Arc<Turns>,
            caller: usize,
            inner: Arc<dyn ObjectStore>,
        ) -> Arc<dyn ObjectStore> {
            Arc::new(InTurn { turns: self.clone(), caller, inner })
        }

        pub fn leave(&self, caller: usize) {
            let mut state = self.state.lock().unwrap();
            state.waiting[caller] = None;
            state.grant();
            drop(state);
            self.changed.notify_waiters();
        }

        async fn take(&self, caller: usize) {
            {
                let mut state = self.state.lock().unwrap();
                *state.waiting[caller].get_or_insert(0) += 1;
                state.grant();
            }
            self.changed.notify_waiters();
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let mut state = self.state.lock().unwrap();
                    if state.turn == Some(caller) {
                        state.turn = None;
                        *state.waiting[caller].get_or_insert(1) -= 1;
                        state.grant();
                        break;
                    }
                }
                changed.await;
            }
            self.changed.notify_waiters();
        }
    }

    impl State {
        /// Gives a turn once everybody who is still here waits for one.
        fn grant(&mut self) {
            let here: Vec<usize> =
                (0..self.waiting.len()).filter(|caller| self.waiting[*caller].is_some()).collect();
            let all_wait = here.iter().all(|caller| self.waiting[*caller] > Some(0));
            if self.turn.is_none() && all_wait && !here.is_empty() {
                self.turn = Some(self.random.pick(&here));
            }
        }
    }

    #[derive(Debug)]
    struct InTurn {
        turns: Arc<Turns>,
        caller: usize,
        inner: Arc<dyn ObjectStore>,
    }

    impl fmt::Display for InTurn {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "in turn")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for InTurn {
        async fn put_opts(
            &self,
            location: &Path,
            payload: PutPayload,
            opts: PutOptions,
        ) -> Result<PutResult> {
            self.turns.take(self.caller).await;
            self.inner.put_opts(location, payload, opts).await
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            opts: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.inner.put_multipart_opts(location, opts).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            self.turns.take(self.caller).await;
            self.inner.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            locations: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            self.inner.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.inner.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }
}
