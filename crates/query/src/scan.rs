//! What a scan decided before it read anything, and what it read in the end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use datafusion::logical_expr::Expr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, Metric, MetricValue};

/// A scan of one table.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    /// The store and table.
    pub(crate) table: String,
    /// Live files of the table.
    pub(crate) files: usize,
    /// Files that may hold a wanted row.
    pub(crate) files_kept: usize,
    /// Bytes of those.
    pub(crate) bytes_kept: u64,
    /// Rows of those.
    pub(crate) rows_kept: u64,
    /// Columns that are read.
    pub(crate) columns: usize,
    /// Columns of the table.
    pub(crate) columns_total: usize,
    /// The conditions handed down.
    pub(crate) filters: Vec<Filter>,
    /// What DataFusion counts while it reads.
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

/// A condition handed down to a scan.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// The condition.
    pub(crate) condition: Expr,
    /// Whether what is known of a file, a row group or a page can rule it out. Else only rows can
    /// tell.
    pub(crate) prunes: bool,
}

/// The scans of one query, in the order they were planned.
pub(crate) type ScanLog = Arc<Mutex<Vec<Scan>>>;

/// Returns the scans so far.
pub(crate) fn scans(log: &ScanLog) -> Vec<Scan> {
    log.lock().map(|scans| scans.clone()).unwrap_or_default()
}

/// What was read of a table, so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Files of which more than the footer was read: bloom filters, or data.
    pub(crate) files: u64,
    /// Row groups left after every kind of pruning.
    pub(crate) row_groups: u64,
    /// Row groups skipped by their statistics, bloom filters, a limit, or the best rows so far.
    pub(crate) row_groups_skipped: u64,
    /// Pages skipped by the page index.
    pub(crate) pages_skipped: u64,
    /// Bytes of columns.
    pub(crate) bytes: u64,
    /// Rows that were looked at and did not match.
    pub(crate) rows_unmatched: u64,
    /// Rows that left the scan.
    pub(crate) rows: u64,
}

impl Scan {
    /// Returns what was read so far.
    pub(crate) fn reading(&self) -> Reading {
        let mut reading = Reading::default();
        let mut files = BTreeSet::new();
        // Each stage of pruning counts what the one before it let through.
        let mut let_through: [u64; 2] = [0, 0];
        for metric in self.metrics.clone_inner().iter() {
            reading.add(metric, &mut let_through);
            if let MetricValue::Count { name, count } = metric.value()
                && name == "bytes_scanned"
                && count.value() > 0
            {
                files.extend(metric.labels().iter().map(|label| label.value().to_string()));
            }
        }
        reading.files = files.len() as u64;
        let [by_statistics, dynamic] = let_through;
        reading.row_groups =
            by_statistics.saturating_sub(reading.row_groups_skipped).min(by_statistics);
        reading.row_groups_skipped += dynamic;
        reading.row_groups = reading.row_groups.saturating_sub(dynamic);
        reading
    }
}

impl Reading {
    fn add(&mut self, metric: &Metric, row_groups: &mut [u64; 2]) {
        match metric.value() {
            MetricValue::PruningMetrics { name, pruning_metrics } => {
                let (pruned, matched) =
                    (pruning_metrics.pruned() as u64, pruning_metrics.matched() as u64);
                match name.as_ref() {
                    "row_groups_pruned_statistics" => {
                        row_groups[0] += pruned + matched;
                        self.row_groups_skipped += pruned;
                    }
                    "row_groups_pruned_bloom_filter" | "limit_pruned_row_groups" => {
                        self.row_groups_skipped += pruned;
                    }
                    "page_index_pages_pruned" => self.pages_skipped += pruned,
                    _ => {}
                }
            }
            MetricValue::Count { name, count } => match name.as_ref() {
                "row_groups_pruned_dynamic_filter" => row_groups[1] += count.value() as u64,
                "bytes_scanned" => self.bytes += count.value() as u64,
                "pushdown_rows_pruned" => self.rows_unmatched += count.value() as u64,
                _ => {}
            },
            MetricValue::OutputRows(count) => self.rows += count.value() as u64,
            _ => {}
        }
    }
}
