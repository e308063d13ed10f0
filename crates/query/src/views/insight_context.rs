//! `insightContext`: what was unusual about a call. Trails write it nested, Lake flattened
//! (CloudTrail User Guide, "Insights events in CloudTrail Lake"); both become Lake's row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int32Builder, ListBuilder, StringBuilder,
    StringViewArray, StructArray, StructBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde::Deserialize;

/// Returns the row of the JSON text `context`, NULL where that is.
pub(super) fn insight_context(context: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(InsightContext { signature }).call(vec![context])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InsightContext {
    signature: Signature,
}

impl ScalarUDFImpl for InsightContext {
    fn name(&self) -> &str {
        "insight_context"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = cast(&texts[0], &DataType::Utf8View)?;
        Ok(ColumnarValue::Array(rows(texts.as_string_view())?))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    statistics: Option<Statistics>,
    baseline_average: Option<f64>,
    insight_average: Option<f64>,
    baseline_duration: Option<i32>,
    insight_duration: Option<i32>,
    attributions: Option<Vec<Attribution>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Statistics {
    baseline: Value,
    insight: Value,
    baseline_duration: Option<i32>,
    insight_duration: Option<i32>,
}

/// The single values beside `insight` and `baseline` are those of older records: AWS deprecated them
/// on 2025-06-23.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Attribution {
    attribute: Option<String>,
    insight_value: Option<String>,
    insight_average: Option<f64>,
    baseline_value: Option<String>,
    baseline_average: Option<f64>,
    insight: Values,
    baseline: Values,
}

/// One value or several: AWS documents a struct, and records hold a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Many(Vec<Value>),
    One(Value),
}

impl Default for Values {
    fn default() -> Values {
        Values::Many(Vec::new())
    }
}

impl Values {
    fn as_slice(&self) -> &[Value] {
        match self {
            Values::Many(values) => values,
            Values::One(value) => std::slice::from_ref(value),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Value {
    value: Option<String>,
    average: Option<f64>,
}

fn values_field(name: &str) -> Field {
    let fields = vec![
        Field::new("value", DataType::Utf8, true),
        Field::new("average", DataType::Float64, true),
    ];
    let element = Field::new("element", DataType::Struct(fields.into()), true);
    Field::new(name, DataType::List(Arc::new(element)), true)
}

fn attribution() -> FieldRef {
    let fields = vec![
        Field::new("attribute", DataType::Utf8, true),
        Field::new("insightValue", DataType::Utf8, true),
        Field::new("insightAverage", DataType::Float64, true),
        Field::new("baselineValue", DataType::Utf8, true),
        Field::new("baselineAverage", DataType::Float64, true),
        values_field("insight"),
        values_field("baseline"),
    ];
    Arc::new(Field::new("element", DataType::Struct(fields.into()), true))
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("baselineAverage", DataType::Float64, true),
        Field::new("insightAverage", DataType::Float64, true),
        Field::new("baselineDuration", DataType::Int32, true),
        Field::new("insightDuration", DataType::Int32, true),
        Field::new("attributions", DataType::List(attribution()), true),
    ])
}

fn rows(texts: &StringViewArray) -> Result<ArrayRef> {
    let (mut baseline, mut insight) = (Float64Builder::new(), Float64Builder::new());
    let (mut baseline_duration, mut insight_duration) = (Int32Builder::new(), Int32Builder::new());
    let element = attribution();
    let DataType::Struct(inner) = element.data_type().clone() else {
        return datafusion::common::exec_err!("an attribution is a row");
    };
    let mut attributions =
        ListBuilder::new(StructBuilder::from_fields(inner, 0)).with_field(Arc::clone(&element));
    for text in texts {
        let context = text.and_then(|text| serde_json::from_str::<Context>(text).ok());
        let context = context.unwrap_or_default();
        let trail = context.statistics.unwrap_or_default();
        baseline.append_option(context.baseline_average.or(trail.baseline.average));
        insight.append_option(context.insight_average.or(trail.insight.average));
        baseline_duration.append_option(context.baseline_duration.or(trail.baseline_duration));
        insight_duration.append_option(context.insight_duration.or(trail.insight_duration));
        for attribution in context.attributions.iter().flatten() {
            append(attributions.values(), attribution);
        }
        attributions.append(context.attributions.is_some());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(baseline.finish()),
        Arc::new(insight.finish()),
        Arc::new(baseline_duration.finish()),
        Arc::new(insight_duration.finish()),
        Arc::new(attributions.finish()),
    ];
    let nulls = texts.nulls().map(|nulls| NullBuffer::new(nulls.inner().clone()));
    Ok(Arc::new(StructArray::try_new(fields(), columns, nulls)?))
}

fn append(row: &mut StructBuilder, attribution: &Attribution) {
    let Attribution { attribute, insight_value, baseline_value, .. } = attribution;
    for (index, text) in [(0, attribute), (1, insight_value), (3, baseline_value)] {
        if let Some(texts) = row.field_builder::<StringBuilder>(index) {
            texts.append_option(text.as_deref());
        }
    }
    let Attribution { insight_average, baseline_average, .. } = attribution;
    for (index, average) in [(2, insight_average), (4, baseline_average)] {
        if let Some(averages) = row.field_builder::<Float64Builder>(index) {
            averages.append_option(*average);
        }
    }
    for (index, values) in [(5, &attribution.insight), (6, &attribution.baseline)] {
        if let Some(list) =
            row.field_builder::<ListBuilder<Box<dyn arrow::array::ArrayBuilder>>>(index)
        {
            append_values(list, values.as_slice());
        }
    }
    row.append(true);
}

fn append_values(list: &mut ListBuilder<Box<dyn arrow::array::ArrayBuilder>>, values: &[Value]) {
    for value in values {
        let Some(row) = list.values().as_any_mut().downcast_mut::<StructBuilder>() else {
            continue;
        };
        if let Some(text) = row.field_builder::<StringBuilder>(0) {
            text.append_option(value.value.as_deref());
        }
        if let Some(average) = row.field_builder::<Float64Builder>(1) {
            average.append_option(value.average);
        }
        row.append(true);
    }
    list.append(true);
}
