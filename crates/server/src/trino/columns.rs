//! The columns of an answer: their names, Trino's names of their types, and the same types taken
//! apart, which is what drivers read.

use arrow::datatypes::{DataType, Field, IntervalUnit, SchemaRef, TimeUnit};
use serde_json::{Value, json};

/// The length of a varchar that has none.
const UNBOUNDED: u32 = i32::MAX as u32;

/// A type: its name, and the same taken apart.
pub(super) struct Described {
    pub(super) name: String,
    signature: Value,
}

impl Described {
    fn plain(name: &str) -> Described {
        let arguments = match name {
            "varchar" => json!([long(UNBOUNDED)]),
            _ => json!([]),
        };
        Described { name: name.to_owned(), signature: signature(name, arguments) }
    }

    /// `decimal(4, 2)`, `timestamp(3) with time zone`.
    fn with_numbers(raw: &str, name: String, numbers: &[u32]) -> Described {
        let arguments = numbers.iter().map(|number| long(*number)).collect();
        Described { name, signature: signature(raw, arguments) }
    }
}

fn signature(raw: &str, arguments: Value) -> Value {
    json!({"rawType": raw, "arguments": arguments})
}

fn long(number: u32) -> Value {
    json!({"kind": "LONG", "value": number})
}

/// Returns the `columns` of an answer. A client that does not know of precision gets times with
/// milliseconds (`precise` is false).
pub(super) fn of_schema(schema: &SchemaRef, precise: bool) -> Value {
    let columns = schema.fields().iter();
    columns.map(|field| column(field.name(), &described(field, precise))).collect()
}

/// Returns the `columns` of rows made here, by names and plain types.
pub(super) fn of_names(columns: &[(&str, &str)]) -> Value {
    columns.iter().map(|(name, kind)| column(name, &Described::plain(kind))).collect()
}

fn column(name: &str, described: &Described) -> Value {
    json!({"name": name, "type": described.name, "typeSignature": described.signature})
}

/// Returns the type of a field.
pub(super) fn described(field: &Field, precise: bool) -> Described {
    let nested = |field: &Field| described(field, precise);
    match field.data_type() {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            let (precision, scale) = (u32::from(*precision), scale.unsigned_abs().into());
            let name = format!("decimal({precision},{scale})");
            Described::with_numbers("decimal", name, &[precision, scale])
        }
        DataType::Time32(unit) | DataType::Time64(unit) => time("time", "", *unit, precise),
        DataType::Timestamp(unit, None) => time("timestamp", "", *unit, precise),
        DataType::Timestamp(unit, Some(_)) => time("timestamp", " with time zone", *unit, precise),
        DataType::Interval(IntervalUnit::YearMonth) => Described::plain("interval year to month"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let item = nested(item);
            let arguments = json!([{"kind": "TYPE", "value": item.signature}]);
            Described {
                name: format!("array({})", item.name),
                signature: signature("array", arguments),
            }
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let (key, value) = (nested(&fields[0]), nested(&fields[1]));
                let arguments = json!([
                    {"kind": "TYPE", "value": key.signature},
                    {"kind": "TYPE", "value": value.signature},
                ]);
                Described {
                    name: format!("map({}, {})", key.name, value.name),
                    signature: signature("map", arguments),
                }
            }
            _ => Described::plain("unknown"),
        },
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| (field.name().as_str(), nested(field)));
            row(fields.collect())
        }
        DataType::Dictionary(_, value) => {
            let inner = Field::new(field.name(), (**value).clone(), true);
            described(&inner.with_metadata(field.metadata().clone()), precise)
        }
        _ => Described::plain(&traillake_query::type_name(field)),
    }
}

fn row(fields: Vec<(&str, Described)>) -> Described {
    let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let named = fields.iter().map(|(name, described)| match plain(name) {
        true => format!("{name} {}", described.name),
        false => format!("\"{name}\" {}", described.name),
    });
    let name = format!("row({})", named.collect::<Vec<_>>().join(", "));
    let arguments = fields.into_iter().map(|(name, described)| {
        json!({
            "kind": "NAMED_TYPE",
            "value": {"fieldName": {"name": name}, "typeSignature": described.signature},
        })
    });
    Described { name, signature: signature("row", arguments.collect()) }
}

fn time(raw: &str, zone: &str, unit: TimeUnit, precise: bool) -> Described {
    let digits = digits(unit);
    match precise {
        true => {
            let name = format!("{raw}({digits}){zone}");
            Described::with_numbers(&format!("{raw}{zone}"), name, &[digits])
        }
        false => Described::plain(&format!("{raw}{zone}")),
    }
}

/// Digits of the fraction of a second.
pub(super) fn digits(unit: TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
