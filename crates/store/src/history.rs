//! Older states: by token, by time.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::{Error, Result};
use crate::log::{TableLog, TableState};
use crate::snapshot::At;

/// The table as of its newest version that holds no round after `token`; none when it does not
/// exist.
pub(crate) async fn at_token(log: &TableLog, token: i64) -> Result<Option<Arc<TableState>>> {
    let latest = log.load(None).await?.map(Arc::new);
    not_after(log, latest, token).await
}

/// As [`at_token`], of a table whose `latest` state is known.
pub(crate) async fn not_after(
    log: &TableLog,
    latest: Option<Arc<TableState>>,
    token: i64,
) -> Result<Option<Arc<TableState>>> {
    match latest {
        Some(latest) if latest.token() > token => {
            newest(log, At::Token(token)).await.map(|found| Some(Arc::new(found)))
        }
        latest => Ok(latest),
    }
}

/// The ledger as of an older round or time; none when it does not exist.
pub(crate) async fn ledger_at(log: &TableLog, at: At) -> Result<Option<TableState>> {
    let Some(latest) = log.load(None).await? else { return Ok(None) };
    let state =
        if holds(log, latest.version(), at).await? { latest } else { newest(log, at).await? };
    match at {
        // A round that never was is not an older state of the store.
        At::Token(token) if state.token() != token => Err(too_old(at)),
        _ => Ok(Some(state)),
    }
}

/// The table as it was at `time`, of its `state` of the last round before that: what removals have
/// taken out since is still there. Folds since then stay, for they change no row.
///
/// # Errors
/// [`Error::TooOld`] when nothing that state could be read from is left.
pub(crate) async fn before_removals(
    log: &TableLog,
    state: Arc<TableState>,
    time: DateTime<Utc>,
) -> Result<Arc<TableState>> {
    let mut removal = None;
    for version in (1..=state.version()).rev() {
        // What was cleaned up is older than the round.
        let Some(entry) = log.read_commit(version).await? else { break };
        if !entry.tokens.contains_key(&log.rewrites()) || entry.at.is_none_or(|at| at <= time) {
            break;
        }
        if entry.tokens.contains_key(&log.expired_rows()) {
            removal = Some(version);
        }
    }
    match removal {
        None => Ok(state),
        Some(removal) => {
            let before = log.load(Some(removal - 1)).await?;
            before.map(Arc::new).ok_or_else(|| too_old(At::Time(time)))
        }
    }
}

/// When the newest commit of a state was made.
pub(crate) async fn committed_at(
    log: &TableLog,
    state: &TableState,
) -> Result<Option<DateTime<Utc>>> {
    Ok(log.read_commit(state.version()).await?.and_then(|entry| entry.at))
}

/// The newest version for which `at` holds. Tokens and times only grow, so a binary search.
async fn newest(log: &TableLog, at: At) -> Result<TableState> {
    let versions = log.readable().await?;
    let (mut holding, mut not) = (0, versions.len());
    while holding < not {
        let middle = holding.midpoint(not);
        match holds(log, versions[middle], at).await? {
            true => holding = middle + 1,
            false => not = middle,
        }
    }
    let found = holding.checked_sub(1).ok_or_else(|| too_old(at))?;
    log.load(Some(versions[found])).await?.ok_or_else(|| too_old(at))
}

async fn holds(log: &TableLog, version: u64, at: At) -> Result<bool> {
    match at {
        At::Token(token) => Ok(log.token_at(version).await? <= token),
        At::Time(time) => {
            let entry = log.read_commit(version).await?;
            Ok(entry.and_then(|entry| entry.at).is_none_or(|at| at <= time))
        }
    }
}

fn too_old(at: At) -> Error {
    let at = match at {
        At::Token(token) => format!("round {token}"),
        At::Time(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    Error::TooOld { at }
}
