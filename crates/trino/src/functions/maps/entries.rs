//! Maps from arrays of entries: `map_from_entries(array(row(k, v)))`, `multimap_from_entries`, and
//! what `map_agg`, `multimap_agg` and `histogram` become over `array_agg`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::build;
use super::map::duplicate;
use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes};

/// What a second value of a key does.
#[derive(Clone, Copy, PartialEq)]
enum Repeated {
    Fails,
    IsDropped,
    IsAppended,
    IsCounted,
}

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "maps", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "map_from_entries(array(row(key, value)))",
            "The map of the entries; a key twice or a NULL key is an error.",
            udf("map_from_entries", single, |rows| invoke(rows, Repeated::Fails)),
        ),
        function(
            "multimap_from_entries(array(row(key, value)))",
            "The map of the entries, the values of a key in an array.",
            udf("multimap_from_entries", multiple, |rows| invoke(rows, Repeated::IsAppended)),
        ),
    ]
}

/// The halves of `map_agg` and `histogram` that follow `array_agg`.
pub(crate) fn internal() -> Vec<ScalarUDF> {
    vec![
        udf("$map_agg", single, |rows| invoke(rows, Repeated::IsDropped)),
        udf("$histogram", counted, count),
        super::map_union::udf(),
    ]
}

/// Returns maps of the distinct elements to their counts; NULL elements are left out.
pub(crate) fn count(rows: &Rows) -> Result<ColumnarValue> {
    invoke(rows, Repeated::IsCounted)
}

type Returns = fn(&ReturnFieldArgs) -> Result<FieldRef>;

fn udf(
    name: &'static str,
    returns: Returns,
    invoke: fn(&Rows) -> Result<ColumnarValue>,
) -> ScalarUDF {
    Scalar::new(name, &[Takes::Array], returns, invoke).udf()
}

fn entry_fields(args: &ReturnFieldArgs) -> Result<(Field, Field)> {
    if let DataType::List(element) = args.arg_fields[0].data_type()
        && let DataType::Struct(fields) = element.data_type()
        && let [key, value] = &fields[..]
    {
        return Ok((key.as_ref().clone(), value.as_ref().clone()));
    }
    // NULL and the empty array have no rows.
    if matches!(args.arg_fields[0].data_type(), DataType::Null)
        || matches!(args.arg_fields[0].data_type(), DataType::List(element)
            if element.data_type().is_null())
    {
        let none = Field::new("", DataType::Null, true);
        return Ok((none.clone(), none));
    }
    plan_err!("an array of rows with two fields is needed: `ARRAY[ROW(key, value)]`")
}

fn map_of(key: Field, value: Field) -> FieldRef {
    Arc::new(Field::new("", build::type_of(key, value), true))
}

fn single(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let (key, value) = entry_fields(args)?;
    Ok(map_of(key, value))
}

fn multiple(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let (key, value) = entry_fields(args)?;
    let values = DataType::List(Arc::new(value.with_name("item").with_nullable(true)));
    Ok(map_of(key, Field::new("value", values, true)))
}

pub(crate) fn counted(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::List(element) => {
            Ok(map_of(element.as_ref().clone(), Field::new("value", DataType::Int64, true)))
        }
        DataType::Null => Ok(map_of(
            Field::new("key", DataType::Null, false),
            Field::new("value", DataType::Int64, true),
        )),
        _ => plan_err!("an array is needed"),
    }
}

fn invoke(rows: &Rows, repeated: Repeated) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let (keys, values): (ArrayRef, ArrayRef) = match list.values().as_struct_opt() {
        Some(entries) if repeated != Repeated::IsCounted => {
            (Arc::clone(entries.column(0)), Arc::clone(entries.column(1)))
        }
        _ => (Arc::clone(list.values()), Arc::clone(list.values())),
    };
    let hashed = build::encoded(&keys)?;
    let mut kept_keys: Vec<u32> = Vec::new();
    let mut kept_values: Vec<Vec<u32>> = Vec::new();
    let mut lengths = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let before = kept_keys.len();
        let mut seen: HashMap<_, usize> = HashMap::new();
        for place in lists::range(&list, row) {
            if repeated != Repeated::IsCounted && list.values().is_null(place as usize) {
                return exec_err!("map entry cannot be null");
            }
            if keys.is_null(place as usize) || keys.data_type().is_null() {
                match repeated {
                    Repeated::IsCounted => continue,
                    _ => return exec_err!("map key cannot be null"),
                }
            }
            match seen.get(&hashed.row(place as usize)) {
                None => {
                    seen.insert(hashed.row(place as usize), kept_keys.len());
                    kept_keys.push(place);
                    kept_values.push(vec![place]);
                }
                Some(_) if repeated == Repeated::Fails => {
                    return duplicate(&keys, place as usize);
                }
                Some(_) if repeated == Repeated::IsDropped => {}
                Some(at) => kept_values[*at].push(place),
            }
        }
        lengths.push(kept_keys.len() - before);
    }
    let keys = take(&keys, &UInt32Array::from(kept_keys), None)?;
    let values = values_of(rows, repeated, kept_values, &values)?;
    let to = rows.args.return_field.data_type();
    rows.finish(build::made(to, lengths, keys, values, list.nulls().cloned())?)
}

fn values_of(
    rows: &Rows,
    repeated: Repeated,
    kept: Vec<Vec<u32>>,
    values: &ArrayRef,
) -> Result<ArrayRef> {
    match repeated {
        Repeated::IsCounted => Ok(Arc::new(
            kept.iter().map(|places| Some(places.len() as i64)).collect::<Int64Array>(),
        )),
        Repeated::IsAppended => {
            let offsets = OffsetBuffer::from_lengths(kept.iter().map(Vec::len));
            let places: UInt32Array = kept.into_iter().flatten().map(Some).collect();
            let values = take(values, &places, None)?;
            let (_, value) = build::fields(rows.args.return_field.data_type())?;
            let DataType::List(item) = value.data_type() else {
                return plan_err!("a multimap is made");
            };
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, None)?))
        }
        _ => {
            let places: UInt32Array = kept.iter().map(|places| places.first().copied()).collect();
            Ok(take(values, &places, None)?)
        }
    }
}
