//! Upkeep and retention of a lake in S3, over the wire, that is cut off at every change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tempfile::TempDir;
use traillake_store::{Result, StoreWriter};
use traillake_testkit::s3::{S3, Spoiled};

use crate::expiry::{before, check, check_whole_or_nothing, expire, from, rows};
use crate::interruptions::{check_aftermath, one_of};
use crate::latest::copy;
use crate::upkeep::{lake_in, later, rounds, upkeep};
use crate::world::{self, Disk, read};

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
