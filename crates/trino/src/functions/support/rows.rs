//! The arguments of a call by row, and its result built row by row.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, LargeStringArray, PrimitiveArray,
    StringArray, StringBuilder, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// The arguments of one call.
pub(crate) struct Rows<'a> {
    pub(crate) args: &'a ScalarFunctionArgs,
    /// Whether equal arguments give different results, so that every row is computed.
    volatile: bool,
}

/// Bytes of text that one call may give for a batch of rows: Arrow's offsets end at 2 GiB, and
/// what a call holds is not the query's to spill.
const TEXT_MAX: usize = 256 << 20;

impl<'a> Rows<'a> {
    /// Returns the arguments of a call; of a `volatile` function every row is computed.
    pub(super) fn new(args: &'a ScalarFunctionArgs, volatile: bool) -> Self {
        Self { args, volatile }
    }

    /// Returns the number of arguments.
    pub(crate) fn width(&self) -> usize {
        self.args.args.len()
    }

    fn all_constant(&self) -> bool {
        !self.volatile && self.args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
    }

    /// Returns the number of rows to compute: one when all arguments are constants.
    pub(crate) fn count(&self) -> usize {
        if self.all_constant() && self.width() > 0 { 1 } else { self.args.number_rows }
    }

    pub(crate) fn field(&self, at: usize) -> &Field {
        &self.args.arg_fields[at]
    }

    /// Returns the argument as an array of [`Self::count`] rows, or of one row for a constant.
    pub(crate) fn array(&self, at: usize) -> Result<ArrayRef> {
        match &self.args.args[at] {
            ColumnarValue::Array(array) => Ok(Arc::clone(array)),
            ColumnarValue::Scalar(value) => value.to_array(),
        }
    }

    /// Returns the argument as an array of exactly [`Self::count`] rows.
    pub(crate) fn full_array(&self, at: usize) -> Result<ArrayRef> {
        self.args.args[at].to_array(self.count())
    }

    fn constant(&self, at: usize) -> bool {
        matches!(self.args.args[at], ColumnarValue::Scalar(_))
    }

    pub(crate) fn text(&self, at: usize) -> Result<TextColumn> {
        let array = self.array(at)?;
        let array = match array.data_type() {
            DataType::Null => cast(&array, &DataType::Utf8)?,
            _ => array,
        };
        Ok(TextColumn { array, constant: self.constant(at) })
    }

    pub(crate) fn integer(&self, at: usize) -> Result<Column<Int64Type>> {
        self.primitive(at, &DataType::Int64)
    }

    pub(crate) fn number(&self, at: usize) -> Result<Column<Float64Type>> {
        self.primitive(at, &DataType::Float64)
    }

    /// Returns a date or timestamp as microseconds since 1970 UTC.
    pub(crate) fn micros(&self, at: usize) -> Result<Column<TimestampMicrosecondType>> {
        let array = self.array(at)?;
        let array = match array.data_type() {
            DataType::Timestamp(_, zone) => {
                cast(&array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?
            }
            _ => cast(&array, &DataType::Timestamp(TimeUnit::Microsecond, None))?,
        };
        let array = array.as_primitive::<TimestampMicrosecondType>().clone();
        let array = array.with_timezone_opt::<Arc<str>>(None);
        Ok(Column { array, constant: self.constant(at) })
    }

    pub(crate) fn binary(&self, at: usize) -> Result<BinaryColumn> {
        let array = cast(&self.array(at)?, &DataType::Binary)?;
        Ok(BinaryColumn { array: array.as_binary().clone(), constant: self.constant(at) })
    }

    /// Builds a varbinary result row by row.
    pub(crate) fn binaries(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<Vec<u8>>>,
    ) -> Result<ColumnarValue> {
        let values = (0..self.count()).map(&mut value).collect::<Result<Vec<_>>>()?;
        let values = BinaryArray::from_iter(values);
        self.finish(Arc::new(values))
    }

    fn primitive<T: ArrowPrimitiveType>(&self, at: usize, to: &DataType) -> Result<Column<T>> {
        let array = cast(&self.array(at)?, to)?;
        Ok(Column { array: array.as_primitive::<T>().clone(), constant: self.constant(at) })
    }

    /// Builds a varchar result row by row.
    ///
    /// # Errors
    /// Of `value`; results that take too much memory together.
    pub(crate) fn texts<S: AsRef<str>>(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<S>>,
    ) -> Result<ColumnarValue> {
        let mut out = StringBuilder::with_capacity(self.count(), self.count() * 16);
        for row in 0..self.count() {
            let value = value(row)?;
            let length = value.as_ref().map_or(0, |text| text.as_ref().len());
            if out.values_slice().len() + length > TEXT_MAX {
                return exec_err!("text of more than {TEXT_MAX} bytes for one batch of rows");
            }
            out.append_option(value);
        }
        self.finish(Arc::new(out.finish()))
    }

    /// Builds a result of numbers, dates or timestamps row by row.
    pub(crate) fn primitives<T: ArrowPrimitiveType>(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ColumnarValue> {
        let values: PrimitiveArray<T> = (0..self.count()).map(&mut value).collect::<Result<_>>()?;
        let array: ArrayRef = Arc::new(values);
        let to = self.args.return_field.data_type();
        // Moments in UTC: Arrow would read a timestamp without zone as the zone's wall clock.
        let array = match (array.data_type(), to) {
            (DataType::Timestamp(unit, None), DataType::Timestamp(_, Some(_))) => {
                cast(&array, &DataType::Timestamp(*unit, Some("UTC".into())))?
            }
            _ => array,
        };
        self.finish(cast(&array, to)?)
    }

    /// Builds a column of doubles row by row, whatever the result's type.
    pub(crate) fn primitives_as_double(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<f64>>,
    ) -> Result<ColumnarValue> {
        let values: PrimitiveArray<Float64Type> =
            (0..self.count()).map(&mut value).collect::<Result<_>>()?;
        self.finish(Arc::new(values))
    }

    /// Builds a boolean result row by row.
    pub(crate) fn booleans(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<bool>>,
    ) -> Result<ColumnarValue> {
        let values: BooleanArray = (0..self.count()).map(&mut value).collect::<Result<_>>()?;
        self.finish(Arc::new(values))
    }

    /// Returns the array as the result: a constant when all arguments are.
    pub(crate) fn finish(&self, array: ArrayRef) -> Result<ColumnarValue> {
        if self.all_constant() && array.len() == 1 {
            return Ok(ColumnarValue::Scalar(match array.data_type() {
                // `try_from_array` loses the marks of the elements.
                DataType::List(_) => ScalarValue::List(Arc::new(array.as_list().clone())),
                _ => ScalarValue::try_from_array(&array, 0)?,
            }));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// A column of numbers, or one constant for all rows.
pub(crate) struct Column<T: ArrowPrimitiveType> {
    array: PrimitiveArray<T>,
    constant: bool,
}

impl<T: ArrowPrimitiveType> Column<T> {
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        let row = if self.constant { 0 } else { row };
        self.array.is_valid(row).then(|| self.array.value(row))
    }
}

/// A column of bytes, or one constant for all rows.
pub(crate) struct BinaryColumn {
    array: BinaryArray,
    constant: bool,
}

impl BinaryColumn {
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        let row = if self.constant { 0 } else { row };
        self.array.is_valid(row).then(|| self.array.value(row))
    }
}

/// A column of any string type, or one constant for all rows.
pub(crate) struct TextColumn {
    array: ArrayRef,
    constant: bool,
}

impl TextColumn {
    pub(crate) fn get(&self, row: usize) -> Result<Option<&str>> {
        Ok(Texts::of(&self.array)?.get(if self.constant { 0 } else { row }))
    }

    /// Returns the value when it is the same for all rows.
    pub(crate) fn constant(&self) -> Option<&str> {
        if !self.constant {
            return None;
        }
        Texts::of(&self.array).ok()?.get(0)
    }
}

/// Strings in any of Arrow's three layouts.
pub(crate) enum Texts<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    pub(crate) fn of(array: &'a dyn Array) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Utf8(array.as_string())),
            DataType::LargeUtf8 => Ok(Self::Large(array.as_string())),
            DataType::Utf8View => Ok(Self::View(array.as_string_view())),
            other => exec_err!("`{other}` is not text"),
        }
    }

    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}
