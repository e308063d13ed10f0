//! What every function needs: parameters with kinds, arguments by row, results of one type.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, LargeStringArray, PrimitiveArray,
    StringArray, StringBuilder, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, FieldRef, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// What a parameter takes; other types of the same sort are cast to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Any string type, left as it is.
    Text,
    /// Any integer, as bigint.
    Integer,
    /// Any number, as double.
    Number,
    /// boolean
    Boolean,
    /// varbinary
    Binary,
    /// A date or a timestamp, left as it is.
    Time,
    /// An array, left as it is.
    Array,
    /// Anything, left as it is.
    Any,
}

impl Takes {
    fn coerce(self, from: &DataType) -> Option<DataType> {
        if from.is_null() {
            return Some(match self {
                Self::Text => DataType::Utf8,
                Self::Integer => DataType::Int64,
                Self::Number => DataType::Float64,
                Self::Boolean => DataType::Boolean,
                Self::Binary => DataType::Binary,
                Self::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
                Self::Array | Self::Any => DataType::Null,
            });
        }
        match self {
            Self::Text if is_text(from) => Some(from.clone()),
            Self::Integer if from.is_integer() => Some(DataType::Int64),
            Self::Number if from.is_numeric() => Some(DataType::Float64),
            Self::Boolean if *from == DataType::Boolean => Some(DataType::Boolean),
            Self::Binary if is_binary(from) => Some(DataType::Binary),
            Self::Time if matches!(from, DataType::Date32 | DataType::Timestamp(..)) => {
                Some(from.clone())
            }
            Self::Array => match from {
                DataType::List(_) => Some(from.clone()),
                DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
                    Some(DataType::List(Arc::clone(element)))
                }
                _ => None,
            },
            Self::Any => Some(from.clone()),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "varchar",
            Self::Integer => "bigint",
            Self::Number => "double",
            Self::Boolean => "boolean",
            Self::Binary => "varbinary",
            Self::Time => "a date or timestamp",
            Self::Array => "an array",
            Self::Any => "anything",
        }
    }
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(crate) fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

type Returns = fn(&ReturnFieldArgs) -> Result<FieldRef>;
type Invoke = fn(&Rows) -> Result<ColumnarValue>;

/// A scalar function: parameters, result, and what it does for rows of arguments.
#[derive(Clone)]
pub(crate) struct Scalar {
    name: &'static str,
    aliases: Vec<String>,
    required: Vec<Takes>,
    optional: Vec<Takes>,
    variadic: Option<Takes>,
    signature: Signature,
    returns: Returns,
    invoke: Invoke,
}

impl Scalar {
    pub(crate) fn new(
        name: &'static str,
        required: &[Takes],
        returns: Returns,
        invoke: Invoke,
    ) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            required: required.to_vec(),
            optional: Vec::new(),
            variadic: None,
            signature: Signature::user_defined(Volatility::Immutable),
            returns,
            invoke,
        }
    }

    pub(crate) fn optional(mut self, optional: &[Takes]) -> Self {
        self.optional = optional.to_vec();
        self
    }

    pub(crate) fn variadic(mut self, takes: Takes) -> Self {
        self.variadic = Some(takes);
        self
    }

    pub(crate) fn aliases(mut self, aliases: &[&str]) -> Self {
        self.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        self
    }

    /// Says that equal arguments do not give equal results.
    pub(crate) fn volatile(mut self) -> Self {
        self.signature = Signature::user_defined(Volatility::Volatile);
        self
    }

    pub(crate) fn udf(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }
}

impl std::fmt::Debug for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scalar").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        plan_err!("`{}` needs the fields of its arguments", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        (self.returns)(&args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let most = self.required.len() + self.optional.len();
        if arg_types.len() < self.required.len()
            || (arg_types.len() > most && self.variadic.is_none())
        {
            let expected: Vec<&str> = self.required.iter().map(|takes| takes.name()).collect();
            return plan_err!(
                "`{}` takes ({}), {} arguments are given",
                self.name,
                expected.join(", "),
                arg_types.len()
            );
        }
        let kinds = self.required.iter().chain(&self.optional).copied();
        let kinds = kinds.chain(std::iter::repeat(self.variadic.unwrap_or(Takes::Any)));
        let coerced = arg_types.iter().zip(kinds).enumerate().map(|(at, (from, takes))| {
            takes.coerce(from).map_or_else(
                || {
                    plan_err!(
                        "argument {} of `{}` is {}, but {} is needed",
                        at + 1,
                        self.name,
                        crate::type_names::trino_type(&Field::new("", from.clone(), true)),
                        takes.name()
                    )
                },
                Ok,
            )
        });
        coerced.collect()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let volatile = self.signature.volatility == Volatility::Volatile;
        (self.invoke)(&Rows { args: &args, volatile })
    }
}

/// Returns what a function whose result has always this type needs.
pub(crate) fn returns(data_type: DataType) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("", data_type, true)))
}

macro_rules! always {
    ($name:ident, $type:expr) => {
        pub(crate) fn $name(_args: &ReturnFieldArgs) -> Result<FieldRef> {
            returns($type)
        }
    };
}
always!(varchar, DataType::Utf8);
always!(bigint, DataType::Int64);
always!(double, DataType::Float64);
always!(boolean, DataType::Boolean);
always!(varbinary, DataType::Binary);
always!(date, DataType::Date32);
always!(varchars, DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))));
always!(timestamp_utc, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())));

/// Returns the field of the argument at `at`, without its name.
pub(crate) fn same_as(args: &ReturnFieldArgs, at: usize) -> FieldRef {
    let field = args.arg_fields[at].as_ref().clone();
    Arc::new(field.with_name("").with_nullable(true))
}

/// The arguments of one call.
pub(crate) struct Rows<'a> {
    pub(crate) args: &'a ScalarFunctionArgs,
    /// Whether equal arguments give different results, so that every row is computed.
    volatile: bool,
}

/// Bytes of text that one call may give for a batch of rows: Arrow's offsets end at 2 GiB, and
/// what a call holds is not the query's to spill.
const TEXT_MAX: usize = 256 << 20;

impl Rows<'_> {
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
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
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

/// Returns a constant text argument at planning time.
pub(crate) fn constant_text<'a>(args: &'a ReturnFieldArgs, at: usize) -> Option<&'a str> {
    args.scalar_arguments.get(at).copied().flatten().and_then(|value| match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
            text.as_deref()
        }
        _ => None,
    })
}

/// Returns an error for a value out of range or malformed, in the words Trino's users know.
pub(crate) fn invalid<T>(message: impl std::fmt::Display) -> Result<T> {
    Err(exec_datafusion_err!("{message}"))
}
