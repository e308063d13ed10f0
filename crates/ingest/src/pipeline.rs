//! One run, from sources to report. Reads in the order in which data flows:
//!
//! planned objects → chunks with their bytes → hashes → copies found → rows → rounds → commits.
//!
//! Workers run in parallel, but every stage hands its chunks on in the order in which they came, and
//! chunks and rounds are cut by what the objects are, never by when they were ready: the outcome of a
//! run is the same on one core as on thirty-two. Objects come in plan order, unless a bucket keeps one
//! back: then those behind it come first. While a round is committed the next one fills. What is
//! under way is bounded by `IngestOptions::memory_bytes`: two chunks a worker, two rounds.

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use traillake_store::{RoundReceipt, StoreWriter};

use crate::content::LogContent;
use crate::copies::{Copies, Settled};
use crate::decode::{DecodeOptions, DecodedChunk, Taking, decode_chunk};
use crate::error::{Error, Result};
use crate::inspect::{Chunk, inspect_chunk};
use crate::listing::{Listing, Told};
use crate::looks::Looks;
use crate::options::{IngestOptions, Source};
use crate::order::{Listed, Objects, Order};
use crate::plan::{Opened, list, open, subtract_ledger};
use crate::progress::{CancelFlag, Progress};
use crate::report::{IntakeLine, Report};
use crate::resume::{Resumption, missing};
use crate::retention;
use crate::round::{Originals, Round};
use crate::source::{Contents, LogSource, SourceObject};

/// Objects of one chunk, at most.
const CHUNK_OBJECTS_MAX: usize = 256;
/// Chunks of one round, at most.
const ROUND_CHUNKS_MAX: u64 = 512;
/// Objects that a source hands over at a time, at most.
const RUN_OBJECTS_MAX: usize = 8_192;
/// A run over more than this may take hours.
const LONG: TimeDelta = TimeDelta::days(31);
/// How much a compressed log grows, for cutting chunks; AWS's rule of thumb is 10.
const GROWTH: u64 = 12;

/// Brings in what `sources` hold and the store's ledger does not know, and returns what became of
/// all of it.
///
/// `now` stamps each commit. Needs a runtime with several threads: while one round is committed the
/// next one is read.
///
/// # Errors
/// [`Error::Stopped`]; [`Error::PastRetention`] before anything is read; when a source cannot be
/// opened, or the store or the temporary folder fails. What was committed before stands, and a later
/// run goes on from there.
pub async fn ingest(
    writer: Arc<StoreWriter>,
    sources: Vec<Source>,
    options: IngestOptions,
    progress: &dyn Progress,
    cancel: &CancelFlag,
    now: fn() -> DateTime<Utc>,
) -> Result<Report> {
    let (mut report, began) = (Report::default(), now());
    let taking = retention::taking(&writer, &options)?;
    let before = retention::cutoff(&writer, &sources, &options, cancel, began).await?;
    let opened = open(sources, &options).await?;
    let mut resumption = Resumption::of(&opened, &options, &writer, began).await;
    let Opened { groups, lookings, course_names } = opened;
    // A long run is told of before it ends, for until then its places are not looked at.
    if options.selection.since.is_none_or(|since| since < began - LONG) {
        keep(lookings.iter().map(|looking| looking.begun(began)), &[], &writer).await;
    }
    let mut groups = groups.into_iter().peekable();
    let mut listed_until = began;
    while let Some(group) = groups.next() {
        if let Some(until) = group.month.as_ref().and_then(|month| resumption.listed_until(month)) {
            report.months_passed_over += 1;
            listed_until = listed_until.min(until);
            continue;
        }
        let (missing_before, listed_at) = (missing(&report), now());
        let run = Run {
            writer: writer.clone(),
            options: &options,
            taking: &taking,
            before,
            progress,
            cancel,
            now,
        };
        report = run.bring_in(group.sources, report).await?;
        if cancel.is_cancelled() {
            break;
        }
        // After the last one there is nothing to go on with.
        if let (Some(month), Some(_)) = (&group.month, groups.peek())
            && missing(&report) == missing_before
        {
            resumption.finish(month, listed_at, &writer).await;
        }
    }
    report.cancelled = cancel.is_cancelled();
    if report.cancelled {
        report.objects.close();
        return Ok(report);
    }
    let mut looked = options.selection.clone();
    if report.objects.past_retention > 0 {
        looked.since = looked.since.max(before);
    }
    let done = lookings.iter().map(|looking| looking.done(&looked, &report, listed_until));
    keep(done, &course_names, &writer).await;
    Ok(report)
}

/// Notes in the lake what was looked at, and that runs of the names `ended` came to their end.
async fn keep(looks: impl Iterator<Item = Looks>, ended: &[String], writer: &StoreWriter) {
    let mut all = Looks::default();
    looks.for_each(|looks| all.add(looks));
    if all != Looks::default() {
        all.keep(ended, writer).await;
    }
}

/// One run, whatever it brings in.
struct Run<'a> {
    writer: Arc<StoreWriter>,
    options: &'a IngestOptions,
    taking: &'a Taking,
    /// What was delivered before is past retention.
    before: Option<DateTime<Utc>>,
    progress: &'a dyn Progress,
    cancel: &'a CancelFlag,
    now: fn() -> DateTime<Utc>,
}

impl Run<'_> {
    /// Brings in what one group of sources holds; `report` tells of the groups before it.
    async fn bring_in(
        self,
        sources: Vec<Arc<dyn LogSource>>,
        mut report: Report,
    ) -> Result<Report> {
        let Run { writer, options, taking, before, progress, cancel, now } = self;
        let hear = |told: Told| match told {
            Told::Ignored(line) => progress.ignored(&line),
            Told::Fault(fault) => {
                progress.fault(&fault);
                report.fault(fault);
            }
        };
        let listing = list(sources, options, cancel, hear).await?;
        begin(&mut report, &listing);
        let Listing { sources, objects, .. } = listing;
        let planned_at = writer.token();
        let is_newest_first = sources.iter().any(|source| source.is_newest_first());
        let order = if is_newest_first { Order::NewestDay } else { Order::Reading };
        let (how, counts) = ((order, options), &mut report.objects);
        let objects = subtract_ledger(&writer, objects, how, before, counts).await?;
        progress.planned(objects.count, objects.bytes);

        let settled = Settled::default();
        let copies = Copies::new(writer.clone(), options.rehash, settled.clone());
        let chunks = hand_over(sources, objects, options.chunk_bytes_max(), cancel.clone());
        let decoded = decode(chunks, copies, options, taking, cancel);
        let rounds = Rounds { writer, planned_at, report, progress, settled, now, under_way: None };
        let report = rounds.fill(decoded, options, cancel).await?;
        // What nobody accounts for must not pass for brought in.
        if !cancel.is_cancelled() && !report.objects.adds_up() {
            let (found, accounted) = (report.objects.found, report.objects.reached());
            return Err(Error::Unaccounted { found, accounted });
        }
        Ok(report)
    }
}

/// Takes into the report what the listing alone decides.
fn begin(report: &mut Report, listing: &Listing) {
    report.objects.found += listing.found();
    report.objects.left_out += listing.left_out;
    report.objects.failed += listing.failed;
    report.newest_delivery = report.newest_delivery.max(listing.newest_delivery);
    for (reason, count) in &listing.ignored {
        report.ignore(*reason, *count);
    }
}

/// Hands the objects over in plan order where their sources do, cut into chunks, from a thread of
/// its own. Where that breaks off, an error comes last: its channel closes then as it does at the
/// end.
fn hand_over(
    sources: Vec<Arc<dyn LogSource>>,
    objects: Objects,
    chunk_bytes_max: usize,
    cancel: CancelFlag,
) -> impl Stream<Item = Result<Chunk>> {
    let (send, mut receive) = mpsc::channel(1);
    let thread = tokio::task::spawn_blocking(move || {
        let mut cutter = Cutter::new(send.clone(), chunk_bytes_max as u64, cancel);
        if let Err(error) = cutter.take_all(&sources, objects) {
            let _ = send.blocking_send(Err(error));
        }
    });
    let broken_off = stream::once(thread).filter_map(|ended| {
        future::ready(ended.err().map(|error| Err::<Chunk, Error>(Error::Worker(error))))
    });
    stream::poll_fn(move |context| receive.poll_recv(context)).chain(broken_off)
}

/// Cuts a sequence of objects into chunks, by their sizes as listed.
struct Cutter {
    send: mpsc::Sender<Result<Chunk>>,
    objects: Vec<(SourceObject, Contents)>,
    bytes: u64,
    bytes_max: u64,
    number: u64,
    cancel: CancelFlag,
}

impl Cutter {
    fn new(send: mpsc::Sender<Result<Chunk>>, bytes_max: u64, cancel: CancelFlag) -> Cutter {
        Cutter { send, objects: Vec::new(), bytes: 0, bytes_max, number: 0, cancel }
    }

    fn take_all(&mut self, sources: &[Arc<dyn LogSource>], objects: Objects) -> Result<()> {
        let mut objects = objects.sorted().peekable();
        while let Some(first) = objects.next() {
            let Listed { object, source: number, .. } = first?;
            let Some(source) = sources.get(number as usize) else { continue };
            // A sequential source gets all its objects at once, any other enough for many chunks.
            let run_max = if source.sequential().is_some() { usize::MAX } else { RUN_OBJECTS_MAX };
            let mut run = vec![object];
            while run.len() < run_max
                && let Some(next) = objects.next_if(|next| is_from(next, number))
            {
                run.push(next?.object);
            }
            if self.take_run(&**source, run).is_break() {
                return Ok(());
            }
        }
        let _ = self.cut();
        Ok(())
    }

    fn take_run(&mut self, source: &dyn LogSource, run: Vec<SourceObject>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        source.hand_over(run, &mut |object, contents| {
            flow = self.take(object, contents);
            flow
        });
        flow
    }

    fn take(&mut self, object: SourceObject, contents: Contents) -> ControlFlow<()> {
        let bytes = object.size_bytes.saturating_mul(GROWTH);
        if self.bytes.saturating_add(bytes) > self.bytes_max && !self.objects.is_empty() {
            self.cut()?;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.objects.push((object, contents));
        if self.objects.len() == CHUNK_OBJECTS_MAX { self.cut() } else { ControlFlow::Continue(()) }
    }

    fn cut(&mut self) -> ControlFlow<()> {
        if self.objects.is_empty() {
            return ControlFlow::Continue(());
        }
        let chunk = Chunk { number: self.number, objects: std::mem::take(&mut self.objects) };
        self.number += 1;
        self.bytes = 0;
        let gone = self.send.blocking_send(Ok(chunk)).is_err();
        if gone || self.cancel.is_cancelled() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn is_from(listed: &Result<Listed>, source: u32) -> bool {
    listed.as_ref().is_ok_and(|listed| listed.source == source)
}

/// Hashes, finds copies, decodes: so many workers a stage, chunks in order.
fn decode<'a>(
    chunks: impl Stream<Item = Result<Chunk>> + Send + 'a,
    copies: Copies,
    options: &IngestOptions,
    taking: &Taking,
    cancel: &CancelFlag,
) -> impl Stream<Item = Result<DecodedChunk>> + Send + 'a {
    let workers = options.workers();
    let limits = options.limits();
    let decoding = DecodeOptions {
        limits: limits.clone(),
        held_bytes_max: options.round_bytes_max(),
        temp_dir: options.temp_dir.clone(),
        cancel: cancel.clone(),
        taking: taking.clone(),
    };
    let stop = cancel.clone();
    let inspected = chunks
        .map_ok(move |chunk| {
            let (limits, cancel) = (limits.clone(), stop.clone());
            let worker =
                tokio::task::spawn_blocking(move || inspect_chunk(chunk, &limits, &cancel));
            async { worker.await.map_err(Error::Worker) }
        })
        .try_buffered(workers);
    let marked =
        stream::try_unfold((Box::pin(inspected), copies), async |(mut inspected, mut copies)| {
            match inspected.try_next().await? {
                None => Ok(None),
                Some(chunk) => Ok(Some((copies.mark(chunk).await?, (inspected, copies)))),
            }
        });
    marked
        .map_ok(move |chunk| {
            let decoding = decoding.clone();
            let worker = tokio::task::spawn_blocking(move || decode_chunk(chunk, &decoding));
            async { worker.await.map_err(Error::Worker)? }
        })
        .try_buffered(workers)
}

/// Returns whether a round has to be committed before it takes more. It is also bounded in chunks,
/// for what they hold may be anything but logs, and copies of it have to be remembered.
fn is_full(round: &Round, options: &IngestOptions) -> bool {
    round.bytes >= options.round_bytes_max()
        || round.records >= options.round_rows_max
        || round.len() >= options.round_objects_max
        || round.chunks_taken() >= ROUND_CHUNKS_MAX
}

/// Rounds, filled and committed one after the other.
struct Rounds<'a> {
    writer: Arc<StoreWriter>,
    /// The store's last round when the ledger was first asked: what others brought since is found
    /// out at each commit.
    planned_at: i64,
    report: Report,
    progress: &'a dyn Progress,
    settled: Settled,
    now: fn() -> DateTime<Utc>,
    /// The round that is being committed, and the number of chunks it settles.
    under_way: Option<(JoinHandle<Result<Committed>>, u64)>,
}

struct Committed {
    receipt: RoundReceipt,
    at: DateTime<Utc>,
}

impl Rounds<'_> {
    /// Fills rounds until the chunks end, and commits them. When the run is cancelled, what is not
    /// yet being committed is dropped.
    async fn fill(
        mut self,
        chunks: impl Stream<Item = Result<DecodedChunk>>,
        options: &IngestOptions,
        cancel: &CancelFlag,
    ) -> Result<Report> {
        let mut chunks = std::pin::pin!(chunks);
        let mut originals = Originals::default();
        let mut round = Round::default();
        while let Some(chunk) = chunks.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return self.give_up(error).await,
            };
            if cancel.is_cancelled() {
                break;
            }
            self.tell(&chunk);
            // Rows that had to be spilled make a round of their own, in several parts.
            let alone = !chunk.spilled.is_empty();
            if alone {
                self.commit(std::mem::take(&mut round)).await?;
            }
            round.add(chunk, &mut originals, &mut self.report, self.progress)?;
            if round.len() == 0 && self.under_way.is_none() {
                self.settled.advance(round.chunks);
            } else if alone || is_full(&round, options) {
                self.commit(std::mem::take(&mut round)).await?;
            }
        }
        if !cancel.is_cancelled() {
            self.commit(round).await?;
        }
        self.finish().await?;
        Ok(self.report)
    }

    fn tell(&self, chunk: &DecodedChunk) {
        let (mut records, mut bytes) = (0, 0);
        for object in &chunk.objects {
            records += object.outcome.records();
            bytes += object.object.size_bytes;
        }
        self.progress.advanced(chunk.objects.len() as u64, records, bytes);
    }

    /// Starts the commit of `round`, when the one before is through.
    async fn commit(&mut self, round: Round) -> Result<()> {
        self.finish().await?;
        if round.len() == 0 {
            self.settled.advance(round.chunks);
            return Ok(());
        }
        let (writer, now) = (self.writer.clone(), self.now);
        let chunks = round.chunks;
        let input = round.into_input(self.planned_at);
        let task = tokio::spawn(async move {
            let at = now();
            let receipt = writer.commit_round(input, &LogContent, at).await?;
            Ok(Committed { receipt, at })
        });
        self.under_way = Some((task, chunks));
        Ok(())
    }

    /// Waits for the commit under way and takes it into the report.
    async fn finish(&mut self) -> Result<()> {
        let Some((task, chunks)) = self.under_way.take() else { return Ok(()) };
        let Committed { receipt, at } = task.await.map_err(Error::Worker)??;
        self.settled.advance(chunks);
        self.report.round(&receipt);
        for row in &receipt.objects {
            self.progress.taken_in(&IntakeLine::of(row, receipt.token, at));
        }
        Ok(())
    }

    /// Lets the commit under way finish before the run ends with `error`.
    async fn give_up(mut self, error: Error) -> Result<Report> {
        self.finish().await?;
        Err(error)
    }
}

#[cfg(test)]
mod tests;
