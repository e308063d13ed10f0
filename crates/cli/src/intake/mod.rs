//! Bringing logs in: what `ingest`, `demo` and `query --from` have in common.

mod account;
mod follow;
mod progress;
mod record;
pub mod stored;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use traillake_ingest::{
    Arrival, CancelFlag, IngestOptions, Inventory, KeyList, Keys, Report, Selection, Selectors,
    Source,
};
use traillake_store::Lake;

use crate::buckets::{self, BucketArgs, Found};
use crate::failure::Problem;
use crate::interrupt::Interrupt;
use crate::quantities::count_of;
use crate::session::Session;
use crate::{lakes, machine};

pub use account::{account, plan_account, together};
pub use follow::{Following, Hearing, follow, follow_stored, watch_stored};
use progress::Listener;
use record::IntakeRecord;

/// A selection that begins at most so many days ago is asked for in one request a place: about as
/// many objects come as fit a few pages.
const RECENT_DAYS: i64 = 7;
/// The time between two looks of `--follow`.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What to bring in and how.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// Its name, where the lake keeps it.
    pub name: Option<String>,
    /// The sources as typed; `-` is standard input.
    pub sources: Vec<String>,
    /// A file of keys: only these objects of the bucket.
    pub keys: Option<PathBuf>,
    /// The manifest of an S3 Inventory: only its objects.
    pub inventory: Option<String>,
    /// The queue that tells of new objects.
    pub sqs: Option<String>,
    /// Only these objects, of which a queue has told.
    pub arrivals: Vec<Arrival>,
    /// Which objects to look at.
    pub selection: Selection,
    /// Which events to take in; none: all.
    pub selectors: Option<Selectors>,
    /// How buckets are reached.
    pub buckets: BucketArgs,
    /// The buckets that were found for it.
    pub found: Found,
    /// A bucket's oldest logs first.
    pub oldest_first: bool,
    /// Read known objects again.
    pub rehash: bool,
    /// Whether it goes on, with whatever comes.
    pub follows: bool,
    /// Whether it is a follower's look at everything.
    pub is_sweep: bool,
    /// Whether its sources have been seen to be there, and the lake not to lie in one.
    pub is_checked: bool,
    /// Objects decoded at once, where a flag says so.
    pub jobs: Option<usize>,
    /// Memory in bytes, where a flag says so.
    pub memory_bytes: Option<u64>,
}

/// What a run did and how long it took.
pub struct Taken {
    /// The report, whose counts add up.
    pub report: Report,
    /// From the listing to the last commit.
    pub elapsed: Duration,
}

impl Intake {
    /// Returns the sources, opened by nobody yet.
    ///
    /// # Errors
    /// For a URL that names no source, and when the AWS configuration cannot be used.
    pub async fn sources(&self) -> anyhow::Result<Vec<Source>> {
        if !self.arrivals.is_empty() {
            let named = self.arrivals.iter().map(|of| (of.bucket.clone(), of.key.clone()));
            return self.named(named).await;
        }
        if let Some(file) = &self.keys {
            return self.listed(file).await;
        }
        if let Some(manifest) = &self.inventory {
            return Ok(vec![self.inventory(manifest).await?]);
        }
        let mut sources = Vec::new();
        for text in &self.sources {
            sources.push(match buckets::is_bucket(text) {
                true => Source::Bucket(self.found.source(text, &self.buckets).await?),
                false => source(text)?,
            });
        }
        Ok(sources)
    }

    /// Returns objects by bucket and key as sources, one a bucket.
    async fn named(
        &self,
        objects: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Vec<Source>> {
        let mut by_bucket: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (bucket, key) in objects {
            by_bucket.entry(bucket).or_default().push(key);
        }
        let mut sources = Vec::new();
        for (bucket, keys) in by_bucket {
            let bucket = self.found.source(&format!("s3://{bucket}"), &self.buckets).await?;
            sources.push(Source::Keys(bucket, Keys::Named(keys)));
        }
        Ok(sources)
    }

    /// Returns the objects that a file lists as sources, one a bucket; it may exceed the memory.
    async fn listed(&self, file: &Path) -> anyhow::Result<Vec<Source>> {
        let own = self.sources.first().map(|source| buckets::bucket_of(source)).transpose()?;
        let list = KeyList::new(file.to_owned(), own);
        let asked = list.clone();
        let read = tokio::task::spawn_blocking(move || asked.buckets()).await?;
        let (names, astray) = read.map_err(|error| {
            Problem::new(format!("could not read the keys in `{}`", file.display())).because(error)
        })?;
        if let Some(line) = astray {
            return Err(Problem::new(format!("`{line}` is in no bucket"))
                .hint("name the bucket: `traillake ingest s3://bucket --keys FILE`")
                .into());
        }
        let mut sources = Vec::new();
        for name in names {
            let bucket = self.found.source(&format!("s3://{name}"), &self.buckets).await?;
            sources.push(Source::Keys(bucket, Keys::Listed(list.clone())));
        }
        Ok(sources)
    }

    async fn inventory(&self, manifest: &str) -> anyhow::Result<Source> {
        let opened = match buckets::is_bucket(manifest) {
            true => {
                let (objects, key) = buckets::object(manifest, &self.buckets).await?;
                Inventory::fetch(objects, &key).await
            }
            false => Inventory::open(Path::new(manifest)),
        };
        let (name, inventory) = opened.map_err(|reason| {
            Problem::new(format!("the inventory `{manifest}` cannot be read: {reason}"))
        })?;
        let url = self.sources.first().cloned().unwrap_or_else(|| format!("s3://{name}"));
        let bucket = self.found.source(&url, &self.buckets).await?;
        Ok(Source::Keys(bucket, Keys::Inventory(inventory)))
    }

    /// Returns whether it asks S3.
    pub fn reads_buckets(&self) -> bool {
        let named = self.keys.is_some() || self.inventory.is_some();
        named || self.sources.iter().any(|source| buckets::is_bucket(source))
    }

    /// Returns the words for a run that looked at all of its places and came upon nothing whatever,
    /// as it does where one is misspelt.
    fn told_empty(&self, report: &Report) -> Option<String> {
        let Selection { since, until, accounts, regions, kinds } = &self.selection;
        let is_narrowed = since.is_some() || until.is_some() || !accounts.is_empty();
        let is_narrowed = is_narrowed || !regions.is_empty() || !kinds.is_empty();
        let is_named = self.keys.is_some() || self.inventory.is_some() || !self.arrivals.is_empty();
        let is_whole = !report.cancelled && report.months_passed_over == 0;
        let is_nothing = is_whole && report.objects.found == 0 && report.faults_total == 0;
        if is_narrowed || is_named || !is_nothing || self.sources.iter().any(|text| text == "-") {
            return None;
        }
        let places: Vec<String> = self.sources.iter().map(|text| format!("`{text}`")).collect();
        (!places.is_empty()).then(|| format!("there is nothing under {}", places.join(", ")))
    }

    /// Returns the options of a run on the lake at `location`.
    pub fn options(&self, session: &Session, location: &str) -> IngestOptions {
        let settings = &session.settings;
        let mut options = IngestOptions::new(lakes::local_folder(location), std::env::temp_dir());
        let jobs = settings.count("ingest.jobs").and_then(|jobs| usize::try_from(jobs).ok());
        options.jobs = self.jobs.or(jobs).unwrap_or_else(machine::cores);
        options.memory_bytes = self
            .memory_bytes
            .or_else(|| settings.size("ingest.memory"))
            .unwrap_or(options.memory_bytes);
        options.rehash = self.rehash;
        options.is_sweep = self.is_sweep;
        options.oldest_first = self.oldest_first;
        options.selection = self.selection.clone();
        let recent = Utc::now() - TimeDelta::days(RECENT_DAYS);
        options.is_recent = self.selection.since.is_some_and(|since| since >= recent);
        options.selectors = self.selectors.clone();
        // Nobody chose these objects one by one.
        options.leaves_out_expired = self.follows || self.name.is_some();
        options
    }

    /// Refuses sources that are not there, and a lake inside a source, before a lake is made.
    pub async fn check(&self, session: &Session, location: &str) -> anyhow::Result<()> {
        let options = self.options(session, location);
        let folder = options.lake_folder.as_deref();
        if buckets::is_bucket(location)
            && let Some(source) = self.sources.iter().find(|text| buckets::overlap(text, location))
        {
            let (lake, path) = (PathBuf::from(location), PathBuf::from(source));
            return Err(traillake_ingest::Error::LakeInSource { lake, path }.into());
        }
        let sources = self.sources().await?;
        Ok(traillake_ingest::check_sources(sources, folder).await?)
    }
}

/// Brings everything new into `store` of `lake`. Ctrl-C ends it after the round under way.
pub async fn bring_in(
    session: &Session,
    lake: &Lake,
    store: &str,
    intake: &Intake,
    record: Option<&Path>,
) -> anyhow::Result<Taken> {
    let cancel = CancelFlag::default();
    let _interrupt = stop_on_interrupt(session, &cancel);
    run(session, lake, store, intake, record, &cancel).await
}

/// One run, which ends early when `cancel` is raised.
async fn run(
    session: &Session,
    lake: &Lake,
    store: &str,
    intake: &Intake,
    record: Option<&Path>,
    cancel: &CancelFlag,
) -> anyhow::Result<Taken> {
    let started = Instant::now();
    let spec = traillake_ingest::store_spec();
    let writer = Arc::new(lake.writer(store, &spec, session.now).await?);
    let options = intake.options(session, lake.location());
    let record = record.map(|path| IntakeRecord::create(path, session.now)).transpose()?;
    let listener = Listener::start(session, record);
    tracing::info!("ingest started");
    let sources = intake.sources().await?;
    let run = traillake_ingest::ingest(writer, sources, options, &listener, cancel, Utc::now);
    let result = run.await;
    let record = listener.stop();
    if result.as_ref().map_or(true, |report| report.objects.failed > 0) {
        intake.found.forget();
    }
    let report = result?;
    if let Some(words) = intake.told_empty(&report) {
        session.talk.warn(&words);
    }
    if report.objects.past_retention > 0 {
        let objects = count_of(report.objects.past_retention, "object");
        session.talk.say(&format!("left out {objects}: delivered before what the store keeps"));
    }
    if let Some(record) = record {
        record.finish(&report, Utc::now())?;
    }
    Ok(Taken { report, elapsed: started.elapsed() })
}

/// Returns the listener that turns the first Ctrl-C into a request to stop.
pub fn stop_on_interrupt(session: &Session, cancel: &CancelFlag) -> Interrupt {
    let (cancel, talk) = (cancel.clone(), session.talk.clone());
    Interrupt::listen(move || {
        cancel.cancel();
        talk.warn("stopping after the round under way; press Ctrl-C again to stop at once");
    })
}

fn source(text: &str) -> anyhow::Result<Source> {
    match text {
        "-" => Ok(Source::Stdin(Box::new(std::io::stdin()))),
        url if url.contains("://") && !url.starts_with("file://") => {
            Err(Problem::new(format!("`{url}` cannot be read by this version"))
                .hint("write a path or `s3://bucket/prefix`, or pipe an archive into `ingest -`")
                .into())
        }
        path => Ok(Source::Path(PathBuf::from(path.strip_prefix("file://").unwrap_or(path)))),
    }
}

/// Returns a time as the intake record spells it.
fn spelled(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
