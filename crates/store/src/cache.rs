//! What was read of a lake in a bucket, kept: a request to S3 costs thirty milliseconds.
//!
//! Most of a lake never changes. Commits, checkpoints and data files are *immutable*: once read they
//! are kept in memory and in a folder that processes share. Everything else (which commits there
//! are, who the stores are) is *remembered* as one opening of a store, and believed only while one
//! listing shows that the store's ledger still ends with the same commit. Every round ends with a
//! commit of the ledger, so nothing new there means no new rows anywhere in the store.
//!
//! Only readers look through a cache. Who writes asks the bucket itself.

mod opening;
mod shelf;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use self::opening::{Answer, Opening, Tip};
use self::shelf::Shelf;
use crate::layout::{self, Kept};

/// Data files are read and kept in pieces of this size: a footer with its page index mostly fits.
const BLOCK_BYTES: u64 = 1 << 20;
/// A read of so many bytes in a row is a scan: it is neither split nor kept.
const KEPT_BYTES_MAX: u64 = 16 << 20;
/// Pieces of one file that are asked for at a time.
const ASKED_AT_ONCE: usize = 10;
/// So many pieces can be asked for at a time without waiting for one another.
const TURNS: usize = 64;

/// Where what was read of a lake in a bucket is kept.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// A folder of this lake's own; none: in memory alone. It may be removed at any time.
    pub folder: Option<PathBuf>,
    /// Bytes in the folder, about.
    pub bytes_max: u64,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
}

/// Requests to a bucket and bytes received from it.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Requests sent so far; a listing counts once, however many pages it has.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Bytes of objects received so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, requests: u64, bytes: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A bucket, read through what is known of it already. An `Arc` of [`Traffic`] in the extensions of
/// a request counts what it really cost.
#[derive(Clone)]
pub(crate) struct Cache {
    known: Arc<Known>,
}

struct Known {
    inner: Arc<dyn ObjectStore>,
    traffic: Arc<Traffic>,
    shelf: Arc<Shelf>,
    /// Files of logs as they were listed: what was read of one is believed while it has that tag.
    listed: Mutex<HashMap<Path, ObjectMeta>>,
    opening: Mutex<Opening>,
    now: fn() -> DateTime<Utc>,
    /// Who asks for a piece asks alone.
    turns: Vec<tokio::sync::Mutex<()>>,
}

impl Cache {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, options: CacheOptions) -> Cache {
        let now = options.now;
        let shelf = Arc::new(Shelf::new(options.folder, options.bytes_max, now));
        let opening = Mutex::new(Opening::default());
        let turns = std::iter::repeat_with(tokio::sync::Mutex::default).take(TURNS).collect();
        let (traffic, listed) = (Arc::default(), Mutex::default());
        Cache { known: Arc::new(Known { inner, traffic, shelf, listed, opening, now, turns }) }
    }

    /// What all readers of this lake have cost.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.known.traffic
    }

    /// Begins a look at the lake, or at the store whose ledger's log is `log`: from here on what is
    /// remembered answers, if the ledger's log still ends as it did. Costs one listing, or nothing
    /// where nothing is remembered.
    pub(crate) async fn begin(&self, log: Option<&Path>) {
        let known = &self.known;
        if !known.opening().is_loaded() {
            let stored = known.shelf.stored(opening::NAME).await;
            let listed = known.opening().load(stored.as_deref(), (known.now)());
            known.note(&listed);
        }
        let Some(tip) = known.opening().unproven(log, (known.now)(), Instant::now()) else {
            return;
        };
        let listed = known.ask_listing(Some(&tip.log()), Some(&tip.before())).await;
        let listed = listed.unwrap_or_else(|error| {
            tracing::debug!(%error, "what is remembered of the lake could not be proven");
            Vec::new()
        });
        known.opening().prove(&tip, &listed, Instant::now());
    }

    /// Remembers that the ledger whose log is `log` ends with version `newest`: what was asked since
    /// [`Cache::begin`], and is asked from here on, is of that state.
    pub(crate) async fn seal(&self, log: &Path, newest: u64) {
        let path = log.clone().join(layout::commit_name(newest));
        let Some(meta) = self.known.listed(&path) else { return };
        let now = (self.known.now)();
        if self.known.opening().seal(Tip::new(log, newest, &meta), now, Instant::now()) {
            self.known.keep_opening().await;
        }
    }

    /// Forgets what is remembered; whether there was any. What is immutable stays.
    pub(crate) fn forget(&self) -> bool {
        self.known.opening().forget()
    }
}

impl Known {
    async fn keep_opening(&self) {
        let bytes = self.opening().to_bytes();
        if let Some(bytes) = bytes {
            self.shelf.store(opening::NAME, bytes.into()).await;
        }
    }

    fn opening(&self) -> std::sync::MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listed(&self, path: &Path) -> Option<ObjectMeta> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Notes how files of logs were listed.
    fn note(&self, listed: &[ObjectMeta]) {
        let mut known = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        for meta in listed.iter().filter(|meta| layout::kept(&meta.location) == Kept::Listed) {
            known.insert(meta.location.clone(), meta.clone());
        }
    }

    /// Asks the bucket itself.
    async fn ask(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let own = options.extensions.get::<Arc<Traffic>>().cloned();
        let head = options.head;
        let result = self.inner.get_opts(path, options).await;
        let bytes = result.as_ref().map_or(0, |got| got.range.end - got.range.start);
        for traffic in own.iter().chain([&self.traffic]) {
            traffic.count(1, if head { 0 } else { bytes });
        }
        if matches!(result, Err(object_store::Error::NotFound { .. }))
            && layout::kept(path) == Kept::Always
        {
            // Removed since: what named it is out of date.
            self.opening().forget();
        }
        result
    }

    async fn ask_listing(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        self.traffic.count(1, 0);
        let listed = match offset {
            Some(offset) => self.inner.list_with_offset(prefix, offset),
            None => self.inner.list(prefix),
        };
        let listed: Vec<ObjectMeta> = listed.try_collect().await?;
        self.note(&listed);
        Ok(listed)
    }

    /// An answer that may change: remembered, or asked for and then remembered.
    async fn answer(
        &self,
        question: String,
        ask: impl Future<Output = Result<Answer>>,
    ) -> Result<Answer> {
        let (remembered, age) = self.opening().answer(&question);
        if let Some(answer) = remembered {
            return Ok(answer);
        }
        let answer = ask.await?;
        if self.opening().remember(age, question, &answer) {
            self.keep_opening().await;
        }
        Ok(answer)
    }

    async fn small_file(&self, path: &Path, options: GetOptions) -> Result<Answer> {
        let question = format!("get {path}");
        let answer = self.answer(question, async {
            let got = match self.ask(path, options).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(Answer::Nothing),
                got => got?,
            };
            let meta = got.meta.clone();
            Ok(Answer::File(meta, got.bytes().await?))
        });
        answer.await
    }

    async fn listing(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        let text = |path: Option<&Path>| path.map_or("", Path::as_ref).to_owned();
        let question = format!("list {} {}", text(prefix), text(offset));
        let answer = self.answer(question, async {
            Ok(Answer::Listed(self.ask_listing(prefix, offset).await?, Vec::new()))
        });
        match answer.await? {
            Answer::Listed(listed, _) => Ok(listed),
            Answer::Nothing | Answer::File(..) => Ok(Vec::new()),
        }
    }

    /// The files in a folder, and the folders.
    async fn folders(&self, prefix: Option<&Path>) -> Result<(Vec<ObjectMeta>, Vec<Path>)> {
        let question = format!("folders {}", prefix.map_or("", Path::as_ref));
        let answer = self.answer(question, async {
            self.traffic.count(1, 0);
            let listed = self.inner.list_with_delimiter(prefix).await?;
            Ok(Answer::Listed(listed.objects, listed.common_prefixes))
        });
        match answer.await? {
            Answer::Listed(files, folders) => Ok((files, folders)),
            Answer::Nothing | Answer::File(..) => Ok((Vec::new(), Vec::new())),
        }
    }

    /// A whole file of a log, as it was listed.
    async fn log_file(&self, meta: &ObjectMeta, options: GetOptions) -> Result<Bytes> {
        let key = format!("{} {}", meta.location, opening::tag(meta));
        if let Some(bytes) = self.shelf.get(&key).await {
            return Ok(bytes);
        }
        let _turn = self.turn(&key).await;
        if let Some(bytes) = self.shelf.get(&key).await {
            return Ok(bytes);
        }
        let whole = GetOptions { extensions: options.extensions, ..GetOptions::default() };
        let got = self.ask(&meta.location, whole).await?;
        let same = is_listed_as(&got.meta, meta);
        let bytes = got.bytes().await?;
        if same {
            self.shelf.put(&key, bytes.clone()).await;
        }
        Ok(bytes)
    }

    async fn turn(&self, key: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let number = xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % TURNS as u64;
        self.turns[number as usize].lock().await
    }

    /// Ranges of a data file, by whole blocks. None when they are too many bytes to keep.
    async fn blocks(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
        options: &GetOptions,
    ) -> Result<Option<Vec<Bytes>>> {
        let mut wanted: Vec<u64> = ranges
            .iter()
            .flat_map(|range| blocks_of(range.start..range.end.max(range.start + 1)))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.len() as u64 * BLOCK_BYTES > KEPT_BYTES_MAX {
            return Ok(None);
        }
        let mut found = self.on_shelf(path, &wanted).await;
        if found.len() < wanted.len() {
            let first = wanted.iter().find(|block| !found.contains_key(block)).copied();
            let _turn = self.turn(&block_key(path, first.unwrap_or_default())).await;
            found.extend(self.on_shelf(path, &wanted).await);
            let missing: Vec<u64> =
                wanted.iter().copied().filter(|block| !found.contains_key(block)).collect();
            let runs = stream::iter(runs(&missing).into_iter().map(|run| async move {
                let bytes = self.fetch(path, run.clone(), options).await?;
                Ok::<_, object_store::Error>((run, bytes))
            }));
            let mut runs = runs.buffer_unordered(ASKED_AT_ONCE);
            while let Some((run, bytes)) = runs.try_next().await? {
                for block in run.clone() {
                    let start = ((block - run.start) * BLOCK_BYTES).min(bytes.len() as u64);
                    let end = (start + BLOCK_BYTES).min(bytes.len() as u64);
                    let piece = bytes.slice(start as usize..end as usize);
                    self.shelf.put(&block_key(path, block), piece.clone()).await;
                    found.insert(block, piece);
                }
            }
        }
        Ok(Some(ranges.iter().map(|range| cut(&found, range)).collect()))
    }

    async fn on_shelf(&self, path: &Path, blocks: &[u64]) -> HashMap<u64, Bytes> {
        let mut found = HashMap::new();
        for block in blocks {
            if let Some(bytes) = self.shelf.get(&block_key(path, *block)).await {
                found.insert(*block, bytes);
            }
        }
        found
    }

    /// The bytes of some blocks in a row; the last may be cut short by the end of the file.
    async fn fetch(&self, path: &Path, run: Range<u64>, options: &GetOptions) -> Result<Bytes> {
        let range = GetRange::Bounded(run.start * BLOCK_BYTES..run.end * BLOCK_BYTES);
        let extensions = options.extensions.clone();
        let options = GetOptions { range: Some(range), extensions, ..GetOptions::default() };
        self.ask(path, options).await?.bytes().await
    }
}

/// Whether a file that was read is the one that was listed. A response says the time in whole
/// seconds.
fn is_listed_as(read: &ObjectMeta, listed: &ObjectMeta) -> bool {
    match (&read.e_tag, &listed.e_tag) {
        (Some(read), Some(listed)) => read == listed,
        _ => {
            let seconds = |meta: &ObjectMeta| meta.last_modified.timestamp();
            read.size == listed.size && seconds(read) == seconds(listed)
        }
    }
}

fn block_key(path: &Path, block: u64) -> String {
    format!("{path}#{block}")
}

/// The blocks that a range lies in.
fn blocks_of(range: Range<u64>) -> Range<u64> {
    range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES)
}

/// Ascending numbers as runs without gaps.
fn runs(numbers: &[u64]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end == *number => run.end += 1,
            _ => runs.push(*number..number + 1),
        }
    }
    runs
}

/// The bytes of a range, out of blocks that hold all of it; shorter where the file ends.
fn cut(blocks: &HashMap<u64, Bytes>, range: &Range<u64>) -> Bytes {
    let mut pieces = blocks_of(range.clone()).filter_map(|number| {
        let block = blocks.get(&number)?;
        let offset = number * BLOCK_BYTES;
        let start = range.start.saturating_sub(offset).min(block.len() as u64);
        let end = (range.end - offset).min(block.len() as u64);
        Some(block.slice(start as usize..end as usize))
    });
    let first = pieces.next().unwrap_or_default();
    let mut rest = pieces.peekable();
    if rest.peek().is_none() {
        return first;
    }
    let mut whole = BytesMut::from(first);
    rest.for_each(|piece| whole.extend_from_slice(&piece));
    whole.freeze()
}

/// What is known of a data file that nobody listed: a part of it that was read.
fn unlisted(path: &Path, size: u64) -> ObjectMeta {
    let last_modified = DateTime::UNIX_EPOCH;
    ObjectMeta { location: path.clone(), last_modified, size, e_tag: None, version: None }
}

/// Bytes as an answer to a request for `range` of a file.
fn got(meta: ObjectMeta, bytes: Bytes, range: Range<u64>) -> GetResult {
    let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
    GetResult { payload, meta, range, attributes: object_store::Attributes::default() }
}

/// The part of a whole file that a request asks for.
fn part_of(meta: ObjectMeta, bytes: &Bytes, options: &GetOptions) -> Result<GetResult> {
    let length = bytes.len() as u64;
    if options.head {
        return Ok(got(meta, Bytes::new(), 0..0));
    }
    let range = match &options.range {
        None => 0..length,
        Some(GetRange::Bounded(range)) => range.start.min(length)..range.end.min(length),
        Some(GetRange::Offset(start)) => (*start).min(length)..length,
        Some(GetRange::Suffix(count)) => length.saturating_sub(*count)..length,
    };
    let part = bytes.slice(range.start as usize..range.end as usize);
    Ok(got(meta, part, range))
}

fn is_conditional(options: &GetOptions) -> bool {
    options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some()
        || options.version.is_some()
}

impl Cache {
    fn listing(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (known, prefix, offset) = (self.known.clone(), prefix.cloned(), offset.cloned());
        let listed = async move { known.listing(prefix.as_ref(), offset.as_ref()).await };
        let listed = listed.map_ok(|listed| stream::iter(listed.into_iter().map(Ok)));
        stream::once(listed).try_flatten().boxed()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({:?})", self.known.inner)
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, cached", self.known.inner)
    }
}

#[async_trait]
impl ObjectStore for Cache {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if is_conditional(&options) {
            return self.known.ask(path, options).await;
        }
        match (layout::kept(path), &options.range) {
            (Kept::Always, Some(GetRange::Bounded(range))) if !options.head => {
                let ranges = std::slice::from_ref(range);
                match self.known.blocks(path, ranges, &options).await? {
                    Some(mut bytes) => {
                        let (bytes, range) = (bytes.pop().unwrap_or_default(), range.clone());
                        let size = range.start + bytes.len() as u64;
                        let meta = unlisted(path, size);
                        let range = range.start..size;
                        Ok(got(meta, bytes, range))
                    }
                    None => self.known.ask(path, options).await,
                }
            }
            (Kept::Always, _) => self.known.ask(path, options).await,
            (Kept::Listed, _) => match self.known.listed(path) {
                Some(meta) if options.head => part_of(meta, &Bytes::new(), &options),
                Some(meta) => {
                    let bytes = self.known.log_file(&meta, options.clone()).await?;
                    part_of(meta, &bytes, &options)
                }
                None => self.known.ask(path, options).await,
            },
            (Kept::Never, None) if !options.head => {
                match self.known.small_file(path, options.clone()).await? {
                    Answer::File(meta, bytes) => part_of(meta, &bytes, &options),
                    Answer::Nothing | Answer::Listed(..) => Err(object_store::Error::NotFound {
                        path: path.to_string(),
                        source: "there is no such object".into(),
                    }),
                }
            }
            (Kept::Never, _) => self.known.ask(path, options).await,
        }
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if layout::kept(path) == Kept::Always
            && let Some(bytes) = self.known.blocks(path, ranges, &GetOptions::default()).await?
        {
            return Ok(bytes);
        }
        let fetch = |range: Range<u64>| async move {
            let options = GetOptions::default().with_range(Some(GetRange::Bounded(range)));
            self.get_opts(path, options).await?.bytes().await
        };
        object_store::coalesce_ranges(ranges, fetch, object_store::OBJECT_STORE_COALESCE_DEFAULT)
            .await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (objects, common_prefixes) = self.known.folders(prefix).await?;
        Ok(ListResult { objects, common_prefixes })
    }

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.known.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.known.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.known.inner.delete_stream(paths)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.known.inner.copy_opts(from, to, options).await
    }
}
