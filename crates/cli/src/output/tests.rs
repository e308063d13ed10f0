//! One batch with everything in it, in every format.

use std::io::Write;
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, ListBuilder, MapBuilder,
    RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use insta::assert_snapshot;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use serde_json::Value;

use super::{Format, Style, encoder};

const HOSTILE: &str = "\u{1b}[2Jroot\u{9b}31m \u{202e}nimda\u{2066}\n|x| <b>";

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut shared) = self.0.lock() {
            shared.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn written(format: Format, style: Style, batch: &RecordBatch) -> anyhow::Result<Vec<u8>> {
    let sink = Shared::default();
    let mut encoder = encoder(format, &batch.schema(), style, Box::new(sink.clone()))?;
    for row in 0..batch.num_rows() {
        encoder.write(&batch.slice(row, 1))?;
    }
    encoder.finish()?;
    let bytes = sink.0.lock().map(|bytes| bytes.clone()).unwrap_or_default();
    Ok(bytes)
}

fn text(format: Format, style: Style, batch: &RecordBatch) -> anyhow::Result<String> {
    Ok(String::from_utf8(written(format, style, batch)?)?)
}

/// Three rows: ordinary, all NULL, hostile.
fn batch() -> anyhow::Result<RecordBatch> {
    let names = vec![Some("GetObject"), None, Some(HOSTILE)];
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("bucketName");
    map.values().append_value("a=b, c");
    map.keys().append_value("key");
    map.values().append_null();
    map.append(true)?;
    map.append(false)?;
    map.append(true)?;
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("a"), None]);
    list.append_null();
    list.append_value([Some("=1+1")]);
    let fields = Fields::from(vec![Field::new("arn", DataType::Utf8, true)]);
    let arns: ArrayRef = Arc::new(StringArray::from(vec![Some("arn:aws:s3:::b"), None, None]));
    let nulls = arrow::buffer::NullBuffer::from(vec![true, false, true]);
    let row = StructArray::new(fields, vec![arns], Some(nulls));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("name", Arc::new(StringArray::from(names))),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_627_776_000_000_000),
                None,
                Some(1_627_776_000_123_456),
            ])),
        ),
        ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(-1)]))),
        ("share", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(1e7)]))),
        (
            "cost",
            Arc::new(
                Decimal128Array::from(vec![Some(12_345_678_901_234_567_890), None, Some(-150)])
                    .with_precision_and_scale(38, 2)?,
            ),
        ),
        ("name", Arc::new(StringArray::from(vec![Some("=cmd()"), None, Some("")]))),
        ("parameters", Arc::new(map.finish())),
        ("list", Arc::new(list.finish())),
        ("resource", Arc::new(row)),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None, Some(b"")]))),
    ];
    let fields: Vec<Field> = (columns.iter())
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

#[test]
fn a_table_shows_text_that_others_chose_without_obeying_it() -> anyhow::Result<()> {
    let narrow = batch()?.project(&[0, 1, 2])?;
    assert_snapshot!(text(Format::Table, Style::default(), &narrow)?, @r#"
     name                                              | at                         | n
    ---------------------------------------------------+----------------------------+---------------------
     GetObject                                         | 2021-08-01 00:00:00.000    | 9223372036854775807
                                                       |                            |
     \u001b[2Jroot\u009b31m \u202enimda\u2066\n|x| <b> | 2021-08-01 00:00:00.123456 |                  -1
    "#);
    Ok(())
}

#[test]
fn a_table_that_is_too_wide_turns_vertical() -> anyhow::Result<()> {
    let style = Style { width: Some(100), null: "NULL".to_owned(), ..Style::default() };
    assert_snapshot!(text(Format::Table, style, &batch()?)?, @r#"
    -[ row 1 ]--------------------------------------------------
    name       | GetObject
    at         | 2021-08-01 00:00:00.000
    n          | 9223372036854775807
    share      | 0.5
    cost       | 123456789012345678.90
    name       | =cmd()
    parameters | {bucketName=a=b, c, key=null}
    list       | [a, null]
    resource   | {arn=arn:aws:s3:::b}
    bytes      | 00ff
    -[ row 2 ]--------------------------------------------------
    name       | NULL
    at         | NULL
    n          | NULL
    share      | NULL
    cost       | NULL
    name       | NULL
    parameters | NULL
    list       | NULL
    resource   | NULL
    bytes      | NULL
    -[ row 3 ]--------------------------------------------------
    name       | \u001b[2Jroot\u009b31m \u202enimda\u2066\n|x| <b>
    at         | 2021-08-01 00:00:00.123456
    n          | -1
    share      | 1.0E7
    cost       | -1.50
    name       |
    parameters | {}
    list       | [=1+1]
    resource   | {arn=null}
    bytes      |
    "#);
    Ok(())
}

#[test]
fn markdown_cannot_be_broken_out_of() -> anyhow::Result<()> {
    let narrow = batch()?.project(&[0, 2, 6])?;
    assert_snapshot!(text(Format::Markdown, Style::default(), &narrow)?, @r#"
    | name | n | parameters |
    | --- | ---: | --- |
    | GetObject | 9223372036854775807 | {bucketName=a=b, c, key=null} |
    |  |  |  |
    | \\u001b\[2Jroot\\u009b31m \\u202enimda\\u2066\\n\|x\| &lt;b> | -1 | {} |
    "#);
    Ok(())
}

#[test]
fn lines_of_json_keep_every_digit_and_every_column() -> anyhow::Result<()> {
    let batch = batch()?;
    assert_snapshot!(text(Format::Ndjson, Style::default(), &batch.slice(0, 2))?, @r#"
    {"name":"GetObject","at":"2021-08-01 00:00:00.000","n":9223372036854775807,"share":0.5,"cost":123456789012345678.90,"name_2":"=cmd()","parameters":{"bucketName":"a=b, c","key":null},"list":["a",null],"resource":{"arn":"arn:aws:s3:::b"},"bytes":"00ff"}
    {"name":null,"at":null,"n":null,"share":null,"cost":null,"name_2":null,"parameters":null,"list":null,"resource":null,"bytes":null}
    "#);
    let hostile: Value =
        serde_json::from_str(&text(Format::Ndjson, Style::default(), &batch.slice(2, 1))?)?;
    assert_eq!(hostile["name"], HOSTILE);
    assert_eq!(hostile["resource"], serde_json::json!({"arn": null}));
    Ok(())
}

#[test]
fn json_is_one_array_and_safe_on_a_terminal() -> anyhow::Result<()> {
    let narrow = batch()?.project(&[0, 2])?;
    let style = Style { escape: true, ..Style::default() };
    assert_snapshot!(text(Format::Json, style, &narrow)?, @r#"
    [
    {"name":"GetObject","n":9223372036854775807},
    {"name":null,"n":null},
    {"name":"\u001b[2Jroot\u009b31m \u202enimda\u2066\n|x| <b>","n":-1}
    ]
    "#);
    assert_eq!(text(Format::Json, Style::default(), &narrow.slice(0, 1))?.lines().count(), 3);
    Ok(())
}

#[test]
fn csv_is_verbatim_and_tells_null_from_nothing() -> anyhow::Result<()> {
    let batch = batch()?;
    assert_snapshot!(text(Format::Csv, Style::default(), &batch.slice(0, 2))?, @r#"
    name,at,n,share,cost,name,parameters,list,resource,bytes
    GetObject,2021-08-01 00:00:00.000,9223372036854775807,0.5,123456789012345678.90,=cmd(),"{bucketName=a=b, c, key=null}","[a, null]",{arn=arn:aws:s3:::b},00ff
    ,,,,,,,,,
    "#);
    let hostile = text(Format::Csv, Style::default(), &batch.slice(2, 1))?;
    assert!(
        hostile.contains(&format!("\"{HOSTILE}\",2021-08-01 00:00:00.123456,-1,")),
        "{hostile:?}"
    );
    assert!(hostile.contains(",-1.50,\"\",{},"), "an empty text is not NULL: {hostile:?}");
    let safe = Style { csv_safe: true, header: false, ..Style::default() };
    let narrow = batch.project(&[2, 5, 7])?.slice(0, 1);
    let narrow = arrow::compute::concat_batches(&narrow.schema(), [&narrow, &narrow])?;
    assert_snapshot!(text(Format::Csv, safe, &narrow)?, @r#"
    9223372036854775807,'=cmd(),"[a, null]"
    9223372036854775807,'=cmd(),"[a, null]"
    "#);
    Ok(())
}

#[test]
fn tsv_is_a_line_a_row() -> anyhow::Result<()> {
    let narrow = batch()?.project(&[0, 2, 5])?;
    let style = Style { null: "\\N".to_owned(), ..Style::default() };
    assert_snapshot!(text(Format::Tsv, style.clone(), &narrow.slice(0, 2))?, @r#"
    name	n	name
    GetObject	9223372036854775807	=cmd()
    \N	\N	\N
    "#);
    let hostile = text(Format::Tsv, style, &narrow.slice(2, 1))?;
    assert!(hostile.ends_with(&format!("{}\t-1\t\n", HOSTILE.replace('\n', "\\n"))), "{hostile:?}");
    Ok(())
}

#[test]
fn binary_formats_read_back_with_names_that_differ() -> anyhow::Result<()> {
    let batch = batch()?;
    let columns = batch.columns().to_vec();
    let check = |read: Vec<RecordBatch>| -> anyhow::Result<()> {
        let read = arrow::compute::concat_batches(&read[0].schema(), &read)?;
        assert_eq!(read.schema().field(5).name(), "name_2");
        assert_eq!(read.columns(), columns);
        Ok(())
    };
    let bytes = written(Format::Parquet, Style::default(), &batch)?;
    let mut file = tempfile::tempfile()?;
    file.write_all(&bytes)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    check(reader.build()?.collect::<Result<_, _>>()?)?;
    let bytes = written(Format::Arrow, Style::default(), &batch)?;
    let reader = arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None)?;
    check(reader.collect::<Result<_, _>>()?)?;
    let bytes = written(Format::Arrow, Style { into_file: true, ..Style::default() }, &batch)?;
    let reader = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None)?;
    check(reader.collect::<Result<_, _>>()?)
}
