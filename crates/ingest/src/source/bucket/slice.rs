//! A slice of a bucket: some of its folders, listed and read.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Attribute, GetOptions, GetRange, GetResult, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use traillake_cloudtrail::log_file::archive::{HEAD_BYTES, is_archive};
use traillake_cloudtrail::log_file::is_foreign;
use traillake_cloudtrail::{ObjectKey, object_key};
use traillake_store::Refusal;

use super::keys::Keys;
use super::lister::{Folder, Stored};
use super::refusal::{self, Attempt};
use super::walk::Met;
use super::{Bucket, Reading};
use crate::report::FaultKind;
use crate::source::archive::ArchiveSource;
use crate::source::{Contents, DigestStamp, Found, Ignored, LogSource, SourceObject, Spool, Stamp};

/// Folders that are listed at a time: each holds a page of a thousand objects.
const LISTED_AT_ONCE: usize = 16;
/// The same where only the last days are looked at: an organization has thousands of folders, and
/// little in each.
const LISTED_AT_ONCE_OF_LATE: usize = 64;
/// Objects that are looked into at a time while they are listed.
const LOOKED_AT_ONCE: usize = 16;
/// The same of objects that somebody names: S3 is asked what each is, and answers without a body.
const LOOKED_AT_ONCE_OF_NAMED: usize = 64;
/// Objects that somebody names which are looked at before the next are.
const NAMED_AT_ONCE: usize = 256;
/// Objects that are read at a time.
const READ_AT_ONCE: usize = 32;
/// How often an object is read before it counts as unreadable. The client has tried each request
/// several times by then; these are for bodies that broke off.
pub(super) const ATTEMPTS_MAX: u32 = 4;
/// The wait before the second attempt; it doubles with each.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Some folders of a bucket, or some objects.
pub(super) struct Slice {
    bucket: Arc<Bucket>,
    folders: Vec<Folder>,
    keys: Option<Keys>,
    /// What the walk met; told once.
    met: Mutex<Vec<Met>>,
    /// Objects of which S3 was asked what they are.
    heads: AtomicU64,
    reading: Reading,
}

impl Slice {
    pub(super) fn new(
        bucket: Arc<Bucket>,
        folders: Vec<Folder>,
        met: Vec<Met>,
        reading: Reading,
    ) -> Slice {
        let (met, heads) = (Mutex::new(met), AtomicU64::default());
        Slice { bucket, folders, keys: None, met, heads, reading }
    }

    /// The objects that somebody names.
    pub(super) fn of_keys(bucket: Arc<Bucket>, keys: Keys, reading: Reading) -> Slice {
        Slice { keys: Some(keys), ..Slice::new(bucket, Vec::new(), Vec::new(), reading) }
    }

    /// Returns what is in the folders, in the order in which S3 answers.
    fn listed_all(&self) -> impl Stream<Item = Found> {
        let met = std::mem::take(&mut *self.met.lock().unwrap_or_else(PoisonError::into_inner));
        let listings = self.folders.iter().map(move |folder| {
            let listing = self.bucket.lister.list(folder.clone());
            let listing = listing.map(move |listed| match listed {
                Ok(object) => Met::Object(object),
                Err(error) => {
                    let (bucket, name) = (&self.bucket, &folder.name);
                    let (kind, reason) = refusal::of(&error, Attempt::List, bucket, name);
                    Met::Found(Found::Fault { object: bucket.uri(name), kind, reason })
                }
            });
            listing.boxed()
        });
        let at_once = if self.reading.is_recent { LISTED_AT_ONCE_OF_LATE } else { LISTED_AT_ONCE };
        let listed = stream::iter(listings).flatten_unordered(at_once);
        let looked = stream::iter(met).chain(listed).map(|met| self.look(met));
        looked.buffer_unordered(LOOKED_AT_ONCE)
    }

    async fn look(&self, met: Met) -> Found {
        match met {
            Met::Object(object) => self.look_at(object).await,
            Met::Key(key) => {
                let Some(path) = path_of(&key) else { return self.without_path(&key) };
                match self.head(&key, &path).await {
                    Ok(object) => self.look_at(object).await,
                    Err(error) => {
                        let (kind, reason) = refusal::of(&error, Attempt::Read, &self.bucket, &key);
                        Found::Failed { object: self.bucket.uri(&key), kind, reason }
                    }
                }
            }
            Met::Found(found) => found,
        }
    }

    fn without_path(&self, key: &str) -> Found {
        let reason = "its key has an empty part, `.`, `..` or a control character; copy it to a \
                      plain key (`aws s3 cp`) and ingest that";
        let (kind, reason) = (FaultKind::Unreadable, reason.to_owned());
        Found::Failed { object: self.bucket.uri(key), kind, reason }
    }

    async fn head(&self, key: &str, path: &Path) -> object_store::Result<Stored> {
        self.heads.fetch_add(1, Ordering::Relaxed);
        let object = self.bucket.objects.head(path).await?;
        Ok(Stored {
            key: key.to_owned(),
            size: object.size,
            modified_at: object.last_modified,
            etag: object.e_tag,
            is_archived: false,
        })
    }

    /// Looks at the objects that somebody names, so many at a time.
    fn list_keys(&self, keys: &Keys, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        let runtime = Handle::current();
        let mut held = Vec::new();
        let mut look = |held: &mut Vec<Met>| {
            let looked = stream::iter(held.drain(..)).map(|met| self.look(met));
            let looked = looked.buffer_unordered(LOOKED_AT_ONCE_OF_NAMED).collect::<Vec<_>>();
            runtime.block_on(looked).into_iter().all(|next| found(next).is_continue())
        };
        let mut goes_on = true;
        keys.list(&self.bucket, &self.reading, &mut |met| {
            held.push(met);
            if held.len() == NAMED_AT_ONCE {
                goes_on = look(&mut held);
            }
            goes_on
        });
        if goes_on {
            look(&mut held);
        }
    }

    async fn look_at(&self, object: Stored) -> Found {
        let key = object.key.as_str();
        let uri = self.bucket.uri(key);
        let ignored = |reason| Found::Ignored { object: uri.clone(), reason };
        if object_key::is_junk(key) {
            return ignored(Ignored::Junk);
        }
        if object_key::other_service(key).is_some() {
            return ignored(Ignored::OtherService);
        }
        // An object that CloudTrail named is its log; only others cost a request.
        let is_ours = ObjectKey::parse(key).is_some_and(|key| key.is_cloudtrail);
        // A key that ends so stands for a folder; consoles make them.
        if object.size == 0 && (!is_ours || key.ends_with('/')) {
            return ignored(Ignored::Empty);
        }
        let Some(path) = path_of(key) else { return self.without_path(key) };
        let mut is_unseen = false;
        if !is_ours && !object.is_archived {
            let range = GetRange::Bounded(0..object.size.min(HEAD_BYTES as u64));
            let options = GetOptions::default().with_range(Some(range));
            // One that cannot be read is an object too: reading it may fail, and is counted.
            let head = match self.bucket.objects.get_opts(&path, options).await {
                Ok(head) => head.bytes().await.ok(),
                Err(_) => None,
            };
            match head {
                Some(head) if is_archive(&head) => return self.archive(object, uri).await,
                Some(head) if is_foreign(&head) => return ignored(Ignored::NotCloudTrail),
                Some(_) => {}
                None => is_unseen = true,
            }
        }
        Found::Object(SourceObject { is_unseen, ..self.listed(&object) })
    }

    fn listed(&self, object: &Stored) -> SourceObject {
        let key = self.bucket.uri(&object.key);
        let modified_at = Some(cut_to_seconds(object.modified_at));
        let (etag, is_archived) = (object.etag.as_deref().map(Into::into), object.is_archived);
        SourceObject { etag, is_archived, ..SourceObject::listed(key, object.size, modified_at) }
    }

    /// An archive is set aside whole: it is read from its end, and by its members.
    async fn archive(&self, object: Stored, uri: String) -> Found {
        let listed = self.listed(&object);
        let stamp = Stamp::listed(&listed);
        let fetch = Fetch { bucket: self.bucket.clone(), reading: self.reading.clone() };
        match fetch.attempts(&listed, Keep::Spooled).await {
            Ok((Contents::Spooled(spool), _)) => {
                let (limits, temp_dir) = (&self.reading.limits, &self.reading.temp_dir);
                let archive =
                    ArchiveSource::spooled(spool, uri, stamp, limits.clone(), temp_dir.clone());
                Found::Source(Arc::new(archive))
            }
            Ok(_) => Found::Object(listed),
            Err((kind, reason)) => Found::Failed { object: uri, kind, reason },
        }
    }
}

impl LogSource for Slice {
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        if let Some(keys) = &self.keys {
            return self.list_keys(keys, found);
        }
        let runtime = Handle::current();
        let mut listed = std::pin::pin!(self.listed_all());
        // `found` may wait, which nothing inside `block_on` may.
        while let Some(next) = runtime.block_on(listed.next()) {
            if found(next).is_break() {
                return;
            }
        }
    }

    fn is_newest_first(&self) -> bool {
        !self.reading.oldest_first
    }

    fn heads(&self) -> u64 {
        self.heads.load(Ordering::Relaxed)
    }

    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    ) {
        let runtime = Handle::current();
        let fetch = Fetch { bucket: self.bucket.clone(), reading: self.reading.clone() };
        let mut waiting = objects.into_iter().peekable();
        let mut under_way = UnderWay::default();
        loop {
            let bytes_max = self.reading.held_bytes_max;
            while let Some(next) = waiting.next_if(|next| under_way.has_room(next, bytes_max)) {
                under_way.push(next, &runtime, &fetch);
            }
            let Some((reading, object)) = under_way.pop() else { return };
            let (object, contents) = match runtime.block_on(reading) {
                Ok(read) => read,
                Err(_) => {
                    let reason = "its reading stopped half way".to_owned();
                    (object, Contents::Failed(FaultKind::Unreadable, reason))
                }
            };
            if take(object, contents).is_break() {
                return;
            }
        }
    }
}

/// Objects being read, in the order in which they are handed over.
#[derive(Default)]
struct UnderWay {
    readings: VecDeque<(JoinHandle<(SourceObject, Contents)>, SourceObject)>,
    bytes: u64,
}

impl UnderWay {
    fn has_room(&self, next: &SourceObject, bytes_max: u64) -> bool {
        let fits = self.bytes.saturating_add(next.size_bytes) <= bytes_max;
        self.readings.is_empty() || (fits && self.readings.len() < READ_AT_ONCE)
    }

    fn push(&mut self, object: SourceObject, runtime: &Handle, fetch: &Fetch) {
        self.bytes = self.bytes.saturating_add(object.size_bytes);
        let (fetch, wanted) = (fetch.clone(), object.clone());
        let reading = runtime.spawn(async move { fetch.read(wanted).await });
        self.readings.push_back((reading, object));
    }

    fn pop(&mut self) -> Option<(JoinHandle<(SourceObject, Contents)>, SourceObject)> {
        let (reading, object) = self.readings.pop_front()?;
        self.bytes = self.bytes.saturating_sub(object.size_bytes);
        Some((reading, object))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.readings.iter().for_each(|(reading, _)| reading.abort());
    }
}

/// Whether bytes are held or set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Held,
    Spooled,
}

/// Reads objects of a bucket.
#[derive(Clone)]
struct Fetch {
    bucket: Arc<Bucket>,
    reading: Reading,
}

/// What S3 keeps beside an object's bytes.
#[derive(Default)]
struct Beside {
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
    async fn attempts(
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

/// Returns the path of a key; none when the client cannot ask for it.
fn path_of(key: &str) -> Option<Path> {
    Path::parse(key).ok().filter(|path| path.as_ref() == key)
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

/// What an answer about a single object says of its time (`Last-Modified`, an HTTP date). Listings of
/// S3's likes tell parts of seconds too (MinIO), and the object would be another by each way to it.
fn cut_to_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
