//! What a store is set to. Every change is a file of its own beside the store's folder, numbered and
//! put if absent: two changes at once cannot undo one another, and who changed what stays on record.
//!
//! What selections and holds say is the caller's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lake::{check_format, get, put_new};
use crate::layout::{self, Layout};

/// How long a store that is to be deleted can be restored (CloudTrail API, `DeleteEventDataStore`).
pub const DELETION_WAITS: TimeDelta = TimeDelta::days(7);

/// The shortest retention, in days (CloudTrail API, `RetentionPeriod`).
pub const RETENTION_DAYS_MIN: u32 = 7;

/// How often a change is tried while others change the same store.
const ATTEMPTS_MAX: u32 = 100;

/// What a store is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Number of the change that made them; 0: as every store begins.
    #[serde(skip)]
    pub number: u64,
    /// When they were changed last.
    pub changed_at: Option<DateTime<Utc>>,
    /// Whether the store cannot be deleted.
    pub termination_protection: bool,
    /// Whether ingest may add to it.
    pub takes_events: bool,
    /// Days after which records leave, by their own time; none: never.
    pub retention_days: Option<u32>,
    /// Which records ingest takes; none: all.
    pub selectors: Option<Value>,
    /// What must not leave, by the name of the hold.
    pub holds: BTreeMap<String, String>,
    /// When its deletion was asked for.
    pub deletion_requested_at: Option<DateTime<Utc>>,
    /// When its removal began: the last change there is, nobody makes another.
    pub removal_began_at: Option<DateTime<Utc>>,
    /// What a newer version has set, kept as it is.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            number: 0,
            changed_at: None,
            termination_protection: true,
            takes_events: true,
            retention_days: None,
            selectors: None,
            holds: BTreeMap::new(),
            deletion_requested_at: None,
            removal_began_at: None,
            others: Map::new(),
        }
    }
}

impl Settings {
    /// The time before which records are past retention at `now`: the begin of a day in UTC, so that
    /// files are rewritten once a day at most. None: records stay for ever.
    pub fn cutoff(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let kept = TimeDelta::try_days(i64::from(self.retention_days?))?;
        Some(now.checked_sub_signed(kept)?.date_naive().and_time(Default::default()).and_utc())
    }

    /// AWS's word for the state of a store (CloudTrail API, `EventDataStore.Status`).
    pub fn status(&self) -> &'static str {
        match self {
            Settings { deletion_requested_at: Some(_), .. } => "PENDING_DELETION",
            Settings { takes_events: false, .. } => "STOPPED_INGESTION",
            _ => "ENABLED",
        }
    }

    /// Until when the store can be restored; none when nobody wants it deleted.
    pub fn restorable_until(&self) -> Option<DateTime<Utc>> {
        self.deletion_requested_at.map(|at| at + DELETION_WAITS)
    }

    /// Whether the store may be removed at `now`. Where that has begun it goes on, whatever the clock
    /// says.
    pub fn is_to_go(&self, now: DateTime<Utc>) -> bool {
        let is_over = self.restorable_until().is_some_and(|until| until <= now);
        is_over || self.removal_began_at.is_some()
    }

    /// Refuses what no store can be set to.
    fn check(&self) -> Result<()> {
        let refused = |reason: String| Err(Error::Setting { reason });
        match self.retention_days {
            Some(days) if days < RETENTION_DAYS_MIN => {
                return refused(format!("events stay for {RETENTION_DAYS_MIN} days at least"));
            }
            _ => {}
        }
        if self.deletion_requested_at.is_some() {
            if self.termination_protection {
                return refused("termination protection is on".to_string());
            }
            if let Some(hold) = self.holds.keys().next() {
                return refused(format!("hold `{hold}` is in force"));
            }
        }
        Ok(())
    }
}

/// The file of a change.
#[derive(Serialize, Deserialize)]
struct File {
    format: u64,
    store: Uuid,
    #[serde(flatten)]
    settings: Settings,
}

/// The newest settings of store `name` with this id, among files as they are listed beside the
/// folders of all stores.
pub(crate) async fn newest(
    objects: &Arc<dyn ObjectStore>,
    name: &str,
    id: Uuid,
    listed: &[ObjectMeta],
) -> Result<Settings> {
    let mut files: Vec<(u64, &Path)> = listed
        .iter()
        .filter_map(|file| Some((layout::settings_number(&file.location, name)?, &file.location)))
        .collect();
    files.sort_unstable();
    for (number, path) in files.into_iter().rev() {
        let Some(bytes) = get(objects, path).await? else { continue };
        let file = parse(path, &bytes)?;
        // Those of a store of that name that is no more.
        if file.store == id {
            return Ok(Settings { number, ..file.settings });
        }
    }
    Ok(Settings::default())
}

fn parse(path: &Path, bytes: &[u8]) -> Result<File> {
    check_format(path.as_ref(), bytes)?;
    serde_json::from_slice(bytes).map_err(|error| Error::corrupt(format!("`{path}`"), error))
}

/// The files beside the folders of all stores.
pub(crate) async fn listed(
    objects: &Arc<dyn ObjectStore>,
    layout: &Layout,
) -> Result<Vec<ObjectMeta>> {
    let folder = layout.stores();
    let listed = objects.list_with_delimiter(Some(&folder)).await;
    let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
    Ok(listed.objects)
}

/// The settings of all stores that have had that name, in the order of their numbers.
pub(crate) async fn files(
    objects: &Arc<dyn ObjectStore>,
    layout: &Layout,
    name: &str,
) -> Result<Vec<Path>> {
    let listed = listed(objects, layout).await?;
    let mut files: Vec<(u64, Path)> = listed
        .into_iter()
        .filter_map(|file| Some((layout::settings_number(&file.location, name)?, file.location)))
        .collect();
    files.sort_unstable();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Makes `change` to the settings of a store; what it then is set to. `change` is made again on what
/// somebody else has changed meanwhile.
///
/// # Errors
/// What `change` says; [`Error::Setting`]; [`Error::BeingRemoved`] once a removal has begun.
pub(crate) async fn change(
    objects: &Arc<dyn ObjectStore>,
    layout: &Layout,
    (name, id): (&str, Uuid),
    now: DateTime<Utc>,
    mut change: impl FnMut(&mut Settings) -> Result<()>,
) -> Result<Settings> {
    for _ in 0..ATTEMPTS_MAX {
        let listed = listed(objects, layout).await?;
        let before = newest(objects, name, id, &listed).await?;
        if before.removal_began_at.is_some() {
            return Err(Error::BeingRemoved { name: name.to_string() });
        }
        let mut settings = before.clone();
        change(&mut settings)?;
        settings.check()?;
        if settings == before {
            return Ok(before);
        }
        let taken = listed.iter().filter_map(|file| layout::settings_number(&file.location, name));
        let number = taken.max().unwrap_or(0) + 1;
        settings.changed_at = Some(now);
        let file = File { format: layout::FORMAT, store: id, settings };
        let path = layout.settings(name, number);
        let text = serde_json::to_string(&file)
            .map_err(|error| Error::corrupt(format!("`{path}`"), error))?;
        if put_new(objects, &path, text).await? {
            return Ok(Settings { number, ..file.settings });
        }
    }
    Err(Error::Setting { reason: "others change it all the time".to_string() })
}
