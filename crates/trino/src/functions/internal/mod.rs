//! Functions that rewrites introduce; nobody can type their names.

pub(crate) mod arithmetic;
pub(crate) mod cast;
pub(crate) mod decimals;
pub(crate) mod field;
mod first_of_array;
pub(crate) mod interval_length;
pub(crate) mod interval_scaled;
mod json_text_at;
mod keep;
mod path;
mod rounded_as;
pub(crate) mod subscript;
mod time_of_text;

use datafusion::logical_expr::ScalarUDF;

pub(crate) use keep::{marked_text, to_map};
pub(crate) use path::{is_path, path_of};
pub(crate) use time_of_text::time_of_text;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let mut all = vec![
        cast::udf(false),
        cast::udf(true),
        decimals::udf(),
        field::udf(),
        first_of_array::udf(),
        interval_length::udf(),
        json_text_at::udf(),
        keep::map_udf(),
        path::udf(),
        rounded_as::udf(),
        subscript::udf(),
        time_of_text::udf(),
        crate::row_if::udf(),
    ];
    all.extend(arithmetic::udfs());
    all.extend(interval_scaled::udfs());
    all
}
