//! Aggregates that DataFusion has not, or otherwise: <https://trino.io/docs/current/functions/aggregate.html>.
//! Those that are others in disguise are in `rewrite::aggregates`.

mod checksum;
pub(super) mod histograms;
mod moments;
mod sum;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let [skewness, kurtosis] = moments::functions();
    [skewness, kurtosis, checksum::function(), sum::function()].map(Arc::new).to_vec()
}

/// How the functions of this folder are called and what they give.
pub(super) const REFERENCE: &[(&str, &str)] = &[
    (
        "checksum(x)",
        "A checksum of all values, NULLs too, whatever their order: 8 bytes; NULL for no rows.",
    ),
    ("kurtosis(x)", "The excess kurtosis, without bias; NULL for fewer than 4 values."),
    ("skewness(x)", "Fisher's moment coefficient of skewness; NULL for fewer than 3 values."),
    ("sum(x)", "The sum; NULL for no values. Of bigints an error when no bigint holds it."),
];
