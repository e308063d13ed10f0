//! A scalar function, by its parameters, its result and what it does.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::{Rows, is_binary, is_text};

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

    /// The name that somebody typed: a rewrite wrote another one where it begins with `$`.
    fn spoken(&self) -> &'static str {
        match self.name {
            "$make_map" => "map",
            name => name.trim_start_matches('$'),
        }
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
                self.spoken(),
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
                        self.spoken(),
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
        (self.invoke)(&Rows::new(&args, volatile))
    }
}
