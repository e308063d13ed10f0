//! Bringing logs in: what `ingest`, `demo` and `query --from` have in common.

mod account;
mod follow;
mod progress;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use traillake_ingest::{CancelFlag, IngestOptions, Report, Selection, Source};
use traillake_store::Lake;

use crate::buckets::{self, BucketArgs};
use crate::failure::Problem;
use crate::interrupt::Interrupt;
use crate::session::Session;
use crate::{lakes, machine};

pub use account::{account, plan_account};
pub use follow::follow;
use progress::Listener;
use record::IntakeRecord;

/// What to bring in and how.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// The sources as typed; `-` is standard input.
    pub sources: Vec<String>,
    /// Which objects to look at.
    pub selection: Selection,
    /// How buckets are reached.
    pub buckets: BucketArgs,
    /// A bucket's oldest month first.
    pub oldest_first: bool,
    /// Read known objects again.
    pub rehash: bool,
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
        let mut sources = Vec::new();
        for text in &self.sources {
            sources.push(match buckets::is_bucket(text) {
                true => Source::Bucket(buckets::source(text, &self.buckets).await?),
                false => source(text)?,
            });
        }
        Ok(sources)
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
        options.oldest_first = self.oldest_first;
        options.selection = self.selection.clone();
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
        Ok(traillake_ingest::check_sources(&sources, folder).await?)
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
    let report = result?;
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
