//! Writes a workload as files: `generate tiny FOLDER`.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use traillake_benches::Workload;

/// Writes a trail as gzipped log files in CloudTrail's key layout.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which trail.
    workload: Workload,
    /// Where to; made when missing.
    folder: PathBuf,
    /// Number of objects, as a factor of the workload's own.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Threads that write.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> anyhow::Result<()> {
    let Arguments { workload, folder, scale, threads } = Arguments::parse();
    let (trail, begun) = (workload.trail(scale), Instant::now());
    std::fs::create_dir_all(&folder)?;
    let written = trail.write_to(&folder, threads)?;
    let seconds = begun.elapsed().as_secs_f64();
    let truth = trail.truth();
    println!(
        "{} objects, {} records ({} events, {} duplicates), {} bytes of JSON, {} bytes gzipped",
        written.objects,
        written.records,
        truth.events,
        truth.duplicates,
        written.inflated_bytes,
        written.bytes,
    );
    println!("{:.0} records/s", written.records as f64 / seconds);
    Ok(())
}
