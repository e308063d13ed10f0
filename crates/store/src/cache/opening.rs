//! One opening of a store, remembered: the answers that may change, and what proves them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::layout;

/// What it is kept as.
pub(super) const NAME: &str = "opening";

/// A proof holds for so long: a statement looks more than once.
const PROVEN: Duration = Duration::from_millis(500);
/// The same of one for an opened lake: a command opens it and asks at once, on a busy machine too.
/// What others commit meanwhile is seen by the next look, as it is by one that began before.
const PROVEN_AT_OPENING: Duration = Duration::from_secs(2);
/// Answers that no tip vouches for are of one look, which takes no longer than this.
const UNSEALED: Duration = Duration::from_secs(30);
/// An opening is believed for so long. A rewrite changes no row, so the ledger does not tell of it;
/// what it replaced must not be asked for when it may have been removed.
const BELIEVED: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// An answer of the bucket that another day may be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is no such file.
    Nothing,
    /// A file.
    File(ObjectMeta, Bytes),
    /// Files, and folders.
    Listed(Vec<ObjectMeta>, Vec<Path>),
}

/// What tells a file from others of its name: its ETag, where a listing has one.
pub(super) fn tag(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => tag.clone(),
        None => format!("{} {}", meta.size, meta.last_modified.timestamp_micros()),
    }
}

/// The newest commit of a ledger's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tip {
    log: String,
    version: u64,
    tag: String,
}

impl Tip {
    pub(super) fn new(log: &Path, version: u64, meta: &ObjectMeta) -> Tip {
        Tip { log: log.to_string(), version, tag: tag(meta) }
    }

    /// The log it is the tip of.
    pub(super) fn log(&self) -> Path {
        Path::from(self.log.as_str())
    }

    /// A name after which the tip is the first commit.
    pub(super) fn before(&self) -> Path {
        match self.version.checked_sub(1) {
            Some(before) => self.log().join(layout::commit_name(before)),
            None => self.log().join("0"),
        }
    }

    /// Whether it is the one commit that was listed.
    fn is_all_of(&self, listed: &[ObjectMeta]) -> bool {
        let commits = |meta: &&ObjectMeta| layout::commit_version(&meta.location).is_some();
        let mut commits = listed.iter().filter(commits);
        let (Some(newest), None) = (commits.next(), commits.next()) else { return false };
        *self == Tip::new(&self.log(), self.version, newest)
            && layout::commit_version(&newest.location) == Some(self.version)
    }
}

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Opening {
    is_loaded: bool,
    /// Counts how often it was forgotten: an answer that was asked for before is not remembered.
    age: u64,
    tip: Option<Tip>,
    sealed_at: DateTime<Utc>,
    proven_until: Option<Instant>,
    /// Since when there are answers that no tip vouches for.
    unsealed_since: Option<Instant>,
    answers: HashMap<String, Answer>,
}

impl Opening {
    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Takes in what another process kept; returns the files it had listed.
    pub(super) fn load(&mut self, bytes: Option<&[u8]>, now: DateTime<Utc>) -> Vec<ObjectMeta> {
        self.is_loaded = true;
        let stored = bytes.and_then(|bytes| serde_json::from_slice::<Stored>(bytes).ok());
        let Some(stored) = stored.filter(|stored| stored.is_young(now)) else { return Vec::new() };
        self.tip = Some(stored.tip);
        self.sealed_at = stored.sealed_at;
        let answers =
            stored.answers.into_iter().map(|(question, answer)| (question, answer.into()));
        self.answers = answers.collect();
        let listed = self.answers.values().filter_map(|answer| match answer {
            Answer::Listed(listed, _) => Some(listed.clone()),
            Answer::Nothing | Answer::File(..) => None,
        });
        listed.flatten().collect()
    }

    /// As it is kept; none when nothing proves it.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let answers = self.answers.iter();
        let stored = Stored {
            tip: self.tip.clone()?,
            sealed_at: self.sealed_at,
            answers: answers
                .filter_map(|(question, answer)| Some((question.clone(), answer.try_into().ok()?)))
                .collect(),
        };
        serde_json::to_vec(&stored).ok()
    }

    /// What has to be proven before a look at the store whose ledger's log is `log` (none: at any).
    pub(super) fn unproven(
        &mut self,
        log: Option<&Path>,
        now: DateTime<Utc>,
        moment: Instant,
    ) -> Option<Tip> {
        let other = |tip: &Tip| log.is_some_and(|log| tip.log() != *log);
        let is_old = now - self.sealed_at > BELIEVED;
        let is_stale = self.unsealed_since.is_some_and(|at| moment.duration_since(at) > UNSEALED);
        if is_stale || self.tip.as_ref().is_some_and(|tip| other(tip) || is_old) {
            self.forget();
        }
        let is_proven = self.proven_until.is_some_and(|until| moment < until);
        self.tip.clone().filter(|_| !is_proven)
    }

    /// Takes in what was listed after [`Tip::before`]: as a lake was opened, or for a later look.
    pub(super) fn prove(&mut self, tip: &Tip, listed: &[ObjectMeta], opens: bool, now: Instant) {
        if self.tip.as_ref() != Some(tip) {
            return; // somebody else has looked since
        }
        let proven = if opens { PROVEN_AT_OPENING } else { PROVEN };
        match tip.is_all_of(listed) {
            true => self.proven_until = Some(now + proven),
            false => drop(self.forget()),
        }
    }

    /// Answers hold from here on as long as `tip` does. Whether that is new.
    pub(super) fn seal(&mut self, tip: Tip, now: DateTime<Utc>, moment: Instant) -> bool {
        let is_new = self.tip.as_ref() != Some(&tip);
        let is_behind = |known: &Tip| known.log() == tip.log() && known.version > tip.version;
        if self.tip.as_ref().is_some_and(is_behind) {
            return false; // somebody else has looked since
        }
        self.unsealed_since = None;
        if is_new && self.tip.is_some() {
            self.forget();
        }
        if is_new {
            self.sealed_at = now;
        }
        self.tip = Some(tip);
        self.proven_until = Some(moment + PROVEN);
        is_new
    }

    /// Forgets everything; whether there was anything that answered.
    pub(super) fn forget(&mut self) -> bool {
        self.age += 1;
        self.answers.clear();
        (self.proven_until, self.unsealed_since) = (None, None);
        self.tip.take().is_some()
    }

    /// What is remembered as the answer, and how old it is.
    pub(super) fn answer(&self, question: &str) -> (Option<Answer>, u64) {
        let answer = self.answers.get(question).filter(|_| self.tip.is_some());
        (answer.cloned(), self.age)
    }

    /// Remembers an answer that was asked for at that age; whether it is worth keeping.
    pub(super) fn remember(&mut self, age: u64, question: String, answer: &Answer) -> bool {
        if age != self.age {
            return false;
        }
        if self.tip.is_none() {
            self.unsealed_since.get_or_insert_with(Instant::now);
        }
        self.answers.insert(question, answer.clone());
        self.tip.is_some()
    }
}

/// An opening as it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    tip: Tip,
    sealed_at: DateTime<Utc>,
    answers: HashMap<String, StoredAnswer>,
}

impl Stored {
    fn is_young(&self, now: DateTime<Utc>) -> bool {
        let age = now - self.sealed_at;
        age < BELIEVED && age > -BELIEVED
    }
}

#[derive(Serialize, Deserialize)]
enum StoredAnswer {
    Nothing,
    File(Meta, String),
    Listed(Vec<Meta>, Vec<String>),
}

#[derive(Serialize, Deserialize)]
struct Meta {
    path: String,
    modified_at: DateTime<Utc>,
    size: u64,
    e_tag: Option<String>,
}

impl From<&ObjectMeta> for Meta {
    fn from(meta: &ObjectMeta) -> Meta {
        let (path, e_tag) = (meta.location.to_string(), meta.e_tag.clone());
        Meta { path, modified_at: meta.last_modified, size: meta.size, e_tag }
    }
}

impl From<Meta> for ObjectMeta {
    fn from(meta: Meta) -> ObjectMeta {
        let location = Path::from(meta.path);
        let (last_modified, size, e_tag) = (meta.modified_at, meta.size, meta.e_tag);
        ObjectMeta { location, last_modified, size, e_tag, version: None }
    }
}

impl TryFrom<&Answer> for StoredAnswer {
    type Error = std::str::Utf8Error;

    /// Only text is kept: what may change in a lake is JSON.
    fn try_from(answer: &Answer) -> Result<StoredAnswer, Self::Error> {
        Ok(match answer {
            Answer::Nothing => StoredAnswer::Nothing,
            Answer::File(meta, bytes) => {
                StoredAnswer::File(meta.into(), std::str::from_utf8(bytes)?.to_owned())
            }
            Answer::Listed(files, folders) => StoredAnswer::Listed(
                files.iter().map(Meta::from).collect(),
                folders.iter().map(ToString::to_string).collect(),
            ),
        })
    }
}

impl From<StoredAnswer> for Answer {
    fn from(stored: StoredAnswer) -> Answer {
        match stored {
            StoredAnswer::Nothing => Answer::Nothing,
            StoredAnswer::File(meta, text) => Answer::File(meta.into(), text.into()),
            StoredAnswer::Listed(files, folders) => Answer::Listed(
                files.into_iter().map(ObjectMeta::from).collect(),
                folders.into_iter().map(Path::from).collect(),
            ),
        }
    }
}
