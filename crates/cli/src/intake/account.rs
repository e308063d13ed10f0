//! What a run did, in sentences whose numbers add up.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use traillake_ingest::{Plan, PlanTally, Report};

use super::Taken;
use crate::output::{Report as Printed, text_batch, to_table};
use crate::quantities::{count_of, show_count, show_duration, show_size};

/// Returns the account of a run.
pub fn account(taken: &Taken) -> Printed {
    let report = &taken.report;
    let mut text = objects(report);
    if report.records.records > 0 {
        text += &records(report);
    }
    for (reason, count) in &report.ignored {
        text += &format!("ignored {}: {reason}\n", count_of(*count, "file"));
    }
    if report.objects.left_out > 0 {
        text +=
            &format!("left out {}: not selected\n", count_of(report.objects.left_out, "object"));
    }
    if report.foreign_recipients > 0 {
        text += &format!(
            "{} under another account's key\n",
            count_of(report.foreign_recipients, "record")
        );
    }
    text += &verdict(report, taken.elapsed);
    let mut json = json!(report);
    json["elapsed_ms"] = json!(u64::try_from(taken.elapsed.as_millis()).unwrap_or(u64::MAX));
    Printed { text, json }
}

fn objects(report: &Report) -> String {
    let objects = &report.objects;
    let terms = sum(&[
        ("known", objects.known),
        ("read", objects.read),
        ("changed", objects.changed),
        ("copies", objects.copies),
        ("empty", objects.empty),
        ("rejected", objects.rejected),
        ("failed", objects.failed),
        ("taken in by another run", objects.elsewhere),
        ("not reached", objects.unreached),
    ]);
    format!("{}{terms}\n", count_of(objects.logs(), "object"))
}

fn records(report: &Report) -> String {
    let records = &report.records;
    let terms = sum(&[
        ("stored", records.stored),
        ("duplicates", records.duplicates),
        ("respelled", records.respelled),
        ("variants", records.variants),
        ("deselected", records.deselected),
        ("rejects", records.rejects),
    ]);
    format!("{}{terms}\n", count_of(records.records, "record"))
}

/// Returns ` = 3,783 read + 89 copies`, without the terms that are 0.
fn sum(terms: &[(&str, u64)]) -> String {
    let terms: Vec<String> = (terms.iter())
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {name}", show_count(*count)))
        .collect();
    match terms.is_empty() {
        true => String::new(),
        false => format!(" = {}", terms.join(" + ")),
    }
}

fn verdict(report: &Report, elapsed: Duration) -> String {
    let objects = &report.objects;
    if report.cancelled {
        return "interrupted; the lake is consistent, the next run goes on from here\n".to_owned();
    }
    if objects.known == objects.logs() {
        return "nothing new, nothing was read\n".to_owned();
    }
    let seconds = elapsed.as_secs_f64().max(0.001);
    let records = (report.records.records as f64 / seconds) as u64;
    let bytes = (report.bytes_read as f64 / seconds) as u64;
    format!(
        "read {} in {}: {} records/s, {}/s\n",
        show_size(report.bytes_read),
        show_duration(elapsed),
        show_count(records),
        show_size(bytes),
    )
}

/// Returns what a run would read (`--dry-run`): a line for each account, region, kind and day.
///
/// Of a bucket also what that takes.
pub fn plan_account(plan: &Plan, in_bucket: bool) -> anyhow::Result<Printed> {
    let rows: Vec<[String; 7]> = (plan.cells.iter())
        .map(|cell| {
            let tally = &cell.tally;
            let dash = || "-".to_owned();
            [
                cell.day.clone().unwrap_or_else(dash),
                cell.account.clone().unwrap_or_else(dash),
                cell.region.clone().unwrap_or_else(dash),
                cell.kind.map_or_else(dash, str::to_owned),
                tallied(tally.new_objects, tally.new_bytes),
                tallied(tally.changed_objects, tally.changed_bytes),
                tallied(tally.known_objects, tally.known_bytes),
            ]
        })
        .collect();
    let columns = ["day", "account", "region", "kind", "new", "changed", "known"];
    let mut text = match rows.is_empty() {
        true => String::new(),
        false => to_table(&text_batch(columns, &rows)?)? + "\n",
    };
    text += &plan_sum(plan, &plan.total);
    let mut json = json!(plan);
    if in_bucket {
        let estimate = Estimate::of(plan);
        text += &estimate.text();
        json["estimate"] = json!(estimate);
    }
    Ok(Printed { text, json })
}

/// Returns reports as one: alone as it is, several under their names.
pub fn together(reports: Vec<(Option<String>, Printed)>) -> Printed {
    let (mut text, mut sources) = (String::new(), serde_json::Map::new());
    let mut reports = reports;
    if reports.len() == 1
        && let Some((_, only)) = reports.pop()
    {
        return only;
    }
    for (name, report) in reports {
        let name = name.unwrap_or_else(|| "named here".to_owned());
        text += &format!("source {name}\n{}", report.text);
        sources.insert(name, report.json);
    }
    Printed { text, json: json!({"sources": sources}) }
}

/// Price of a thousand GET requests in USD: S3 Standard in us-east-1 at list prices of November 2026,
/// <https://aws.amazon.com/s3/pricing/>.
const USD_A_THOUSAND_GETS: f64 = 0.0004;
/// The same of LIST requests.
const USD_A_THOUSAND_LISTS: f64 = 0.005;
/// Objects of an answer to LIST.
const LISTED_AT_ONCE: u64 = 1_000;
/// What a lake takes of its gzipped logs (docs/decisions/0009).
const LAKE_SHARE: [f64; 2] = [0.4, 0.7];
/// Objects that come in a second: 32 are read at a time, each in about 40 ms.
const OBJECTS_A_SECOND: f64 = 800.0;

/// What it takes to bring in what a plan lists.
#[derive(Debug, serde::Serialize)]
struct Estimate {
    get_requests: u64,
    list_requests: u64,
    cost_usd: f64,
    lake_bytes: [u64; 2],
    seconds: u64,
}

impl Estimate {
    fn of(plan: &Plan) -> Estimate {
        let total = &plan.total;
        let gets = total.new_objects + total.changed_objects;
        let bytes = total.new_bytes + total.changed_bytes;
        // Each folder down to those of months is a listing of its own, at least.
        let folders: BTreeSet<_> = (plan.cells.iter())
            .flat_map(|cell| {
                let (account, region) = (cell.account.as_ref(), cell.region.as_ref());
                let part = |chars| cell.day.as_ref().and_then(|day| day.get(..chars));
                [
                    (account, None, None, None),
                    (account, None, cell.kind, None),
                    (account, region, cell.kind, None),
                    (account, region, cell.kind, part(4)),
                    (account, region, cell.kind, part(7)),
                ]
            })
            .collect();
        let objects = gets + total.known_objects + total.archived_objects;
        let lists = folders.len() as u64 + objects / LISTED_AT_ONCE;
        let cost = gets as f64 * USD_A_THOUSAND_GETS + lists as f64 * USD_A_THOUSAND_LISTS;
        Estimate {
            get_requests: gets,
            list_requests: lists,
            cost_usd: (cost / 1_000.0 * 10_000.0).ceil() / 10_000.0,
            lake_bytes: LAKE_SHARE.map(|share| (bytes as f64 * share) as u64),
            seconds: (gets as f64 / OBJECTS_A_SECOND).ceil() as u64,
        }
    }

    fn text(&self) -> String {
        let [least, most] = self.lake_bytes.map(show_size);
        format!(
            "about {} GET and {} LIST requests: {:.4} USD at list prices of us-east-1 (November \
             2026), without transfer\nabout {least} to {most} of lake, about {}\n",
            show_count(self.get_requests),
            show_count(self.list_requests),
            self.cost_usd,
            show_duration(Duration::from_secs(self.seconds)),
        )
    }
}

fn plan_sum(plan: &Plan, total: &PlanTally) -> String {
    let mut text = format!(
        "would read {} ({}), pass over {} known\n",
        count_of(total.new_objects + total.changed_objects, "object"),
        show_size(total.new_bytes + total.changed_bytes),
        show_count(total.known_objects),
    );
    if total.archived_objects > 0 {
        text += &format!(
            "could not read {} ({}): in an archive class of S3, to be restored first\n",
            count_of(total.archived_objects, "object"),
            show_size(total.archived_bytes),
        );
    }
    for (reason, count) in &plan.ignored {
        text += &format!("would ignore {}: {reason}\n", count_of(*count, "file"));
    }
    if plan.left_out > 0 {
        text += &format!("would leave out {}\n", count_of(plan.left_out, "object"));
    }
    text
}

fn tallied(objects: u64, bytes: u64) -> String {
    match objects {
        0 => String::new(),
        _ => format!("{} ({})", show_count(objects), show_size(bytes)),
    }
}
