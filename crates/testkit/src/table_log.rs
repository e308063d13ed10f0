//! What a table's log holds, by the names of its files.

use std::io;
use std::path::Path;

/// Returns the versions that have a checkpoint in the log's folder, the newest first.
///
/// # Errors
/// When the folder cannot be listed.
pub fn checkpoints(log: &Path) -> io::Result<Vec<u64>> {
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(log)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let version = name.strip_suffix(".checkpoint.parquet");
        versions.extend(version.and_then(|version| version.parse::<u64>().ok()));
    }
    versions.sort_unstable_by(|a, b| b.cmp(a));
    Ok(versions)
}

/// Returns after how many commits the newest checkpoint followed on the one before, or on the log's
/// begin.
///
/// # Errors
/// When the folder cannot be listed.
pub fn commits_to_checkpoint(log: &Path) -> io::Result<u64> {
    let versions = checkpoints(log)?;
    let of = |place: usize| versions.get(place).copied().unwrap_or(0);
    Ok(of(0) - of(1))
}
