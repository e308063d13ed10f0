//! What there is to read: the listing without what the ledger knows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use traillake_cloudtrail::ObjectKey;
use traillake_store::{KnownObject, StoreWriter};

use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::looks::Looking;
use crate::options::{IngestOptions, Source};
use crate::order::{Listed, Objects, Order, SortedObjects};
use crate::progress::CancelFlag;
use crate::report::{Fault, IgnoredLine, ObjectCounts};
use crate::source::{
    Before, DiskSource, LogSource, SourceObject, StdinSource, of_keys, open_roots, slices,
};

/// Keys of one question to the ledger.
const KEYS_MAX: usize = 1 << 16;

/// What a run would read (`--dry-run`).
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Objects and bytes by what their keys say, in order.
    pub cells: Vec<PlanCell>,
    /// The sum of all cells.
    pub total: PlanTally,
    /// What would be passed over and why, with how many. What is no CloudTrail log under any name
    /// is found out only by reading.
    pub ignored: BTreeMap<String, u64>,
    /// Objects outside the selection.
    pub left_out: u64,
    /// Folders and files that could not be looked at.
    pub faults: Vec<Fault>,
}

/// Objects whose keys say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanCell {
    /// Account in the key.
    pub account: Option<String>,
    /// Region in the key.
    pub region: Option<String>,
    /// Table that the key's folder stands for.
    pub kind: Option<&'static str>,
    /// Day of delivery, `YYYY-MM-DD`.
    pub day: Option<String>,
    /// How many.
    #[serde(flatten)]
    pub tally: PlanTally,
}

/// Objects and bytes by what the ledger says of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanTally {
    /// Objects that are not in the ledger.
    pub new_objects: u64,
    /// Their bytes as stored.
    pub new_bytes: u64,
    /// Objects in the ledger with another size, ETag or time: they would be read again.
    pub changed_objects: u64,
    /// Their bytes as stored.
    pub changed_bytes: u64,
    /// Objects in the ledger.
    pub known_objects: u64,
    /// Their bytes as stored.
    pub known_bytes: u64,
    /// Objects that are new or changed, and have to be restored before they can be read.
    pub archived_objects: u64,
    /// Their bytes as stored.
    pub archived_bytes: u64,
}

impl PlanTally {
    fn count(&mut self, standing: Standing, bytes: u64) {
        let (objects, sum) = match standing {
            Standing::New => (&mut self.new_objects, &mut self.new_bytes),
            Standing::Changed => (&mut self.changed_objects, &mut self.changed_bytes),
            Standing::Known => (&mut self.known_objects, &mut self.known_bytes),
            Standing::Archived => (&mut self.archived_objects, &mut self.archived_bytes),
        };
        *objects += 1;
        *sum += bytes;
    }
}

/// How the ledger stands to an object that was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    Changed,
    Known,
    Archived,
}

impl Standing {
    fn of(object: &SourceObject, known: Option<&KnownObject>) -> Standing {
        let standing = |of| if object.is_archived { Standing::Archived } else { of };
        let Some(known) = known else { return standing(Standing::New) };
        let same = match (&object.etag, &known.etag) {
            (Some(etag), Some(known)) => **etag == **known,
            _ => object.modified_at == known.modified_at,
        };
        if same && object.size_bytes == known.size_bytes {
            Standing::Known
        } else {
            standing(Standing::Changed)
        }
    }
}

/// Checks that every source is there, that a bucket may be listed, and that no folder shares a tree
/// with the lake at `lake_folder`. Creates nothing: a command calls it before it creates a lake.
///
/// # Errors
/// [`Error::Source`], [`Error::SpecialSource`], [`Error::LakeInSource`], [`Error::Bucket`].
pub async fn check_sources(sources: &[Source], lake_folder: Option<&Path>) -> Result<()> {
    let mut paths = Vec::new();
    for source in sources {
        match source {
            Source::Path(path) => paths.push(path.clone()),
            Source::Bucket(bucket) => bucket.check().await?,
            Source::Stdin(_) | Source::Keys(..) => {}
        }
    }
    open_roots(&paths, lake_folder).map(|_| ())
}

/// Returns what a run over `sources` would read, without reading it. Without a `writer` nothing is
/// known yet.
///
/// # Errors
/// When a source cannot be opened, or the ledger cannot be read.
pub async fn plan(
    writer: Option<&StoreWriter>,
    sources: Vec<Source>,
    options: &IngestOptions,
    cancel: &CancelFlag,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut cells: BTreeMap<Cell, PlanTally> = BTreeMap::new();
    for group in open(sources, options).await?.groups {
        let listing = list(group, options, cancel, |_| {}).await?;
        for (why, count) in listing.ignored {
            *plan.ignored.entry(why.to_string()).or_default() += count;
        }
        plan.left_out += listing.left_out;
        plan.faults.extend(listing.faults);
        let mut objects = listing.objects.sorted();
        while let Some(slice) = next_slice(writer, &mut objects).await? {
            for (listed, known) in slice {
                let standing = Standing::of(&listed.object, known.as_ref());
                let (key, bytes) = (&listed.object.key, listed.object.size_bytes);
                plan.total.count(standing, bytes);
                cells.entry(cell_of(key)).or_default().count(standing, bytes);
            }
        }
    }
    plan.cells = cells
        .into_iter()
        .map(|((day, account, region, kind), tally)| PlanCell { account, region, kind, day, tally })
        .collect();
    Ok(plan)
}

type Cell = (Option<String>, Option<String>, Option<String>, Option<&'static str>);

fn cell_of(key: &str) -> Cell {
    ObjectKey::parse(key).map_or((None, None, None, None), |key| {
        let day = key.delivered_at.map(|at| at.format("%Y-%m-%d").to_string());
        (day, key.account, key.region, key.kind.map(|kind| kind.table()))
    })
}

/// Lists sources; what is passed over is told on the way.
pub(crate) async fn list(
    sources: Vec<Arc<dyn LogSource>>,
    options: &IngestOptions,
    cancel: &CancelFlag,
    mut tell: impl FnMut(IgnoredLine) + Send + 'static,
) -> Result<Listing> {
    let (options, cancel) = (options.clone(), cancel.clone());
    let listed = tokio::task::spawn_blocking(move || {
        Listing::of(sources, &options.selection, options.temp_dir, &cancel, &mut tell)
    });
    listed.await.map_err(Error::Worker)?
}

/// Sources that were opened.
pub(crate) struct Opened {
    /// What is brought in together: everything on this machine, then the slices of each bucket.
    pub(crate) groups: Vec<Vec<Arc<dyn LogSource>>>,
    /// The looks that begin: one a bucket.
    pub(crate) lookings: Vec<Looking>,
}

/// Opens the sources, and walks those that are buckets.
pub(crate) async fn open(sources: Vec<Source>, options: &IngestOptions) -> Result<Opened> {
    let options = options.clone();
    let opened = tokio::task::spawn_blocking(move || open_blocking(sources, &options));
    opened.await.map_err(Error::Worker)?
}

fn open_blocking(sources: Vec<Source>, options: &IngestOptions) -> Result<Opened> {
    let (limits, temp_dir) = (options.limits(), &options.temp_dir);
    let mut paths = Vec::new();
    let mut here: Vec<Arc<dyn LogSource>> = Vec::new();
    let (mut groups, mut lookings) = (Vec::new(), Vec::new());
    for source in sources {
        match source {
            Source::Path(path) => paths.push(path),
            Source::Stdin(mut input) => {
                here.push(StdinSource::open(&mut *input, &limits, temp_dir)?);
            }
            Source::Bucket(bucket) => {
                let (slices, places) = slices(&bucket, &options.selection, &options.reading())?;
                lookings.push(Looking { uri: bucket.to_string(), places });
                groups.extend(slices.into_iter().map(|slice| vec![slice]));
            }
            Source::Keys(bucket, keys) => {
                groups.push(vec![of_keys(bucket, keys, options.reading())]);
            }
        }
    }
    let disk = DiskSource::open(&paths, options.lake_folder.as_deref(), &limits, temp_dir)?;
    here.push(Arc::new(disk));
    groups.insert(0, here);
    Ok(Opened { groups, lookings })
}

/// Returns the objects that the ledger does not know in an order, and counts those it does, and those
/// that were delivered `before` what the store keeps. With `rehash` all known ones are returned.
///
/// No watermark decides: a file that arrives years late is as new as any other.
pub(crate) async fn subtract_ledger(
    writer: &StoreWriter,
    listed: Objects,
    (order, options): (Order, &IngestOptions),
    before: Option<DateTime<Utc>>,
    counts: &mut ObjectCounts,
) -> Result<Objects> {
    let mut unknown = Objects::new(options.temp_dir.clone(), order);
    let mut objects = listed.sorted();
    while let Some(slice) = next_slice(Some(writer), &mut objects).await? {
        for (mut listed, known) in slice {
            let standing = Standing::of(&listed.object, known.as_ref());
            if standing == Standing::Known && !options.rehash {
                counts.known += 1;
                continue;
            }
            if standing != Standing::Known && is_delivered_before(&listed.object, before) {
                counts.past_retention += 1;
                continue;
            }
            listed.object.before = known.map(|known| Before {
                sha256: known.sha256,
                same_stamp: standing == Standing::Known,
            });
            unknown.push(listed)?;
        }
    }
    Ok(unknown)
}

/// Returns whether its key says so; one without a date says nothing.
fn is_delivered_before(object: &SourceObject, before: Option<DateTime<Utc>>) -> bool {
    let delivered_at = ObjectKey::parse(&object.key).and_then(|key| key.delivered_at);
    delivered_at.zip(before).is_some_and(|(at, before)| at < before)
}

/// Returns the next objects with what the ledger knows of each.
async fn next_slice(
    writer: Option<&StoreWriter>,
    objects: &mut SortedObjects,
) -> Result<Option<Vec<(Listed, Option<KnownObject>)>>> {
    let slice = objects.take(KEYS_MAX).collect::<Result<Vec<_>>>()?;
    if slice.is_empty() {
        return Ok(None);
    }
    let known = look_up(writer, &slice).await?;
    Ok(Some(slice.into_iter().zip(known).collect()))
}

/// Returns what the ledger knows of each object, in their order.
async fn look_up(
    writer: Option<&StoreWriter>,
    objects: &[Listed],
) -> Result<Vec<Option<KnownObject>>> {
    let mut answers = vec![None; objects.len()];
    let Some(writer) = writer else { return Ok(answers) };
    let mut months: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (number, listed) in objects.iter().enumerate() {
        let delivered_at = ObjectKey::parse(&listed.object.key).and_then(|key| key.delivered_at);
        let month = delivered_at.map(|at| at.format("%Y-%m").to_string());
        months.entry(month).or_default().push(number);
    }
    for (month, numbers) in months {
        let keys: Vec<&str> = numbers.iter().map(|number| &*objects[*number].object.key).collect();
        let mut known = writer.known(month.as_deref(), &keys).await?;
        for (number, key) in numbers.iter().zip(keys) {
            answers[*number] = known.remove(key);
        }
    }
    Ok(answers)
}
