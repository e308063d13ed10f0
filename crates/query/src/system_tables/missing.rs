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
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{bool_or, max, min};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast as cast_to, lit, when,
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
/// All that is known of a log file.
const SHOWN: [&str; 7] = ["account", REGION, KEY, HASH, FIRST, LAST, "digest_key"];
/// What it is known by, here and in the ledger; and whether the ledger has it.
const ID: &str = "id";
const KNOWN: &str = "known";

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
    // Of what says no time nobody knows that it is of another.
    let after = since.map(|since| column(LAST).gt_eq(time(since)).or(column(LAST).is_null()));
    let before = until.map(|until| column(FIRST).lt(time(until)).or(column(FIRST).is_null()));
    let mut named = LogicalPlanBuilder::from(named(digests)?);
    if let Some(range) = [after, before].into_iter().flatten().reduce(Expr::and) {
        named = named.filter(range)?;
    }
    let known = |name: &str, data_type: DataType| {
        let id = cast_to(column(name), data_type).alias(ID);
        LogicalPlanBuilder::from(objects.clone())
            .filter(column(name).is_not_null())?
            .project(vec![id])?
            .build()
    };
    let by_key = known("logical_key", DataType::Utf8)?;
    let unknown = self::unknown(named.build()?, column(KEY), by_key)?;
    // Where a digest gives no hash the key stands for it, which is no hash of anything. Two keys of the
    // same bytes are one file here.
    let hash = coalesce(vec![column(HASH), cast_to(column(KEY), DataType::Binary)]);
    let by_hash = known("inflated_sha256", DataType::Binary)?;
    let unknown = self::unknown(unknown, hash, by_hash)?;
    let first = match since {
        Some(since) => when(column(FIRST).lt(time(since)), time(since)).otherwise(column(FIRST))?,
        None => column(FIRST),
    };
    LogicalPlanBuilder::from(unknown)
        .project(vec![
            column("account"),
            column(REGION),
            cast_to(first, DataType::Date32).alias("day"),
            column(KEY),
            hex(column(HASH)).alias(HASH),
            column(FIRST),
            column(LAST),
            column("digest_key"),
        ])?
        .build()
}

/// The log files, each once, that are not among those `known`. Both sides are grouped together: what
/// is grouped can be spilled, where a join would hold one side in memory.
fn unknown(named: LogicalPlan, id: Expr, known: LogicalPlan) -> Result<LogicalPlan> {
    let null = |name: &str| {
        let kind = column(name).get_type(named.schema())?;
        Ok::<_, DataFusionError>(lit(ScalarValue::try_from(&kind)?).alias(name))
    };
    let mut of_known = vec![column(ID), lit(true).alias(KNOWN)];
    for name in SHOWN {
        of_known.push(null(name)?);
    }
    let known = LogicalPlanBuilder::from(known).project(of_known)?.build()?;
    let of_named = [id.alias(ID), lit(false).alias(KNOWN)].into_iter();
    let figure = |name: &str| match name {
        LAST => max(column(name)).alias(name),
        _ => min(column(name)).alias(name),
    };
    let figures = [bool_or(column(KNOWN)).alias(KNOWN)].into_iter().chain(SHOWN.map(figure));
    LogicalPlanBuilder::from(named)
        .project(of_named.chain(SHOWN.map(column)))?
        .union(known)?
        .aggregate(vec![column(ID)], figures)?
        .filter(column(KNOWN).is_false())?
        .project(SHOWN.map(column))?
        .build()
}

/// The log files that digests name, as often as they do.
fn named(digests: LogicalPlan) -> Result<LogicalPlan> {
    let signature = Signature::any(1, Volatility::Immutable);
    let files = ScalarUDF::from(LogFiles { signature }).call(vec![column("logFiles")]);
    let of_file = |name: &str| match name {
        "account" | "digest_key" => column(name),
        name => get_field(column("file"), name).alias(name),
    };
    LogicalPlanBuilder::from(digests)
        .project(vec![
            cast_to(column("awsAccountId"), DataType::Utf8).alias("account"),
            cast_to(column("digestS3Object"), DataType::Utf8).alias("digest_key"),
            files.alias("file"),
        ])?
        .unnest_column("file")?
        .filter(column("file").is_not_null())?
        .project(SHOWN.map(of_file))?
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
    /// Its key from the last folder `AWSLogs` on, as the ledger knows it: before that stands what a
    /// trail puts before all its keys.
    fn key(&self) -> &str {
        let key = self.s3_object.as_str();
        match key.rfind("/AWSLogs/") {
            Some(before) => &key[before + 1..],
            None => key,
        }
    }

    /// The region in its key: `…/CloudTrail/eu-west-1/2024/05/01/…`, or of another kind of log.
    fn region(&self) -> Option<&str> {
        let mut folders = self.key().split('/');
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
            let listed: Vec<serde_json::Value> = listed.unwrap_or_default();
            for file in listed.into_iter().filter_map(|file| serde_json::from_value(file).ok()) {
                append(files.values(), &file)?;
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
    text(row, 1, Some(file.key()))?;
    let hash: &mut BinaryBuilder = row.field_builder(2).ok_or_else(fault)?;
    hash.append_option(file.hash());
    for (at, time) in [(3, &file.oldest_event_time), (4, &file.newest_event_time)] {
        let times: &mut TimestampMicrosecondBuilder = row.field_builder(at).ok_or_else(fault)?;
        times.append_option(micros(time.as_ref()));
    }
    row.append(true);
    Ok(())
}
