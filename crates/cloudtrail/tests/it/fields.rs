//! Every field that AWS documents has a home: one value in each, and each in its column.

use arrow::array::Array;
use traillake_cloudtrail::Kind;

use crate::support::decode;

/// Decodes one record; returns each column's value as text, in table order.
fn columns(kind: Kind, record: &str) -> Vec<(String, Option<String>)> {
    let decoded = decode(format!(r#"{{"Records":[{record}]}}"#).as_bytes());
    assert_eq!(decoded.summary.rows, 1, "{:?}", decoded.summary.rejects);
    assert_eq!(decoded.records(kind), [record.as_bytes()]);
    assert_eq!((decoded.summary.spare_rows, decoded.summary.raw_field_rows), (0, 0));
    assert_eq!(decoded.text(kind, "_unknown_fields"), [None]);
    let text = |name: &str| match name {
        "resources" => {
            let list = decoded.rows(kind).column_by_name(name).unwrap().clone();
            let shown = arrow::util::display::array_value_to_string(&list, 0).unwrap();
            (!list.is_null(0)).then_some(shown)
        }
        _ => decoded.text(kind, name).remove(0),
    };
    kind.columns().iter().map(|column| (column.name.to_owned(), text(column.name))).collect()
}

fn check(kind: Kind, record: &str, expected: &[(&str, &str)]) {
    let found = columns(kind, record);
    let found: Vec<(&str, Option<&str>)> =
        found.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    for (name, value) in &found {
        let expected = expected.iter().find(|(column, _)| column == name);
        assert_eq!(*value, expected.map(|(_, value)| *value), "{kind:?} `{name}`");
    }
    for (name, _) in expected {
        assert!(found.iter().any(|(column, _)| column == name), "no column `{name}`");
    }
}

#[test]
fn every_field_of_an_event() {
    check(Kind::Events, EVENT, EVENT_COLUMNS);
    let filled = EVENT_COLUMNS.iter().map(|(name, _)| *name);
    let columns: Vec<&str> = Kind::Events.columns().iter().map(|column| column.name).collect();
    assert!(columns.iter().all(|column| filled.clone().any(|name| name == *column)));
}

const EVENT: &str = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROA:s","arn":"arn:aws:sts::000000000001:assumed-role/r/s","accountId":"000000000001","accessKeyId":"ASIA1","userName":"un","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA","arn":"arn:aws:iam::000000000001:role/r","accountId":"000000000002","userName":"r"},"webIdFederationData":{"federatedProvider":"fp","attributes":{"a":"b"}},"attributes":{"creationDate":"20131102T010628Z","mfaAuthenticated":"false"},"sourceIdentity":"si","ec2RoleDelivery":"2.0","ec2IssuedInVpc":"vpc","assumedRoot":"true"},"invokedBy":"by","identityProvider":"ip","credentialId":"ci","onBehalfOf":{"userId":"ui","identityStoreArn":"isa"},"inScopeOf":{"sourceArn":"sa","sourceAccount":"000000000003","issuerType":"it","credentialsIssuedTo":"cit"},"invokedByDelegate":{"accountId":"000000000004"}},"eventTime":"2024-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"AWS Internal","userAgent":"ua","errorCode":"ec","errorMessage":"em","requestParameters":{"bucketName":"b","n":1376.0},"responseElements":{"r":1.688560107857E9},"additionalEventData":{"a":1},"requestID":"ri","eventID":"id","readOnly":true,"resources":[{"accountId":"000000000005","type":"AWS::S3::Bucket","ARN":"arn:b","ARNPrefix":"arn:p"},{"arn":"arn:c"}],"eventType":"AwsApiCall","apiVersion":"2012","managementEvent":false,"recipientAccountId":"000000000006","sharedEventID":"sid","vpcEndpointId":"vpce","vpcEndpointAccountId":"000000000007","serviceEventDetails":{"s":1},"eventCategory":"Data","insightDetails":{"i":1},"addendum":{"reason":"UPDATED_DATA","updatedFields":"f","originalRequestID":"o","originalEventID":"e"},"sessionCredentialFromConsole":"true","edgeDeviceDetails":{"e":1},"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"cs","clientProvidedHostHeader":"h","keyExchange":"X25519MLKEM768"},"eventContext":{"requestContext":{},"tagContext":{}},"annotation":"an"}"#;

const EVENT_COLUMNS: &[(&str, &str)] = &[
    ("eventVersion", "1.11"),
    ("eventTime", "2024-01-02T03:04:05Z"),
    ("eventSource", "s3.amazonaws.com"),
    ("eventName", "GetObject"),
    ("awsRegion", "eu-west-1"),
    ("recipientAccountId", "000000000006"),
    ("eventID", "id"),
    ("userIdentity_type", "AssumedRole"),
    ("userIdentity_principalId", "AROA:s"),
    ("userIdentity_arn", "arn:aws:sts::000000000001:assumed-role/r/s"),
    ("userIdentity_accountId", "000000000001"),
    ("userIdentity_accessKeyId", "ASIA1"),
    ("userIdentity_userName", "un"),
    ("userIdentity_invokedBy", "by"),
    ("userIdentity_identityProvider", "ip"),
    ("userIdentity_credentialId", "ci"),
    ("userIdentity_sessionIssuer_type", "Role"),
    ("userIdentity_sessionIssuer_principalId", "AROA"),
    ("userIdentity_sessionIssuer_arn", "arn:aws:iam::000000000001:role/r"),
    ("userIdentity_sessionIssuer_accountId", "000000000002"),
    ("userIdentity_sessionIssuer_userName", "r"),
    ("userIdentity_webIdFederationData_federatedProvider", "fp"),
    ("userIdentity_webIdFederationData_attributes", r#"{"a":"b"}"#),
    ("userIdentity_creationDate", "20131102T010628Z"),
    ("userIdentity_mfaAuthenticated", "false"),
    ("userIdentity_sourceIdentity", "si"),
    ("userIdentity_ec2RoleDelivery", "2.0"),
    ("userIdentity_ec2IssuedInVpc", "vpc"),
    ("userIdentity_assumedRoot", "true"),
    ("userIdentity_onBehalfOf_userId", "ui"),
    ("userIdentity_onBehalfOf_identityStoreArn", "isa"),
    ("userIdentity_inScopeOf_sourceArn", "sa"),
    ("userIdentity_inScopeOf_sourceAccount", "000000000003"),
    ("userIdentity_inScopeOf_issuerType", "it"),
    ("userIdentity_inScopeOf_credentialsIssuedTo", "cit"),
    ("userIdentity_invokedByDelegate_accountId", "000000000004"),
    ("sourceIPAddress", "AWS Internal"),
    ("userAgent", "ua"),
    ("errorCode", "ec"),
    ("errorMessage", "em"),
    ("requestParameters", r#"{"bucketName":"b","n":1376.0}"#),
    ("responseElements", r#"{"r":1.688560107857E9}"#),
    ("additionalEventData", r#"{"a":1}"#),
    ("requestID", "ri"),
    ("readOnly", "true"),
    (
        "resources",
        "[{accountId: 000000000005, type: AWS::S3::Bucket, ARN: arn:b, ARNPrefix: arn:p}, {accountId: , type: , ARN: arn:c, ARNPrefix: }]",
    ),
    ("eventType", "AwsApiCall"),
    ("apiVersion", "2012"),
    ("managementEvent", "false"),
    ("sharedEventID", "sid"),
    ("vpcEndpointId", "vpce"),
    ("vpcEndpointAccountId", "000000000007"),
    ("serviceEventDetails", r#"{"s":1}"#),
    ("eventCategory", "Data"),
    ("insightDetails", r#"{"i":1}"#),
    (
        "addendum",
        r#"{"reason":"UPDATED_DATA","updatedFields":"f","originalRequestID":"o","originalEventID":"e"}"#,
    ),
    ("sessionCredentialFromConsole", "true"),
    ("edgeDeviceDetails", r#"{"e":1}"#),
    ("tlsDetails_tlsVersion", "TLSv1.3"),
    ("tlsDetails_cipherSuite", "cs"),
    ("tlsDetails_clientProvidedHostHeader", "h"),
    ("tlsDetails_keyExchange", "X25519MLKEM768"),
    ("eventContext", r#"{"requestContext":{},"tagContext":{}}"#),
    ("annotation", "an"),
];

/// Columns with their values.
type Columns = &'static [(&'static str, &'static str)];

/// What each version added (the CloudTrail User Guide, "Record contents"): members and their
/// columns. The first had what every call has, and no identity of an event.
const SINCE: &[(&str, &str, Columns)] = &[
    (
        "1.0",
        r#""userIdentity":{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::012345678901:user/alice","accountId":"012345678901","accessKeyId":"AKIA1","userName":"alice"},"eventTime":"2013-11-13T10:20:30Z","eventSource":"ec2.amazonaws.com","eventName":"StopInstances","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.7","userAgent":"EC2ConsoleBackend","errorCode":"Client.UnauthorizedOperation","errorMessage":"You are not authorized","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"}]},"force":false},"responseElements":{"n":0},"additionalEventData":{"a":1}"#,
        &[
            ("userIdentity_type", "IAMUser"),
            ("userIdentity_principalId", "AIDA1"),
            ("userIdentity_arn", "arn:aws:iam::012345678901:user/alice"),
            ("userIdentity_accountId", "012345678901"),
            ("userIdentity_accessKeyId", "AKIA1"),
            ("userIdentity_userName", "alice"),
            ("eventTime", "2013-11-13T10:20:30Z"),
            ("eventSource", "ec2.amazonaws.com"),
            ("eventName", "StopInstances"),
            ("awsRegion", "us-west-2"),
            ("sourceIPAddress", "192.0.2.7"),
            ("userAgent", "EC2ConsoleBackend"),
            ("errorCode", "Client.UnauthorizedOperation"),
            ("errorMessage", "You are not authorized"),
            (
                "requestParameters",
                r#"{"instancesSet":{"items":[{"instanceId":"i-1"}]},"force":false}"#,
            ),
            ("responseElements", r#"{"n":0}"#),
            ("additionalEventData", r#"{"a":1}"#),
        ],
    ),
    (
        "1.01",
        r#""requestID":"r-1","eventID":"e-1","readOnly":false,"resources":[{"ARN":"arn:i","accountId":"012345678901","type":"AWS::EC2::Instance"}],"apiVersion":"2013-10-15""#,
        &[
            ("requestID", "r-1"),
            ("eventID", "e-1"),
            ("readOnly", "false"),
            (
                "resources",
                "[{accountId: 012345678901, type: AWS::EC2::Instance, ARN: arn:i, ARNPrefix: }]",
            ),
            ("apiVersion", "2013-10-15"),
        ],
    ),
    (
        "1.02",
        r#""eventType":"AwsApiCall","recipientAccountId":"098765432109""#,
        &[("eventType", "AwsApiCall"), ("recipientAccountId", "098765432109")],
    ),
    ("1.03", r#""sharedEventID":"s-1""#, &[("sharedEventID", "s-1")]),
    ("1.04", r#""vpcEndpointId":"vpce-1""#, &[("vpcEndpointId", "vpce-1")]),
    (
        "1.05",
        r#""serviceEventDetails":{"keyId":"k"}"#,
        &[("serviceEventDetails", r#"{"keyId":"k"}"#)],
    ),
    ("1.06", r#""managementEvent":true"#, &[("managementEvent", "true")]),
];

#[test]
fn events_of_every_old_version() {
    let (mut members, mut columns) = (String::new(), Vec::new());
    for (version, more, more_columns) in SINCE {
        members.extend([",", more]);
        columns.extend_from_slice(more_columns);
        let expected = [&columns[..], &[("eventVersion", *version)]].concat();
        check(Kind::Events, &format!(r#"{{"eventVersion":"{version}"{members}}}"#), &expected);
    }
}

#[test]
fn an_event_of_network_activity() {
    let record = r#"{"eventVersion":"1.09","userIdentity":{"type":"AWSAccount","principalId":"AKIA1","accountId":"777788889999"},"eventTime":"2024-07-15T23:57:12Z","eventSource":"cloudtrail.amazonaws.com","eventName":"LookupEvents","awsRegion":"us-east-1","sourceIPAddress":"10.89.208.10","errorCode":"VpceAccessDenied","errorMessage":"The request was denied due to a VPC endpoint policy","requestID":"r","eventID":"e","eventType":"AwsVpceEvents","recipientAccountId":"012345678901","sharedEventID":"s","vpcEndpointId":"vpce-0a","vpcEndpointAccountId":"012345678902","eventCategory":"NetworkActivity"}"#;
    check(
        Kind::Events,
        record,
        &[
            ("eventVersion", "1.09"),
            ("userIdentity_type", "AWSAccount"),
            ("userIdentity_principalId", "AKIA1"),
            ("userIdentity_accountId", "777788889999"),
            ("eventTime", "2024-07-15T23:57:12Z"),
            ("eventSource", "cloudtrail.amazonaws.com"),
            ("eventName", "LookupEvents"),
            ("awsRegion", "us-east-1"),
            ("sourceIPAddress", "10.89.208.10"),
            ("errorCode", "VpceAccessDenied"),
            ("errorMessage", "The request was denied due to a VPC endpoint policy"),
            ("requestID", "r"),
            ("eventID", "e"),
            ("eventType", "AwsVpceEvents"),
            ("recipientAccountId", "012345678901"),
            ("sharedEventID", "s"),
            ("vpcEndpointId", "vpce-0a"),
            ("vpcEndpointAccountId", "012345678902"),
            ("eventCategory", "NetworkActivity"),
        ],
    );
}

#[test]
fn both_forms_of_insights() {
    let trail = r#"{"eventVersion":"1.08","eventTime":"2024-01-02T03:04:05Z","awsRegion":"eu-west-1","eventID":"id","eventType":"AwsCloudTrailInsight","recipientAccountId":"000000000001","sharedEventID":"sid","insightDetails":{"state":"Start","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","insightType":"ApiErrorRateInsight","errorCode":"Denied","insightContext":{"statistics":{"baseline":{"average":0.10}}}},"eventCategory":"Insight","addendum":{"reason":"DELIVERY_DELAY"}}"#;
    let mut expected = vec![
        ("eventVersion", "1.08"),
        ("eventTime", "2024-01-02T03:04:05Z"),
        ("awsRegion", "eu-west-1"),
        ("eventID", "id"),
        ("eventType", "AwsCloudTrailInsight"),
        ("recipientAccountId", "000000000001"),
        ("sharedEventID", "sid"),
        ("insightState", "Start"),
        ("eventSource", "ec2.amazonaws.com"),
        ("eventName", "RunInstances"),
        ("insightType", "ApiErrorRateInsight"),
        ("insightErrorCode", "Denied"),
        ("insightContext", r#"{"statistics":{"baseline":{"average":0.10}}}"#),
        ("eventCategory", "Insight"),
        ("addendum", r#"{"reason":"DELIVERY_DELAY"}"#),
    ];
    check(Kind::Insights, trail, &expected);
    let lake = r#"{"eventVersion":"1.08","eventTime":"2024-01-02T03:04:05Z","awsRegion":"eu-west-1","eventID":"id","eventType":"AwsCloudTrailInsight","recipientAccountId":"000000000001","sharedEventID":"sid","insightSource":"src","insightState":"Start","insightEventSource":"ec2.amazonaws.com","insightEventName":"RunInstances","insightErrorCode":"Denied","insightType":"ApiErrorRateInsight","insightContext":{"statistics":{"baseline":{"average":0.10}}},"eventCategory":"Insight","addendum":{"reason":"DELIVERY_DELAY"}}"#;
    expected.push(("insightSource", "src"));
    check(Kind::Insights, lake, &expected);
}

#[test]
fn an_aggregate_has_the_time_of_its_window() {
    let record = r#"{"eventVersion":"1.0","accountId":"000000000001","eventId":"id","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":"eu-west-1","eventSource":"s3.amazonaws.com","timeWindow":{"windowStart":"2025-11-20T10:00:00Z","windowEnd":"2025-11-20T10:05:00Z","windowSize":"PT5M"},"summary":{"primaryDimension":{"dimension":"eventName","statistics":[{"name":"GetObject","value":3}],"aggregationType":"Count"},"details":[]}}"#;
    check(
        Kind::Aggregated,
        record,
        &[
            ("eventVersion", "1.0"),
            ("recipientAccountId", "000000000001"),
            ("eventID", "id"),
            ("eventCategory", "Aggregated"),
            ("eventType", "AwsAggregatedEvent"),
            ("awsRegion", "eu-west-1"),
            ("eventSource", "s3.amazonaws.com"),
            ("eventTime", "2025-11-20T10:00:00Z"),
            ("windowEnd", "2025-11-20T10:05:00Z"),
            ("windowSize", "PT5M"),
            (
                "summary",
                r#"{"primaryDimension":{"dimension":"eventName","statistics":[{"name":"GetObject","value":3}],"aggregationType":"Count"},"details":[]}"#,
            ),
        ],
    );
}

#[test]
fn a_digest_keeps_its_exact_bytes() {
    let digest = concat!(
        r#" {"awsAccountId":"000000000001","digestStartTime":"2019-11-08T15:49:11Z","digestEndTime":"2019-11-08T16:49:11Z","#,
        r#""digestS3Bucket":"b","digestS3Object":"AWSLogs/k","digestPublicKeyFingerprint":"fp","digestSignatureAlgorithm":"SHA256withRSA","#,
        r#""newestEventTime":"2019-11-08T16:40:00Z","oldestEventTime":null,"previousDigestS3Bucket":"pb","previousDigestS3Object":"pk","#,
        r#""previousDigestHashValue":"ph","previousDigestHashAlgorithm":"SHA-256","previousDigestSignature":"ps","logFiles":[{"s3Bucket":"b"}]}"#,
        "\n"
    );
    let decoded = decode(digest.as_bytes());
    assert_eq!((decoded.summary.records, decoded.summary.kind), (0, Some(Kind::Digest)));
    let value = |name: &str| decoded.text(Kind::Digest, name).remove(0);
    for (name, expected) in [
        ("awsAccountId", Some("000000000001")),
        ("digestStartTime", Some("2019-11-08T15:49:11Z")),
        ("digestEndTime", Some("2019-11-08T16:49:11Z")),
        ("digestS3Bucket", Some("b")),
        ("digestS3Object", Some("AWSLogs/k")),
        ("digestPublicKeyFingerprint", Some("fp")),
        ("digestSignatureAlgorithm", Some("SHA256withRSA")),
        ("newestEventTime", Some("2019-11-08T16:40:00Z")),
        ("oldestEventTime", None),
        ("previousDigestS3Bucket", Some("pb")),
        ("previousDigestS3Object", Some("pk")),
        ("previousDigestHashValue", Some("ph")),
        ("previousDigestHashAlgorithm", Some("SHA-256")),
        ("previousDigestSignature", Some("ps")),
        ("logFiles", Some(r#"[{"s3Bucket":"b"}]"#)),
        ("content", Some(digest)),
        ("signature", None),
        ("signatureAlgorithm", None),
        ("backfillGenerationTimestamp", None),
    ] {
        assert_eq!(value(name).as_deref(), expected, "{name}");
    }
}
