//! Queries written for Athena, over the demo's trail. The expected values were counted in the trail's
//! JSON files by a script that knows nothing of the lake.

use crate::folder::Folder;

#[test]
fn a_trail_answers_what_was_asked_of_its_athena_table() {
    let here = Folder::with_lake();
    here.write("traillake.toml", "[tables]\n\"security.trail\" = 'cloudtrail_logs'\n");
    let check = |sql: &str, expected: &[&str]| {
        let ran = here.run(&["query", "--format", "csv", sql]).done();
        assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected, "{sql}\n{}", ran.stderr);
    };
    check(
        "SELECT date, count(*) AS events FROM security.trail GROUP BY date ORDER BY date",
        &["date,events", "2026/03/09,140", "2026/03/10,140", "2026/03/11,267", "2026/03/12,128"],
    );
    check(
        "SELECT useridentity.arn, count(*) AS refused FROM cloudtrail_logs
         WHERE errorcode = 'AccessDenied' AND useridentity.arn IS NOT NULL
         GROUP BY useridentity.arn ORDER BY refused DESC LIMIT 1",
        &["arn,refused", "arn:aws:iam::444455556666:user/deploy-bot,8"],
    );
    check(
        "SELECT eventname, count(*) AS calls FROM \"AwsDataCatalog\".\"security\".\"trail\"
         WHERE readonly = 'false' AND eventtime BETWEEN '2026-03-11T02:00:00Z' AND '2026-03-11T04:00:00Z'
         GROUP BY eventname ORDER BY calls DESC, eventname LIMIT 4",
        &["eventname,calls", "DeleteObject,30", "PutObject,3", "AttachUserPolicy,2", "CreateAccessKey,1"],
    );
    check(
        "SELECT eventtime, replace(unnested.entry.arn, 'arn:aws:s3:::') AS deleted
         FROM cloudtrail_logs t CROSS JOIN UNNEST(t.resources) unnested (entry)
         WHERE eventname = 'DeleteObject' AND unnested.entry.type = 'AWS::S3::Object'
           AND unnested.entry.arn LIKE '%payroll%'
         ORDER BY eventtime LIMIT 2",
        &[
            "eventtime,deleted",
            "2026-03-11T03:05:00Z,example-payroll-exports/2025/01/payroll-2025-01.csv",
            "2026-03-11T03:05:02Z,example-payroll-exports/2025/01/summary-2025-01.csv",
        ],
    );
    check(
        "SELECT date_trunc('hour', from_iso8601_timestamp(eventtime)) AS hour, count(*) AS reads
         FROM cloudtrail_logs_aws_logs
         WHERE year = '2026' AND month = '03' AND day = '11' AND eventname = 'GetObject'
         GROUP BY 1 ORDER BY 1 LIMIT 3",
        &[
            "hour,reads",
            "2026-03-11 02:00:00.000 UTC,36",
            "2026-03-11 03:00:00.000 UTC,36",
            "2026-03-11 04:00:00.000 UTC,1",
        ],
    );
    check(
        "SELECT eventtime, useridentity.username, json_extract_scalar(additionaleventdata, '$.MFAUsed') AS mfa
         FROM cloudtrail_logs WHERE eventname = 'ConsoleLogin'
           AND json_extract_scalar(responseelements, '$.ConsoleLogin') = 'Success'",
        &["eventtime,username,mfa", "2026-03-12T19:07:28Z,jonas,Yes"],
    );
    check(
        "SELECT region, count(*) AS n FROM cloudtrail_logs
         WHERE account = '444455556666' AND \"timestamp\" = '2026/03/11' AND region LIKE 'us-%'
         GROUP BY region ORDER BY n DESC, region",
        &["region,n", "us-east-1,27", "us-east-2,3", "us-west-2,3"],
    );
}

#[test]
fn the_names_of_tables_are_settings() {
    let here = Folder::new();
    here.write("traillake.toml", "[tables]\nsecurity.trail = 'cloudtrail_logs'\n");
    let config = here.run(&["config"]).done().stdout;
    assert!(
        config.ends_with("tables.\"security.trail\" = cloudtrail_logs # traillake.toml\n"),
        "{config}"
    );
    let config = here.run(&["config", "--format", "json"]).done().stdout;
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["tables"][0]["name"], "security.trail");

    let here = Folder::with_lake();
    here.write("traillake.toml", "[tables]\ntrail = 'cloudtrail_log'\n");
    let wrong = here.run(&["query", "SELECT 1"]).exited(2);
    assert!(wrong.stderr.contains("the table `trail` cannot be used"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("cloudtrail_log"), "{}", wrong.stderr);
}

#[test]
fn a_script_that_defines_the_table_is_done_already() {
    let here = Folder::with_lake();
    let sql = "CREATE EXTERNAL TABLE cloudtrail_logs (eventversion STRING) PARTITIONED BY (year string)
               ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe' LOCATION 's3://logs/AWSLogs/'";
    let ran = here.run(&["query", sql]).done();
    assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
}
