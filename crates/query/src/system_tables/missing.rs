//! `system.missing`: log files that digests name and that never came into the lake, neither under
//! their key nor with their bytes under another one. What a digest says is taken at its word here:
//! whether it is signed is not asked.
//!
//! The fields are those of CloudTrail's digest files (CloudTrail User Guide, "CloudTrail digest file
//! structure").

use std::str::FromStr as _;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayBuilder as _, AsArray, BinaryBuilder, ListBuilder, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use chrono::{DateTime, Utc};
use datafusion::common::{DataFusionError, JoinType, Result, ScalarValue};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, cast as cast_to, lit,
};
use serde::Deserialize;

use super::column;
use super::text::hex;

/// What a digest says of a log file, beside who says it.
const KEY: &str = "object_key";
const HASH: &str = "inflated_sha256";
const FIRST: &str = "first_event_at";
const LAST: &str = "last_event_at";
const REGION: &str = "region";

/// The view over scans of the physical `digests` and of the ledger, of a session's `--since` and
/// `--until`.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn view(
    digests: LogicalPlan,
    objects: LogicalPlan,
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<LogicalPlan> {
    let time = |at: DateTime<Utc>| {
        lit(ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), None))
    };
    let since = since.map(|since| column(LAST).gt_eq(time(since)));
    let until = until.map(|until| column(FIRST).lt(time(until)));
    let mut named = LogicalPlanBuilder::from(named(digests)?);
    if let Some(range) = [since, until].into_iter().flatten().reduce(Expr::and) {
        named = named.filter(range)?;
    }
    let known = |name: &str, data_type: DataType, of: &str| {
        let shown = cast_to(column(name), data_type).alias(of);
        LogicalPlanBuilder::from(objects.clone()).project(vec![shown])?.build()
    };
    let by_key = known("logical_key", DataType::Utf8, "known_key")?;
    let by_hash = known("inflated_sha256", DataType::Binary, "known_hash")?;
    named
        .join(by_key, JoinType::LeftAnti, (vec![KEY], vec!["known_key"]), None)?
        .join(by_hash, JoinType::LeftAnti, (vec![HASH], vec!["known_hash"]), None)?
        .project(vec![
            column("account"),
            column(REGION),
            cast_to(column(FIRST), DataType::Date32).alias("day"),
            column(KEY),
            hex(column(HASH)).alias(HASH),
            column(FIRST),
            column(LAST),
            column("digest_key"),
        ])?
        .build()
}

/// The log files that digests name, each once.
fn named(digests: LogicalPlan) -> Result<LogicalPlan> {
    let signature = Signature::any(1, Volatility::Immutable);
    let files = ScalarUDF::from(LogFiles { signature }).call(vec![column("logFiles")]);
    let of_file = |name: &str| get_field(column("file"), name).alias(name);
    let digest_key = datafusion::functions_aggregate::expr_fn::min(column("digest_key"));
    let of_both = [REGION, KEY, HASH, FIRST, LAST];
    LogicalPlanBuilder::from(digests)
        .project(vec![
            column("awsAccountId").alias("account"),
            column("digestS3Object").alias("digest_key"),
            files.alias("file"),
        ])?
        .unnest_column("file")?
        .filter(column("file").is_not_null())?
        .project([column("account"), column("digest_key")].into_iter().chain(of_both.map(of_file)))?
        .aggregate(
            ["account"].into_iter().chain(of_both).map(column),
            vec![digest_key.alias("digest_key")],
        )?
        .build()
}

/// An entry of `logFiles`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFile {
    s3_object: String,
    hash_value: Option<String>,
    oldest_event_time: Option<String>,
    newest_event_time: Option<String>,
}

impl LogFile {
    /// The region in its key: `…/CloudTrail/eu-west-1/2024/05/01/…`, or of another kind of log.
    fn region(&self) -> Option<&str> {
        let mut folders = self.s3_object.split('/');
        folders.find(|folder| folder.starts_with("CloudTrail"))?;
        folders.next()
    }

    fn hash(&self) -> Option<Vec<u8>> {
        let text = self.hash_value.as_deref().filter(|text| text.len() == 64 && text.is_ascii())?;
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
    }
}

fn micros(text: Option<&String>) -> Option<i64> {
    DateTime::<Utc>::from_str(text?).ok().map(|at| at.timestamp_micros())
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    Fields::from(vec![
        Field::new(REGION, DataType::Utf8, true),
        Field::new(KEY, DataType::Utf8, true),
        Field::new(HASH, DataType::Binary, true),
        Field::new(FIRST, time.clone(), true),
        Field::new(LAST, time, true),
    ])
});

/// The entries of a digest's `logFiles`, from its JSON; none of what is no list of them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LogFiles {
    signature: Signature,
}

impl ScalarUDFImpl for LogFiles {
    fn name(&self) -> &str {
        "log_files"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Struct(FIELDS.clone()), true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = cast(&texts[0], &DataType::Utf8)?;
        let mut files = ListBuilder::new(StructBuilder::from_fields(FIELDS.clone(), 0));
        for text in texts.as_string::<i32>() {
            let listed = text.and_then(|text| serde_json::from_str(text).ok());
            let listed: Vec<LogFile> = listed.unwrap_or_default();
            for file in &listed {
                append(files.values(), file)?;
            }
            files.append(true);
        }
        debug_assert_eq!(files.len(), texts.len());
        Ok(ColumnarValue::Array(Arc::new(files.finish())))
    }
}

fn append(row: &mut StructBuilder, file: &LogFile) -> Result<()> {
    let fault = || DataFusionError::Internal("a builder of another type".to_owned());
    let text = |row: &mut StructBuilder, at, text: Option<&str>| {
        let builder: &mut StringBuilder = row.field_builder(at).ok_or_else(fault)?;
        builder.append_option(text);
        Ok::<_, DataFusionError>(())
    };
    text(row, 0, file.region())?;
    text(row, 1, Some(&file.s3_object))?;
    let hash: &mut BinaryBuilder = row.field_builder(2).ok_or_else(fault)?;
    hash.append_option(file.hash());
    for (at, time) in [(3, &file.oldest_event_time), (4, &file.newest_event_time)] {
        let times: &mut TimestampMicrosecondBuilder = row.field_builder(at).ok_or_else(fault)?;
        times.append_option(micros(time.as_ref()));
    }
    row.append(true);
    Ok(())
}
