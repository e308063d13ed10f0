//! Times that records hold as text, as `userIdentity.sessionContext.attributes.creationDate`:
//! documented as ISO basic (`20131102T010628Z`), seen as extended (`2013-11-02T01:06:28Z`).

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDateTime};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Returns the timestamp that `text` spells, NULL where it spells none.
pub(super) fn record_time(text: Expr) -> Expr {
    ScalarUDF::from(RecordTime { signature: Signature::any(1, Volatility::Immutable) })
        .call(vec![text])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RecordTime {
    signature: Signature,
}

impl ScalarUDFImpl for RecordTime {
    fn name(&self) -> &str {
        "record_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, None))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = cast(&texts[0], &DataType::Utf8View)?;
        let times: TimestampMicrosecondArray =
            texts.as_string_view().iter().map(|text| text.and_then(parse)).collect();
        Ok(ColumnarValue::Array(Arc::new(times)))
    }
}

fn parse(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ");
    Some(time.ok()?.and_utc().timestamp_micros())
}
