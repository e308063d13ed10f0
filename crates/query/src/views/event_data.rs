//! `eventData`: what a configuration item of AWS Config says. Trails never carry one; stores of
//! CloudTrail Lake do, and what was exported from them (CloudTrail User Guide, "Configuration item
//! schema"). No column holds it: the row is read from the record's unknown fields.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use traillake_trino::map;

use super::Row;

/// Fields of one value each.
const TEXTS: &[&str] = &[
    "configurationItemVersion",
    "configurationItemCaptureTime",
    "configurationItemStatus",
    "configurationStateId",
    "accountId",
    "resourceType",
    "resourceId",
    "resourceName",
    "arn",
    "awsRegion",
    "availabilityZone",
    "resourceCreationTime",
    "relatedEvents",
    "relationships",
];

/// Fields that are objects of any content.
const MAPS: &[&str] = &["configuration", "supplementaryConfiguration", "tags"];

/// Returns the row of `eventData` in the JSON text `unknown_fields`, NULL where there is none.
pub(super) fn event_data(unknown_fields: &Expr) -> Expr {
    let names = TEXTS.iter().chain(MAPS).copied();
    let members = names.map(|name| (name, Member::of(name, unknown_fields)));
    let present = Member::of("", unknown_fields).is_not_null();
    let fields = members.map(|(name, member)| (name.to_string(), member)).collect();
    Row { present, fields }.build()
}

/// A field of `eventData`; `eventData` itself where the name is empty.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Member {
    name: &'static str,
    /// What the planner calls it: columns of one plan need different names.
    function: String,
    signature: Signature,
}

impl Member {
    fn of(name: &'static str, unknown_fields: &Expr) -> Expr {
        let signature = Signature::any(1, Volatility::Immutable);
        let member = Member { name, function: format!("eventData.{name}"), signature };
        ScalarUDF::from(member).call(vec![unknown_fields.clone()])
    }
}

impl ScalarUDFImpl for Member {
    fn name(&self) -> &str {
        &self.function
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let field = Field::new(self.name, DataType::Utf8View, true);
        Ok(Arc::new(if MAPS.contains(&self.name) { map::mark(field) } else { field }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = cast(&texts[0], &DataType::Utf8View)?;
        let members = texts.as_string_view().iter().map(|text| self.read(text?));
        Ok(ColumnarValue::Array(Arc::new(members.collect::<StringViewArray>()) as ArrayRef))
    }
}

/// The members of a JSON object, their values as they are spelled.
#[derive(Deserialize)]
struct Members<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);

impl Member {
    /// Returns the text of the field; of an object or an array that is its JSON.
    fn read(&self, unknown_fields: &str) -> Option<String> {
        let fields: Members<'_> = serde_json::from_str(unknown_fields).ok()?;
        let data = fields.0.get("eventData")?.get();
        if self.name.is_empty() {
            return Some(data.to_string());
        }
        let data: Members<'_> = serde_json::from_str(data).ok()?;
        let value = data.0.get(self.name)?.get();
        match value.as_bytes().first()? {
            b'"' if !MAPS.contains(&self.name) => serde_json::from_str(value).ok(),
            b'{' => Some(value.to_string()),
            b'n' => None,
            _ if MAPS.contains(&self.name) => None,
            _ => Some(value.to_string()),
        }
    }
}
