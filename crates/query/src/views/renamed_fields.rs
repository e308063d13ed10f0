//! A list of rows under other field names; nothing is copied.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Returns `list` with the fields of its elements renamed: pairs of stored name and new name, in
/// the order wanted.
pub(super) fn renamed_fields(list: Expr, names: &'static [(&'static str, &'static str)]) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(RenamedFields { names, signature }).call(vec![list])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RenamedFields {
    names: &'static [(&'static str, &'static str)],
    signature: Signature,
}

impl RenamedFields {
    fn element(&self) -> Arc<Field> {
        let fields: Fields =
            self.names.iter().map(|(_, name)| Field::new(*name, DataType::Utf8, true)).collect();
        Arc::new(Field::new("element", DataType::Struct(fields), true))
    }

    fn rename(&self, list: &ListArray) -> Result<ArrayRef> {
        let rows = list.values().as_struct();
        let element = self.element();
        let DataType::Struct(fields) = element.data_type().clone() else {
            return exec_err!("the elements are not rows");
        };
        let columns = self.names.iter().map(|(stored, _)| match rows.column_by_name(stored) {
            Some(column) => Ok(arrow::compute::cast(column, &DataType::Utf8)?),
            None => Ok(arrow::array::new_null_array(&DataType::Utf8, rows.len())),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = StructArray::try_new(fields, columns, rows.nulls().cloned())?;
        let renamed = ListArray::try_new(
            element,
            list.offsets().clone(),
            Arc::new(rows),
            list.nulls().cloned(),
        );
        Ok(Arc::new(renamed?))
    }
}

impl ScalarUDFImpl for RenamedFields {
    fn name(&self) -> &str {
        "renamed_fields"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(self.element()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = ColumnarValue::values_to_arrays(&args.args)?;
        match lists[0].as_list_opt::<i32>() {
            Some(list) if matches!(list.value_type(), DataType::Struct(_)) => {
                Ok(ColumnarValue::Array(self.rename(list)?))
            }
            _ => {
                let none = DataType::List(self.element());
                Ok(ColumnarValue::Array(arrow::array::new_null_array(&none, args.number_rows)))
            }
        }
    }
}
