//! What a run did, in sentences whose numbers add up.

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
pub fn plan_account(plan: &Plan) -> anyhow::Result<Printed> {
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
    Ok(Printed { text, json: json!(plan) })
}

fn plan_sum(plan: &Plan, total: &PlanTally) -> String {
    let mut text = format!(
        "would read {} ({}), pass over {} known\n",
        count_of(total.new_objects + total.changed_objects, "object"),
        show_size(total.new_bytes + total.changed_bytes),
        show_count(total.known_objects),
    );
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
