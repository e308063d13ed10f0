//! What has a record's keys and is none: event notifications of S3.

use traillake_cloudtrail::{Body, Kind, Limits};

use crate::support::{decode, decode_within, event};

/// As the S3 User Guide has it, "Event message structure".
const NOTIFICATION: &str = r#"{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":"2024-01-02T03:04:05.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AWS:AROA:s"},"requestParameters":{"sourceIPAddress":"192.0.2.1"},"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810","x-amz-id-2":"FMyUVURIY8"},"s3":{"s3SchemaVersion":"1.0","configurationId":"c","bucket":{"name":"b","ownerIdentity":{"principalId":"A3NL1KOZZKExample"},"arn":"arn:aws:s3:::b"},"object":{"key":"k","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"0055AED6DCD90281E5"}}}"#;

#[test]
fn notifications_of_s3_alone_are_not_cloudtrails() {
    let n = NOTIFICATION;
    let streamed = Limits { in_memory_bytes_max: 8, ..Limits::default() };
    for body in [
        format!("{{\"Records\":[{n}]}}"),
        format!("{{\"Records\":[{n},{n}]}}\n{{\"Records\":[{n}]}}\n"),
        format!("[{n},{n}]"),
        format!("{n}\n{n}\n"),
    ] {
        for limits in [Limits::default(), streamed.clone()] {
            let decoded = decode_within(body.as_bytes(), &limits);
            let summary = &decoded.summary;
            assert!(!summary.recognised && !summary.suspect, "{body}: {summary:?}");
            assert_eq!((summary.format, summary.records, summary.rejects.len()), (None, 0, 0));
            assert!(decoded.batches.is_empty());
        }
    }
}

#[test]
fn notifications_of_s3_among_records_are_rejects() {
    let body = format!("{{\"Records\":[{NOTIFICATION},{},{NOTIFICATION}]}}", event(""));
    let summary = decode(body.as_bytes()).summary;
    assert_eq!((summary.format, summary.rows, summary.rejected), (Some(Body::Records), 1, 2));
    assert!(summary.rejects[0].reason.contains("notification of S3"), "{summary:?}");
    // Nor do they hide what cannot be read.
    let summary = decode(format!("[{NOTIFICATION},{{\"eventName\":tru}}]").as_bytes()).summary;
    assert_eq!((summary.recognised, summary.rejected), (true, 2), "{summary:?}");
}

#[test]
fn what_only_resembles_a_notification_is_a_row() {
    for (part, other) in
        [("\"2.1\"", "\"1.08\""), ("aws:s3\"", "s3.amazonaws.com\""), ("\"s3\":{", "\"s4\":{")]
    {
        let record = NOTIFICATION.replacen(part, other, 1);
        assert_ne!(record, NOTIFICATION);
        assert_eq!(decode(record.as_bytes()).records(Kind::Events), [record.as_bytes()]);
    }
}
