//! The upkeep of one store: what `maintain` does when somebody asks, and a follower once an hour.

use std::time::{Duration, Instant};

use chrono::Utc;
use traillake_store::{Lake, StoreInfo, TableUpkeep, UpkeepOptions, UpkeepReport};

use crate::failure::Rendered;
use crate::retention::{self, Leaving};
use crate::times::show_second;

/// How a store is tended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// Nothing is done; what would be is told.
    Show,
    /// While nobody looks: no more than a month leaves at once, by a clock that no event vouches for.
    Alone,
    /// As somebody has confirmed it.
    Confirmed,
}

/// A store and what was, or would be, done with it.
#[derive(Default)]
pub struct Tended {
    /// Its name.
    pub store: String,
    /// How it stands with a store that is to be deleted.
    pub deletion: Option<String>,
    /// What is past retention.
    pub expired: Option<Leaving>,
    /// Why that could not be taken out.
    pub not_expired: Option<String>,
    /// Why nothing at all could be done.
    pub failed: Option<String>,
    /// What was folded, shortened and removed.
    pub report: UpkeepReport,
    /// How long it took.
    pub elapsed: Duration,
}

impl Tended {
    /// Returns what could not be done, each with the store and table it is about.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let expiry = self.not_expired.iter().map(|told| format!("{}: {told}", self.store));
        let of_table = |table: &TableUpkeep| {
            let name = format!("{}.{}", self.store, table.table);
            table.problems.iter().map(move |told| format!("{name}: {told}")).collect::<Vec<_>>()
        };
        let all = self.failed.iter().map(|told| format!("{}: {told}", self.store));
        all.chain(expiry).chain(self.report.tables.iter().flat_map(of_table))
    }
}

/// Does what is due in a store: removes it when its time has come, else takes out what is past
/// retention, folds, shortens the logs and removes what nothing needs.
pub async fn tend(
    lake: &Lake,
    store: &StoreInfo,
    options: &UpkeepOptions,
    how: How,
) -> anyhow::Result<Tended> {
    // A store before this one may have taken hours.
    let (spec, now, started) = (traillake_ingest::store_spec(), Utc::now(), Instant::now());
    let mut tended = Tended { store: store.name.clone(), ..Tended::default() };
    if let Some(until) = store.settings.restorable_until() {
        tended.deletion = Some(match store.settings.is_to_go(now) {
            true if how == How::Show => "would be removed".to_owned(),
            true if lake.remove_store(store, now).await? => "removed".to_owned(),
            true => "restored meanwhile".to_owned(),
            false => format!("to be deleted after {}", show_second(until)),
        });
        return Ok(tended);
    }
    let expired = match how {
        How::Show => retention::due(lake, store, &store.settings, now).await,
        How::Alone => retention::expire(lake, store, now, false).await,
        How::Confirmed => retention::expire(lake, store, now, true).await,
    };
    match expired {
        Ok(expired) => tended.expired = expired,
        Err(error) => tended.not_expired = Some(said(&error)),
    }
    let writer = lake.writer(&store.name, &spec, now).await?;
    tended.report = match how {
        How::Show => writer.upkeep_due(options, now).await?,
        How::Alone | How::Confirmed => writer.upkeep(options, now).await?,
    };
    tended.elapsed = started.elapsed();
    Ok(tended)
}

/// Returns an error with its causes and its hint, on one line.
pub fn said(error: &anyhow::Error) -> String {
    let Rendered { message, causes, hint } = Rendered::of(error);
    [vec![message], causes, hint.into_iter().collect()].concat().join(": ")
}
