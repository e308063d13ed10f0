//! What a store is set to, as far as it concerns ingest: whether it takes events, which, and which
//! objects are past retention.

use chrono::{DateTime, TimeDelta, Utc};
use traillake_store::StoreWriter;

use crate::decode::Taking;
use crate::error::{Error, Result};
use crate::options::{IngestOptions, LATE_DAYS, Source};
use crate::plan::{Ledger, plan_by};
use crate::progress::CancelFlag;
use crate::selectors::Selectors;

/// Returns which records a run takes in: by the selectors of the store and its own. (What has left the
/// store does not come back: each round sees to that.)
///
/// # Errors
/// [`Error::Stopped`], [`Error::Selectors`].
pub(crate) fn taking(writer: &StoreWriter, options: &IngestOptions) -> Result<Taking> {
    let (store, settings) = (writer.info().name.clone(), &writer.info().settings);
    if !settings.takes_events {
        return Err(Error::Stopped { store });
    }
    let own = settings.selectors.as_ref().map(|json| Selectors::parse(&json.to_string()));
    let own = own.transpose().map_err(|source| Error::Selectors { store, source })?;
    Ok(Taking { selectors: own.into_iter().chain(options.selectors.clone()).collect() })
}

/// Returns the time before which objects are past retention, by the date in their key; none when
/// records stay for ever. They hold nothing that would stay, so a run never reads them.
///
/// # Errors
/// [`Error::PastRetention`] when there are new ones in what somebody brings in: an import that would
/// leave at once is a mistake. Where nobody chose the objects they are left out, and so is always
/// what was known and has changed, and what can be listed only once. When the sources cannot be
/// listed.
pub(crate) async fn cutoff(
    writer: &StoreWriter,
    sources: &[Source],
    options: &IngestOptions,
    cancel: &CancelFlag,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let settings = &writer.info().settings;
    let (Some(days), Some(before)) = (settings.retention_days, settings.cutoff(now)) else {
        return Ok(None);
    };
    let asks = options.selection.since.is_none_or(|since| since < before);
    if !asks || options.leaves_out_expired {
        return Ok(Some(before));
    }
    match new_before(writer, sources, options, cancel, before).await? {
        0 => Ok(Some(before)),
        objects => {
            let (store, before) = (writer.info().name.clone(), before.date_naive());
            Err(Error::PastRetention { store, objects, before, days })
        }
    }
}

/// Counts the objects that the ledger does not know and that were delivered before a time.
async fn new_before(
    writer: &StoreWriter,
    sources: &[Source],
    options: &IngestOptions,
    cancel: &CancelFlag,
    before: DateTime<Utc>,
) -> Result<u64> {
    let again: Vec<Source> = sources.iter().filter_map(Source::again).collect();
    let mut older = options.clone();
    // What was delivered before the cut-off: a selection allows for events that come late.
    let until = before - TimeDelta::days(LATE_DAYS);
    older.selection.until = Some(older.selection.until.map_or(until, |own| own.min(until)));
    let plan = plan_by(Some(Ledger::Live(writer)), again, &older, cancel).await?;
    // A key without a date says nothing of its age.
    let dated = plan.cells.iter().filter(|cell| cell.day.is_some());
    Ok(dated.map(|cell| cell.tally.new_objects).sum())
}
