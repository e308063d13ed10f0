//! The log against the files: what it names is there, of its size, in its folder and only once.

use std::collections::{HashMap, HashSet};

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::TableAudit;
use super::finding::OfTable;
use super::names::Listed;
use crate::error::Error;
use crate::layout;
use crate::snapshot::LiveFile;

/// Looks for the files of a table. What is missing, or of another size, is no longer looked at.
pub(super) async fn audit(table: &mut TableAudit, listed: &Listed, findings: &mut OfTable<'_>) {
    let log = table.log.log().clone();
    let Some(state) = table.log.state() else { return };
    let files = &table.log.files;
    let bytes = files.iter().map(|(file, _)| file.size).sum();
    let rows = files.iter().map(|(file, _)| file.rows).sum();
    findings.count(files.len() as u64, rows, bytes);
    let mut gone = Vec::new();
    let names = listed.tables.get(log.name());
    for (file, _) in files {
        if let Some(what) = in_its_folder(file, &log, state.partition_column()) {
            findings.damage(&file.path, what);
        }
        let size = match names.and_then(|names| names.data.get(&file.path)) {
            Some(size) => Some(*size),
            // Written since the folder was listed, or not there.
            None => match log.objects().head(&file.path).await {
                Ok(meta) => Some(meta.size),
                Err(object_store::Error::NotFound { .. }) => None,
                Err(error) => {
                    let error = Error::storage(format!("read `{}`", file.path), error);
                    findings.damage(&file.path, error.spelled_out());
                    gone.push(file.path.clone());
                    continue;
                }
            },
        };
        if size == Some(file.size) {
            continue;
        }
        gone.push(file.path.clone());
        match size {
            Some(size) => {
                let what = format!("it has {size} bytes and should have {}", file.size);
                findings.damage(&file.path, what);
            }
            None if is_still_live(&log, file).await => {
                findings.damage(&file.path, format!("it is missing, with {} rows", file.rows));
            }
            None => {} // a rewrite replaced it, and vacuum was quick
        }
    }
    orphans(table, listed, findings);
    table.log.is_torn = !gone.is_empty();
    let gone: HashSet<Path> = gone.into_iter().collect();
    table.log.files.retain(|(file, _)| !gone.contains(&file.path));
    copies(table, findings);
}

fn in_its_folder(
    file: &LiveFile,
    log: &crate::log::TableLog,
    column: Option<&str>,
) -> Option<String> {
    let partition = column.map(|column| (column, file.partition.as_deref()));
    let folder = layout::partition_folder(log.folder(), partition);
    let is_in = file.path.prefix_match(&folder).is_some_and(|rest| rest.count() == 1);
    (!is_in).then(|| format!("the log has it in `{folder}`"))
}

/// Files of the same bytes. Every row is of an object, and says of which: no two files come to be
/// alike but by a copy of one, whose rows are there twice then.
fn copies(table: &TableAudit, findings: &mut OfTable<'_>) {
    let mut seen: HashMap<(u64, &str), &Path> = HashMap::new();
    for (file, checksum) in table.log.files.iter().filter(|(file, _)| file.rows > 0) {
        let Some(checksum) = checksum.as_deref() else { continue };
        if let Some(first) = seen.insert((file.size, checksum), &file.path) {
            let what =
                format!("by the log its bytes are those of `{first}`: its rows are there twice");
            findings.damage(&file.path, what);
        }
    }
}

async fn is_still_live(log: &crate::log::TableLog, file: &LiveFile) -> bool {
    let Ok(Some(now)) = log.load(None).await else { return true };
    let Ok(files) = log.files(&now).await else { return true };
    files.iter().any(|live| live.path == file.path)
}

/// Files that no state to come can show: a dropped or dead round left them, or a rewrite.
fn orphans(table: &TableAudit, listed: &Listed, findings: &mut OfTable<'_>) {
    let live: HashSet<&Path> = table.log.files.iter().map(|(file, _)| &file.path).collect();
    let names = listed.tables.get(table.log.log().name());
    let data = names.into_iter().flat_map(|names| names.data.iter());
    let orphans =
        data.filter(|(path, _)| !live.contains(path) && !table.log.pending.contains(path));
    let (mut count, mut bytes, mut first) = (0_u64, 0_u64, None);
    for (path, size) in orphans {
        count += 1;
        bytes += size;
        first = first.filter(|first| *first < path).or(Some(path));
    }
    if let Some(first) = first {
        let more = match count {
            1 => "it is".to_string(),
            many => format!("it and {} others are", many - 1),
        };
        let why = "replaced, or left by a round that died or is under way";
        findings.note(
            first,
            format!(
                "{more} in no table now ({bytes} bytes): {why}; `maintain` removes what is old"
            ),
        );
    }
}
