//! A [`Chain`] over the parameter of a lambda: conditions become `filter`, aggregates run over the
//! elements that are left.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result, not_impl_err};
use datafusion::functions::core::expr_fn::{coalesce, get_field};
use datafusion::functions_nested::array_any_match::array_any_match_higher_order_function;
use datafusion::functions_nested::array_filter::array_filter_higher_order_function;
use datafusion::functions_nested::array_transform::array_transform_higher_order_function;
use datafusion::functions_nested::expr_fn::arrays_zip;
use datafusion::logical_expr::expr::{
    AggregateFunction, HigherOrderFunction, Lambda, LambdaVariable, ScalarFunction,
};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{Expr, ExprSchemable, HigherOrderUDF, ScalarUDF, cast, lit};

use super::chain::{Chain, Folded};
use super::total::{Total, constant};
use crate::functions;

/// The elements of the arrays of a chain, side by side.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    array: Expr,
    /// The lambda's parameter, an element of `array`.
    element: LambdaVariable,
    outer: &'a DFSchema,
}

impl<'a> Elements<'a> {
    pub(super) fn of(chain: &Chain, outer: &'a DFSchema) -> Result<Option<Self>> {
        let mut arrays = chain.arguments.iter().map(|argument| argument.clone().unalias());
        let array = match (arrays.next(), chain.arguments.len()) {
            (Some(one), 1) => one,
            (first, _) => arrays_zip(first.into_iter().chain(arrays).collect()),
        };
        let (_, field) = array.to_field(outer)?;
        let DataType::List(element) = field.data_type() else { return Ok(None) };
        // Lambdas inside one another need parameters of different names.
        let name = format!("$element{}", chain.lambdas());
        let field = Arc::new(element.as_ref().clone().with_name(&name));
        let element = LambdaVariable::new(name, Some(field));
        Ok(Some(Self { array, element, outer }))
    }

    /// Returns the chain over an element.
    pub(super) fn fold(&self, chain: &Chain) -> Result<Folded> {
        let names = chain.unnested().into_iter();
        let leaves = match chain.arguments.len() {
            1 => names.map(|name| (name, self.element())).collect(),
            // The fields of `arrays_zip` count from 1.
            _ => names
                .enumerate()
                .map(|(at, name)| (name, get_field(self.element(), (at + 1).to_string())))
                .collect(),
        };
        chain.fold(leaves, self.outer, |aggregate, conditions| self.total(aggregate, conditions))
    }

    /// Returns the lambda's parameter.
    pub(super) fn element(&self) -> Expr {
        Expr::LambdaVariable(self.element.clone())
    }

    /// Returns the array of the elements for which all `conditions` hold.
    pub(super) fn kept(&self, conditions: &[Expr]) -> Expr {
        let array = self.array.clone();
        match conditions.iter().cloned().reduce(Expr::and) {
            None => array,
            Some(condition) => self.over(array_filter_higher_order_function(), array, condition),
        }
    }

    /// Returns the values of `item` for the elements for which all `conditions` hold.
    pub(super) fn values(&self, conditions: &[Expr], item: Expr) -> Expr {
        let kept = self.kept(conditions);
        match item == self.element() {
            true => kept,
            false => self.over(array_transform_higher_order_function(), kept, item),
        }
    }

    /// Returns whether `condition` holds for any element that meets the others, with SQL's three
    /// values.
    pub(super) fn any(&self, conditions: &[Expr], condition: Expr) -> Expr {
        let kept = self.kept(conditions);
        let any = self.over(array_any_match_higher_order_function(), kept.clone(), condition);
        // Of a NULL array there is no element.
        kept.is_not_null().and(any)
    }

    /// Returns whether an element meets all conditions.
    pub(super) fn exist(&self, conditions: &[Expr]) -> Expr {
        count(self.kept(conditions)).gt(lit(0_i64))
    }

    /// Returns an aggregate of the elements for which all `conditions` hold.
    fn total(&self, aggregate: &Expr, conditions: &[Expr]) -> Result<Expr> {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = aggregate else {
            return not_impl_err!("a subquery over UNNEST can count and aggregate, not group");
        };
        let mut conditions = conditions.to_vec();
        conditions.extend(params.filter.as_deref().cloned());
        let whole = |arg: &Expr| constant(arg).is_some_and(|value| !value.is_null());
        if func.name() == "count" && !params.distinct && params.args.iter().all(whole) {
            return Ok(count(self.kept(&conditions)));
        }
        let fields = params.args.iter().map(|arg| arg.to_field(self.outer).map(|(_, field)| field));
        let fields = fields.collect::<Result<Vec<FieldRef>>>()?;
        let coerced = fields_with_udf(&fields, func.as_ref())?;
        let mut columns = Vec::new();
        for ((arg, from), to) in params.args.iter().zip(&fields).zip(&coerced) {
            if constant(arg).is_none() {
                let fits = from.data_type() == to.data_type();
                let arg = arg.clone();
                let arg = if fits { arg } else { cast(arg, to.data_type().clone()) };
                columns.push(self.values(&conditions, arg));
            }
        }
        let keys = params.order_by.iter();
        columns.extend(keys.map(|key| self.values(&conditions, key.expr.clone())));
        if columns.is_empty() {
            return not_impl_err!("`{}` of a constant over UNNEST is not supported", func.name());
        }
        let total = ScalarUDF::from(Total::new(Arc::clone(func), params, coerced));
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(total), columns)))
    }

    fn over(&self, function: Arc<HigherOrderUDF>, array: Expr, body: Expr) -> Expr {
        let lambda = Expr::Lambda(Lambda::new(vec![self.element.name.clone()], body));
        Expr::HigherOrderFunction(HigherOrderFunction::new(function, vec![array, lambda]))
    }
}

/// Returns the number of elements, 0 for NULL.
fn count(array: Expr) -> Expr {
    let Some(cardinality) = functions::named("cardinality") else { return lit(0_i64) };
    let length = Expr::ScalarFunction(ScalarFunction::new_udf(cardinality, vec![array]));
    coalesce(vec![length, lit(0_i64)])
}
