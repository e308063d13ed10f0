//! `traillake store update|delete|restore`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use traillake_store::{Lake, RETENTION_DAYS_MIN, Settings, StoreInfo};

use super::describe::{as_json, settings_text};
use crate::failure::Problem;
use crate::output::{Report, ReportArgs};
use crate::quantities::count_of;
use crate::retention::{self, Leaving};
use crate::session::Session;
use crate::times::show_second;

/// What can be typed after `traillake store update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The name of the store [default: the one that --store names]
    name: Option<String>,
    /// Take out events that are older, by their own time; `forever` keeps all. Shows what would go;
    /// `--yes` does it
    #[arg(long, value_name = "DAYS|forever", value_parser = parse_retention)]
    retention_period: Option<Retention>,
    /// Keep the events of this condition whatever their age, under a name
    #[arg(long, value_name = "NAME=WHERE", value_parser = parse_hold)]
    hold: Vec<(String, String)>,
    /// End the hold of that name. Shows what would go; `--yes` does it
    #[arg(long, value_name = "NAME")]
    release: Vec<String>,
    /// Take in only what these advanced event selectors take, from a file of AWS's JSON; `all` takes
    /// everything again
    #[arg(long, value_name = "FILE|all")]
    advanced_event_selectors: Option<PathBuf>,
    /// Keep the store from being deleted
    #[arg(long, conflicts_with = "no_termination_protection_enabled")]
    termination_protection_enabled: bool,
    /// Let it be deleted
    #[arg(long)]
    no_termination_protection_enabled: bool,
    /// Take in events, or refuse to
    #[arg(long, value_enum, value_name = "start|stop", hide_possible_values = true)]
    ingestion: Option<Ingestion>,
    /// Do what makes events leave
    #[arg(long)]
    yes: bool,
    /// Only show what would change, and which events would leave
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// How long events stay.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Retention {
    Forever,
    Days(u32),
}

/// Whether events are taken in.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Ingestion {
    Start,
    Stop,
}

fn parse_retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention::Forever);
    }
    match text.parse() {
        Ok(days) if days >= RETENTION_DAYS_MIN => Ok(Retention::Days(days)),
        _ => Err(format!("a number of days from {RETENTION_DAYS_MIN} on, or `forever`")),
    }
}

fn parse_hold(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    match text.split_once('=') {
        Some((name, condition)) if is_name(name) && !condition.trim().is_empty() => {
            Ok((name.to_owned(), condition.trim().to_owned()))
        }
        _ => Err("a name of letters and digits, `=`, and a condition as after WHERE".to_owned()),
    }
}

/// Changes what a store is set to. What makes events leave is shown first, and done only when asked
/// for.
pub async fn update(session: &Session, lake: &Lake, args: UpdateArgs) -> anyhow::Result<Report> {
    let info = lake.store_info(&super::name_of(session, args.name.clone())).await?;
    for (name, condition) in &args.hold {
        let held = retention::count(lake, &info, condition, session.now).await?;
        let told = format!("hold `{name}` keeps {}", count_of(held, "event"));
        match held {
            0 => session.talk.warn(&told),
            _ => session.talk.say(&told),
        }
    }
    let selectors = selectors(&args)?;
    let mut wanted = info.settings.clone();
    change(&args, selectors.as_ref(), &mut wanted)?;
    let takes_out = !args.release.is_empty()
        || (wanted.retention_days.is_some()
            && wanted.retention_days != info.settings.retention_days);
    if args.dry_run || (takes_out && !args.yes) {
        let leaving = match takes_out {
            true => retention::due(lake, &info, &wanted, session.now).await?,
            false => None,
        };
        let info = StoreInfo { settings: wanted, ..info };
        session.talk.note(match takes_out {
            true => "nothing is changed yet; `--yes` does it",
            false => "nothing is changed yet; the same without `--dry-run` does it",
        });
        return Ok(changed(&info, leaving.as_ref(), "would leave"));
    }
    let info = lake
        .set_store(&info.name, session.now, |settings| change(&args, selectors.as_ref(), settings))
        .await?;
    let leaving = match takes_out {
        true => retention::expire(lake, &info, session.now, true).await?,
        false => None,
    };
    Ok(changed(&info, leaving.as_ref(), "left"))
}

fn selectors(args: &UpdateArgs) -> anyhow::Result<Option<Value>> {
    let Some(path) = &args.advanced_event_selectors else { return Ok(None) };
    if path.as_os_str() == "all" {
        return Ok(Some(Value::Null));
    }
    Ok(Some(crate::commands::ingest::selectors(path)?.json().clone()))
}

fn change(
    args: &UpdateArgs,
    selectors: Option<&Value>,
    settings: &mut Settings,
) -> traillake_store::Result<()> {
    match args.retention_period {
        Some(Retention::Forever) => settings.retention_days = None,
        Some(Retention::Days(days)) => settings.retention_days = Some(days),
        None => {}
    }
    for name in &args.release {
        if settings.holds.remove(name).is_none() {
            let reason = format!("there is no hold `{name}`");
            return Err(traillake_store::Error::Setting { reason });
        }
    }
    // Another condition would end what the first one keeps, and nobody would be told.
    for (name, condition) in &args.hold {
        let before = settings.holds.insert(name.clone(), condition.clone());
        if let Some(before) = before.filter(|before| before != condition) {
            let reason = format!(
                "there is a hold `{name}` already, of `{before}`; `--release {name}` ends it"
            );
            return Err(traillake_store::Error::Setting { reason });
        }
    }
    if let Some(selectors) = selectors {
        settings.selectors = Some(selectors.clone()).filter(|selectors| !selectors.is_null());
    }
    let (on, off) = (args.termination_protection_enabled, args.no_termination_protection_enabled);
    settings.termination_protection = on || (settings.termination_protection && !off);
    if let Some(ingestion) = args.ingestion {
        settings.takes_events = ingestion == Ingestion::Start;
    }
    Ok(())
}

fn changed(info: &StoreInfo, leaving: Option<&Leaving>, verb: &str) -> Report {
    let mut text = format!("{}\n{}", info.name, settings_text(&info.settings));
    if let Some(leaving) = leaving {
        text += &leaving.text(verb);
    }
    let mut json = as_json(info);
    json["leaving"] = json!(leaving.map(Leaving::json));
    Report { text, json }
}

/// Asks for the deletion of a store.
pub async fn delete(session: &Session, lake: &Lake, name: &str) -> anyhow::Result<StoreInfo> {
    let deleted = lake.delete_store(name, session.now).await;
    let info = deleted.map_err(|error| match error {
        traillake_store::Error::Setting { reason } => {
            let message = format!("store `{name}` cannot be deleted: {reason}");
            let hint = match reason.contains("hold") {
                true => format!("end it: `traillake store update {name} --release HOLD --yes`"),
                false => format!(
                    "switch it off: `traillake store update {name} \
                     --no-termination-protection-enabled`"
                ),
            };
            Problem::new(message).hint(hint).into()
        }
        other => anyhow::Error::from(other),
    })?;
    if let Some(until) = info.settings.restorable_until() {
        session.talk.say(&format!(
            "store `{name}` is deleted by the first `traillake maintain` after {}; until then \
             `traillake store restore {name}` brings it back",
            show_second(until)
        ));
    }
    Ok(info)
}

/// Takes back that a store is to be deleted.
pub async fn restore(session: &Session, lake: &Lake, name: &str) -> anyhow::Result<StoreInfo> {
    let restored = lake.restore_store(name, session.now).await;
    restored.map_err(|error| match error {
        traillake_store::Error::Setting { reason } => {
            Problem::new(format!("store `{name}` cannot be restored: {reason}")).into()
        }
        other => anyhow::Error::from(other),
    })
}
