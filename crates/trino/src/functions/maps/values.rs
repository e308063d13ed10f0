//! `map_values(map)`.

use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};

use super::lookup;
use crate::functions::Function;
use crate::functions::support::{Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "map_values(map)",
        doc: "The values of a map, in the order of its keys. NULL for a NULL map.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let returns = |args: &ReturnFieldArgs| lookup::column_type(args, 1);
    Scalar::new("map_values", &[Takes::Any], returns, |rows| lookup::column(rows, 1)).udf()
}
