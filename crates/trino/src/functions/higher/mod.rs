//! Functions that take lambdas: <https://trino.io/docs/current/functions/lambda.html>.

mod attempt;

use std::sync::Arc;

use datafusion::functions_nested::array_any_match::array_any_match_higher_order_function;
use datafusion::functions_nested::array_filter::array_filter_higher_order_function;
use datafusion::functions_nested::array_transform::array_transform_higher_order_function;
use datafusion::logical_expr::HigherOrderUDF;

/// `try`, and DataFusion's own under Trino's names.
pub(super) fn functions() -> Vec<Arc<HigherOrderUDF>> {
    let named = |function: Arc<HigherOrderUDF>, name: &'static str| {
        Arc::new(function.as_ref().clone().with_aliases([name]))
    };
    vec![
        Arc::new(HigherOrderUDF::new_from_impl(attempt::Try::new())),
        array_any_match_higher_order_function(),
        named(array_filter_higher_order_function(), "filter"),
        named(array_transform_higher_order_function(), "transform"),
    ]
}
