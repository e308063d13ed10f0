//! `mentions_any(terms)`.

use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};

use super::wanted::check_terms;
use crate::functions::Function;
use crate::functions::support::{Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "search",
        syntax: "mentions_any(array), mentions_any(table, array)",
        doc: "Whether the event mentions any term of the array, which may have thousands.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let returns = |args: &ReturnFieldArgs| check_terms(args).and_then(|()| boolean(args));
    Scalar::new("mentions_any", &[Takes::Any, Takes::Any], returns, super::mentions::any).udf()
}
