#![allow(clippy::all, clippy::print_stdout, clippy::unwrap_used, missing_docs)]
use std::sync::Arc;
use traillake_ingest::*;
use traillake_store::Lake;
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}
#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let lake = Lake::open_or_create(&args[1]).await.unwrap();
    let writer = Arc::new(lake.writer("default", &store_spec(), now()).await.unwrap());
    let mut options = IngestOptions::new(Some(args[1].clone().into()), std::env::temp_dir());
    if let Ok(jobs) = std::env::var("JOBS") {
        options.jobs = jobs.parse().unwrap();
    }
    let start = std::time::Instant::now();
    let sources = args[2..]
        .iter()
        .map(|p| {
            if p == "-" {
                Source::Stdin(Box::new(std::io::stdin()))
            } else {
                Source::Path(p.into())
            }
        })
        .collect();
    let report =
        ingest(writer, sources, options, &Silent, &CancelFlag::default(), now).await.unwrap();
    let s = start.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::to_string_pretty(&report)
            .unwrap()
            .lines()
            .take(60)
            .collect::<Vec<_>>()
            .join("\n")
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    println!(
        "{s:.2} s, {:.0} objects/s, {:.0} events/s, {peak}, adds_up {}",
        report.objects.logs() as f64 / s,
        report.records.records as f64 / s,
        report.adds_up()
    );
}
