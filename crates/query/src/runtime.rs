//! The DataFusion session every query starts from: Trino's dialect, memory with a limit, scans with
//! every kind of pruning, and nothing that could reach a file.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionContext;
use traillake_store::Store;

use crate::bloom::BloomFilters;
use crate::joins::JoinsGiveWay;
use crate::memory::SharedMemory;
use crate::options::EngineOptions;
use crate::order::OrderKept;
use crate::pins::lake_url;
use crate::sorts::SortsInParts;
use crate::stored_ranges::StoredRanges;

/// Footers kept in memory between scans, beside the queries' own memory.
const FOOTER_CACHE_BYTES_MAX: usize = 256 << 20;
/// Bloom filters kept in memory between scans, beside that: of a hundred files of 100,000 events
/// about this.
const FILTER_CACHE_BYTES_MAX: usize = 64 << 20;
/// Runs of sorted rows that are merged at once: each may hold four batches (`sorts`).
const RUNS_MERGED_MAX: usize = 8;
/// The most that a merge of sorted rows gets ahead of time.
const MERGE_BYTES_FIRST_MAX: usize = 10 << 20;
/// Values of an IN list up to which it prunes: lists of indicators are long.
pub(crate) const IN_LIST_PRUNED_MAX: usize = 1_000;

/// Returns the session that queries start from.
///
/// # Errors
/// DataFusion's, when it refuses a setting.
pub(crate) fn state(options: &EngineOptions, store: &Store) -> Result<SessionState> {
    let mut config = traillake_trino::session_config()
        .with_target_partitions(options.partitions.max(1))
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_extension(Arc::new(BloomFilters::new(
            FILTER_CACHE_BYTES_MAX.min(memory_of(options) / 16),
        )));
    scan_settings(config.options_mut());
    config.options_mut().execution.sort_spill_reservation_bytes = merge_bytes_first(options);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime(options, store)?)
        .with_default_features()
        .with_table_functions(Default::default())
        .with_file_formats(Vec::new())
        .build();
    let context = SessionContext::new_with_state(state);
    traillake_trino::register(&context)?;
    let state = context.state();
    let rules = with_stored_ranges(state.optimizer());
    let physical = with_own_rules(state.physical_optimizers());
    Ok(SessionStateBuilder::new_from_existing(state)
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(physical)
        .build())
}

/// What a merge of sorted rows gets before a sort takes its first batch: a small part of its share.
fn merge_bytes_first(options: &EngineOptions) -> usize {
    let share = memory_of(options) / options.partitions.max(1);
    (share / 32).min(MERGE_BYTES_FIRST_MAX)
}

fn memory_of(options: &EngineOptions) -> usize {
    usize::try_from(options.memory_bytes).unwrap_or(usize::MAX)
}

/// What we change of a plan is changed when all else is decided, and the check of the whole plan sees
/// it.
fn with_own_rules(
    rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = rules.to_vec();
    let last = rules.iter().position(|rule| rule.name() == "SanityCheckPlan");
    let last = last.unwrap_or(rules.len());
    rules.insert(last, Arc::new(JoinsGiveWay));
    rules.insert(last, Arc::new(SortsInParts));
    rules.insert(last, Arc::new(OrderKept));
    rules
}

/// Conditions get their stored ranges as soon as they have reached the scan, before expressions they
/// share are taken out of them.
fn with_stored_ranges(optimizer: &Optimizer) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = optimizer.rules.clone();
    let pushed = rules.iter().position(|rule| rule.name() == "push_down_filter");
    rules.insert(pushed.map_or(rules.len(), |at| at + 1), Arc::new(StoredRanges));
    rules
}

fn scan_settings(options: &mut ConfigOptions) {
    let parquet = &mut options.execution.parquet;
    parquet.pushdown_filters = true;
    parquet.enable_page_index = true;
    parquet.bloom_filter_on_read = true;
    parquet.pruning = true;
    parquet.max_in_list_size = IN_LIST_PRUNED_MAX;
    // Rows dissolve into columns before the optimizer sees them, so there is nothing to gain, and
    // DataFusion 55 fails here on a view with two names for one column.
    options.optimizer.enable_leaf_expression_pushdown = false;
}

fn runtime(options: &EngineOptions, store: &Store) -> Result<Arc<RuntimeEnv>> {
    let memory = memory_of(options);
    let spill = DiskManagerMode::Directories(vec![options.temp_dir.clone()]);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(SharedMemory::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill))
        // What is packed into a column is not counted when runs are merged; so few are at once.
        .with_max_spill_merge_fan_in(RUNS_MERGED_MAX)
        .with_metadata_cache_limit(FOOTER_CACHE_BYTES_MAX.min(memory / 4))
        .build_arc()?;
    // Scans bring their own storage; DataFusion only insists that the address is known.
    runtime.register_object_store(lake_url()?.as_ref(), Arc::clone(store.object_store()));
    Ok(runtime)
}
