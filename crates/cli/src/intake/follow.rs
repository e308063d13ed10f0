//! Following: what is new is brought in, again and again, until somebody asks to stop.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use traillake_ingest::CancelFlag;
use traillake_store::Lake;

use super::{Intake, Taken, run, spelled, stop_on_interrupt};
use crate::failure::{Outcome, Rendered};
use crate::output::{Report, ReportFormat};
use crate::quantities::{count_of, show_count, show_duration};
use crate::session::Session;

/// How many days back a look goes: CloudTrail delivers within minutes, but may be days late.
const DAYS_BACK: i64 = 3;
/// How often everything is looked at, for what comes later still.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Brings in what is new every `every`, until it is interrupted. A look that fails is told and tried
/// again, but for the first: what is wrong then is wrong with the command.
pub async fn follow(
    session: &Session,
    lake: &Lake,
    store: &str,
    intake: &Intake,
    every: Duration,
    format: ReportFormat,
) -> anyhow::Result<Outcome> {
    // One listener for all looks: between two of them nobody else would hear.
    let cancel = CancelFlag::default();
    let interrupt = stop_on_interrupt(session, &cancel);
    let mut swept: Option<Instant> = None;
    loop {
        let sweeps = swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY);
        let look = if sweeps { intake.clone() } else { of_late(intake) };
        match run(session, lake, store, &look, None, &cancel).await {
            Ok(taken) => {
                tell(session, &taken, format)?;
                if taken.report.cancelled {
                    return Ok(Outcome::Interrupted);
                }
                if sweeps {
                    swept = Some(Instant::now());
                }
            }
            Err(error) if swept.is_none() => return Err(error),
            Err(error) => {
                let Rendered { message, causes, .. } = Rendered::of(&error);
                let words = [vec![message], causes].concat().join(": ");
                session.talk.warn(&format!("{words}; next look in {}", show_duration(every)));
            }
        }
        if interrupt.unless(tokio::time::sleep(every)).await.is_none() {
            return Ok(Outcome::Interrupted);
        }
    }
}

/// Returns the same intake for the last days only.
fn of_late(intake: &Intake) -> Intake {
    let mut look = intake.clone();
    let since = Utc::now() - TimeDelta::days(DAYS_BACK);
    look.selection.since = Some(look.selection.since.map_or(since, |own| own.max(since)));
    look
}

/// Tells what a look brought, when it brought something.
fn tell(session: &Session, taken: &Taken, format: ReportFormat) -> anyhow::Result<()> {
    let (objects, records) = (taken.report.objects, taken.report.records);
    let new = objects.logs() - objects.known - objects.unreached;
    if new == 0 {
        return Ok(());
    }
    let at = spelled(Utc::now());
    let text = format!(
        "{at}  {}, {} = {} stored + {} others\n",
        count_of(new, "object"),
        count_of(records.records, "record"),
        show_count(records.stored),
        show_count(records.records - records.stored),
    );
    let json = json!({"at": at, "report": taken.report});
    Report { text, json }.print(format, session.terminal.stdout)
}
