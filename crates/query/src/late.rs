//! Late columns: values that cost much to make and are made for result rows only.
//!
//! A view writes such a column as `text(pack(inputs…))`. [`defer`] then takes `text` away wherever
//! the value is only passed along, so that what travels through the plan is the packed inputs (a
//! struct of the columns as they were read, no copy); the answer makes the text as it leaves the
//! engine. Where a statement computes with the value, `text` stays and makes it there.
//!
//! The text of a time is such a column too, and its input is the time: what is ordered by the text is
//! ordered by the time, and the latest rows are found without reading the others.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewBuilder, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, exec_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, JoinType, LogicalPlan, Projection, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use sha2::{Digest, Sha256};

use crate::Rebuild;
use crate::views::time_text::{self, TimeForm};

/// What a late column turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LateKind {
    /// The record's original text.
    Text,
    /// The SHA-256 of that text, lower-case hex.
    Checksum,
}

/// Makes late values from their inputs.
#[derive(Debug, Clone)]
pub(crate) enum Maker {
    /// From the packed columns of a record.
    Record(RecordMaker),
    /// From a time.
    Time(TimeForm),
}

impl Maker {
    /// Returns the values for `inputs`, NULL where the row is.
    ///
    /// # Errors
    /// When a row does not hold what its text is made from.
    pub(crate) fn make(&self, inputs: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Maker::Record(maker) => match inputs.as_struct_opt() {
                Some(packed) => maker.make(packed),
                None => exec_err!("an event's text is made from its packed columns only"),
            },
            Maker::Time(form) => time_text::texts(inputs, *form),
        }
    }
}

/// Makes texts of records from their packed columns.
#[derive(Debug, Clone)]
pub(crate) struct RecordMaker {
    kind: LateKind,
    /// The inputs as they are stored, which is what [`Rebuild`] understands.
    stored: SchemaRef,
    rebuild: Arc<dyn Rebuild>,
}

impl RecordMaker {
    fn make(&self, packed: &StructArray) -> Result<ArrayRef> {
        let columns = packed.columns().iter().zip(self.stored.fields());
        let columns = columns
            .map(|(column, field)| Ok(cast(column, field.data_type())?))
            .collect::<Result<Vec<_>>>()?;
        let rows = RecordBatch::try_new(Arc::clone(&self.stored), columns)?;
        let texts = self.rebuild.rebuild(&rows).map_err(DataFusionError::Execution)?;
        let texts = cast(&texts, &DataType::LargeBinary)?;
        let texts = texts.as_binary::<i64>();
        let mut made = StringViewBuilder::with_capacity(packed.len());
        for row in 0..packed.len() {
            if packed.is_null(row) || texts.is_null(row) {
                made.append_null();
                continue;
            }
            match self.kind {
                // A record is JSON, hence UTF-8; should one not be, it must not hide the others.
                LateKind::Text => made.append_value(String::from_utf8_lossy(texts.value(row))),
                LateKind::Checksum => made.append_value(hex(&Sha256::digest(texts.value(row)))),
            }
        }
        Ok(Arc::new(made.finish()))
    }
}

/// Returns `bytes` in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the late column of `kind` over `inputs`, columns of a table whose stored types are in
/// `stored`.
pub(crate) fn late_column(
    kind: LateKind,
    inputs: &[Field],
    stored: &Schema,
    rebuild: &Arc<dyn Rebuild>,
) -> Expr {
    let stored = inputs.iter().filter_map(|input| stored.field_with_name(input.name()).ok());
    let stored = stored.map(|field| Field::new(field.name(), field.data_type().clone(), true));
    let stored = Arc::new(Schema::new(stored.collect::<Vec<_>>()));
    let names = inputs.iter().map(|input| input.name().clone()).collect();
    let pack =
        ScalarUDF::from(Pack { names, signature: Signature::variadic_any(Volatility::Immutable) });
    let packed =
        pack.call(inputs.iter().map(|input| Expr::from(Column::from_name(input.name()))).collect());
    let maker = RecordMaker { kind, stored, rebuild: Arc::clone(rebuild) };
    ScalarUDF::from(Text { maker, signature: Signature::any(1, Volatility::Immutable) })
        .call(vec![packed])
}

/// `pack(column, …)`: a struct of the columns, no copy.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Pack {
    names: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for Pack {
    fn name(&self) -> &str {
        "pack_event"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let fields = self.names.iter().zip(types);
        Ok(DataType::Struct(
            fields.map(|(name, kind)| Field::new(name, kind.clone(), true)).collect(),
        ))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let fields = self.names.iter().zip(&columns);
        let fields: Fields = fields
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect();
        let packed = StructArray::try_new_with_length(fields, columns, None, args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(packed)))
    }
}

/// `text(packed)`: the value itself.
#[derive(Debug)]
struct Text {
    maker: RecordMaker,
    signature: Signature,
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.maker.kind == other.maker.kind && self.maker.stored == other.maker.stored
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.maker.kind.hash(state);
        self.maker.stored.hash(state);
    }
}

impl ScalarUDFImpl for Text {
    fn name(&self) -> &str {
        match self.maker.kind {
            LateKind::Text => "event_json",
            LateKind::Checksum => "event_json_checksum",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let packed = ColumnarValue::values_to_arrays(&args.args)?;
        let maker = Maker::Record(self.maker.clone());
        Ok(ColumnarValue::Array(maker.make(&packed[0])?))
    }
}

/// Late columns of a plan's output, by position.
pub(crate) type LateColumns = BTreeMap<usize, Maker>;

/// Returns the plan with late columns packed in its output, and which those are.
///
/// # Errors
/// When a rewritten node no longer fits, which would be a fault of this module.
pub(crate) fn defer(plan: LogicalPlan) -> Result<(LogicalPlan, LateColumns)> {
    if !mentions_text(&plan)? {
        return Ok((plan, LateColumns::new()));
    }
    defer_node(plan)
}

fn mentions_text(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(as_text(expr).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn as_text(expr: &Expr) -> Option<(Maker, &Expr)> {
    if let Some((time, form)) = time_text::written(expr) {
        return Some((Maker::Time(form), time));
    }
    let Expr::ScalarFunction(call) = expr else { return None };
    let text = call.func.inner().downcast_ref::<Text>()?;
    Some((Maker::Record(text.maker.clone()), call.args.first()?))
}

fn text_of(maker: &Maker, inputs: Expr) -> Expr {
    let maker = match maker {
        Maker::Record(maker) => maker.clone(),
        Maker::Time(form) => return time_text::time_text(inputs, *form),
    };
    let text = Text { maker, signature: Signature::any(1, Volatility::Immutable) };
    ScalarUDF::from(text).call(vec![inputs])
}

fn defer_node(plan: LogicalPlan) -> Result<(LogicalPlan, LateColumns)> {
    match plan {
        LogicalPlan::Projection(projection) => defer_projection(projection),
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Limit(_) => pass_along(plan),
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Window(_) => {
            match has_subquery(&plan)? {
                true => settle(plan),
                false => pass_along(plan),
            }
        }
        LogicalPlan::Join(ref join) => match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
                if !has_subquery(&plan)? =>
            {
                pass_along(plan)
            }
            _ => settle(plan),
        },
        LogicalPlan::Aggregate(ref aggregate)
            if !aggregate.group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)))
                // Distinct values of a column are groups, which can go to disk.
                && !aggregate.aggr_expr.iter().any(is_distinct)
                && !has_subquery(&plan)? =>
        {
            make_inside(plan)
        }
        other => settle(other),
    }
}

fn is_distinct(expr: &Expr) -> bool {
    matches!(expr, Expr::AggregateFunction(call) if call.params.distinct)
}

/// For nodes that compute all their output: late columns are made inside what is computed, where
/// making them may turn out to be needless.
fn make_inside(plan: LogicalPlan) -> Result<(LogicalPlan, LateColumns)> {
    let (inputs, late) = defer_inputs(&plan)?;
    let schema = joined_schema(&inputs)?;
    let names = NamePreserver::new(&plan);
    let exprs = plan.expressions().into_iter().map(|expr| {
        let name = names.save(&expr);
        Ok(name.restore(with_texts(expr, &schema, &late)?))
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    Ok((plan.with_new_exprs(exprs, inputs)?, LateColumns::new()))
}

fn has_subquery(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|expr| {
            Ok(matches!(
                expr,
                Expr::ScalarSubquery(_)
                    | Expr::InSubquery(_)
                    | Expr::Exists(_)
                    | Expr::SetComparison(_)
            ))
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The inputs deferred, their late columns counted through from the first input to the last.
fn defer_inputs(plan: &LogicalPlan) -> Result<(Vec<LogicalPlan>, LateColumns)> {
    let (mut inputs, mut late, mut offset) = (Vec::new(), LateColumns::new(), 0);
    for input in plan.inputs() {
        let (input, found) = defer_node(input.clone())?;
        late.extend(found.into_iter().map(|(index, maker)| (offset + index, maker)));
        offset += input.schema().fields().len();
        inputs.push(input);
    }
    Ok((inputs, late))
}

/// For nodes whose output begins with the columns of their inputs, in order.
fn pass_along(plan: LogicalPlan) -> Result<(LogicalPlan, LateColumns)> {
    let (inputs, late) = defer_inputs(&plan)?;
    let exprs = match late.is_empty() {
        true => plan.expressions(),
        false => {
            let schema = joined_schema(&inputs)?;
            let names = NamePreserver::new(&plan);
            let exprs = plan.expressions().into_iter().map(|expr| match plan {
                LogicalPlan::Sort(_) if orders_alike(&expr, &schema, &late) => Ok(expr),
                // What a window computes is a column of the output, under the name of it all.
                LogicalPlan::Window(_) => {
                    let name = names.save(&expr);
                    Ok(name.restore(with_texts(expr, &schema, &late)?))
                }
                _ => with_texts(expr, &schema, &late),
            });
            exprs.collect::<Result<Vec<_>>>()?
        }
    };
    let plan = plan.with_new_exprs(exprs, inputs)?.recompute_schema()?;
    Ok((plan, late))
}

fn joined_schema(inputs: &[LogicalPlan]) -> Result<DFSchema> {
    let mut schemas = inputs.iter().map(|input| input.schema().as_ref().clone());
    let first = schemas.next().unwrap_or_else(DFSchema::empty);
    schemas.try_fold(first, |all, schema| all.join(&schema))
}

/// For every other node: its inputs make their late columns first.
fn settle(plan: LogicalPlan) -> Result<(LogicalPlan, LateColumns)> {
    let exprs = plan.expressions();
    let inputs = plan.inputs().into_iter().map(|input| {
        let (input, late) = defer_node(input.clone())?;
        settled(input, &late)
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    if inputs.is_empty() {
        return Ok((plan, LateColumns::new()));
    }
    Ok((plan.with_new_exprs(exprs, inputs)?, LateColumns::new()))
}

/// `plan` with its late columns made.
fn settled(plan: LogicalPlan, late: &LateColumns) -> Result<LogicalPlan> {
    if late.is_empty() {
        return Ok(plan);
    }
    let exprs = plan.schema().iter().enumerate().map(|(index, (qualifier, field))| {
        let column = Column::new(qualifier.cloned(), field.name());
        match late.get(&index) {
            Some(maker) => text_of(maker, Expr::Column(column.clone()))
                .alias_qualified(column.relation, column.name),
            None => Expr::Column(column),
        }
    });
    let exprs = exprs.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?))
}

fn defer_projection(projection: Projection) -> Result<(LogicalPlan, LateColumns)> {
    let plan = LogicalPlan::Projection(projection);
    if has_subquery(&plan)? {
        return settle(plan);
    }
    let (mut inputs, late_in) = defer_inputs(&plan)?;
    let (Some(input), LogicalPlan::Projection(projection)) = (inputs.pop(), plan) else {
        return exec_err!("a projection has one input");
    };
    let mut late = LateColumns::new();
    let mut exprs = Vec::with_capacity(projection.expr.len());
    for (index, expr) in projection.expr.into_iter().enumerate() {
        let (expr, maker) = defer_expr(expr, input.schema(), &late_in)?;
        late.extend(maker.map(|maker| (index, maker)));
        exprs.push(expr);
    }
    let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?);
    Ok((plan, late))
}

/// A projected expression: passed along packed where it is nothing but a late column.
fn defer_expr(expr: Expr, input: &DFSchema, late: &LateColumns) -> Result<(Expr, Option<Maker>)> {
    if let Some((maker, packed)) = as_text(peeled(&expr)) {
        let (relation, name) = expr.qualified_name();
        return Ok((packed.clone().alias_qualified(relation, name), Some(maker)));
    }
    if let Expr::Column(column) = peeled(&expr)
        && let Some(maker) = input.maybe_index_of_column(column).and_then(|index| late.get(&index))
    {
        let maker = maker.clone();
        return Ok((expr, Some(maker)));
    }
    let (relation, name) = expr.qualified_name();
    let rewritten = with_texts(expr.clone(), input, late)?;
    match rewritten.qualified_name() == (relation.clone(), name.clone()) {
        true => Ok((rewritten, None)),
        false => Ok((rewritten.alias_qualified(relation, name), None)),
    }
}

/// `expr` with every late column it computes with made.
fn with_texts(expr: Expr, schema: &DFSchema, late: &LateColumns) -> Result<Expr> {
    let made = expr.transform_up(|expr| {
        let maker = match &expr {
            Expr::Column(column) => {
                schema.maybe_index_of_column(column).and_then(|index| late.get(&index))
            }
            _ => None,
        };
        Ok(match maker {
            Some(maker) => Transformed::yes(text_of(maker, expr)),
            None => Transformed::no(expr),
        })
    })?;
    Ok(made.data)
}

/// Whether `expr` is text of a whole time, which is in the order of the time.
fn orders_alike(expr: &Expr, schema: &DFSchema, late: &LateColumns) -> bool {
    let Expr::Column(column) = expr else { return false };
    let maker = schema.maybe_index_of_column(column).and_then(|index| late.get(&index));
    matches!(maker, Some(Maker::Time(TimeForm::Whole)))
}

/// The expression under its aliases.
fn peeled(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => peeled(&alias.expr),
        expr => expr,
    }
}
