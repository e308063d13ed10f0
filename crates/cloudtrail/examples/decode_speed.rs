//! Says how fast log files become batches on one core: `decode_speed FOLDER [ROUNDS]`.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use traillake_cloudtrail::{Decoder, Limits, inspect};

fn read(folder: &Path, files: &mut Vec<Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, files)?;
        } else {
            files.push(fs::read(path)?);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("a folder of log files is needed")?;
    let rounds = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let mut files = Vec::new();
    read(Path::new(&folder), &mut files)?;
    let limits = Limits::default();
    for _ in 0..rounds {
        let (mut rows, mut inflated) = (0, 0);
        let mut spent = [Duration::ZERO; 2];
        let mut decoder = Decoder::new(limits.clone());
        let mut sink = |_| ControlFlow::Continue(());
        for (number, file) in (0..).zip(&files) {
            let start = Instant::now();
            let inspected = inspect(&mut &file[..], &limits)?;
            spent[0] += start.elapsed();
            let start = Instant::now();
            let mut again = || Err(io::ErrorKind::Unsupported.into());
            let summary = decoder.decode(number, &inspected, &mut again, &mut sink)?;
            spent[1] += start.elapsed();
            rows += summary.rows;
            inflated += summary.inflated_bytes;
        }
        decoder.finish(&mut sink);
        let per_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
        println!(
            "{} files, {rows} events: inspect {:.0} MB/s, decode {:.0} MB/s and {:.0} events/s, both {:.0} events/s",
            files.len(),
            per_second(inflated, spent[0]) / 1e6,
            per_second(inflated, spent[1]) / 1e6,
            per_second(rows, spent[1]),
            per_second(rows, spent[0] + spent[1]),
        );
    }
    Ok(())
}
