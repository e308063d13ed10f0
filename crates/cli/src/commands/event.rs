//! `traillake event`

use std::io::Write as _;

use clap::Args;
use serde_json::{Value as Json, json};
use traillake_query::Engine;
use traillake_trino::{Parameters, Value};

use crate::answers;
use crate::engines::{self, Limits};
use crate::failure::Outcome;
use crate::lakes;
use crate::output::{Cell, Report, ReportFormat, Stdout, pretty_json};
use crate::session::Session;
use traillake_server::formats::escape::visible_json;

/// The tables that hold records with an id.
const TABLES: [&str; 3] = ["events", "insights", "aggregated"];

/// What can be typed after `traillake event`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake event 4dfe9074-3197-488d-a7ad-654b45ff3114
  traillake event 4dfe9074-3197-488d-a7ad-654b45ff3114 --pretty
  traillake event 4dfe9074-3197-488d-a7ad-654b45ff3114 --provenance")]
pub struct EventArgs {
    /// The events' ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Lay the JSON out for reading; only white space changes
    #[arg(long)]
    pretty: bool,
    /// Show where each came from: object, position, hashes, and copies that differ
    #[arg(long, conflicts_with = "pretty")]
    provenance: bool,
    /// The provenance as text or JSON
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "text|json",
        hide_possible_values = true,
        requires = "provenance"
    )]
    format: ReportFormat,
}

/// Writes the original bytes of events, exactly: two events are set apart by a line end, and a
/// line end follows the last only on a terminal.
pub async fn run(session: &Session, args: EventArgs) -> anyhow::Result<Outcome> {
    let lake = lakes::open(session).await?;
    let store = session.settings.text("store");
    let engine = engines::engine(session, &lake, store, Limits::default()).await?;
    let mut missing = 0;
    let mut records = Vec::new();
    let mut provenances = Vec::new();
    for id in args.ids.iter().map(|id| bare(id)) {
        let found = find(&engine, id, args.provenance).await?;
        if found.is_empty() {
            missing += 1;
            session.talk.warn(&format!("no event `{id}` in store `{store}`"));
        }
        for event in found {
            if args.provenance {
                provenances.push(provenance(&engine, id, &event).await?);
            }
            records.push(event.bytes);
        }
    }
    let printed = if args.provenance {
        let text: Vec<String> = provenances.iter().map(provenance_text).collect();
        let report = Report { text: text.join("\n"), json: Json::Array(provenances) };
        report.print(args.format, session.terminal.stdout)
    } else {
        write(&records, args.pretty, session.terminal.stdout)
    };
    let outcome = if missing > 0 { Outcome::DoneWithFailures } else { Outcome::Done };
    outcome.after(printed)
}

/// Returns the id without the blanks and quotes that come along where it is copied from.
fn bare(id: &str) -> &str {
    id.trim_matches(|c: char| c.is_whitespace() || "'\"`,".contains(c))
}

fn write(records: &[String], pretty: bool, terminal: bool) -> anyhow::Result<()> {
    let mut stdout = Stdout::new();
    for (i, record) in records.iter().enumerate() {
        if i > 0 {
            stdout.write_all(b"\n")?;
        }
        let laid_out = if pretty { pretty_json(record).into() } else { record.as_str().into() };
        let laid_out: std::borrow::Cow<'_, str> = laid_out;
        match terminal {
            true => stdout.write_all(visible_json(&laid_out).as_bytes())?,
            false => stdout.write_all(laid_out.as_bytes())?,
        }
    }
    if (terminal || pretty) && !records.is_empty() {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()?;
    Ok(())
}

/// A record found by its id.
struct Found {
    table: &'static str,
    bytes: String,
    /// `eventJsonChecksum`, `_object`, `_index`; empty when nobody asked.
    place: Vec<Cell>,
}

async fn find(engine: &Engine, id: &str, with_place: bool) -> anyhow::Result<Vec<Found>> {
    let more = if with_place { ", eventJsonChecksum, _object, _index" } else { "" };
    let parameters = Parameters::from_names([("id", Value::Text(id.to_owned()))]);
    let mut found = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT eventJson{more} FROM {table} WHERE eventID = :id");
        for mut row in answers::rows(engine, &sql, &parameters).await? {
            let place = row.split_off(1);
            let bytes = row.pop().flatten().unwrap_or_default();
            found.push(Found { table, bytes, place });
        }
    }
    Ok(found)
}

/// Returns where a record came from, and the copies of it that differ.
async fn provenance(engine: &Engine, id: &str, event: &Found) -> anyhow::Result<Json> {
    let [checksum, object, index] = event.place.as_slice() else {
        anyhow::bail!("the lake does not know where `{id}` came from");
    };
    let object_id: i64 = object.as_deref().unwrap_or_default().parse()?;
    let object = Parameters::from_names([("object", Value::Integer(object_id))]);
    let columns = [
        "object_key",
        "logical_key",
        "sha256",
        "inflated_sha256",
        "size_bytes",
        "modified_at",
        "state",
        "delivered_at",
        "committed_at",
    ];
    let sql =
        format!("SELECT {} FROM system.objects WHERE object_id = :object", columns.join(", "));
    let object = answers::rows(engine, &sql, &object).await?;
    let object: serde_json::Map<String, Json> = (columns.iter())
        .zip(object.into_iter().next().unwrap_or_default())
        .map(|(column, cell)| ((*column).to_owned(), json!(cell)))
        .collect();
    let sql = "SELECT object_key, \"index\", paths FROM system.variants WHERE eventID = :id \
               ORDER BY 1, 2";
    let id_alone = Parameters::from_names([("id", Value::Text(id.to_owned()))]);
    let variants: Vec<Json> = answers::rows(engine, sql, &id_alone)
        .await?
        .into_iter()
        .map(|row| json!({"object_key": row.first(), "index": row.get(1), "paths": row.get(2)}))
        .collect();
    Ok(json!({
        "eventID": id, "table": event.table, "sha256": checksum, "index": index,
        "object": object, "variants": variants,
    }))
}

fn provenance_text(provenance: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let object = &provenance["object"];
    let lines = [
        ("event", text(&provenance["eventID"])),
        ("table", text(&provenance["table"])),
        ("sha256", text(&provenance["sha256"])),
        ("object", text(&object["object_key"])),
        ("record", format!("number {} in the object, from 0", text(&provenance["index"]))),
        (
            "stored",
            format!("{} bytes, sha256 {}", text(&object["size_bytes"]), text(&object["sha256"])),
        ),
        ("inflated", format!("sha256 {}", text(&object["inflated_sha256"]))),
        ("delivered", text(&object["delivered_at"])),
        ("modified", text(&object["modified_at"])),
        ("taken in", text(&object["committed_at"])),
    ];
    let mut shown: String =
        lines.iter().map(|(name, value)| format!("{name:<9}  {value}\n")).collect();
    let variants = provenance["variants"].as_array().map_or(&[][..], Vec::as_slice);
    for variant in variants {
        shown += &format!(
            "variant    record {} of {} differs in {}\n",
            text(&variant["index"]),
            text(&variant["object_key"]),
            text(&variant["paths"]),
        );
    }
    shown
}
