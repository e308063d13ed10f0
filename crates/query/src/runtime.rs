//! The DataFusion session every query starts from: Trino's dialect, memory with a limit, scans with
//! every kind of pruning, and nothing that could reach a file.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::SessionContext;
use traillake_store::Store;

use crate::options::EngineOptions;
use crate::pins::lake_url;
use crate::stored_ranges::StoredRanges;

/// Footers kept in memory between scans, beside the queries' own memory.
const FOOTER_CACHE_BYTES_MAX: usize = 256 << 20;
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
        .with_create_default_catalog_and_schema(false);
    scan_settings(config.options_mut());
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
    Ok(SessionStateBuilder::new_from_existing(state).with_optimizer_rules(rules).build())
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
    let memory = usize::try_from(options.memory_bytes).unwrap_or(usize::MAX);
    let spill = DiskManagerMode::Directories(vec![options.temp_dir.clone()]);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill))
        .with_metadata_cache_limit(FOOTER_CACHE_BYTES_MAX.min(memory / 4))
        .build_arc()?;
    // Scans bring their own storage; DataFusion only insists that the address is known.
    runtime.register_object_store(lake_url()?.as_ref(), Arc::clone(store.object_store()));
    Ok(runtime)
}
