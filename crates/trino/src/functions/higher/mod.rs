//! Functions that take lambdas: <https://trino.io/docs/current/functions/lambda.html>.

mod array_sort;
mod attempt;
mod entries;
mod map_filter;
mod map_zip_with;
mod reduce;
mod regexp_replace;
mod support;
mod transform_keys;
mod transform_values;
mod zip_with;

use std::sync::Arc;

use datafusion::functions_nested::array_any_match::array_any_match_higher_order_function;
use datafusion::functions_nested::array_filter::array_filter_higher_order_function;
use datafusion::functions_nested::array_transform::array_transform_higher_order_function;
use datafusion::logical_expr::HigherOrderUDF;

/// Ours, and DataFusion's own under Trino's names.
pub(super) fn functions() -> Vec<Arc<HigherOrderUDF>> {
    let named = |function: Arc<HigherOrderUDF>, name: &'static str| {
        Arc::new(function.as_ref().clone().with_aliases([name]))
    };
    vec![
        Arc::new(HigherOrderUDF::new_from_impl(attempt::Try::new())),
        array_any_match_higher_order_function(),
        named(array_filter_higher_order_function(), "filter"),
        named(array_transform_higher_order_function(), "transform"),
        array_sort::function().udf(),
        map_filter::function().udf(),
        map_zip_with::function().udf(),
        reduce::function().udf(),
        regexp_replace::function().udf(),
        transform_keys::function().udf(),
        transform_values::function().udf(),
        zip_with::function().udf(),
    ]
}

/// How the functions of this folder, and those that rewrites turn into them, are called and what
/// they give.
pub(super) const REFERENCE: &[(&str, &str)] = &[
    (
        "all_match(array, x -> condition)",
        "Whether the condition holds for all elements; NULL when it does but for some NULLs.",
    ),
    (
        "any_match(array, x -> condition)",
        "Whether the condition holds for an element; NULL when it does not but is NULL for one.",
    ),
    (
        "array_sort(array, (x, y) -> order)",
        "The elements in the order that the lambda gives: -1, 0 or 1 for two of them; anything else is an error.",
    ),
    ("filter(array, x -> condition)", "The elements for which the condition holds."),
    ("map_filter(map, (key, value) -> condition)", "The entries for which the condition holds."),
    (
        "map_zip_with(map1, map2, (key, value1, value2) -> value)",
        "The keys of both maps with new values; NULL stands for the value of a key that a map has not.",
    ),
    ("none_match(array, x -> condition)", "Whether the condition holds for no element."),
    (
        "reduce(array, initial, (state, x) -> state, state -> result)",
        "What the elements make of the state, one after another, and the result of the last state.",
    ),
    (
        "reduce_agg(x, initial, (state, x) -> state, (state, state) -> state)",
        "What the values of a group that are not NULL make of the state; NULL when there are none. The last lambda is not needed here.",
    ),
    (
        "regexp_replace(text, pattern, groups -> replacement)",
        "The text with every match replaced by what the lambda makes of its groups.",
    ),
    ("transform(array, x -> value)", "The array of the values for the elements."),
    (
        "transform_keys(map, (key, value) -> key)",
        "The map with new keys; a key twice or a NULL key is an error.",
    ),
    ("transform_values(map, (key, value) -> value)", "The map with new values."),
    (
        "zip_with(array1, array2, (x, y) -> value)",
        "The values for the elements at the same places; NULLs fill up the shorter array.",
    ),
    ("try(x)", "The value, NULL for the rows where it fails."),
];
