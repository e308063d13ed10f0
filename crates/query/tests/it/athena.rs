//! Athena's table of events: its columns, its scripts, the names it goes by, and what comparing its
//! text means.

use arrow::datatypes::DataType;
use traillake_query::{Alias, Engine, EngineOptions, ErrorKind};

use crate::ask::{ask, lines, refused};
use crate::lake::{Event, TestLake, now, spec};

/// AWS's definition of the table (Amazon Athena User Guide, "Create a table for CloudTrail logs").
const DEFINED: &str = "
    eventversion string
    useridentity.type string
    useridentity.principalid string
    useridentity.arn string
    useridentity.accountid string
    useridentity.invokedby string
    useridentity.accesskeyid string
    useridentity.username string
    useridentity.onbehalfof.userid string
    useridentity.onbehalfof.identitystorearn string
    useridentity.sessioncontext.attributes.mfaauthenticated string
    useridentity.sessioncontext.attributes.creationdate string
    useridentity.sessioncontext.sessionissuer.type string
    useridentity.sessioncontext.sessionissuer.principalid string
    useridentity.sessioncontext.sessionissuer.arn string
    useridentity.sessioncontext.sessionissuer.accountid string
    useridentity.sessioncontext.sessionissuer.username string
    useridentity.sessioncontext.ec2roledelivery string
    useridentity.sessioncontext.webidfederationdata.federatedprovider string
    useridentity.sessioncontext.webidfederationdata.attributes map<string,string>
    eventtime string
    eventsource string
    eventname string
    awsregion string
    sourceipaddress string
    useragent string
    errorcode string
    errormessage string
    requestparameters string
    responseelements string
    additionaleventdata string
    requestid string
    eventid string
    resources[].arn string
    resources[].accountid string
    resources[].type string
    eventtype string
    apiversion string
    readonly string
    recipientaccountid string
    serviceeventdetails string
    sharedeventid string
    vpcendpointid string
    vpcendpointaccountid string
    eventcategory string
    addendum.reason string
    addendum.updatedfields string
    addendum.originalrequestid string
    addendum.originaleventid string
    sessioncredentialfromconsole string
    edgedevicedetails string
    tlsdetails.tlsversion string
    tlsdetails.ciphersuite string
    tlsdetails.clientprovidedhostheader string";

/// Every column with its type, rows and arrays taken apart, as a definition of Hive's spells it.
pub fn flattened(name: &str, data_type: &DataType, all: &mut Vec<String>) {
    let name = name.to_lowercase();
    match data_type {
        DataType::Struct(fields) => fields.iter().for_each(|field| {
            flattened(&format!("{name}.{}", field.name()), field.data_type(), all);
        }),
        DataType::List(element) => flattened(&format!("{name}[]"), element.data_type(), all),
        DataType::Map(..) => all.push(format!("{name} map<string,string>")),
        DataType::Utf8 | DataType::Utf8View => all.push(format!("{name} string")),
        DataType::Timestamp(_, None) => all.push(format!("{name} timestamp")),
        DataType::Boolean => all.push(format!("{name} boolean")),
        DataType::Float64 => all.push(format!("{name} double")),
        DataType::Int32 => all.push(format!("{name} integer")),
        DataType::Int64 => all.push(format!("{name} bigint")),
        other => panic!("{name} is {other}"),
    }
}

async fn one_event() -> TestLake {
    let event = Event::new("a1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "GetObject")
        .with("requestParameters", r#"{"bucketName":"payroll"}"#)
        .on("AWS::S3::Bucket", "arn:aws:s3:::payroll");
    TestLake::with(&[&[event]]).await
}

#[tokio::test]
async fn every_column_is_as_aws_defines_it() {
    let lake = one_event().await;
    let engine = lake.engine().await;
    let star = ask(&engine, "SELECT * FROM cloudtrail_logs").await;
    let mut columns = Vec::new();
    for field in star.answer.schema.fields() {
        assert_eq!(field.name(), &field.name().to_lowercase());
        flattened(field.name(), field.data_type(), &mut columns);
    }
    let defined: Vec<&str> =
        DEFINED.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(columns, defined);

    let described = engine.describe("cloudtrail_logs").unwrap();
    assert_eq!(described[2], ("eventtime".to_string(), "varchar".to_string()));
    let (_, resources) = described.iter().find(|(name, _)| name == "resources").unwrap();
    assert_eq!(resources, "array(row(arn varchar, accountid varchar, type varchar))");
    let hidden: Vec<&str> =
        described.iter().skip(star.headers.len()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        hidden,
        [
            "region",
            "account",
            "year",
            "month",
            "day",
            "timestamp",
            "date",
            "dt",
            "account_id",
            "date_partition",
            "region_partition",
            "account_partition",
            "managementevent",
            "eventjson",
            "eventjsonchecksum",
            "_object",
            "_index",
            "$path",
            "_delivered",
            "calendarday",
        ]
    );
}

#[tokio::test]
async fn a_star_is_lower_case_and_names_are_as_typed() {
    let lake = one_event().await;
    let engine = lake.engine().await;
    for (sql, expected) in [
        ("SELECT *, year FROM cloudtrail_logs WHERE timestamp > '2024'", ["eventversion", "year"]),
        ("SELECT eventVersion, Region FROM cloudtrail_logs", ["eventVersion", "Region"]),
        (
            "SELECT t.*, t.day AS Tag FROM cloudtrail_logs t WHERE t.dt > '2'",
            ["eventversion", "Tag"],
        ),
    ] {
        let headers = ask(&engine, sql).await.headers;
        let ends = [headers.first().unwrap().as_str(), headers.last().unwrap().as_str()];
        assert_eq!(ends, expected, "{sql}");
        assert_eq!(headers.iter().filter(|name| *name == "timestamp" || *name == "dt").count(), 0);
    }
    // A column of another table that has the name of a hidden one stays in the star.
    let sql = "SELECT * FROM cloudtrail_logs c JOIN (VALUES ('2024', 'leap')) v (year, kind) ON c.year = v.year";
    let headers = ask(&engine, sql).await.headers;
    assert_eq!(headers[headers.len() - 2..], ["year", "kind"]);
    assert_eq!(headers.len(), 31);
}

#[tokio::test]
async fn the_key_and_its_day_are_not_the_events_own() {
    let lake = one_event().await;
    let engine = lake.engine().await;
    let sql =
        "SELECT date, _delivered, \"$path\" LIKE '%/CloudTrail/%', eventjson FROM cloudtrail_logs";
    let expected =
        r#"2024/05/01|2024-05-01T00:00:00|true|{"eventID":"a1","eventName":"GetObject"}"#;
    assert_eq!(lines(&ask(&engine, sql).await), [expected]);
}

#[tokio::test]
async fn comparing_text_means_what_the_characters_say() {
    let times = [
        "2023-12-31T23:59:59Z",
        "2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00.001Z",
        "2024-01-01T00:00:00.500001Z",
        "2024-01-01T00:00:01Z",
        "2024-02-29T12:00:00Z",
        "2024-12-31T23:59:59.999Z",
    ];
    let events: Vec<Event> =
        times.iter().map(|time| Event::new(time, time, "s3.amazonaws.com", "GetObject")).collect();
    let lake = TestLake::with(&[&events]).await;
    let engine = lake.engine().await;
    type Compare = fn(&str, &str) -> bool;
    let operators: [(&str, Compare); 6] = [
        ("=", |a, b| a == b),
        ("<>", |a, b| a != b),
        ("<", |a, b| a < b),
        ("<=", |a, b| a <= b),
        (">", |a, b| a > b),
        (">=", |a, b| a >= b),
    ];
    for text in [
        "",
        "2",
        "2024",
        "2024-01",
        "2024-01-01",
        "2024-01-01 00:00:00",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00.001Z",
        "2024-01-01T00:00:00.4",
        "2024-01-01T00:00:00+00:00",
        "2024-01-01T00:00:00Z and more",
        "2024-01-01T00:00:60Z",
        "2024-02-30",
        "2024-02-29T12",
        "9999-99-99T99:99:99Z",
        "never",
        "Ünter",
    ] {
        let branch = |(operator, _): &(&str, Compare)| {
            format!(
                "SELECT '{operator} ' || eventid FROM cloudtrail_logs WHERE eventtime {operator} '{text}'"
            )
        };
        let sql = operators.iter().map(branch).collect::<Vec<_>>().join(" UNION ALL ");
        let mut found = lines(&ask(&engine, &sql).await);
        found.sort_unstable();
        let mut expected: Vec<String> = operators
            .iter()
            .flat_map(|(operator, holds)| {
                let times = times.iter().filter(move |time| holds(time, text));
                times.map(move |time| format!("{operator} {time}"))
            })
            .collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text}");
    }
}

#[tokio::test]
async fn scripts_that_define_the_table_are_done_already() {
    let lake = one_event().await;
    let engine = lake.engine().await;
    for sql in [
        "CREATE EXTERNAL TABLE cloudtrail_logs (
           eventversion STRING,
           useridentity STRUCT<type:STRING, sessioncontext:STRUCT<attributes:STRUCT<mfaauthenticated:STRING>>>,
           resources ARRAY<STRUCT<arn:STRING, accountid:STRING>>)
         PARTITIONED BY (region string, year string)
         ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
         STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
         OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
         LOCATION 's3://bucket/AWSLogs/111122223333/CloudTrail/'
         TBLPROPERTIES ('projection.enabled'='true', 'storage.location.template'='s3://bucket/${timestamp}');",
        "create external table if not exists `security`.`cloudtrail_logs_pp` (`timestamp` string)",
        "ALTER TABLE cloudtrail_logs_my_bucket ADD PARTITION (region='us-east-1', year='2019')
         LOCATION 's3://bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2019/'",
        "ALTER TABLE cloudtrail_logs ADD IF NOT EXISTS PARTITION (year='2019')",
        "-- first\nMSCK REPAIR TABLE cloudtrail_logs;",
        "DROP TABLE IF EXISTS default.cloudtrail_logs",
        "CREATE DATABASE IF NOT EXISTS security",
    ] {
        let read = ask(&engine, sql).await;
        assert!(read.rows.is_empty(), "{sql}");
        assert!(read.notes[0].starts_with("nothing was changed: "), "{sql}: {:?}", read.notes);
    }
    assert_eq!(lines(&ask(&engine, "SELECT count(*) FROM cloudtrail_logs").await), ["1"]);
}

#[tokio::test]
async fn other_definitions_are_refused_by_name() {
    let lake = one_event().await;
    let engine = lake.engine().await;
    for (sql, message, hint) in [
        (
            "CREATE TABLE t AS SELECT * FROM cloudtrail_logs",
            "`CREATE TABLE AS` statements cannot be run",
            "--output FILE",
        ),
        (
            "CREATE TABLE cloudtrail_logs WITH (format = 'PARQUET') AS WITH a AS (SELECT 1) SELECT * FROM a",
            "`CREATE TABLE AS` statements cannot be run",
            "--output FILE",
        ),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "`CREATE VIEW` statements cannot be run", "WITH"),
        (
            "INSERT INTO cloudtrail_logs SELECT 1",
            "`INSERT INTO` statements cannot be run",
            "SELECT",
        ),
        (
            "UNLOAD (SELECT 1) TO 's3://bucket/'",
            "`UNLOAD` statements cannot be run",
            "--output FILE",
        ),
        (
            "CREATE EXTERNAL TABLE security.trail (eventversion STRING) LOCATION 's3://b/AWSLogs/'",
            "`CREATE TABLE` statements cannot be run",
            "`\"security.trail\" = \"cloudtrail_logs\"` under `[tables]`",
        ),
        ("DROP TABLE events", "`DROP TABLE` statements cannot be run", "SELECT"),
        (
            "ALTER TABLE cloudtrail_logs DROP PARTITION (year='2019')",
            "`ALTER TABLE` statements cannot be run",
            "SELECT",
        ),
        ("MSCK REPAIR TABLE events", "`MSCK REPAIR TABLE` statements cannot be run", "SELECT"),
        (
            "DROP TABLE cloudtrail_logs; DROP TABLE events",
            "a second statement starts here",
            "one statement at a time",
        ),
    ] {
        let error = refused(&engine, sql).await;
        assert_eq!(error.kind(), ErrorKind::Statement, "{sql}");
        let rendered = error.render();
        assert!(rendered.starts_with(message), "{sql}\n{rendered}");
        assert!(rendered.contains(hint) && rendered.contains('^'), "{sql}\n{rendered}");
    }
}

#[tokio::test]
async fn the_table_goes_by_further_names() {
    let lake = one_event().await;
    lake.lake.create_store("archive", &spec(), now()).await.unwrap();
    let alias = |name: &str, table: &str| Alias { name: name.into(), table: table.into() };
    let aliases = vec![
        alias("security.trail", "cloudtrail_logs"),
        alias("trail", "archive.cloudtrail_logs"),
        alias("audit.old", "archive"),
    ];
    let with = async |aliases| {
        let options = EngineOptions { aliases, ..lake.options() };
        Engine::new(lake.lake.clone(), options).await
    };
    let engine = with(aliases).await.unwrap();
    for (table, rows, note) in [
        ("security.trail", "1", ""),
        ("Security.\"Trail\"", "1", ""),
        ("\"AwsDataCatalog\".\"security\".\"trail\"", "1", ""),
        ("trail", "0", ""),
        ("audit.old", "0", ""),
        ("other.trail", "0", "there is no database `other` here"),
        ("\"default\".cloudtrail_logs", "1", ""),
        ("archive.cloudtrail_logs", "0", ""),
        ("security.cloudtrail_logs", "1", "there is no database `security` here"),
        ("cloudtrail_logs_my_bucket", "1", "there is no table `cloudtrail_logs_my_bucket` here"),
        ("\"AwsDataCatalog\".\"db\".\"cloudtrail_logs_pp\"", "1", "there is no database `db` here"),
    ] {
        let read = ask(&engine, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(lines(&read), [rows], "{table}");
        match note {
            "" => assert!(!read.notes.iter().any(|note| note.contains("there is no")), "{table}"),
            note => assert!(read.notes[0].starts_with(note), "{table}: {:?}", read.notes),
        }
    }
    let sql = "SELECT trail.eventname, security.trail.readonly FROM security.trail WHERE trail.year = '2024'";
    assert_eq!(lines(&ask(&engine, sql).await), ["GetObject|true"]);
    assert_eq!(lines(&ask(&engine, "DESCRIBE security.trail").await)[2], "eventtime|varchar||");
    for (name, table, reason) in [
        ("events", "cloudtrail_logs", "the lake has a table of that name"),
        ("a.b.c", "cloudtrail_logs", "`database.table`"),
        ("trail", "cloudtrail_log", "there is no table `cloudtrail_log`"),
    ] {
        let error = with(vec![alias(name, table)]).await.err().unwrap().to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
}

#[tokio::test]
async fn nothing_found_says_why_here_too() {
    let lake = one_event().await;
    let engine = lake.engine().await;
    for (condition, why) in [
        ("year = '2031' AND month = '02'", "this lake holds events from 2024-05-01"),
        ("eventtime >= '2031-02-01T00:00:00Z'", "asks for events from 2031-02-01 00:00:00 on"),
        ("account = '999999999999'", "no event of account `999999999999`"),
        ("region = 'us-west-2'", "no event of region `us-west-2`"),
    ] {
        let sql = format!("SELECT eventid FROM cloudtrail_logs WHERE {condition}");
        let notes = ask(&engine, &sql).await.notes;
        assert!(notes.iter().any(|note| note.contains(why)), "{condition}: {notes:?}");
    }
}
