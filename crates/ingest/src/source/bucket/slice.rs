//! A slice of a bucket: some of its folders, listed.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStoreExt};
use tokio::runtime::Handle;
use traillake_cloudtrail::log_file::archive::{HEAD_BYTES, is_archive};
use traillake_cloudtrail::log_file::is_foreign;
use traillake_cloudtrail::{ObjectKey, object_key};

use super::fetch::{Fetch, Keep, UnderWay};
use super::keys::Keys;
use super::lister::{Folder, Stored};
use super::refusal::{self, Attempt};
use super::walk::Met;
use super::{Bucket, Reading};
use crate::report::FaultKind;
use crate::source::archive::ArchiveSource;
use crate::source::{Contents, Found, Ignored, LogSource, SourceObject, Stamp};

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
/// So many times as many are read ahead, at most.
const NAMED_BATCHES_MAX: usize = 16;

/// What there is to be seen of something that was met, without asking S3.
enum Seen {
    /// All there is.
    Found(Found),
    /// Its first bytes have to tell.
    Object(Stored),
    /// Everything has to be asked.
    Key(String, Path),
}

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
        let looked = stream::iter(met).chain(listed).map(|met| self.look(self.see(met)));
        looked.buffer_unordered(LOOKED_AT_ONCE)
    }

    async fn look(&self, seen: Seen) -> Found {
        match seen {
            Seen::Found(found) => found,
            Seen::Object(object) => self.look_into(object).await,
            Seen::Key(key, path) => match self.head(&key, &path).await {
                Ok(object) => match self.see_object(object) {
                    Ok(found) => found,
                    Err(object) => self.look_into(object).await,
                },
                Err(error) => {
                    let (kind, reason) = refusal::of(&error, Attempt::Read, &self.bucket, &key);
                    Found::Failed { object: self.bucket.uri(&key), kind, reason }
                }
            },
        }
    }

    /// Returns what there is to be seen without asking S3.
    fn see(&self, met: Met) -> Seen {
        match met {
            Met::Object(object) => self.see_object(object).map_or_else(Seen::Object, Seen::Found),
            Met::Key(key) => match path_of(&key) {
                Some(path) => Seen::Key(key, path),
                None => Seen::Found(self.without_path(&key)),
            },
            Met::Found(found) => Seen::Found(found),
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

    /// Looks at the objects that somebody names. What names them is read on a thread of its own: an
    /// inventory tells of millions, and all that has to be known of each.
    fn list_keys(&self, keys: &Keys, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        let runtime = Handle::current();
        let (send, receive) = mpsc::sync_channel(NAMED_BATCHES_MAX);
        std::thread::scope(|scope| {
            let read = || {
                let _context = runtime.enter();
                self.read_keys(keys, send);
            };
            if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, read) {
                let (kind, reason) = (FaultKind::Unreadable, error.to_string());
                let _ = found(Found::Fault { object: self.bucket.to_string(), kind, reason });
            }
            let _ = receive.into_iter().try_for_each(|met| self.look_at_all(met, found));
        });
    }

    /// Sends what is named, so much at a time, until nobody looks at it any more.
    fn read_keys(&self, keys: &Keys, send: mpsc::SyncSender<Vec<Met>>) {
        let mut held = Vec::with_capacity(NAMED_AT_ONCE);
        keys.list(&self.bucket, &self.reading, &mut |met| {
            held.push(met);
            let next = || Vec::with_capacity(NAMED_AT_ONCE);
            held.len() < NAMED_AT_ONCE || send.send(std::mem::replace(&mut held, next())).is_ok()
        });
        let _ = send.send(held);
    }

    fn look_at_all(
        &self,
        met: Vec<Met>,
        found: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut unclear = Vec::new();
        for met in met {
            match self.see(met) {
                Seen::Found(seen) => found(seen)?,
                seen => unclear.push(seen),
            }
        }
        let looked = stream::iter(unclear).map(|seen| self.look(seen));
        let looked = looked.buffer_unordered(LOOKED_AT_ONCE_OF_NAMED).collect::<Vec<_>>();
        Handle::current().block_on(looked).into_iter().try_for_each(found)
    }

    /// Returns what name and size tell of an object, or the object, where its first bytes are to tell.
    fn see_object(&self, object: Stored) -> Result<Found, Stored> {
        let key = object.key.as_str();
        let ignored = |reason| Ok(Found::Ignored { object: self.bucket.uri(key), reason });
        if object_key::is_junk(key) {
            return ignored(Ignored::Junk);
        }
        // An object that CloudTrail named is its log; only others cost a request.
        let is_ours = ObjectKey::parse(key).is_some_and(|key| key.is_cloudtrail);
        if !is_ours && object_key::other_service(key).is_some() {
            return ignored(Ignored::OtherService);
        }
        // A key that ends so stands for a folder; consoles make them.
        if object.size == 0 && (!is_ours || key.ends_with('/')) {
            return ignored(Ignored::Empty);
        }
        if path_of(key).is_none() {
            return Ok(self.without_path(key));
        }
        match is_ours || object.is_archived {
            true => Ok(Found::Object(self.listed(&object))),
            false => Err(object),
        }
    }

    async fn look_into(&self, object: Stored) -> Found {
        let Some(path) = path_of(&object.key) else { return self.without_path(&object.key) };
        let uri = self.bucket.uri(&object.key);
        let range = GetRange::Bounded(0..object.size.min(HEAD_BYTES as u64));
        let options = GetOptions::default().with_range(Some(range));
        // One that cannot be read is an object too: reading it may fail, and is counted.
        let head = match self.bucket.objects.get_opts(&path, options).await {
            Ok(head) => head.bytes().await.ok(),
            Err(_) => None,
        };
        let is_unseen = match head {
            Some(head) if is_archive(&head) => return self.archive(object, uri).await,
            Some(head) if is_foreign(&head) => {
                return Found::Ignored { object: uri, reason: Ignored::NotCloudTrail };
            }
            Some(_) => false,
            None => true,
        };
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
            let Some((object, contents)) = runtime.block_on(under_way.next()) else { return };
            if take(object, contents).is_break() {
                return;
            }
        }
    }
}

/// Returns the path of a key; none when the client cannot ask for it.
fn path_of(key: &str) -> Option<Path> {
    Path::parse(key).ok().filter(|path| path.as_ref() == key)
}

/// What an answer about a single object says of its time (`Last-Modified`, an HTTP date). Listings of
/// S3's likes tell parts of seconds too (MinIO), and the object would be another by each way to it.
fn cut_to_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
