//! Reading objects of a bucket: some at a time, each again when its body breaks off.
//!
//! S3 throttles by prefix: one object may wait while all others could be had. They are handed over in
//! their order as long as none keeps the others waiting for long; one that does comes when it can, at
//! the end of its slice at the latest. So many as are read at once may wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::select_all;
use object_store::path::Path;
use object_store::{Attribute, GetOptions, GetResult};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout_at};
use traillake_store::Refusal;

use super::refusal::{self, Attempt};
use super::{Bucket, Reading};
use crate::report::FaultKind;
use crate::source::{Contents, DigestStamp, SourceObject, Spool};

/// Objects that are read at a time.
const READ_AT_ONCE: usize = 32;
/// For so long an object may keep those behind it waiting.
const IN_ORDER_WITHIN: Duration = Duration::from_secs(1);
/// How often an object is read before it counts as unreadable. The client has tried each request
/// several times by then; these are for bodies that broke off.
pub(super) const ATTEMPTS_MAX: u32 = 4;
/// The wait before the second attempt; it doubles with each.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Objects being read, in the order in which they are to be handed over.
#[derive(Default)]
pub(super) struct UnderWay {
    readings: VecDeque<Arriving>,
    bytes: u64,
}

struct Arriving {
    reading: JoinHandle<(SourceObject, Contents)>,
    object: SourceObject,
    /// Since when it keeps those behind it waiting.
    awaited_since: Option<Instant>,
}

impl UnderWay {
    pub(super) fn has_room(&self, next: &SourceObject, bytes_max: u64) -> bool {
        let fits = self.bytes.saturating_add(next.size_bytes) <= bytes_max;
        self.readings.is_empty() || (fits && self.readings.len() < READ_AT_ONCE)
    }

    pub(super) fn push(&mut self, object: SourceObject, runtime: &Handle, fetch: &Fetch) {
        self.bytes = self.bytes.saturating_add(object.size_bytes);
        let (fetch, wanted) = (fetch.clone(), object.clone());
        let reading = runtime.spawn(async move { fetch.read(wanted).await });
        self.readings.push_back(Arriving { reading, object, awaited_since: None });
    }

    /// Waits for the first, or for any where that keeps the others waiting; none when there is none.
    pub(super) async fn next(&mut self) -> Option<(SourceObject, Contents)> {
        let first = self.readings.front_mut()?;
        let since = *first.awaited_since.get_or_insert_with(Instant::now);
        let in_order = timeout_at(since + IN_ORDER_WITHIN, &mut first.reading);
        let (place, read) = match in_order.await {
            Ok(read) => (0, read),
            Err(_) => {
                let all = self.readings.iter_mut().map(|arriving| &mut arriving.reading);
                let (read, place, _) = select_all(all).await;
                (place, read)
            }
        };
        let Arriving { object, .. } = self.readings.remove(place)?;
        self.bytes = self.bytes.saturating_sub(object.size_bytes);
        Some(read.unwrap_or_else(|_: JoinError| {
            let reason = "its reading stopped half way".to_owned();
            (object, Contents::Failed(FaultKind::Unreadable, reason))
        }))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.readings.iter().for_each(|arriving| arriving.reading.abort());
    }
}

/// Whether bytes are held or set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Held,
    Spooled,
}

/// Reads objects of a bucket.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) bucket: Arc<Bucket>,
    pub(super) reading: Reading,
}

/// What S3 keeps beside an object's bytes.
#[derive(Default)]
pub(super) struct Beside {
    version_id: Option<Box<str>>,
    digest_stamp: Option<Box<DigestStamp>>,
}

impl Fetch {
    async fn read(&self, mut object: SourceObject) -> (SourceObject, Contents) {
        if object.is_archived {
            let reason = Refusal::Archived.to_string();
            return (object, Contents::Failed(FaultKind::Archived, reason));
        }
        let small = object.size_bytes <= self.reading.limits.in_memory_bytes_max as u64;
        let keep = if small { Keep::Held } else { Keep::Spooled };
        match self.attempts(&object, keep).await {
            Ok((contents, beside)) => {
                object.version_id = beside.version_id;
                object.digest_stamp = beside.digest_stamp;
                (object, contents)
            }
            Err((kind, reason)) => (object, Contents::Failed(kind, reason)),
        }
    }

    /// Reads an object, again when its body breaks off.
    pub(super) async fn attempts(
        &self,
        object: &SourceObject,
        keep: Keep,
    ) -> Result<(Contents, Beside), (FaultKind, String)> {
        let key = self.bucket.key_of(&object.key);
        let mut pause = PAUSE;
        for attempt in 1.. {
            match self.attempt(object, key, keep).await {
                Err(error) if attempt < ATTEMPTS_MAX && refusal::is_passing(&error) => {
                    tracing::debug!(key, %error, attempt, "read again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => {
                    return Err(refusal::of(&error, Attempt::Read, &self.bucket, key));
                }
                Ok(read) => return Ok(read),
            }
        }
        Err((FaultKind::Unreadable, "could not be read".to_owned()))
    }

    async fn attempt(
        &self,
        object: &SourceObject,
        key: &str,
        keep: Keep,
    ) -> object_store::Result<(Contents, Beside)> {
        let path = Path::parse(key)?;
        // What was overwritten since its listing is another object, for the next run.
        let options = GetOptions::default().with_if_match(object.etag.as_deref());
        let result =
            patiently(self.reading.patience, self.bucket.objects.get_opts(&path, options)).await?;
        check_unchanged(object, &result)?;
        let beside = beside(&result);
        let contents = match keep {
            Keep::Held => {
                let bytes = patiently(self.reading.patience, result.bytes()).await?;
                check_length(object, bytes.len() as u64)?;
                Contents::Held(Arc::from(&*bytes))
            }
            Keep::Spooled => Contents::Spooled(self.set_aside(object, result).await?),
        };
        Ok((contents, beside))
    }

    async fn set_aside(
        &self,
        object: &SourceObject,
        result: GetResult,
    ) -> object_store::Result<Spool> {
        let temp_dir = self.reading.temp_dir.clone();
        let mut body = result.into_stream();
        let (runtime, patience) = (Handle::current(), self.reading.patience);
        let written = tokio::task::spawn_blocking(move || {
            Spool::write(&temp_dir, |output| {
                let mut next = || runtime.block_on(patiently(patience, body.try_next()));
                while let Some(piece) = next().map_err(std::io::Error::other)? {
                    let piece: Bytes = piece;
                    output.write_all(&piece)?;
                }
                Ok(())
            })
        });
        let (spool, ()) = written.await?.map_err(broken)?;
        check_length(object, spool.len())?;
        Ok(spool)
    }
}

/// Waits for S3, but not for ever.
pub(super) async fn patiently<T>(
    patience: Duration,
    answer: impl Future<Output = object_store::Result<T>>,
) -> object_store::Result<T> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let reason = format!("S3 sent nothing for {} s", patience.as_secs_f32());
            Err(broken(std::io::Error::new(std::io::ErrorKind::TimedOut, reason)))
        }
    }
}

fn beside(result: &GetResult) -> Beside {
    let metadata = |name: &'static str| {
        let value = result.attributes.get(&Attribute::Metadata(name.into()));
        value.map(|value| value.as_ref().to_owned())
    };
    let stamp = DigestStamp {
        signature: metadata("signature"),
        signature_algorithm: metadata("signature-algorithm"),
        backfill_generation_timestamp: metadata("backfill-generation-timestamp"),
    };
    Beside {
        version_id: result.meta.version.as_deref().map(Into::into),
        digest_stamp: (stamp != DigestStamp::default()).then(|| Box::new(stamp)),
    }
}

/// Refuses an object that was written since its listing, where no ETag told S3 to. A response says
/// the time in whole seconds.
fn check_unchanged(object: &SourceObject, result: &GetResult) -> object_store::Result<()> {
    let listed = object.modified_at.map(|at| at.timestamp());
    if object.etag.is_some() || listed == Some(result.meta.last_modified.timestamp()) {
        return Ok(());
    }
    let path = result.meta.location.to_string();
    Err(object_store::Error::Precondition { path, source: "written since its listing".into() })
}

/// Refuses a body that is shorter or longer than its listing said.
fn check_length(object: &SourceObject, bytes: u64) -> object_store::Result<()> {
    if bytes == object.size_bytes {
        return Ok(());
    }
    let expected = object.size_bytes;
    Err(broken(std::io::Error::other(format!("{bytes} of {expected} bytes came"))))
}

pub(super) fn broken(source: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: source.into() }
}
