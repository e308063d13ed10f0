//! What is said about a store.

use serde_json::{Value, json};
use traillake_store::{Lake, Settings, StoreInfo};

use crate::commands::status::table_line;
use crate::output::Report;
use crate::quantities::{count_of, show_count};
use crate::times::show_second;

/// Returns a line for each store.
pub fn list(stores: &[StoreInfo]) -> Report {
    let widest = stores.iter().map(|store| store.name.len()).max().unwrap_or(0);
    let lines = stores.iter().map(|store| {
        let state = match (store.settings.status(), store.settings.removal_began_at) {
            (status, Some(_)) => format!("  {status}, being removed"),
            ("ENABLED", None) => String::new(),
            (other, None) => format!("  {other}"),
        };
        let (id, created) = (store.id, show_second(store.created_at));
        format!("{:<widest$}  {id}  created {created}{state}\n", store.name)
    });
    Report { text: lines.collect(), json: Value::Array(stores.iter().map(as_json).collect()) }
}

/// Returns one store with what it is set to, and the rows and bytes of each of its tables.
pub async fn show(lake: &Lake, info: &StoreInfo) -> anyhow::Result<Report> {
    let mut text = format!(
        "{}\n  id         {}\n  arn        {}\n  created    {}\n",
        info.name,
        info.id,
        info.arn,
        show_second(info.created_at),
    );
    let mut json = as_json(info);
    if info.settings.deletion_requested_at.is_some() {
        return Ok(Report { text: text + &settings_text(&info.settings), json });
    }
    let snapshot = lake.store(&info.name).await?.snapshot(None).await?;
    text += &format!("  rounds     {}\n{}", snapshot.token, settings_text(&info.settings));
    let mut tables = Vec::new();
    for table in snapshot.tables() {
        let files = table.files().await?;
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        let bytes: u64 = files.iter().map(|file| file.size).sum();
        let expired = table.expired().await?.rows;
        text += &table_line(table.name(), rows, files.len() as u64, bytes);
        if expired > 0 {
            text.pop();
            text += &format!("; {} expired\n", show_count(expired));
        }
        tables.push(json!({"table": table.name(), "rows": rows, "files": files.len(),
                           "bytes": bytes, "expired": expired}));
    }
    json["rounds"] = json!(snapshot.token);
    json["tables"] = json!(tables);
    Ok(Report { text, json })
}

/// Returns what is not as every store begins, a line each.
pub fn settings_text(settings: &Settings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text += &format!("  {name:<10} {value}\n");
    line("status", settings.status());
    match (settings.removal_began_at, settings.restorable_until()) {
        (Some(at), _) => {
            line("restorable", &format!("no: being removed since {}", show_second(at)))
        }
        (None, Some(until)) => line("restorable", &format!("until {}", show_second(until))),
        (None, None) => {}
    }
    match settings.retention_days {
        Some(days) => line("retention", &count_of(u64::from(days), "day")),
        None => line("retention", "for ever"),
    }
    for (name, condition) in &settings.holds {
        line("hold", &format!("{name}: {}", condition.replace('\n', " ")));
    }
    if let Some(selectors) = &settings.selectors {
        line("selectors", &selectors.to_string());
    }
    if !settings.termination_protection {
        line("protection", "off: it can be deleted");
    }
    text
}

/// Returns a store as JSON.
pub fn as_json(store: &StoreInfo) -> Value {
    let settings = &store.settings;
    json!({
        "name": store.name, "id": store.id.to_string(), "arn": store.arn,
        "created_at": store.created_at.to_rfc3339(), "status": settings.status(),
        "updated_at": settings.changed_at.map(|at| at.to_rfc3339()),
        "retention_days": settings.retention_days, "holds": settings.holds,
        "advanced_event_selectors": settings.selectors,
        "termination_protection_enabled": settings.termination_protection,
        "restorable_until": settings.restorable_until().map(|at| at.to_rfc3339()),
        "removal_began_at": settings.removal_began_at.map(|at| at.to_rfc3339()),
    })
}
