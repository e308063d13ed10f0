//! `mentions(term)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::event::Found;
use super::wanted::{self, Wanted};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "search",
        syntax: "mentions(term), mentions(table, term)",
        doc: "Whether the event holds the term as a whole token in any of its texts, payloads \
              included. Case counts. NULL for a NULL term.",
        url: super::URL,
        udf: udf(),
    }
}

/// In a plan the first argument is the event, see `Events::of`; the engine puts it there.
fn udf() -> ScalarUDF {
    let returns = |args: &ReturnFieldArgs| wanted::check_term(args).and_then(|()| boolean(args));
    Scalar::new("mentions", &[Takes::Any, Takes::Any], returns, any).udf()
}

/// Whether a row mentions any of its terms.
pub(super) fn any(rows: &Rows) -> Result<ColumnarValue> {
    let mut mentioned = Mentioned(vec![false; rows.count()]);
    let wanted = Wanted::search(rows, &mut mentioned)?;
    rows.booleans(|row| Ok((!wanted.is_null(row)).then(|| mentioned.0[row])))
}

/// Rows that mention a term.
struct Mentioned(Vec<bool>);

impl Found for Mentioned {
    fn is_settled(&self, row: usize) -> bool {
        self.0[row]
    }

    fn add(&mut self, row: usize, _term: usize) {
        self.0[row] = true;
    }
}
