//! `map_keys(map)`.

use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};

use super::lookup;
use crate::functions::Function;
use crate::functions::support::{Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "map_keys(map)",
        doc: "The keys of a map, in the order they stand. NULL for a NULL map.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let returns = |args: &ReturnFieldArgs| lookup::column_type(args, 0);
    Scalar::new("map_keys", &[Takes::Any], returns, |rows| lookup::column(rows, 0)).udf()
}
