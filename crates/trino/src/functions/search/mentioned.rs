//! `mentioned(terms)`.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ListBuilder, StringBuilder};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::event::Found;
use super::wanted::{Wanted, check_terms};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchars};

pub(super) fn function() -> Function {
    Function {
        family: "search",
        syntax: "mentioned(array), mentioned(table, array)",
        doc: "The terms of the array that the event mentions, in the array's order.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let returns = |args: &ReturnFieldArgs| check_terms(args).and_then(|()| varchars(args));
    Scalar::new("mentioned", &[Takes::Any, Takes::Any], returns, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let mut mentioned = Mentioned(vec![BTreeSet::new(); rows.count()]);
    let wanted = Wanted::search(rows, &mut mentioned)?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for (row, numbers) in mentioned.0.into_iter().enumerate() {
        if !numbers.is_empty() {
            let terms = wanted.get(row)?.unwrap_or_default();
            let terms = numbers.into_iter().filter_map(|number| terms.get(number));
            terms.for_each(|term| lists.values().append_value(term));
        }
        lists.append(!wanted.is_null(row));
    }
    rows.finish(Arc::new(lists.finish()))
}

/// The numbers of the terms that each row mentions.
struct Mentioned(Vec<BTreeSet<usize>>);

impl Found for Mentioned {
    fn is_settled(&self, _row: usize) -> bool {
        false
    }

    fn add(&mut self, row: usize, term: usize) {
        self.0[row].insert(term);
    }
}
