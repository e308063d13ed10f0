//! `system.coverage`: what was collected, by account, region, day, event category and type of
//! resource. An event on resources of several types counts once for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, max, min};
use datafusion::logical_expr::{
    ColumnarValue, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, cast, lit,
};

use super::column;

/// The view over a scan of the physical `events`.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn view(events: LogicalPlan) -> Result<LogicalPlan> {
    let signature = Signature::any(1, Volatility::Immutable);
    let types = ScalarUDF::from(ResourceTypes { signature }).call(vec![column("resources")]);
    let shown = vec![
        column("recipientAccountId").alias("account"),
        column("awsRegion").alias("region"),
        cast(column("eventTime"), DataType::Date32).alias("day"),
        column("eventCategory"),
        types.alias("resource_type"),
        column("_object"),
        column("eventTime"),
    ];
    let groups = ["account", "region", "day", "eventCategory", "resource_type"];
    let figures = vec![
        count_distinct(column("_object")).alias("objects"),
        count(lit(1)).alias("events"),
        min(column("eventTime")).alias("first_event_at"),
        max(column("eventTime")).alias("last_event_at"),
    ];
    LogicalPlanBuilder::from(events)
        .project(shown)?
        .unnest_column("resource_type")?
        .aggregate(groups.map(column), figures)?
        .build()
}

/// The distinct types of an event's resources; one NULL where it has none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ResourceTypes {
    signature: Signature,
}

impl ScalarUDFImpl for ResourceTypes {
    fn name(&self) -> &str {
        "resource_types"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = ColumnarValue::values_to_arrays(&args.args)?;
        let mut types = ListBuilder::new(StringBuilder::new());
        let list = lists[0].as_list_opt::<i32>();
        for row in 0..args.number_rows {
            let resources = list.filter(|list| list.is_valid(row)).map(|list| list.value(row));
            let kinds =
                resources.as_ref().and_then(|rows| rows.as_struct_opt()?.column_by_name("type"));
            let kinds = kinds.map(|kinds| kinds.as_string::<i32>().iter().flatten().collect());
            let kinds: BTreeSet<&str> = kinds.unwrap_or_default();
            match kinds.is_empty() {
                true => types.values().append_null(),
                false => kinds.into_iter().for_each(|kind| types.values().append_value(kind)),
            }
            types.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(types.finish())))
    }
}
