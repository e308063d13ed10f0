//! Expressions that read the text of a time back: they are the stored time itself.
//!
//! `from_iso8601_timestamp(eventtime)`, `CAST(eventtime AS timestamp)`, `date_parse` and
//! `parse_datetime` with whatever pattern fits, also after the `T` was replaced by a space: which
//! functions such an expression is made of does not matter. It is the time when it gives back times
//! that differ from one another in every field, and holds no text that could tell some times from
//! others.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, cast as cast_expr};

use super::{evaluate, only_column};
use crate::views::time_text::{TimeForm, written};

/// 2021-03-04T17:08:09Z, 2013-11-25T05:36:47Z, 2030-12-31T23:59:58Z.
const SAMPLES: [i64; 3] = [1_614_877_689_000_000, 1_385_357_807_000_000, 1_924_991_998_000_000];

/// Returns `expr` with every part that reads a written time replaced by the stored time.
pub(super) fn bare(expr: Expr) -> Expr {
    let replaced = expr.clone().transform_down(|part| {
        if matches!(part, Expr::Column(_)) || !evaluate::mentions(&part, is_whole) {
            return Ok(Transformed::new(part, false, TreeNodeRecursion::Jump));
        }
        Ok(match read_back(&part) {
            Some((column, data_type)) => {
                let time = cast_expr(Expr::Column(column), data_type);
                Transformed::new(time, true, TreeNodeRecursion::Jump)
            }
            None => Transformed::no(part),
        })
    });
    replaced.map_or(expr, |replaced| replaced.data)
}

fn is_whole(expr: &Expr) -> bool {
    written(expr).is_some_and(|(_, form)| form == TimeForm::Whole)
}

/// Returns the time column that `expr` reads back from its text, and the type it reads it as.
fn read_back(expr: &Expr) -> Option<(Column, DataType)> {
    if !treats_all_alike(expr) {
        return None;
    }
    let column = only_column(expr)?;
    let samples: ArrayRef = Arc::new(TimestampMicrosecondArray::from(SAMPLES.to_vec()));
    let read = evaluate::values(expr, column, samples)?;
    let data_type = read.data_type().clone();
    let DataType::Timestamp(_, zone) = &data_type else { return None };
    // The same moment in another zone is another day and hour.
    if zone.as_ref().is_some_and(|zone| !matches!(zone.as_ref(), "UTC" | "+00:00")) {
        return None;
    }
    let micros = cast(&read, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).ok()?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    let same = micros.iter().eq(SAMPLES.into_iter().map(Some));
    same.then(|| (column.clone(), data_type))
}

/// Whether `expr` is made of functions alone, and no text beside the time has a digit: then nothing
/// in it can depend on which time it is.
fn treats_all_alike(expr: &Expr) -> bool {
    let alike = |part: &Expr| match part {
        Expr::ScalarFunction(_) | Expr::Cast(_) | Expr::TryCast(_) => true,
        Expr::Column(_) | Expr::Alias(_) => true,
        Expr::Literal(value, _) => {
            let text = value.try_as_str().flatten().unwrap_or_default();
            text.starts_with("timestamp") || !text.contains(|c: char| c.is_ascii_digit())
        }
        _ => false,
    };
    !matches!(expr, Expr::Column(_)) && !evaluate::mentions(expr, |part| !alike(part))
}
