//! Advanced event selectors: AWS's rules for them, and what becomes of what they leave out.

use arrow::array::BooleanArray;
use serde_json::{Value, json};
use traillake_cloudtrail::{Limits, decode_object};
use traillake_ingest::Selectors;

use crate::{Bench, gzip};

/// Whether `selectors` take an event that has `fields` beside what every event has.
fn takes(selectors: Value, fields: Value) -> bool {
    let mut event = json!({
        "eventVersion": "1.08", "eventTime": "2024-05-06T00:00:00Z", "eventID": "1",
        "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
    });
    event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let text = json!({"Records": [event]}).to_string();
    let mut taken: Vec<BooleanArray> = Vec::new();
    let selectors = Selectors::parse(&selectors.to_string()).unwrap();
    decode_object(&mut text.as_bytes(), &Limits::default(), &mut |batch| {
        taken.push(selectors.select(batch.kind, &batch.rows));
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(taken.iter().map(BooleanArray::len).sum::<usize>(), 1, "{text}");
    taken[0].value(0)
}

fn one(fields: Value) -> Value {
    json!([{"Name": "test", "FieldSelectors": fields}])
}

fn management(more: Value) -> Value {
    let mut fields = vec![json!({"Field": "eventCategory", "Equals": ["Management"]})];
    fields.extend(more.as_array().unwrap().clone());
    one(fields.into())
}

fn data(more: Value) -> Value {
    let mut fields = vec![
        json!({"Field": "eventCategory", "Equals": ["Data"]}),
        json!({"Field": "resources.type", "Equals": ["AWS::S3::Object"]}),
    ];
    fields.extend(more.as_array().unwrap().clone());
    one(fields.into())
}

#[test]
fn selectors_take_what_aws_says() {
    let object = |arn: &str| {
        json!({"eventCategory": "Data", "managementEvent": false, "readOnly": true, "resources": [
            {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b"},
            {"type": "AWS::S3::Object", "ARN": arn}]})
    };
    let source = |operators: Value| {
        let mut field = json!({"Field": "eventSource"});
        field.as_object_mut().unwrap().extend(operators.as_object().unwrap().clone());
        management(json!([field]))
    };
    let name = |name: &str| json!({"eventCategory": "Management", "eventName": name});
    let named = |operators: Value| {
        let mut field = json!({"Field": "eventName"});
        field.as_object_mut().unwrap().extend(operators.as_object().unwrap().clone());
        management(json!([field]))
    };
    for (selectors, fields, expected) in [
        (management(json!([])), json!({"eventCategory": "Management"}), true),
        (management(json!([])), json!({"eventCategory": "Data"}), false),
        // Before version 1.07 no event says its category.
        (management(json!([])), json!({}), true),
        (management(json!([])), json!({"managementEvent": true}), true),
        (management(json!([])), json!({"managementEvent": false}), false),
        (data(json!([])), object("arn:aws:s3:::b/a"), true),
        // Every resource counts.
        (
            data(json!([{"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::b/"]}])),
            object("arn:aws:s3:::b/a"),
            true,
        ),
        (
            data(json!([{"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::c/"]}])),
            object("arn:aws:s3:::b/a"),
            false,
        ),
        (
            data(json!([{"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::b/"]}])),
            object("arn:aws:s3:::b/a"),
            false,
        ),
        (data(json!([{"Field": "readOnly", "Equals": ["true"]}])), object("x"), true),
        (data(json!([{"Field": "readOnly", "Equals": ["false"]}])), object("x"), false),
        // A field that is absent equals nothing, and nothing excludes it.
        (management(json!([{"Field": "readOnly", "Equals": ["false"]}])), json!({}), false),
        (management(json!([{"Field": "userIdentity.arn", "NotEquals": ["a"]}])), json!({}), true),
        (
            management(json!([{"Field": "userIdentity.arn", "EndsWith": ["/alice"]}])),
            json!({"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/alice"}}),
            true,
        ),
        (
            source(json!({"NotEquals": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]})),
            json!({}),
            true,
        ),
        (source(json!({"NotEquals": ["kms.amazonaws.com", "s3.amazonaws.com"]})), json!({}), false),
        // Inside a field what selects is one of many, what excludes any of many, and both must hold.
        (named(json!({"Equals": ["PutObject"], "StartsWith": ["Get"]})), name("GetObject"), true),
        (
            named(json!({"Equals": ["PutObject"], "StartsWith": ["Get"]})),
            name("ListObjects"),
            false,
        ),
        (named(json!({"StartsWith": ["Get"], "NotEndsWith": ["Acl"]})), name("GetObject"), true),
        (
            named(json!({"StartsWith": ["Get"], "NotEndsWith": ["Acl"]})),
            name("GetObjectAcl"),
            false,
        ),
        // Case counts, and there are no wildcards.
        (named(json!({"Equals": ["getobject"]})), name("GetObject"), false),
        (named(json!({"StartsWith": ["Get*"]})), name("GetObject"), false),
        (
            management(json!([{"Field": "sessionCredentialFromConsole", "Equals": ["true"]}])),
            json!({"sessionCredentialFromConsole": "true"}),
            true,
        ),
        (
            management(json!([{"Field": "sessionCredentialFromConsole", "NotEquals": ["true"]}])),
            json!({"sessionCredentialFromConsole": "true"}),
            false,
        ),
        (
            management(json!([{"Field": "eventType", "NotEquals": ["AwsServiceEvent"]}])),
            json!({}),
            true,
        ),
        (
            one(json!([{"Field": "eventCategory", "Equals": ["NetworkActivity"]},
                    {"Field": "eventSource", "Equals": ["s3.amazonaws.com"]},
                    {"Field": "errorCode", "Equals": ["VpceAccessDenied"]}])),
            json!({"eventCategory": "NetworkActivity", "errorCode": "VpceAccessDenied"}),
            true,
        ),
    ] {
        assert_eq!(takes(selectors.clone(), fields.clone()), expected, "{selectors} of {fields}");
    }
    let vpc = json!({"eventCategory": "NetworkActivity", "vpcEndpointId": "vpce-1"});
    for (id, expected) in [("vpce-1", true), ("vpce-2", false)] {
        let of_vpc = one(json!([{"Field": "eventCategory", "Equals": ["NetworkActivity"]},
                    {"Field": "eventSource", "Equals": ["s3.amazonaws.com"]},
                    {"Field": "vpcEndpointId", "Equals": [id]}]));
        assert_eq!(takes(of_vpc, vpc.clone()), expected, "{id}");
    }
    // Records that are no calls.
    let others = ["Insight", "ConfigurationItem", "Evidence", "ActivityAuditLog"];
    for category in others {
        for other in others {
            let of_one = one(json!([{"Field": "eventCategory", "Equals": [category]}]));
            let record = json!({"eventCategory": other});
            assert_eq!(takes(of_one, record), category == other, "{category} of {other}");
        }
    }
    // Selectors are alternatives.
    let both = json!([management(json!([]))[0], data(json!([]))[0]]);
    assert!(takes(both.clone(), object("x")) && takes(both, json!({})));
}

#[test]
fn what_breaks_a_rule_is_refused_with_the_rule() {
    let long = "x".repeat(2_049);
    let many: Vec<String> = (0..501).map(|n| format!("name {n}")).collect();
    for (selectors, expected) in [
        (json!([]), "there is none"),
        (json!({"a": 1}), "JSON array"),
        (json!([{"FieldSelectors": []}]), "`eventCategory` is missing"),
        (one(json!([{"Field": "eventCategory", "Equals": ["Config"]}])), "not `Config`"),
        (
            one(json!([{"Field": "eventCategory", "StartsWith": ["Man"]}])),
            "`Equals` with one value",
        ),
        (
            one(json!([{"Field": "eventCategory", "Equals": ["Data"]}])),
            "`resources.type` is required",
        ),
        (
            management(json!([{"Field": "resources.ARN", "Equals": ["a"]}])),
            "no field `resources.ARN`",
        ),
        (management(json!([{"Field": "sourceIPAddress", "Equals": ["a"]}])), "unknown variant"),
        (management(json!([{"Field": "eventName"}])), "no operator with a value"),
        (management(json!([{"Field": "eventName", "Equals": [""]}])), "1 to 2048"),
        (management(json!([{"Field": "eventName", "Equals": [long]}])), "1 to 2048"),
        (management(json!([{"Field": "eventName", "Equals": many}])), "more than 500"),
        (management(json!([{"Field": "eventName", "Matches": ["a"]}])), "unknown field"),
        (management(json!([{"Field": "readOnly", "NotEquals": ["true"]}])), "`Equals` only"),
        (management(json!([{"Field": "readOnly", "Equals": ["yes"]}])), "true or false"),
        (
            management(json!([{"Field": "eventName", "Equals": ["a"]},
                           {"Field": "eventName", "Equals": ["b"]}])),
            "more than once",
        ),
        (
            one(json!([{"Field": "eventCategory", "Equals": ["NetworkActivity"]},
                    {"Field": "eventSource", "NotEquals": ["s3.amazonaws.com"]}])),
            "`Equals` only",
        ),
    ] {
        let refused = Selectors::parse(&selectors.to_string()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{selectors}: {refused}");
    }
    assert!(Selectors::parse("[").unwrap_err().to_string().contains("no JSON"));
    // As the AWS CLI prints them.
    let printed = json!({"AdvancedEventSelectors": management(json!([]))}).to_string();
    assert_eq!(Selectors::parse(&printed).unwrap().json(), &management(json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_is_counted_in_its_object_and_nowhere_else() {
    let mut bench = Bench::new();
    let event = |id: u32, name: &str, category: &str| {
        crate::event(id)
            .replace("GetObject", name)
            .replace("\"eventID\"", &format!("\"eventCategory\":\"{category}\",\"eventID\""))
    };
    let log = |events: &[String]| gzip(format!(r#"{{"Records":[{}]}}"#, events.join(",")));
    let first = [event(1, "GetObject", "Data"), event(2, "DeleteBucket", "Management")];
    let second = [event(3, "GetObject", "Data"), event(4, "HeadObject", "Data")];
    bench.put("first.json.gz", log(&first));
    bench.put("second.json.gz", log(&second));
    bench.put(
        "third.json.gz",
        log(&[
            first.clone(),
            [event(5, "PutBucketAcl", "Management"), event(6, "x", "Management")],
        ]
        .concat()),
    );
    let selectors = management(json!([{"Field": "eventName", "NotEquals": ["x"]}]));
    bench.options.selectors = Some(Selectors::parse(&selectors.to_string()).unwrap());
    let report = bench.ingest().await;
    assert_eq!(
        (report.records.records, report.records.stored, report.records.duplicates),
        (8, 2, 1),
        "{report:?}"
    );
    assert_eq!(report.records.deselected, 5);
    let of = |name: &str| {
        let line = bench.line(name);
        (line.records.records, line.records.stored, line.records.deselected, line.state)
    };
    assert_eq!(of("second.json.gz"), (2, 0, 2, "read"));
    assert_eq!(bench.rows("events").await, 2);
    assert_eq!(bench.ingest().await.objects.known, 3);
}
