//! Layouts of keys that CloudTrail writes, has written, and that people make of them.

use traillake_cloudtrail::object_key::{is_junk, other_service};
use traillake_cloudtrail::{Kind, ObjectKey};

/// account, region, kind, delivery, logical key
fn check<'a>(path: &'a str, expected: (&str, &str, Option<Kind>, &str)) -> ObjectKey<'a> {
    let key = ObjectKey::parse(path).unwrap();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let delivered = key.delivered_at.map(|at| at.format("%Y-%m-%dT%H:%M:%S").to_string());
    let found = (text(key.account), text(key.region), key.kind, delivered.unwrap_or_default());
    let (account, region, kind, at) = expected;
    assert_eq!(found, (account.to_owned(), region.to_owned(), kind, at.to_owned()), "{path}");
    key
}

#[test]
fn keys_of_all_layouts() {
    let events = Some(Kind::Events);
    let key = check(
        "AWSLogs/000000000001/CloudTrail/us-east-1/2021/07/29/000000000001_CloudTrail_us-east-1_20210729T2355Z_1lQFb8HU3K2s72AX.json.gz",
        ("000000000001", "us-east-1", events, "2021-07-29T23:55:00"),
    );
    assert!(key.is_cloudtrail && key.org.is_none());
    let key = check(
        "/evidence/bucket/pre/AWSLogs/o-abcd/111111111111/CloudTrail/us-gov-west-1/2021/07/29/111111111111_CloudTrail_us-gov-west-1-20200930T2300.json",
        ("111111111111", "us-gov-west-1", events, "2020-09-30T23:00:00"),
    );
    assert_eq!(key.org, Some("o-abcd"));
    assert!(key.logical_key.starts_with("AWSLogs/o-abcd/111111111111/CloudTrail/"));
    check(
        "o-x/AWSLogs/o-x/111111111111/CloudTrail-Insight/eu-west-1/2021/07/29/111111111111_CloudTrail-Insight_eu-west-1_20210729T2355Z_x.json.gz",
        ("111111111111", "eu-west-1", Some(Kind::Insights), "2021-07-29T23:55:00"),
    );
    check(
        "AWSLogs/111111111111/CloudTrail-Aggregated/eu-west-1/2025/11/20/f.json.gz",
        ("111111111111", "eu-west-1", Some(Kind::Aggregated), "2025-11-20T00:00:00"),
    );
    check(
        "AWSLogs/111111111111/CloudTrail-NetworkActivity/eu-west-1/2025/11/20/f.json.gz",
        ("111111111111", "eu-west-1", events, "2025-11-20T00:00:00"),
    );
    // Only the name is left, and an old name without the last `_`.
    check(
        "dl/111122223333_CloudTrail_us-east-2_20150801T0210ZHdkvFTXOA3Vnhbc.json.gz",
        ("111122223333", "us-east-2", events, "2015-08-01T02:10:00"),
    );
    let key = check(
        "AWSLogs/000000000001/CloudTrail-Digest/eu-west-1/2019/11/08/000000000001_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20191108T164911Z_backfill.json.gz",
        ("000000000001", "eu-west-1", Some(Kind::Digest), "2019-11-08T16:49:11"),
    );
    assert_eq!(key.trail, Some("my_trail"));
    let key = check("notes/cloudtrail.json", ("", "", None, ""));
    assert!(!key.is_cloudtrail);
    assert_eq!(key.logical_key, "notes/cloudtrail.json");
    assert_eq!(ObjectKey::parse("AWSLogs/1/"), None);
    let check = |path: &str, logical: &str| {
        assert_eq!(ObjectKey::parse(path).unwrap().logical_key, logical, "{path}");
    };
    // The last folder of that name, and no other that only begins or ends so.
    check("AWSLogs/a/AWSLogs/b", "AWSLogs/b");
    check("AWSLogs/oldAWSLogs/AWSLogs2/b", "AWSLogs/oldAWSLogs/AWSLogs2/b");
    check("/x/AWSLogs/AWSLogs", "AWSLogs/AWSLogs");
    check("//AWSLogs//b", "AWSLogs//b");
    check("xAWSLogs/b", "xAWSLogs/b");
    check("AWSLogs", "AWSLogs");
}

#[test]
fn other_services_and_junk() {
    let check =
        |path: &str, expected: Option<&str>| assert_eq!(other_service(path), expected, "{path}");
    check("b/AWSLogs/000000000001/Config/us-east-1/2021/1/1/x.json.gz", Some("Config"));
    check("AWSLogs/o-a/000000000001/vpcflowlogs/us-east-1/x.log.gz", Some("vpcflowlogs"));
    check("AWSLogs/000000000001/CloudTrail/us-east-1/x.json.gz", None);
    check("AWSLogs/000000000001/CloudTrail-Digest/us-east-1/x.json.gz", None);
    check("AWSLogs/000000000001/x.json.gz", None);
    let name = "000000000001_CloudTrail_us-east-1_20210729T0500Z_x.json";
    check(&format!("AWSLogs/000000000001/us-east-1/2021/07/29/{name}"), None);
    check(&format!("AWSLogs/000000000001/Config/us-east-1/{name}"), None);
    check(
        "AWSLogs/000000000001/us-east-1/2021/07/29/000000000001_Config_x.json",
        Some("us-east-1"),
    );
    check("folder/x.json", None);
    for path in ["a/._x.json.gz", "__MACOSX/a/x.json", ".DS_Store", "a/Thumbs.db"] {
        assert!(is_junk(path), "{path}");
    }
    assert!(!is_junk("a/x.json.gz"));
}
