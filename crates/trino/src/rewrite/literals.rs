//! `U&'…'`, `TIMESTAMP '…'`, `JSON '…'`: literals DataFusion does not read, or reads otherwise.

use datafusion::sql::sqlparser::ast::{DataType, Expr, TimezoneInfo, TypedString, Value};

use super::{internal, tree};
use crate::SqlError;

pub(crate) fn rewrite(expr: &mut Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Value(value) => {
            if let Value::UnicodeStringLiteral(text) = &value.value {
                value.value = Value::SingleQuotedString(text.clone());
            }
        }
        Expr::TypedString(TypedString { data_type, value, .. }) => {
            let type_name = match data_type {
                DataType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
                    "timestamp with time zone literal"
                }
                DataType::Timestamp(..) => "timestamp literal",
                _ => return Ok(()),
            };
            let span = value.span;
            let text = Expr::Value(value.clone());
            let args = vec![text, tree::text(type_name, span)];
            *expr = tree::call(internal::CAST, args, span);
        }
        _ => {}
    }
    Ok(())
}
