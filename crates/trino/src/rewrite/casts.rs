//! `CAST(x AS type)`, `TRY_CAST`, `x::type`: a call of `$cast` with the type's name.
//!
//! Trino's types do not fit sqlparser's tree, and some casts differ from DataFusion's (rounding,
//! text of timestamps and doubles). Plain casts become DataFusion's own when types are known.

use datafusion::sql::sqlparser::ast::Spanned;
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr};

use super::{internal, tree};
use crate::type_names::TrinoType;
use crate::{Kind, SqlError};

pub(crate) fn rewrite(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Cast { kind, expr: value, data_type, .. } = expr else { return Ok(()) };
    let span = value.span();
    let type_text = match data_type {
        DataType::Custom(name, _) => {
            name.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.clone())
        }
        _ => None,
    }
    .unwrap_or_else(|| data_type.to_string());
    let target = TrinoType::parse(&type_text).map_err(|message| {
        tree::error_at(Kind::Semantic, message, span).with_hint(
            "types are such as `varchar`, `bigint`, `timestamp(3)`, `array(varchar)`, \
                        `map(varchar, varchar)`, `row(x bigint)`, `json`, `ipaddress`",
        )
    })?;
    let name = match kind {
        CastKind::Cast | CastKind::DoubleColon => internal::CAST,
        CastKind::TryCast | CastKind::SafeCast => internal::TRY_CAST,
    };
    let type_name = tree::text(&target.to_string(), span);
    *expr = tree::call(name, vec![std::mem::replace(value, tree::null()), type_name], span);
    Ok(())
}
