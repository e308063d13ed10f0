//! `WINDOW w AS (…)`: a window that is built on another takes over what it does not say itself
//! (<https://trino.io/docs/current/sql/select.html#window-clause>). DataFusion takes over nothing.

use datafusion::sql::sqlparser::ast::{
    Ident, NamedWindowDefinition, NamedWindowExpr, Select, WindowSpec,
};

use super::tree;
use crate::{Kind, SqlError};

pub(crate) fn rewrite(select: &mut Select) -> Result<(), SqlError> {
    for at in 0..select.named_window.len() {
        let known = select.named_window[..at].to_vec();
        if let NamedWindowDefinition(_, NamedWindowExpr::WindowSpec(spec)) =
            &mut select.named_window[at]
        {
            complete(spec, &known)?;
        }
    }
    Ok(())
}

fn complete(spec: &mut WindowSpec, known: &[NamedWindowDefinition]) -> Result<(), SqlError> {
    let Some(base) = spec.window_name.take() else { return Ok(()) };
    let definition = known.iter().find(|definition| definition.0.value == base.value);
    let Some(NamedWindowDefinition(_, NamedWindowExpr::WindowSpec(base))) = definition else {
        return Err(unknown(&base));
    };
    if spec.partition_by.is_empty() {
        spec.partition_by.clone_from(&base.partition_by);
    }
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    if spec.window_frame.is_none() {
        spec.window_frame.clone_from(&base.window_frame);
    }
    Ok(())
}

fn unknown(name: &Ident) -> SqlError {
    let message = format!("window `{}` is not defined before", name.value);
    tree::error_at(Kind::UnknownName, message, name.span)
}
