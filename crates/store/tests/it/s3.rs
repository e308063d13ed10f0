//! A lake in S3, over the wire: rounds of which a request is not answered in time, upkeep and retention
//! that are cut off at every change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tempfile::TempDir;
use traillake_store::{Result, RoundReceipt, StoreWriter};
use traillake_testkit::s3::{Asked, S3, Spoiled};

use crate::expiry::{before, check, check_whole_or_nothing, expire, from, rows};
use crate::interruptions::{check_aftermath, one_of};
use crate::latest::copy;
use crate::upkeep::{lake_in, later, of, rounds, upkeep};
use crate::world::{self, Disk, Object, check_truth, commit, read};

/// Nobody answers any more, and it is not tried again.
const GONE: Spoiled = Spoiled::Refused(403, "AccessDenied");

fn disk(s3: &S3) -> Disk {
    Disk::in_bucket(Arc::new(s3.client("home").unwrap()))
}

/// An S3 with what was kept of another.
async fn again(kept: &TempDir) -> S3 {
    let s3 = S3::start(&["home"]).await.unwrap();
    copy(kept.path(), &s3.bucket_folder("home"));
    s3
}

/// What an S3 has now.
fn kept(s3: &S3) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&s3.bucket_folder("home"), folder.path());
    folder
}

/// From change `at` on nobody answers; with `applied` S3 has done that one. Counts the changes.
fn dies(s3: &S3, at: usize, applied: bool) -> Arc<AtomicUsize> {
    let changes = Arc::new(AtomicUsize::new(0));
    let seen = changes.clone();
    s3.spoil(move |_, asked| {
        if matches!(asked.method.as_str(), "GET" | "HEAD") {
            return (seen.load(SeqCst) > at).then_some(GONE);
        }
        match seen.fetch_add(1, SeqCst) {
            n if n < at => None,
            n if n == at && applied => Some(Spoiled::DoneThenRefused(403, "AccessDenied")),
            _ => Some(GONE),
        }
    });
    changes
}

/// How many changes `work` makes of what was kept.
async fn changes_of(kept: &TempDir, work: impl AsyncFn(&StoreWriter) -> Result<()>) -> usize {
    let s3 = again(kept).await;
    let changes = dies(&s3, usize::MAX, false);
    work(&world::writer(&disk(&s3)).await.unwrap()).await.unwrap();
    changes.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_of_a_lake_in_s3_cut_off_at_every_change_leaves_exactly_the_truth() {
    let rounds = rounds(10);
    let first = S3::start(&["home"]).await.unwrap();
    lake_in(disk(&first), &rounds).await;
    let kept = kept(&first);
    let tend = async |writer: &StoreWriter| upkeep(writer, later()).await.map(drop);
    let changes = changes_of(&kept, tend).await;
    assert!(changes > 15, "{changes}");
    for (n, at) in (0..changes).step_by(one_of(13)).enumerate() {
        let (s3, applied) = (again(&kept).await, n % 2 == 0);
        dies(&s3, at, applied);
        if let Ok(writer) = world::writer(&disk(&s3)).await {
            let _ = tend(&writer).await;
        }
        s3.heal();
        check_aftermath(&disk(&s3), &rounds, &format!("change {at}, applied: {applied}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_of_a_lake_in_s3_cut_off_at_every_change_loses_all_it_should_or_nothing() {
    let first = S3::start(&["home"]).await.unwrap();
    let (lake, writer) = lake_in(disk(&first), &rounds(12)).await;
    upkeep(&writer, later()).await.unwrap();
    let expiry = before(6);
    let all = rows(&read(&lake).await).await;
    let left = from(&all, &expiry);
    assert!(left.len() < all.len());
    let kept = kept(&first);
    let leave = async |writer: &StoreWriter| expire(writer, &expiry).await.map(drop);
    let changes = changes_of(&kept, leave).await;
    assert!(changes >= 8, "{changes}");
    for (n, at) in (0..changes).step_by(one_of(3)).enumerate() {
        let (s3, applied) = (again(&kept).await, n % 2 == 0);
        dies(&s3, at, applied);
        if let Ok(writer) = world::writer(&disk(&s3)).await {
            let _ = leave(&writer).await;
        }
        s3.heal();
        let why = format!("change {at}, applied: {applied}");
        check_whole_or_nothing(&disk(&s3), &all, &left, &why).await;
        leave(&world::writer(&disk(&s3)).await.unwrap()).await.unwrap();
        check(&disk(&s3), &left, &why).await;
    }
}

/// So long is an answer waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Brings in a round over a client that does not wait for long; `spoiler` says of each request, by its
/// number, what becomes of it.
async fn impatient_round(
    s3: &S3,
    round: &[Object],
    spoiler: impl Fn(usize, &Asked) -> Option<Spoiled> + Send + Sync + 'static,
) -> Result<RoundReceipt> {
    s3.spoil(spoiler);
    let bucket = s3.client_waiting("home", PATIENCE).unwrap();
    let writer = world::writer(&Disk::in_bucket(Arc::new(bucket))).await?;
    commit(&writer, round, 9).await
}

/// What is kept of a lake that has all rounds but the last, and what bringing that in asks for.
async fn before_the_last(rounds: &[Vec<Object>]) -> (TempDir, Vec<Asked>) {
    let first = S3::start(&["home"]).await.unwrap();
    let (last, before) = rounds.split_last().unwrap();
    lake_in(disk(&first), before).await;
    let kept = kept(&first);
    let whole = again(&kept).await;
    impatient_round(&whole, last, |_, _| None).await.unwrap();
    (kept, whole.asked())
}

/// Whether a round is brought in of which the first request for which `is_it` holds is never answered,
/// `late` says whether it is done. Where not, it is brought in again; the lake then has it once.
async fn survives(
    kept: &TempDir,
    rounds: &[Vec<Object>],
    late: Spoiled,
    is_it: impl Fn(usize, &Asked) -> bool + Send + Sync + 'static,
) -> bool {
    let (s3, last) = (again(kept).await, rounds.last().unwrap());
    let was = AtomicBool::new(false);
    let ended = impatient_round(&s3, last, move |n, asked| {
        (is_it(n, asked) && !was.swap(true, SeqCst)).then_some(late)
    });
    let ended = ended.await;
    s3.heal();
    if ended.is_err() {
        let writer = world::writer(&disk(&s3)).await.unwrap();
        commit(&writer, last, 9).await.unwrap();
    }
    assert_eq!(check_truth(&disk(&s3), &of(rounds)).await, rounds.len() as i64, "{ended:?}");
    ended.is_ok()
}

/// A request that is not answered in time may have been done or not; nobody can tell. The client reads
/// again by itself. It does not put again what must be new; a commit of which that is not known is
/// looked for in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_which_one_request_is_not_answered_in_time_is_committed_once() {
    let rounds = rounds(3);
    let (kept, requests) = before_the_last(&rounds).await;
    for at in (0..requests.len()).step_by(one_of(31)) {
        for late in [Spoiled::Unanswered, Spoiled::Late(10_000)] {
            let survived = survives(&kept, &rounds, late, move |n, _| n == at).await;
            let is_put = requests[at].method == "PUT";
            assert!(survived || is_put, "{late:?}: {:?}", requests[at]);
        }
    }
    let is_commit = |asked: &&Asked| {
        let is_of_log = asked.path.contains("/_delta_log/") && asked.path.ends_with(".json");
        asked.method == "PUT" && is_of_log
    };
    let commits: BTreeSet<String> =
        requests.iter().filter(is_commit).map(|asked| asked.path.clone()).collect();
    assert!(commits.len() > 3, "{commits:?}");
    for commit in commits {
        let path = commit.clone();
        let is_it = move |_: usize, asked: &Asked| asked.method == "PUT" && asked.path == path;
        assert!(survives(&kept, &rounds, Spoiled::Unanswered, is_it).await, "{commit}");
    }
}

/// An S3 that falls silent is given up; what it did last may stand or not, and the next run brings in
/// the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_from_some_request_on_unanswered_ends_in_an_error_and_leaves_exactly_the_truth() {
    let rounds = rounds(3);
    let (kept, requests) = before_the_last(&rounds).await;
    let mut told = 0;
    for at in (0..requests.len()).step_by(one_of(31)) {
        let s3 = again(&kept).await;
        let silent = move |n: usize, _: &Asked| (n >= at).then_some(Spoiled::Unanswered);
        let ended = impatient_round(&s3, &rounds[2], silent).await;
        told += usize::from(ended.is_err());
        s3.heal();
        let why = format!("silent from request {at} on: {:?}", ended.err().map(|e| e.to_string()));
        let writer = world::writer(&disk(&s3)).await.unwrap();
        commit(&writer, &rounds[2], 9).await.unwrap();
        assert_eq!(check_truth(&disk(&s3), &of(&rounds)).await, 3, "{why}");
    }
    assert!(told > 0, "none ended in an error");
}
