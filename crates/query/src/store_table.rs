//! A table of a snapshot as DataFusion reads it: files chosen from the log, then one Parquet scan.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapter, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectMeta;
use traillake_store::{LiveFile, TableSnapshot};

use crate::bloom::{self, BloomFilters, Wanted};
use crate::meter::{Meter, MeteredStore};
use crate::prune::{Partitioning, can_prune, file_statistics, month, prune, table_statistics};
use crate::scan::{Filter, Scan, ScanLog};

/// What a [`StoreTable`] is made from.
pub(crate) struct Given {
    /// The store and table, for people.
    pub(crate) name: String,
    /// The table at one version.
    pub(crate) snapshot: TableSnapshot,
    /// Its live files.
    pub(crate) files: Arc<[LiveFile]>,
    /// The column its partition is the month of.
    pub(crate) time_column: Option<&'static str>,
    /// Columns of JSON objects, which statements see as maps.
    pub(crate) maps: &'static [&'static str],
    /// The address its storage is registered under.
    pub(crate) url: ObjectStoreUrl,
    /// Counts what is read.
    pub(crate) meter: Arc<Meter>,
    /// Notes what is scanned.
    pub(crate) scans: ScanLog,
}

/// A table of a snapshot.
pub(crate) struct StoreTable {
    given: Given,
    schema: SchemaRef,
    partitioning: Partitioning,
}

impl StoreTable {
    /// Returns the table.
    pub(crate) fn new(given: Given) -> StoreTable {
        let fields = given.snapshot.schema().fields().iter().map(|field| {
            let field = logical_field(field);
            match given.maps.contains(&field.name().as_str()) {
                true => traillake_trino::map::mark(field),
                false => field,
            }
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let partitioning = Partitioning {
            column: given.snapshot.partition_column().map(str::to_string),
            time_column: given.time_column.map(str::to_string),
        };
        StoreTable { given, schema, partitioning }
    }

    /// The column its partition is the month of.
    pub(crate) fn time_column(&self) -> Option<&str> {
        self.partitioning.time_column.as_deref()
    }

    /// The months its files are of, in order: the first moment of each, and of the next, in
    /// microseconds.
    pub(crate) fn months(&self) -> Vec<(i64, i64)> {
        let months = self.given.files.iter().filter_map(|file| month(file.partition.as_deref()?));
        months.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The wanted columns of the files, and whether the partition column is wanted too (it is the
    /// last one, and in no file).
    fn split_columns(&self, wanted: &[usize]) -> (Vec<FieldRef>, Option<FieldRef>) {
        let mut fields = Vec::with_capacity(wanted.len());
        let mut partition = None;
        for &index in wanted {
            let field = &self.schema.fields()[index];
            match self.partitioning.column.as_deref() == Some(field.name()) {
                true => partition = Some(Arc::clone(field)),
                false => fields.push(Arc::clone(field)),
            }
        }
        (fields, partition)
    }

    async fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&LiveFile>> {
        let files: Vec<&LiveFile> = self.given.files.iter().collect();
        let Some(filter) = conjunction(filters.to_vec()) else { return Ok(files) };
        let predicate = self.physical(state, filter)?;
        let files = prune(files, &self.schema, &self.partitioning, &predicate)?;
        Ok(self.prune_by_filters(state, files, &predicate).await)
    }

    /// Keeps the files whose Bloom filters do not rule `predicate` out. In a bucket each costs a
    /// request, and the scan asks only for those it comes to.
    async fn prune_by_filters<'a>(
        &self,
        state: &dyn Session,
        files: Vec<&'a LiveFile>,
        predicate: &Arc<dyn PhysicalExpr>,
    ) -> Vec<&'a LiveFile> {
        if self.given.meter.is_of_bucket() || !bloom::is_asked(files.len()) {
            return files;
        }
        let Some(filters) = state.config().get_extension::<BloomFilters>() else { return files };
        let Some(wanted) = Wanted::of(predicate) else { return files };
        let at_once = state.config().target_partitions();
        let reading = bloom::Reading { readers: self.readers(state), filters, at_once };
        let opened = files.iter().map(|file| partitioned(file)).collect();
        match reading.keep(&wanted, opened).await {
            Some(kept) => {
                let numbered = files.into_iter().enumerate();
                numbered.filter(|(number, _)| kept.contains(number)).map(|(_, file)| file).collect()
            }
            None => files,
        }
    }

    /// What opens files: footers are kept, and reads counted.
    fn readers(&self, state: &dyn Session) -> Arc<CachedParquetFileReaderFactory> {
        let objects = Arc::clone(self.given.snapshot.object_store());
        let objects = MeteredStore::new(objects, Arc::clone(&self.given.meter));
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        Arc::new(CachedParquetFileReaderFactory::new(Arc::new(objects), footers))
    }

    fn physical(&self, state: &dyn Session, filter: Expr) -> Result<Arc<dyn PhysicalExpr>> {
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        state.create_physical_expr(filter, &schema)
    }

    /// The conditions handed down, and which of them can rule more out than rows.
    fn filters(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Filter>> {
        let filters = filters.iter().map(|condition| {
            let predicate = self.physical(state, condition.clone())?;
            let prunes = can_prune(&self.schema, &predicate);
            Ok(Filter { condition: condition.clone(), prunes })
        });
        filters.collect()
    }

    fn parquet_source(&self, state: &dyn Session, columns: &Columns) -> ParquetSource {
        let file_schema = Arc::new(Schema::new(columns.file.clone()));
        let table_schema = TableSchema::builder(file_schema)
            .with_table_partition_cols(columns.partition.iter().cloned().collect::<Vec<_>>())
            .build();
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..Default::default()
        };
        ParquetSource::new(table_schema)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(self.readers(state))
    }

    /// One scan over `files`, newest first: what a query of audit logs wants is mostly recent.
    fn parquet_scan(
        &self,
        state: &dyn Session,
        files: &[&LiveFile],
        columns: Columns,
        source: ParquetSource,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let statistics = table_statistics(files, source.table_schema().table_schema());
        let file_schema = Arc::clone(source.table_schema().file_schema());
        let groups = self.file_groups(state, files, &file_schema, columns.partition.as_ref());
        let config = FileScanConfigBuilder::new(self.given.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(SameTypesAdapter)))
            .with_projection_indices(Some(columns.order))?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn file_groups(
        &self,
        state: &dyn Session,
        files: &[&LiveFile],
        schema: &SchemaRef,
        partition: Option<&FieldRef>,
    ) -> Vec<FileGroup> {
        let count = state.config().target_partitions().min(files.len()).max(1);
        let mut groups = vec![FileGroup::default(); count];
        let statistics = file_statistics(files, schema);
        for (index, (file, statistics)) in files.iter().zip(statistics).enumerate() {
            let mut part = partitioned(file);
            if partition.is_some() {
                part.partition_values = vec![ScalarValue::Utf8View(file.partition.clone())];
            }
            if let Some(statistics) = statistics {
                part = part.with_statistics(statistics);
            }
            groups[index % count].push(part);
        }
        groups
    }
}

/// The columns a scan reads.
struct Columns {
    /// Those in the files.
    file: Vec<FieldRef>,
    /// The partition column, when it is wanted.
    partition: Option<FieldRef>,
    /// Positions in `file` then `partition`, in the order they are wanted.
    order: Vec<usize>,
}

impl Columns {
    fn new(table: &StoreTable, wanted: &[usize]) -> Columns {
        let (file, partition) = table.split_columns(wanted);
        let mut next = 0;
        let order = wanted.iter().map(|&index| {
            let name = table.schema.field(index).name();
            match table.partitioning.column.as_ref() == Some(name) {
                true => file.len(),
                false => {
                    next += 1;
                    next - 1
                }
            }
        });
        let order = order.collect();
        Columns { file, partition, order }
    }
}

/// Text and bytes are read as views, and times in UTC are plain timestamps: in this engine every
/// timestamp is UTC.
fn logical_field(field: &FieldRef) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut files = self.prune(state, filters).await?;
        newest_first(&mut files, self.partitioning.time_column.as_deref());
        if let Some(limit) = limit
            && filters.is_empty()
        {
            keep_rows(&mut files, limit as u64);
        }
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let columns = Columns::new(self, projection.unwrap_or(&all));
        let source = self.parquet_source(state, &columns);
        let conditions = self.filters(state, filters)?;
        if let Ok(mut scans) = self.given.scans.lock() {
            scans.push(Scan {
                table: self.given.name.clone(),
                files: self.given.files.len(),
                files_kept: files.len(),
                bytes_kept: files.iter().map(|file| file.size).sum(),
                rows_kept: files.iter().map(|file| file.rows).sum(),
                columns: columns.order.len(),
                columns_total: self.schema.fields().len(),
                filters: conditions,
                metrics: source.metrics().clone(),
            });
        }
        self.parquet_scan(state, &files, columns, source, limit)
    }
}

/// A file as readers know it: by its place, for it never changes.
fn partitioned(file: &LiveFile) -> PartitionedFile {
    PartitionedFile::new_from_meta(ObjectMeta {
        location: file.path.clone(),
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: file.size,
        e_tag: None,
        version: None,
    })
}

/// Orders files by their latest time, latest first; files without one come last.
fn newest_first(files: &mut [&LiveFile], time_column: Option<&str>) {
    use traillake_store::ScalarStat::Time;
    let latest = |file: &LiveFile| match file.stats(time_column?)?.max.as_ref()? {
        Time(micros) => Some(*micros),
        _ => None,
    };
    files.sort_by_cached_key(|file| (std::cmp::Reverse(latest(file)), file.path.to_string()));
}

/// Keeps the first files that hold `limit` rows.
fn keep_rows(files: &mut Vec<&LiveFile>, limit: u64) {
    let mut rows = 0;
    files.retain(|file| {
        let wanted = rows < limit;
        rows += file.rows;
        wanted
    });
}

impl fmt::Debug for StoreTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreTable({})", self.given.name)
    }
}

/// Reads a column as it is wherever its type in the file is the table's. DataFusion's own adapter
/// also casts where only nullability or metadata differ, and a cast hides the column from bloom
/// filters.
#[derive(Debug)]
struct SameTypesAdapter;

impl PhysicalExprAdapterFactory for SameTypesAdapter {
    fn create(
        &self,
        logical: SchemaRef,
        physical: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let fields =
            logical.fields().iter().map(|field| match physical.field_with_name(field.name()) {
                // A mark that says what the text is must reach conditions that run in the scan.
                Ok(in_file)
                    if in_file.data_type() == field.data_type() && field.metadata().is_empty() =>
                {
                    Arc::new(in_file.clone())
                }
                _ => Arc::clone(field),
            });
        let logical = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Arc::new(DefaultPhysicalExprAdapter::new(logical, physical)))
    }
}
