//! Sources that the lake keeps: where logs come from, and how the last look at each went.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use traillake_cloudtrail::Kind;
use traillake_ingest::Selection;
use traillake_store::Lake;

use super::{Intake, Taken};
use crate::buckets::{self, BucketArgs};
use crate::failure::Problem;
use crate::times::show_second;

/// The version of a source's file.
const FORMAT: u64 = 1;

/// A source as the lake keeps it (docs/format.md). Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSource {
    format: u64,
    /// Where logs are: `s3://bucket/prefix` or an absolute path.
    pub url: String,
    /// The store they go to.
    pub store: String,
    /// How a bucket is reached.
    #[serde(flatten)]
    pub buckets: BucketArgs,
    /// Only these accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Only these regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Only these kinds, by the names of their tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only events at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Only events before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The queue that tells of new objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs: Option<String>,
    /// When it was added.
    pub added_at: DateTime<Utc>,
}

/// How the last look at a source went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When the last look ended.
    pub looked_at: Option<DateTime<Utc>>,
    /// When a look last ended well.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// When the newest object that a look has found was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_delivery: Option<DateTime<Utc>>,
    /// What was wrong with the last look, if it failed.
    pub failure: Option<String>,
    /// Objects that the last look could not take in, and places that it could not list.
    pub objects_failed: u64,
    /// Messages that wait in its queue, about.
    pub backlog: Option<u64>,
    /// Messages refused since the process began, each once.
    pub refused: u64,
    /// How the last look at everything went, of those that go on beside the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepNote>,
}

/// How a sweep went: a look at everything, beside which others end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepNote {
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// What was wrong with it, if it failed.
    pub failure: Option<String>,
    /// Objects that it could not take in.
    pub objects_failed: u64,
}

/// How much of what a look came upon the next has to come upon again: objects, and places that could
/// not be listed, of which nobody knows how many objects they hold.
fn failed(taken: &Taken) -> u64 {
    taken.report.gaps.max(taken.report.objects.failed)
}

impl Note {
    /// When a look last ended well, in words.
    pub fn last_success(&self) -> String {
        match (self.succeeded_at, self.looked_at, &self.failure) {
            (Some(at), ..) => format!("last success {}", show_second(at)),
            (None, Some(_), _) => "no success yet".to_owned(),
            (None, None, Some(_)) => "last success unknown".to_owned(), // the note is lost
            (None, None, None) => "never looked at".to_owned(),
        }
    }

    /// Takes in what a look brought.
    pub fn of_taken(&mut self, taken: &Taken, now: DateTime<Utc>) {
        self.looked_at = Some(now);
        self.objects_failed = failed(taken);
        self.failure = None;
        self.newest_delivery = self.newest_delivery.max(taken.report.newest_delivery);
        if !taken.report.cancelled {
            self.succeeded_at = Some(now);
        }
    }

    /// Takes in what a sweep brought that began at `began`. It says nothing of what came since, and
    /// nothing of looks that have ended since.
    pub fn of_sweep(&mut self, taken: &Taken, began: DateTime<Utc>, now: DateTime<Utc>) {
        self.newest_delivery = self.newest_delivery.max(taken.report.newest_delivery);
        if !taken.report.cancelled {
            let objects_failed = failed(taken);
            self.succeeded_at = self.succeeded_at.max(Some(began));
            self.sweep = Some(SweepNote { ended_at: now, failure: None, objects_failed });
        }
    }

    /// Takes in that a sweep failed.
    pub fn of_failed_sweep(&mut self, words: String, now: DateTime<Utc>) {
        let objects_failed = self.sweep.as_ref().map_or(0, |sweep| sweep.objects_failed);
        self.sweep = Some(SweepNote { ended_at: now, failure: Some(words), objects_failed });
    }

    /// Takes in that a look failed.
    pub fn of_failure(&mut self, words: String, now: DateTime<Utc>) {
        self.looked_at = Some(now);
        self.failure = Some(words);
    }
}

impl StoredSource {
    /// Returns a source for `store`.
    ///
    /// # Errors
    /// For a path that is not there.
    pub fn new(
        url: &str,
        store: &str,
        buckets: BucketArgs,
        now: DateTime<Utc>,
    ) -> anyhow::Result<StoredSource> {
        let url = match buckets::is_bucket(url) {
            true => url.trim_end_matches('/').to_owned(),
            false => {
                let path = PathBuf::from(url.strip_prefix("file://").unwrap_or(url));
                let path = path.canonicalize().map_err(|error| {
                    Problem::new(format!("could not open `{url}`")).because(error)
                })?;
                path.into_os_string().into_string().map_err(|_| {
                    Problem::new(format!("`{url}` cannot be kept: its path is not UTF-8"))
                })?
            }
        };
        Ok(StoredSource {
            format: FORMAT,
            url,
            store: store.to_owned(),
            buckets,
            accounts: Vec::new(),
            regions: Vec::new(),
            kinds: Vec::new(),
            since: None,
            until: None,
            sqs: None,
            added_at: now,
        })
    }

    /// Returns the same as an intake, with what is told to all of them in `others`; none where the
    /// two select nothing in common.
    pub fn intake(&self, name: &str, others: &Intake) -> Option<Intake> {
        let kinds = [Kind::Events, Kind::Insights, Kind::Aggregated, Kind::Digest];
        let kinds = kinds.into_iter().filter(|kind| self.kinds.iter().any(|k| k == kind.table()));
        let selection = Selection {
            since: self.since,
            until: self.until,
            accounts: self.accounts.iter().cloned().collect(),
            regions: self.regions.iter().cloned().collect(),
            kinds: kinds.collect(),
        };
        Some(Intake {
            name: Some(name.to_owned()),
            sources: vec![self.url.clone()],
            selection: selection.and(&others.selection)?,
            buckets: self.buckets.clone(),
            sqs: self.sqs.clone(),
            ..others.clone()
        })
    }
}

/// Returns whether a text can be the name of a source.
pub fn is_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    // `-` alone is standard input.
    let begins_well = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    text.len() <= 64 && begins_well && text.bytes().all(allowed)
}

/// Returns the sources that `lake` keeps, by name.
///
/// # Errors
/// When one cannot be read, or a later version wrote it.
pub async fn stored(lake: &Lake) -> anyhow::Result<Vec<(String, StoredSource)>> {
    each_stored(lake).await?.into_iter().map(|(name, source)| Ok((name, source?))).collect()
}

/// Returns the sources that `lake` keeps, by name, each by itself where it can be read.
///
/// # Errors
/// When they cannot be listed.
pub async fn each_stored(
    lake: &Lake,
) -> anyhow::Result<Vec<(String, anyhow::Result<StoredSource>)>> {
    let parse = |(name, bytes): (String, Vec<u8>)| {
        let source = parse(&name, &bytes);
        (name, source)
    };
    Ok(lake.sources().await?.into_iter().map(parse).collect())
}

fn parse(name: &str, bytes: &[u8]) -> anyhow::Result<StoredSource> {
    let parsed = serde_json::from_slice::<StoredSource>(bytes);
    let source = parsed.map_err(|error| {
        Problem::new(format!("the source `{name}` cannot be read")).because(error)
    })?;
    match source.format {
        FORMAT => Ok(source),
        later => {
            let message =
                format!("the source `{name}` has format {later}; this version knows {FORMAT}");
            Err(Problem::new(message).into())
        }
    }
}

/// Returns how the last look at a source went: as one that failed where its note says nothing that
/// can be read, until the next look writes another.
///
/// # Errors
/// When the lake cannot be read.
pub async fn note_of(lake: &Lake, name: &str) -> anyhow::Result<Note> {
    let Some(bytes) = lake.source_note(name).await? else { return Ok(Note::default()) };
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        let words = format!("its note cannot be read, so how it went is not known: {error}");
        Note { failure: Some(words), ..Note::default() }
    }))
}

/// Keeps how a look went. Returns what kept it from that: nothing that would end a run.
pub async fn keep_note(lake: &Lake, name: Option<&str>, note: &Note) -> Option<anyhow::Error> {
    let name = name?;
    let kept = match serde_json::to_string(note) {
        Ok(text) => lake.note_source(name, text).await.map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    let error = kept.err()?;
    tracing::warn!(name, %error, "could not note how the look went");
    Some(error)
}
