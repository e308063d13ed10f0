//! Files that replay finds, where they stand in its rows.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use deltalake_core::kernel::engine::arrow_data::ArrowEngineData;

use super::actions::Addition;

/// What the log says of a file, as [`Addition`] does.
pub(super) struct Found<'a> {
    pub(super) path: &'a str,
    pub(super) size: u64,
    pub(super) partition: Option<&'a str>,
    pub(super) stats: &'a str,
}

impl<'a> From<&'a Addition> for Found<'a> {
    fn from(add: &'a Addition) -> Found<'a> {
        let Addition { path, size, partition, stats, .. } = add;
        Found { path, size: *size, partition: partition.as_deref(), stats }
    }
}

/// Files that replay found: rows with `path`, `size`, `stats` and `fileConstantValues`.
pub(super) struct FoundFiles {
    pub(super) rows: Box<ArrowEngineData>,
    /// Whether each row stands; those behind the last do.
    pub(super) is_live: Vec<bool>,
}

impl FoundFiles {
    /// Returns the files that stand; none for rows of another form.
    pub(super) fn each(&self) -> Option<impl Iterator<Item = Found<'_>>> {
        let rows = self.rows.record_batch();
        let paths = rows.column_by_name("path")?.as_string_opt::<i32>()?;
        let sizes = rows.column_by_name("size")?.as_primitive_opt::<Int64Type>()?;
        let stats = rows.column_by_name("stats")?.as_string_opt::<i32>()?;
        let constants = rows.column_by_name("fileConstantValues")?.as_struct_opt()?;
        let partitions = constants.column_by_name("partitionValues")?.as_map_opt()?;
        let values = partitions.values().as_string_opt::<i32>()?;
        let found = move |row: usize| {
            let first = partitions.value_offsets()[row] as usize;
            let has_one = partitions.is_valid(row) && partitions.value_length(row) > 0;
            let partition = (has_one && values.is_valid(first)).then(|| values.value(first));
            let stats = if stats.is_valid(row) { stats.value(row) } else { "" };
            let size = u64::try_from(sizes.value(row)).unwrap_or_default();
            Found { path: paths.value(row), size, partition, stats }
        };
        let is_live = |row: &usize| self.is_live.get(*row).is_none_or(|is_live| *is_live);
        Some((0..rows.num_rows()).filter(is_live).map(found))
    }
}
