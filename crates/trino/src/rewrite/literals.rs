//! `U&'…'`, `TIMESTAMP '…'`, `ARRAY[…]`, `INTERVAL '…'`: literals DataFusion does not read, or
//! reads otherwise.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Spanned, TimezoneInfo, TypedString, Value};

use datafusion::sql::sqlparser::tokenizer::Span;

use super::{internal, tree};
use crate::{Kind, SqlError};

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
        // DataFusion plans the elements of a literal without the columns of outer queries and the
        // parameters of lambdas.
        Expr::Array(array) => {
            let span = array.elem.first().map_or_else(Span::empty, Spanned::span);
            let Expr::Array(array) = std::mem::replace(expr, tree::null()) else { return Ok(()) };
            *expr = tree::call(MAKE_ARRAY, array.elem, span);
        }
        Expr::Interval(interval) if interval.leading_field.is_none() => {
            let text = interval.value.to_string();
            if !text.contains(|c: char| c.is_alphabetic()) {
                let message = format!("the interval {text} has no unit");
                return Err(tree::error_at(Kind::Syntax, message, interval.value.span())
                    .with_hint(format!("write `INTERVAL {text} DAY`")));
            }
        }
        Expr::Interval(interval) if interval.last_field.is_some() => {
            let message = "an interval of several units is not supported";
            return Err(tree::error_at(Kind::Unsupported, message, interval.value.span())
                .with_hint("add intervals: `INTERVAL '1' DAY + INTERVAL '2' HOUR`"));
        }
        _ => {}
    }
    Ok(())
}

/// The function that makes an array of its arguments.
pub(crate) const MAKE_ARRAY: &str = "make_array";
