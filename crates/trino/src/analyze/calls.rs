//! Calls that rewrites introduced, once types are known: field access, path walks, plain casts.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast, try_cast};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::internal::cast::target;
use crate::functions::internal::field::{no_field_of_text, position};
use crate::functions::internal::subscript::position as position_of_place;
use crate::functions::internal::{is_path, path_of};
use crate::functions::support::is_text;
use crate::map;
use crate::rewrite::internal::{CAST, FIELD, SUBSCRIPT, TRY_CAST};
use crate::type_names::TrinoType;

/// Turns `$field`, `$subscript`, `$cast` and `element_at` into what prunes and fuses.
#[derive(Debug)]
pub(super) struct ResolveCalls;

impl AnalyzerRule for ResolveCalls {
    fn name(&self) -> &str {
        "resolve_calls"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            let Expr::ScalarFunction(call) = expr else { return Ok(Transformed::no(expr)) };
            match resolve(&call, schema)? {
                Some(resolved) => Ok(Transformed::yes(resolved)),
                None => Ok(Transformed::no(Expr::ScalarFunction(call))),
            }
        })
    }
}

fn resolve(call: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let [value, second] = call.args.as_slice() else { return Ok(None) };
    let Expr::Literal(literal, _) = second else { return Ok(None) };
    match call.func.name() {
        FIELD => field(value, literal, schema),
        SUBSCRIPT | "element_at" => step(value, literal, schema),
        CAST => plain_cast(value, literal, schema, false),
        TRY_CAST => plain_cast(value, literal, schema, true),
        _ => Ok(None),
    }
}

fn field(value: &Expr, name: &ScalarValue, schema: &DFSchema) -> Result<Option<Expr>> {
    let Some(Some(text)) = name.try_as_str() else { return Ok(None) };
    let (_, from) = value.to_field(schema)?;
    if map::holds_json(&from) {
        return Ok(Some(path_of(value.clone(), name.clone())));
    }
    Ok(match from.data_type() {
        data_type if is_text(data_type) => return no_field_of_text(text),
        DataType::Struct(fields) => {
            position(fields, text).map(|at| get_field(value.clone(), fields[at].name().as_str()))
        }
        _ => None,
    })
}

/// A key of a map's text, or an index into a value taken out of it.
fn step(value: &Expr, key: &ScalarValue, schema: &DFSchema) -> Result<Option<Expr>> {
    let (_, from) = value.to_field(schema)?;
    let named = is_text(&key.data_type()) && !key.is_null();
    let indexed = matches!(key, ScalarValue::Int64(Some(_))) && is_path(value);
    if is_text(from.data_type()) && !map::holds_json(&from) {
        return plan_err!(
            "a varchar has no elements; to read JSON text use `json_extract_scalar` or \
             `json_array_get`"
        );
    }
    if let (DataType::Struct(fields), ScalarValue::Int64(Some(place))) = (from.data_type(), key) {
        let at = position_of_place(fields, *place);
        return Ok(at.map(|at| get_field(value.clone(), fields[at].name().as_str())));
    }
    let walks = map::holds_json(&from) && (named || indexed);
    Ok(walks.then(|| path_of(value.clone(), key.clone())))
}

/// Returns DataFusion's own cast where it means the same.
fn plain_cast(
    value: &Expr,
    name: &ScalarValue,
    schema: &DFSchema,
    lenient: bool,
) -> Result<Option<Expr>> {
    let Some(Some(name)) = name.try_as_str() else { return Ok(None) };
    let (_, from) = value.to_field(schema)?;
    if name.ends_with("literal") || from.metadata().contains_key(map::TYPE_KEY) {
        return Ok(None);
    }
    let to = target(name, None)?;
    if to == TrinoType::Varchar(None) && is_text(from.data_type()) {
        return Ok(Some(value.clone()));
    }
    if !is_plain(&from, &to) {
        return Ok(None);
    }
    let cast = if lenient { try_cast } else { cast };
    Ok(Some(cast(value.clone(), to.arrow())))
}

fn is_plain(from: &Field, to: &TrinoType) -> bool {
    let from = from.data_type();
    match to {
        TrinoType::Integer(_) => from.is_integer() || from.is_null(),
        TrinoType::Real | TrinoType::Double | TrinoType::Decimal(..) => from.is_numeric(),
        TrinoType::Boolean => *from == DataType::Boolean || from.is_integer(),
        TrinoType::Date => matches!(from, DataType::Timestamp(..) | DataType::Date32),
        TrinoType::Timestamp(..) => matches!(from, DataType::Timestamp(..) | DataType::Date32),
        TrinoType::Varchar(None) => from.is_integer(),
        _ => false,
    }
}
