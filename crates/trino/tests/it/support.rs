//! A session over small tables in memory: a marked map, a row made by a view, arrays, times.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, StringViewArray,
    StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionContext;
use traillake_trino::{
    Names, Parameters, SqlError, explain_error, map, parse, register, row_if::row_if,
    session_config,
};

/// What a statement answers: headers and rows as text.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub headers: Vec<String>,
    pub types: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

pub struct Session {
    pub context: SessionContext,
    pub names: Names,
}

impl Session {
    /// A session with the view `events` over the physical table `stored`.
    pub async fn new() -> Self {
        let context = SessionContext::new_with_config(session_config().with_target_partitions(2));
        register(&context).unwrap();
        let mut names = Names::new();
        let stored = stored();
        let table = MemTable::try_new(stored.schema(), vec![vec![stored]]).unwrap();
        context.register_table("stored", Arc::new(table)).unwrap();
        let view = events(&context).await;
        names.add_table("events");
        names.add_fields(view.schema().fields());
        context.register_table("events", Arc::new(ViewTable::new(view, None))).unwrap();
        Self { context, names }
    }

    pub async fn plan(&self, sql: &str) -> Result<LogicalPlan, SqlError> {
        let mut parsed = parse(sql, &self.names)?;
        parsed.bind(&Parameters::default())?;
        let state = self.context.state();
        let explain = |error| explain_error(&error, &self.names, sql);
        let plan = state.statement_to_plan(parsed.statement).await.map_err(explain)?;
        state.optimize(&plan).map_err(explain)
    }

    pub async fn run(&self, sql: &str) -> Result<Answer, SqlError> {
        self.run_with(sql, &Parameters::default()).await
    }

    pub async fn run_with(&self, sql: &str, parameters: &Parameters) -> Result<Answer, SqlError> {
        let mut parsed = parse(sql, &self.names)?;
        parsed.bind(parameters)?;
        let explain = |error| explain_error(&error, &self.names, sql);
        let state = self.context.state();
        let plan = state.statement_to_plan(parsed.statement.clone()).await.map_err(explain)?;
        let frame = self.context.execute_logical_plan(plan).await.map_err(explain)?;
        let plan = state.optimize(frame.logical_plan()).map_err(explain)?;
        let schema = plan.schema().as_arrow().clone();
        let headers = parsed.headers(&schema);
        let batches = frame.collect().await.map_err(explain)?;
        let types = schema
            .fields()
            .iter()
            .map(|field| traillake_trino::type_names::trino_type(&map::converted_field(field)));
        let types = types.collect();
        let rows = batches.iter().flat_map(|batch| rendered(batch, &schema)).collect();
        Ok(Answer { headers, types, rows })
    }
}

fn rendered(batch: &RecordBatch, schema: &Schema) -> Vec<Vec<String>> {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.3f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3f %Z"));
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| map::convert(field, column).unwrap())
        .collect();
    let formatters: Vec<ArrayFormatter> = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let text = |(formatter, column): (&ArrayFormatter, &ArrayRef)| {
                let interval = traillake_trino::interval_text(column, row);
                let text = interval.unwrap_or_else(|| formatter.value(row).to_string());
                text.replace(" +00:00", " UTC")
            };
            formatters.iter().zip(&columns).map(text).collect()
        })
        .collect()
}

fn stored() -> RecordBatch {
    let views =
        |values: [Option<&str>; 4]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
    let text = |values: [Option<&str>; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let times = [
        1_672_574_400_000_000_i64,
        1_672_578_000_000_000,
        1_675_252_800_000_000,
        1_675_252_801_000_000,
    ];
    let times = TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC");
    let resource = Fields::from(vec![
        Field::new("accountId", DataType::Utf8, true),
        Field::new("type", DataType::Utf8, true),
        Field::new("arn", DataType::Utf8, true),
    ]);
    let element = Arc::new(Field::new("item", DataType::Struct(resource.clone()), true));
    let resources = StructArray::new(
        resource,
        vec![
            Arc::new(StringArray::from(vec!["111", "111", "222"])),
            Arc::new(StringArray::from(vec![
                Some("AWS::S3::Bucket"),
                Some("AWS::S3::Object"),
                None,
            ])),
            Arc::new(StringArray::from(vec!["arn:b1", "arn:b1/o", "arn:k1"])),
        ],
        None,
    );
    let offsets = OffsetBuffer::from_lengths([2, 0, 1, 0]);
    let nulls = vec![true, true, true, false].into();
    let resources = ListArray::new(Arc::clone(&element), offsets, Arc::new(resources), Some(nulls));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("eventID", text([Some("e1"), Some("e2"), Some("e3"), Some("e4")])),
        ("eventTime", Arc::new(times)),
        (
            "eventName",
            views([
                Some("GetObject"),
                Some("PutObject"),
                Some("RunInstances"),
                Some("ConsoleLogin"),
            ]),
        ),
        (
            "readOnly",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(false), None])),
        ),
        ("sessionCredentialFromConsole", text([Some("true"), None, None, None])),
        ("bytes", Arc::new(Int64Array::from(vec![Some(10), Some(20), Some(30), None]))),
        ("userIdentity_type", text([Some("IAMUser"), Some("AssumedRole"), Some("Root"), None])),
        ("userIdentity_arn", text([Some("arn:alice"), Some("arn:role"), Some("arn:root"), None])),
        ("userIdentity_sessionIssuer_arn", text([None, Some("arn:issuer"), None, None])),
        ("userIdentity_mfaAuthenticated", text([None, Some("false"), None, None])),
        (
            "requestParameters",
            views([
                Some(
                    r#"{"bucketName":"b1","key":"a b","count": 3,"nested":{"x": [1, {"y":"z"}]},"flag":true,"none":null}"#,
                ),
                Some(r#"{"bucketName":"b2","AWS:Key":"k"}"#),
                Some(r#"{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}}"#),
                None,
            ]),
        ),
        ("responseElements", text([None, Some("{}"), Some(r#"{"ok":"é\u00e9"}"#), None])),
        ("resources", Arc::new(resources)),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| {
            let field = Field::new(*name, array.data_type().clone(), true);
            match *name {
                "requestParameters" | "responseElements" => map::mark(field),
                _ => field,
            }
        })
        .collect();
    let columns = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

async fn events(context: &SessionContext) -> LogicalPlan {
    let stored = context.table("stored").await.unwrap().into_unoptimized_plan();
    let name = |field: &str| col(format!("\"{field}\""));
    let issuer = name("userIdentity_sessionIssuer_arn");
    let session = name("userIdentity_mfaAuthenticated");
    let user = row_if(
        name("userIdentity_type").is_not_null(),
        vec![
            ("type".into(), name("userIdentity_type")),
            ("arn".into(), name("userIdentity_arn")),
            (
                "sessionContext".into(),
                row_if(
                    session.clone().is_not_null(),
                    vec![
                        (
                            "attributes".into(),
                            row_if(
                                session.clone().is_not_null(),
                                vec![("mfaAuthenticated".into(), session)],
                            ),
                        ),
                        (
                            "sessionIssuer".into(),
                            row_if(issuer.clone().is_not_null(), vec![("arn".into(), issuer)]),
                        ),
                    ],
                ),
            ),
        ],
    );
    let mut outputs: Vec<_> = ["eventID", "eventTime", "eventName"].map(name).to_vec();
    outputs.push(user.alias("userIdentity"));
    outputs.extend(
        [
            "readOnly",
            "sessionCredentialFromConsole",
            "bytes",
            "requestParameters",
            "responseElements",
            "resources",
        ]
        .map(name),
    );
    outputs.push(lit("2023").alias("year"));
    LogicalPlanBuilder::from(stored).project(outputs).unwrap().build().unwrap()
}
