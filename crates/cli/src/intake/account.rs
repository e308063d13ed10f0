//! What a run did, in sentences whose numbers add up.

mod estimate;

use std::time::Duration;

use serde_json::json;
use traillake_ingest::{PLAN_CELLS_MAX, Plan, PlanSpan, PlanTally, Report};

use super::{Intake, Taken};
use crate::output::{Report as Printed, ReportFormat, text_batch, to_table};
use crate::quantities::{count_of, show_count, show_duration, show_size};

use estimate::Estimate;

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
    if report.months_passed_over > 0 {
        let then = if report.cancelled { "" } else { "; the next run lists everything" };
        text += &format!(
            "passed over {}: brought in by a run that was cut off{then}\n",
            count_of(report.months_passed_over, "month")
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

/// Returns what a run of `intake` would read (`--dry-run`): a line for each account, region, kind
/// and day, made only where text is asked for.
///
/// Of a bucket also what that takes.
pub fn plan_account(plan: &Plan, intake: &Intake, format: ReportFormat) -> anyhow::Result<Printed> {
    let mut text = match format {
        ReportFormat::Text => plan_table(plan)?,
        ReportFormat::Json => String::new(),
    };
    text += &plan_sum(plan, &plan.total);
    let mut json = json!(plan);
    if intake.reads_buckets() {
        let is_listed = intake.keys.is_none() && intake.inventory.is_none();
        let estimate = Estimate::of(plan, is_listed);
        text += &estimate.text();
        json["estimate"] = json!(estimate);
    }
    Ok(Printed { text, json })
}

/// Returns the cells of a plan as a table, and says so where a line is not of a day.
fn plan_table(plan: &Plan) -> anyhow::Result<String> {
    if plan.cells.is_empty() {
        return Ok(String::new());
    }
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
    let span = plan.span.to_string();
    let columns = [span.as_str(), "account", "region", "kind", "new", "changed", "known"];
    let mut text = to_table(&text_batch(columns, &rows)?)? + "\n";
    if plan.span != PlanSpan::Day {
        let most = show_count(PLAN_CELLS_MAX as u64);
        text += &format!("a line a {span}: by day there are more than {most}\n");
    }
    Ok(text)
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
