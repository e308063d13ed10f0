//! The hidden column that `mentions` searches: every text of the event, by its form. It is a row
//! that dissolves into physical columns; nothing is rebuilt.

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, lit};
use traillake_trino::row_if::row_if;

use super::Physical;

/// Its name, which `mentions(…)` stands for.
pub(crate) const WHOLE_EVENT: &str = "$event";

/// Columns of any record table that hold JSON text; other texts are decoded.
const JSON: &[&str] = &[
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "addendum",
    "edgeDeviceDetails",
    "insightDetails",
    "insightContext",
    "eventContext",
    "summary",
    "userIdentity_webIdFederationData_attributes",
];

/// Columns that hold JSON objects whose own keys are names of fields. Together with the others they
/// hold every value of the record, also where its bytes are kept whole beside them.
const FIELDS: &[&str] = &["_raw_fields", "_unknown_fields"];

/// Columns that are no part of the record.
const BESIDE: &[&str] = &["_shape", "eventMonth"];

/// Returns the column for the function of `mentions`: texts, JSON texts, and objects of fields.
pub(super) fn whole_event(physical: &Physical<'_>) -> Result<Expr> {
    let (mut texts, mut json, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for field in physical.stored.fields() {
        let name = field.name().as_str();
        if BESIDE.contains(&name) || !holds_text(field.data_type()) {
            continue;
        }
        let group = match name {
            name if JSON.contains(&name) => &mut json,
            name if FIELDS.contains(&name) => &mut fields,
            _ => &mut texts,
        };
        group.push((name.to_string(), Expr::from(Column::from_name(name))));
    }
    let groups = [("text", texts), ("json", json), ("fields", fields)];
    let groups = groups.map(|(name, columns)| (name.to_string(), row_if(lit(true), columns)));
    Ok(row_if(lit(true), groups.into()).alias(WHOLE_EVENT))
}

fn holds_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::List(element) => matches!(element.data_type(), DataType::Struct(_)),
        _ => false,
    }
}
