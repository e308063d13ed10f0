//! What every function that takes lambdas needs: its shape, the types of its lambdas' parameters,
//! and a call's arguments by row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, UInt32Array, new_empty_array};
use datafusion::arrow::compute::{cast, take_arrays};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda,
    Volatility,
};

/// Whether an argument is a value or a lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Value,
    Lambda,
}

/// The fields of a call's values, and of its lambdas' results as far as they are known.
pub(super) struct Fields<'a> {
    pub(super) values: Vec<&'a FieldRef>,
    pub(super) bodies: Vec<Option<&'a FieldRef>>,
    /// How often the types of the lambdas' results were asked for.
    pub(super) step: usize,
}

/// Returns each lambda's parameters; none for one whose parameters hang on another's result.
type Parameters = fn(&Fields) -> Result<Vec<Option<Vec<FieldRef>>>>;
/// Returns the result's field from those of the values and of the lambdas' results.
type Returns = fn(&[&FieldRef], &[&FieldRef]) -> Result<FieldRef>;
type Invoke = fn(&Call) -> Result<ArrayRef>;

/// A function that takes lambdas.
pub(super) struct Higher {
    pub(super) name: &'static str,
    /// `(array, x -> condition)`, for errors.
    pub(super) takes: &'static str,
    pub(super) shape: &'static [Part],
    pub(super) parameters: Parameters,
    pub(super) returns: Returns,
    pub(super) invoke: Invoke,
}

impl Higher {
    pub(super) fn udf(self) -> Arc<HigherOrderUDF> {
        let signature = HigherOrderSignature::user_defined(Volatility::Immutable);
        Arc::new(HigherOrderUDF::new_from_impl(Registered { function: self, signature }))
    }

    fn misfit<T>(&self) -> Result<T> {
        plan_err!("`{}` takes {}", self.name.trim_start_matches('$'), self.takes)
    }
}

/// A function as DataFusion calls it.
struct Registered {
    function: Higher,
    signature: HigherOrderSignature,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Higher").field("name", &self.function.name).finish_non_exhaustive()
    }
}

impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Registered {}

impl Hash for Registered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl HigherOrderUDFImpl for Registered {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let values = self.function.shape.iter().filter(|part| **part == Part::Value).count();
        if arg_types.len() != values {
            return self.function.misfit();
        }
        Ok(arg_types.iter().map(plain_list).collect())
    }

    fn lambda_parameters(
        &self,
        step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let shape = fields.iter().map(|field| match field {
            ValueOrLambda::Value(_) => Part::Value,
            ValueOrLambda::Lambda(_) => Part::Lambda,
        });
        if !shape.eq(self.function.shape.iter().copied()) {
            return self.function.misfit();
        }
        let mut given = Fields { values: Vec::new(), bodies: Vec::new(), step };
        for field in fields {
            match field {
                ValueOrLambda::Value(field) => given.values.push(field),
                ValueOrLambda::Lambda(body) => given.bodies.push(body.as_ref()),
            }
        }
        let parameters = (self.function.parameters)(&given)?;
        Ok(match parameters.iter().cloned().collect::<Option<Vec<_>>>() {
            Some(complete) => LambdaParametersProgress::Complete(complete),
            None => LambdaParametersProgress::Partial(parameters),
        })
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        let (values, bodies) = split(args.arg_fields);
        (self.function.returns)(&values, &bodies)
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let (fields, bodies) = split(&args.arg_fields);
        let mut call = Call {
            values: Vec::new(),
            fields,
            lambdas: Vec::new(),
            bodies,
            rows: args.number_rows,
            result: &args.return_field,
        };
        for arg in &args.args {
            match arg {
                ValueOrLambda::Value(value) => call.values.push(value.to_array(args.number_rows)?),
                ValueOrLambda::Lambda(lambda) => call.lambdas.push(lambda),
            }
        }
        Ok(ColumnarValue::Array((self.function.invoke)(&call)?))
    }
}

fn split(fields: &[ValueOrLambda<FieldRef, FieldRef>]) -> (Vec<&FieldRef>, Vec<&FieldRef>) {
    let (mut values, mut bodies) = (Vec::new(), Vec::new());
    for field in fields {
        match field {
            ValueOrLambda::Value(field) => values.push(field),
            ValueOrLambda::Lambda(body) => bodies.push(body),
        }
    }
    (values, bodies)
}

fn plain_list(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            DataType::List(Arc::clone(element))
        }
        other => other.clone(),
    }
}

/// The arguments of one call.
pub(super) struct Call<'a> {
    /// Arrays of [`Self::rows`] rows.
    pub(super) values: Vec<ArrayRef>,
    pub(super) fields: Vec<&'a FieldRef>,
    lambdas: Vec<&'a LambdaArgument>,
    pub(super) bodies: Vec<&'a FieldRef>,
    pub(super) rows: usize,
    pub(super) result: &'a FieldRef,
}

impl Call<'_> {
    /// Evaluates a lambda once for every item of its parameters; `row_of` says which row of the
    /// call an item belongs to, for the columns that the lambda reads besides.
    pub(super) fn evaluate(
        &self,
        lambda: usize,
        parameters: &[ArrayRef],
        row_of: &UInt32Array,
    ) -> Result<ArrayRef> {
        if row_of.is_empty() {
            return Ok(new_empty_array(self.bodies[lambda].data_type()));
        }
        let clone = |array| move || -> Result<ArrayRef> { Ok(Arc::clone(array)) };
        let given: Vec<_> = parameters.iter().map(clone).collect();
        let given: Vec<&dyn Fn() -> Result<ArrayRef>> =
            given.iter().map(|array| array as &dyn Fn() -> Result<ArrayRef>).collect();
        let value = self.lambdas[lambda]
            .evaluate(&given, |captured| Ok(take_arrays(captured, row_of, None)?))?;
        value.into_array(row_of.len())
    }

    /// Returns the type of the result's elements.
    pub(super) fn element(&self) -> Result<&FieldRef> {
        match self.result.data_type() {
            DataType::List(element) => Ok(element),
            other => exec_err!("`{other}` is not an array"),
        }
    }
}

/// Returns the field of an array's elements.
pub(super) fn element_of(field: &FieldRef, function: &str) -> Result<FieldRef> {
    match field.data_type() {
        DataType::List(element) => Ok(Arc::new(element.as_ref().clone().with_nullable(true))),
        DataType::Null => Ok(Arc::new(Field::new("item", DataType::Null, true))),
        _ => plan_err!("`{function}` takes an array, not {}", crate::type_names::trino_type(field)),
    }
}

/// Returns the argument as a list; an untyped NULL as NULLs.
pub(super) fn list(call: &Call, at: usize) -> Result<datafusion::arrow::array::ListArray> {
    use datafusion::arrow::array::AsArray;
    let value = match call.values[at].data_type() {
        DataType::Null => cast(&call.values[at], &DataType::new_list(DataType::Null, true))?,
        _ => Arc::clone(&call.values[at]),
    };
    match value.data_type() {
        DataType::List(_) => Ok(value.as_list().clone()),
        other => exec_err!("`{other}` is not an array"),
    }
}
