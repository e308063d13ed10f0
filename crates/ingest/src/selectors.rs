//! Advanced event selectors: which records an event data store takes in.
//!
//! AWS's JSON and AWS's meaning (CloudTrail User Guide, "Advanced event selectors"; API reference,
//! `AdvancedFieldSelector`): a record is taken when any selector takes it; a selector takes it when
//! all its fields do; a field when one of its `Equals`, `StartsWith`, `EndsWith` matches, if it has
//! any, and none of its `NotEquals`, `NotStartsWith`, `NotEndsWith` does.

mod columns;
mod fields;

use std::fmt;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use serde::Deserialize;
use serde_json::Value;

use self::columns::Columns;
use self::fields::{Field, check};
use traillake_cloudtrail::Kind;

/// Values over all selectors, at most.
const VALUES_MAX: usize = 500;
/// Characters of a selector's name, at most.
const NAME_CHARS_MAX: usize = 1_000;
/// Characters of a value, at most.
const VALUE_CHARS_MAX: usize = 2_048;

/// Selectors, checked. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Selectors {
    selectors: Arc<[Selector]>,
    json: Arc<Value>,
}

/// Why text is no list of selectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SelectorError {
    place: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Selector {
    #[serde(default)]
    name: Option<String>,
    field_selectors: Vec<FieldSelector>,
}

/// What one field must be and must not be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FieldSelector {
    field: Field,
    #[serde(default)]
    equals: Vec<String>,
    #[serde(default)]
    starts_with: Vec<String>,
    #[serde(default)]
    ends_with: Vec<String>,
    #[serde(default)]
    not_equals: Vec<String>,
    #[serde(default)]
    not_starts_with: Vec<String>,
    #[serde(default)]
    not_ends_with: Vec<String>,
}

impl Selectors {
    /// Reads selectors: a JSON array of `{"Name": …, "FieldSelectors": […]}`, or an object that has
    /// it as `AdvancedEventSelectors`, as AWS's commands print and take them.
    ///
    /// # Errors
    /// [`SelectorError`] says which selector breaks which of AWS's rules.
    pub fn parse(json: &str) -> Result<Selectors, SelectorError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            List(Vec<Value>),
            Named {
                #[serde(rename = "AdvancedEventSelectors")]
                list: Vec<Value>,
            },
        }
        let given = serde_json::from_str::<Value>(json)
            .map_err(|error| failed("the selectors", format!("they are no JSON: {error}")))?;
        let list = match serde_json::from_value(given) {
            Ok(Given::List(list) | Given::Named { list }) => list,
            Err(_) => {
                return Err(failed("the selectors", "they are a JSON array of selectors"));
            }
        };
        if list.is_empty() {
            return Err(failed("the selectors", "there is none"));
        }
        let mut selectors = Vec::new();
        let json = Arc::new(Value::Array(list.clone()));
        for (number, value) in list.into_iter().enumerate() {
            let place = format!("selector {}", number + 1);
            let selector: Selector =
                serde_json::from_value(value).map_err(|error| failed(&place, error.to_string()))?;
            selector.check().map_err(|reason| failed(&place, reason))?;
            selectors.push(selector);
        }
        let fields = selectors.iter().flat_map(|selector| &selector.field_selectors);
        let values: usize = fields.map(|field| field.values().count()).sum();
        if values > VALUES_MAX {
            let reason = format!("{values} values are more than {VALUES_MAX}");
            return Err(failed("the selectors", reason));
        }
        Ok(Selectors { selectors: selectors.into(), json })
    }

    /// Returns the list as it was read.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Returns which rows of a batch of `kind` are taken. Digest files are no records: all are.
    pub fn select(&self, kind: Kind, rows: &RecordBatch) -> BooleanArray {
        if kind == Kind::Digest {
            return BooleanArray::from(vec![true; rows.num_rows()]);
        }
        let columns = Columns::of(kind, rows);
        let takes = |row| self.selectors.iter().any(|selector| selector.takes(&columns, row));
        (0..rows.num_rows()).map(|row| Some(takes(row))).collect()
    }
}

impl Selector {
    fn check(&self) -> Result<(), String> {
        if self.name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
            return Err(format!("its name has more than {NAME_CHARS_MAX} characters"));
        }
        for field in &self.field_selectors {
            let name = field.field;
            if field.values().next().is_none() {
                return Err(format!("`{name}` has no operator with a value"));
            }
            let is_long = |value: &&str| !(1..=VALUE_CHARS_MAX).contains(&value.chars().count());
            if field.values().any(|value| is_long(&value)) {
                return Err(format!("a value of `{name}` has 1 to {VALUE_CHARS_MAX} characters"));
            }
            let twice = self.field_selectors.iter().filter(|other| other.field == name).count();
            if twice > 1 {
                return Err(format!("`{name}` stands in it more than once"));
            }
        }
        check(&self.field_selectors)
    }

    fn takes(&self, columns: &Columns<'_>, row: usize) -> bool {
        self.field_selectors.iter().all(|field| field.takes(columns, row))
    }
}

impl FieldSelector {
    fn values(&self) -> impl Iterator<Item = &str> {
        let all = [
            &self.equals,
            &self.starts_with,
            &self.ends_with,
            &self.not_equals,
            &self.not_starts_with,
            &self.not_ends_with,
        ];
        all.into_iter().flatten().map(String::as_str)
    }

    /// Whether it has any operator besides `Equals`.
    fn has_others(&self) -> bool {
        self.values().count() > self.equals.len()
    }

    /// A field that is absent equals nothing. Of one with several values one is enough to select,
    /// and one is enough to exclude.
    fn takes(&self, columns: &Columns<'_>, row: usize) -> bool {
        let selects =
            !(self.equals.is_empty() && self.starts_with.is_empty() && self.ends_with.is_empty());
        let (mut selected, mut excluded) = (!selects, false);
        columns.values(self.field, row, &mut |value| {
            selected |= self.equals.iter().any(|of| of == value)
                || self.starts_with.iter().any(|of| value.starts_with(of.as_str()))
                || self.ends_with.iter().any(|of| value.ends_with(of.as_str()));
            excluded |= self.not_equals.iter().any(|of| of == value)
                || self.not_starts_with.iter().any(|of| value.starts_with(of.as_str()))
                || self.not_ends_with.iter().any(|of| value.ends_with(of.as_str()));
        });
        selected && !excluded
    }
}

fn failed(place: impl fmt::Display, reason: impl Into<String>) -> SelectorError {
    SelectorError { place: place.to_string(), reason: reason.into() }
}
