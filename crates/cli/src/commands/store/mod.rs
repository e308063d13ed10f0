//! `traillake store`

mod change;
pub mod describe;

use clap::{Args, Subcommand};

use self::change::UpdateArgs;
use self::describe::{as_json, list, settings_text, show};
use crate::failure::Outcome;
use crate::lakes;
use crate::output::{Report, ReportArgs};
use crate::session::Session;

/// What can be typed after `traillake store`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake store create audit
  traillake store list
  traillake store show default")]
pub struct StoreArgs {
    #[command(subcommand)]
    action: StoreAction,
}

#[derive(Debug, Subcommand)]
enum StoreAction {
    /// Create a store; `ingest` makes the store `default` by itself
    #[command(after_help = "\
Examples:
  traillake store create security
  traillake store create scratch --no-termination-protection-enabled --format json
  traillake --lake ./other-lake store create default")]
    Create(CreateArgs),
    /// List the stores of the lake
    #[command(after_help = "\
Examples:
  traillake store list
  traillake store list --format json
  traillake --lake ./lake store list")]
    List(ReportArgs),
    /// Show one store
    #[command(after_help = "\
Examples:
  traillake store show
  traillake store show default
  traillake store show default --format json")]
    Show(MaybeNamed),
    /// Change what a store keeps and takes in: retention, holds, selectors, protection
    #[command(after_help = "\
Examples:
  traillake store update --retention-period 2557
  traillake store update default --hold \"case-7=userIdentity.arn LIKE '%/mallory'\"
  traillake store update default --ingestion stop --no-termination-protection-enabled")]
    Update(Box<UpdateArgs>),
    /// Delete a store: it can be restored for 7 days, then `maintain` removes it
    #[command(after_help = "\
Examples:
  traillake store create old --no-termination-protection-enabled && traillake store delete old
  traillake store delete default || traillake store show default
  traillake store delete --help")]
    Delete(Named),
    /// Restore a store that is to be deleted
    #[command(after_help = "\
Examples:
  traillake store restore default || traillake store show default
  traillake store restore --help
  traillake store list --format json")]
    Restore(Named),
}

#[derive(Debug, Args)]
struct CreateArgs {
    #[command(flatten)]
    named: Named,
    /// Let the store be deleted without more ado
    #[arg(long)]
    no_termination_protection_enabled: bool,
}

#[derive(Debug, Args)]
struct Named {
    /// The name of the store: lower-case letters, digits, `-` and `_`
    name: String,
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Debug, Args)]
struct MaybeNamed {
    /// The name of the store [default: the one that --store names]
    name: Option<String>,
    #[command(flatten)]
    report: ReportArgs,
}

/// Creates, lists, shows, changes, deletes or restores stores.
pub async fn run(session: &Session, args: StoreArgs) -> anyhow::Result<Outcome> {
    let (report, format) = match args.action {
        StoreAction::Create(args) => {
            let Named { name, report } = args.named;
            let lake = lakes::open_or_create(session).await?;
            let spec = traillake_ingest::store_spec();
            let mut info = lake.create_store(&name, &spec, session.now).await?;
            if args.no_termination_protection_enabled {
                let unprotect = |settings: &mut traillake_store::Settings| {
                    settings.termination_protection = false;
                    Ok(())
                };
                info = lake.set_store(&name, session.now, unprotect).await?;
            }
            session.talk.say(&format!("created store `{name}`"));
            (show(&lake, &info).await?, report.format)
        }
        StoreAction::List(ReportArgs { format }) => {
            (list(&lakes::open(session).await?.stores().await?), format)
        }
        StoreAction::Show(MaybeNamed { name, report }) => {
            let lake = lakes::open(session).await?;
            let info = lake.store_info(&name_of(session, name)).await?;
            (show(&lake, &info).await?, report.format)
        }
        StoreAction::Update(args) => {
            let lake = lakes::open(session).await?;
            let format = args.report.format;
            (change::update(session, &lake, *args).await?, format)
        }
        StoreAction::Delete(Named { name, report }) => {
            let lake = lakes::open(session).await?;
            (told(&change::delete(session, &lake, &name).await?), report.format)
        }
        StoreAction::Restore(Named { name, report }) => {
            let lake = lakes::open(session).await?;
            (told(&change::restore(session, &lake, &name).await?), report.format)
        }
    };
    report.print(format, session.terminal.stdout)?;
    Ok(Outcome::Done)
}

/// Returns the name typed, else that of the settings.
fn name_of(session: &Session, typed: Option<String>) -> String {
    typed.unwrap_or_else(|| session.settings.text("store").to_owned())
}

fn told(info: &traillake_store::StoreInfo) -> Report {
    let text = format!("{}\n{}", info.name, settings_text(&info.settings));
    Report { text, json: as_json(info) }
}
