//! `traillake store`

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use traillake_store::{Lake, StoreInfo};

use crate::failure::Outcome;
use crate::lakes;
use crate::output::{Report, ReportArgs};
use crate::session::Session;
use crate::times::show_second;

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
  traillake store create production --format json
  traillake --lake ./other-lake store create default")]
    Create(Named),
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

/// Creates, lists or shows stores.
pub async fn run(session: &Session, args: StoreArgs) -> anyhow::Result<Outcome> {
    let (report, format) = match args.action {
        StoreAction::Create(Named { name, report }) => {
            let lake = lakes::open_or_create(session).await?;
            let spec = traillake_ingest::store_spec();
            let info = lake.create_store(&name, &spec, session.now).await?;
            session.talk.say(&format!("created store `{name}`"));
            (show(&lake, &info).await?, report.format)
        }
        StoreAction::List(ReportArgs { format }) => {
            (list(&lakes::open(session).await?.stores().await?), format)
        }
        StoreAction::Show(MaybeNamed { name, report }) => {
            let lake = lakes::open(session).await?;
            let name = name.unwrap_or_else(|| session.settings.text("store").to_owned());
            let info = lake.store(&name).await?.info().clone();
            (show(&lake, &info).await?, report.format)
        }
    };
    report.print(format, session.terminal.stdout)?;
    Ok(Outcome::Done)
}

fn list(stores: &[StoreInfo]) -> Report {
    let widest = stores.iter().map(|store| store.name.len()).max().unwrap_or(0);
    let lines = stores.iter().map(|store| {
        format!(
            "{:<widest$}  {}  created {}\n",
            store.name,
            store.id,
            show_second(store.created_at)
        )
    });
    Report { text: lines.collect(), json: Value::Array(stores.iter().map(as_json).collect()) }
}

/// Returns one store with the rows and bytes of each of its tables.
async fn show(lake: &Lake, info: &StoreInfo) -> anyhow::Result<Report> {
    let snapshot = lake.store(&info.name).await?.snapshot(None).await?;
    let mut text = format!(
        "{}\n  id         {}\n  arn        {}\n  created    {}\n  rounds     {}\n",
        info.name,
        info.id,
        info.arn,
        show_second(info.created_at),
        snapshot.token,
    );
    let mut tables = Vec::new();
    for table in snapshot.tables() {
        let files = table.files().await?;
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        let bytes: u64 = files.iter().map(|file| file.size).sum();
        text += &crate::commands::status::table_line(table.name(), rows, files.len() as u64, bytes);
        tables.push(json!({"table": table.name(), "rows": rows, "files": files.len(),
                           "bytes": bytes}));
    }
    let mut json = as_json(info);
    json["rounds"] = json!(snapshot.token);
    json["tables"] = json!(tables);
    Ok(Report { text, json })
}

fn as_json(store: &StoreInfo) -> Value {
    json!({"name": store.name, "id": store.id.to_string(), "arn": store.arn,
           "created_at": store.created_at.to_rfc3339()})
}
