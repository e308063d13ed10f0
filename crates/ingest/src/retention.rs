//! What a store is set to, as far as it concerns ingest: whether it takes events, which, and from when
//! on.

use chrono::{DateTime, TimeDelta, Utc};
use traillake_cloudtrail::Kind;
use traillake_store::StoreWriter;

use crate::decode::Taking;
use crate::error::{Error, Result};
use crate::options::{IngestOptions, LATE_DAYS, Source};
use crate::plan::plan;
use crate::progress::CancelFlag;
use crate::selectors::Selectors;

/// Returns which records a run takes in: by the selectors of the store and its own, and no older than
/// what has left the store. Where retention was lifted, old records may come again.
///
/// # Errors
/// [`Error::Stopped`], [`Error::Selectors`]; when the store cannot be read.
pub(crate) async fn taking(writer: &StoreWriter, options: &IngestOptions) -> Result<Taking> {
    let (store, settings) = (writer.info().name.clone(), &writer.info().settings);
    if !settings.takes_events {
        return Err(Error::Stopped { store });
    }
    let own = settings.selectors.as_ref().map(|json| Selectors::parse(&json.to_string()));
    let own = own.transpose().map_err(|source| Error::Selectors { store, source })?;
    let from = match settings.retention_days {
        Some(_) => writer.expired(Kind::Events.table()).await?.before,
        None => None,
    };
    Ok(Taking { selectors: own.into_iter().chain(options.selectors.clone()).collect(), from })
}

/// Refuses sources with objects that are new and past retention, by the date in their key: an import
/// that would leave at once is a mistake.
///
/// # Errors
/// [`Error::PastRetention`]; when the sources cannot be listed.
pub(crate) async fn check(
    writer: &StoreWriter,
    sources: &[Source],
    options: &IngestOptions,
    cancel: &CancelFlag,
    now: DateTime<Utc>,
) -> Result<()> {
    let (store, settings) = (writer.info().name.clone(), &writer.info().settings);
    let (Some(days), Some(before)) = (settings.retention_days, settings.cutoff(now)) else {
        return Ok(());
    };
    if options.selection.since.is_some_and(|since| since >= before) {
        return Ok(());
    }
    let again: Vec<Source> = sources.iter().filter_map(Source::again).collect();
    let mut older = options.clone();
    // What was delivered before the cut-off: a selection allows for events that come late.
    let until = before - TimeDelta::days(LATE_DAYS);
    older.selection.until = Some(older.selection.until.map_or(until, |own| own.min(until)));
    let plan = plan(Some(writer), again, &older, cancel).await?;
    // A key without a date says nothing of its age.
    let dated = plan.cells.iter().filter(|cell| cell.day.is_some());
    let objects = dated.map(|cell| cell.tally.new_objects + cell.tally.changed_objects).sum();
    match objects {
        0 => Ok(()),
        objects => Err(Error::PastRetention { store, objects, before: before.date_naive(), days }),
    }
}
