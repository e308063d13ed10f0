//! What there is to read: the listing without what the ledger knows.

mod cells;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, TryStreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
use traillake_store::{KnownObject, StoreSnapshot, StoreWriter};

use crate::error::{Error, Result};
use crate::listing::{Listing, Told};
use crate::looks::Looking;
use crate::options::{IngestOptions, Source};
use crate::order::{Listed, Objects, Order, SortedObjects, month_label};
use crate::progress::CancelFlag;
use crate::report::{FAULTS_MAX, Fault, ObjectCounts};
use crate::resume::course_name;
use crate::source::{
    Before, DiskSource, Group, LogSource, SourceObject, StdinSource, of_keys, open_roots, slices,
};

use cells::Cells;
pub use cells::{PLAN_CELLS_MAX, PlanCell, PlanSpan, PlanTally};

/// Keys of one question to the ledger.
const KEYS_MAX: usize = 1 << 16;
/// Questions to the ledger at a time: while what one was about is looked at, the next is under way.
const SLICES_AT_ONCE: usize = 2;
/// What is told of a listing, between it and whoever hears it.
const TOLD_UNDER_WAY_MAX: usize = 1_024;

/// What a run would read (`--dry-run`).
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Objects and bytes by what their keys say, in order.
    pub cells: Vec<PlanCell>,
    /// How finely they tell when objects were delivered.
    pub span: PlanSpan,
    /// The sum of all cells.
    pub total: PlanTally,
    /// What would be passed over and why, with how many. What is no CloudTrail log under any name
    /// is found out only by reading.
    pub ignored: BTreeMap<String, u64>,
    /// Objects outside the selection.
    pub left_out: u64,
    /// Folders and files that could not be looked at; at most 1,000.
    pub faults: Vec<Fault>,
    /// How many could not, those not kept in `faults` too.
    pub faults_total: u64,
    /// Objects that somebody named, of which S3 had to be asked what each is, in a request of its
    /// own: a run asks again.
    #[serde(skip)]
    pub heads: u64,
}

impl Plan {
    fn fault(&mut self, fault: Fault) {
        self.faults_total += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
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
        if known.is_stamped(object.size_bytes, object.etag.as_deref(), object.modified_at) {
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
pub async fn check_sources(sources: Vec<Source>, lake_folder: Option<&Path>) -> Result<()> {
    let mut paths = Vec::new();
    for source in sources {
        match source {
            Source::Path(path) => paths.push(path),
            Source::Bucket(bucket) => bucket.check().await?,
            Source::Stdin(_) | Source::Keys(..) => {}
        }
    }
    open_roots(&paths, lake_folder).map(|_| ())
}

/// Whoever is asked what the ledger knows.
#[derive(Clone, Copy)]
pub(crate) enum Ledger<'a> {
    /// A state of it that does not move.
    Pinned(&'a StoreSnapshot),
    /// What a writer has seen last; the state of now where files of that are gone.
    Live(&'a StoreWriter),
}

impl Ledger<'_> {
    /// Returns what it knows about each of `keys` delivered in `month`.
    async fn known(self, month: Option<&str>, keys: &[&str]) -> Result<Vec<Option<KnownObject>>> {
        Ok(match self {
            Ledger::Pinned(snapshot) => snapshot.known(month, keys).await?,
            Ledger::Live(writer) => writer.known(month, keys).await?,
        })
    }
}

/// Returns what a run over `sources` would read, without bringing it in. What is `known` is what a
/// reader of the store sees: nothing of a round that is not whole. Without it nothing is known yet.
///
/// # Errors
/// When a source cannot be opened, or the ledger cannot be read.
pub async fn plan(
    known: Option<&StoreSnapshot>,
    sources: Vec<Source>,
    options: &IngestOptions,
    cancel: &CancelFlag,
) -> Result<Plan> {
    plan_by(known.map(Ledger::Pinned), sources, options, cancel).await
}

/// As [`plan`], by what any ledger knows.
///
/// # Errors
/// As [`plan`].
pub(crate) async fn plan_by(
    ledger: Option<Ledger<'_>>,
    sources: Vec<Source>,
    options: &IngestOptions,
    cancel: &CancelFlag,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut cells = Cells::default();
    for group in open(sources, options).await?.groups {
        let hear = |told: Told| {
            if let Told::Fault(fault) = told {
                plan.fault(fault);
            }
        };
        let listing = list(group.sources, options, cancel, hear).await?;
        plan.heads += listing.sources.iter().map(|source| source.heads()).sum::<u64>();
        for (why, count) in listing.ignored {
            *plan.ignored.entry(why.to_string()).or_default() += count;
        }
        plan.left_out += listing.left_out;
        let mut slices = pin!(asked(listing.objects, ledger));
        while let Some(slice) = slices.try_next().await? {
            for Asked { listed: Listed { object, .. }, is_again, known } in slice {
                let standing = match is_again {
                    true => Standing::Known,
                    false => Standing::of(&object, known.as_ref()),
                };
                plan.total.count(standing, object.size_bytes);
                cells.count(&object.key, standing, object.size_bytes);
            }
        }
    }
    (plan.cells, plan.span) = cells.told();
    Ok(plan)
}

/// Lists sources on a thread of its own; what is passed over or wrong is told on the way.
///
/// # Errors
/// When the temporary folder fails.
pub(crate) async fn list(
    sources: Vec<Arc<dyn LogSource>>,
    options: &IngestOptions,
    cancel: &CancelFlag,
    mut hear: impl FnMut(Told),
) -> Result<Listing> {
    let (send, mut receive) = mpsc::channel(TOLD_UNDER_WAY_MAX);
    let (options, cancel) = (options.clone(), cancel.clone());
    let listed = tokio::task::spawn_blocking(move || {
        let mut tell = |told: Told| {
            // Nobody hears any more only when the run is over.
            let _ = send.blocking_send(told);
        };
        Listing::of(sources, &options.selection, options.temp_dir, &cancel, &mut tell)
    });
    let hears = async {
        while let Some(told) = receive.recv().await {
            hear(told);
        }
    };
    tokio::join!(listed, hears).0.map_err(Error::Worker)?
}

/// Sources that were opened.
pub(crate) struct Opened {
    /// Everything on this machine, then the slices of each bucket.
    pub(crate) groups: Vec<Group>,
    /// The looks that begin: one a bucket.
    pub(crate) lookings: Vec<Looking>,
    /// By what name each of them leaves behind how far it has come.
    pub(crate) course_names: Vec<String>,
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
    let (mut groups, mut lookings, mut course_names) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        match source {
            Source::Path(path) => paths.push(path),
            Source::Stdin(mut input) => {
                here.push(StdinSource::open(&mut *input, &limits, temp_dir)?);
            }
            Source::Bucket(bucket) => {
                let (number, reading) = (lookings.len(), options.reading());
                let (slices, places) = slices(&bucket, number, &options.selection, &reading)?;
                lookings.push(Looking { uri: bucket.to_string(), places });
                course_names.push(course_name(&bucket, options));
                groups.extend(slices);
            }
            Source::Keys(bucket, keys) => {
                let sources = vec![of_keys(bucket, keys, options.reading())];
                groups.push(Group { sources, month: None });
            }
        }
    }
    let disk = DiskSource::open(&paths, options.lake_folder.as_deref(), &limits, temp_dir)?;
    here.push(Arc::new(disk));
    groups.insert(0, Group { sources: here, month: None });
    Ok(Opened { groups, lookings, course_names })
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
    let mut slices = pin!(asked(listed, Some(Ledger::Live(writer))));
    while let Some(slice) = slices.try_next().await? {
        for Asked { mut listed, is_again, known } in slice {
            if is_again {
                counts.known += 1;
                continue;
            }
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
    object.log_key().delivered_at.zip(before).is_some_and(|(at, before)| at < before)
}

/// An object, and what the ledger knows of it.
struct Asked {
    listed: Listed,
    /// It is listed twice, as in a list of keys that names it again: equal keys stand beside one
    /// another in the order of the ledger, which has one row for them.
    is_again: bool,
    known: Option<KnownObject>,
}

/// Returns objects with what the ledger knows of each, by as many as it is asked about at once. While
/// some are looked at, it is asked about the next, and those behind them are read and merged.
fn asked(objects: Objects, ledger: Option<Ledger<'_>>) -> impl Stream<Item = Result<Vec<Asked>>> {
    let read = |unread: Unread| tokio::task::spawn_blocking(move || unread.slice());
    let first = tokio::task::spawn_blocking(|| Unread::of(objects).slice());
    let slices = stream::try_unfold(first, move |reading| async move {
        let (unread, slice) = reading.await.map_err(Error::Worker)?;
        let slice = slice?;
        // Nobody reads on after the last, or after an error.
        Ok((!slice.is_empty()).then(|| (slice, read(unread))))
    });
    slices.map_ok(move |slice| look_up(ledger, slice)).try_buffered(SLICES_AT_ONCE)
}

/// Objects that the ledger is yet to be asked about.
struct Unread {
    objects: SortedObjects,
    /// The key of the one before them.
    last: Option<Box<str>>,
}

impl Unread {
    fn of(objects: Objects) -> Unread {
        Unread { objects: objects.sorted(), last: None }
    }

    fn slice(mut self) -> (Unread, Result<Vec<Asked>>) {
        let mut slice: Vec<Asked> = Vec::new();
        for listed in self.objects.by_ref().take(KEYS_MAX) {
            let listed = match listed {
                Ok(listed) => listed,
                Err(error) => return (self, Err(error)),
            };
            let before = slice.last().map(|asked| &asked.listed.object.key);
            let is_again = before.or(self.last.as_ref()) == Some(&listed.object.key);
            slice.push(Asked { listed, is_again, known: None });
        }
        self.last = slice.last().map(|asked| asked.listed.object.key.clone());
        (self, Ok(slice))
    }
}

/// Asks what the ledger knows of each object.
async fn look_up(ledger: Option<Ledger<'_>>, mut objects: Vec<Asked>) -> Result<Vec<Asked>> {
    let Some(ledger) = ledger else { return Ok(objects) };
    let mut months: BTreeMap<Option<i32>, Vec<usize>> = BTreeMap::new();
    for (number, asked) in objects.iter().enumerate() {
        months.entry(asked.listed.delivered).or_default().push(number);
    }
    for (month, numbers) in months {
        let month = month.and_then(month_label);
        let keys: Vec<&str> =
            numbers.iter().map(|number| &*objects[*number].listed.object.key).collect();
        let known = ledger.known(month.as_deref(), &keys).await?;
        for (number, known) in numbers.into_iter().zip(known) {
            objects[number].known = known;
        }
    }
    Ok(objects)
}
