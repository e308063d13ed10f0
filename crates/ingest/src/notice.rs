//! Notices that objects have arrived in a bucket, in every shape they travel in.
//!
//! S3 event notifications (Amazon S3 User Guide, "Event message structure"), alone or as the message
//! of an SNS notification; EventBridge's "Object Created" (Amazon S3 User Guide, "EventBridge event
//! message structure"); and CloudTrail's own SNS notifications of a delivery (CloudTrail User Guide,
//! "Configuring Amazon SNS notifications"). Keys are URL-encoded in the first alone.

use memchr::memchr2;
use serde_json::Value;

/// An object that a notice tells of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Objects have arrived: at least one.
    Arrivals(Vec<Arrival>),
    /// Nothing of ours: S3's test of a new configuration, objects removed or restored.
    Nothing,
}

/// Wrappings around a notice: an SNS notification within a queue of EventBridge, at most.
const WRAPPINGS_MAX: usize = 3;

/// Reads the body of a message.
///
/// # Errors
/// In words, when it is none of those shapes.
pub fn notice(body: &str) -> Result<Notice, String> {
    let mut value: Value = parse(body)?;
    for _ in 0..WRAPPINGS_MAX {
        if let Some(message) = sns_message(&value) {
            value = parse(message)?;
        } else {
            break;
        }
    }
    if value["Event"] == "s3:TestEvent" {
        return Ok(Notice::Nothing);
    }
    if let Some(records) = value["Records"].as_array() {
        return s3_records(records);
    }
    if value["source"] == "aws.s3" {
        return event_bridge(&value);
    }
    if let Some(keys) = value["s3ObjectKey"].as_array() {
        let bucket = text(&value["s3Bucket"], "s3Bucket")?;
        let arrival = |key: &Value| {
            Ok(Arrival { bucket: bucket.to_owned(), key: text(key, "s3ObjectKey")?.to_owned() })
        };
        return Ok(arrivals(keys.iter().map(arrival).collect::<Result<_, String>>()?));
    }
    Err("it is no notice of S3, EventBridge or CloudTrail".to_owned())
}

fn parse(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    value.is_object().then_some(value).ok_or_else(|| "it is no JSON object".to_owned())
}

/// The message of an SNS notification that was not delivered raw.
fn sns_message(value: &Value) -> Option<&str> {
    let is_sns = value["Type"] == "Notification" && value["TopicArn"].is_string();
    value["Message"].as_str().filter(|_| is_sns)
}

fn s3_records(records: &[Value]) -> Result<Notice, String> {
    let mut found = Vec::new();
    for record in records {
        if record["eventSource"] != "aws:s3" {
            return Err(format!("its event source is {}, not aws:s3", record["eventSource"]));
        }
        // `ObjectCreated:Put`; a topic's own spelling has `s3:` before it.
        let name = text(&record["eventName"], "eventName")?;
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            continue;
        }
        let bucket = text(&record["s3"]["bucket"]["name"], "s3.bucket.name")?.to_owned();
        let key = url_decoded(text(&record["s3"]["object"]["key"], "s3.object.key")?)?;
        found.push(Arrival { bucket, key });
    }
    Ok(arrivals(found))
}

fn event_bridge(value: &Value) -> Result<Notice, String> {
    if value["detail-type"] != "Object Created" {
        return Ok(Notice::Nothing);
    }
    let detail = &value["detail"];
    let bucket = text(&detail["bucket"]["name"], "detail.bucket.name")?.to_owned();
    let key = text(&detail["object"]["key"], "detail.object.key")?.to_owned();
    Ok(Notice::Arrivals(vec![Arrival { bucket, key }]))
}

fn arrivals(found: Vec<Arrival>) -> Notice {
    if found.is_empty() { Notice::Nothing } else { Notice::Arrivals(found) }
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("it has no `{what}`"))
}

/// Decodes a key as S3 encodes it in notifications and inventories: `+` is a space.
///
/// # Errors
/// For an escape that is cut short, and for bytes that are no UTF-8.
pub(crate) fn url_decoded(text: &str) -> Result<String, String> {
    if memchr2(b'+', b'%', text.as_bytes()).is_none() {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                rest = after.get(2..).unwrap_or_default();
                byte.ok_or_else(|| format!("`{text}` is not URL-encoded"))?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "AWSLogs/o-a/1/CloudTrail/eu west/a+b/ü.json.gz";

    fn s3(name: &str, key: &str) -> Value {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
               "s3": {"bucket": {"name": "trail"}, "object": {"key": key, "size": 5}}})
    }

    fn sns(message: &Value) -> Value {
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t",
               "Message": message.to_string()})
    }

    fn arrived(keys: &[&str]) -> Result<Notice, String> {
        let arrival = |key: &&str| Arrival { bucket: "trail".into(), key: (*key).to_owned() };
        Ok(Notice::Arrivals(keys.iter().map(arrival).collect()))
    }

    #[test]
    fn every_shape_names_its_objects() {
        let check = |body: Value, expected: Result<Notice, String>| {
            assert_eq!(notice(&body.to_string()), expected, "{body}");
        };
        let encoded = "AWSLogs/o-a/1/CloudTrail/eu+west/a%2Bb/%C3%BC.json.gz";
        let plain = json!({"Records": [s3("ObjectCreated:Put", encoded)]});
        check(plain.clone(), arrived(&[KEY]));
        check(sns(&plain), arrived(&[KEY]));
        check(sns(&sns(&plain)), arrived(&[KEY]));
        let two = [s3("ObjectCreated:Copy", "a"), s3("s3:ObjectCreated:Post", "b")];
        check(json!({"Records": two}), arrived(&["a", "b"]));
        let mixed = [s3("ObjectRemoved:Delete", "a"), s3("ObjectCreated:Put", "b")];
        check(json!({"Records": mixed}), arrived(&["b"]));
        let bridge = |kind: &str| {
            json!({"version": "0", "source": "aws.s3", "detail-type": kind,
                   "detail": {"bucket": {"name": "trail"}, "object": {"key": KEY}}})
        };
        check(bridge("Object Created"), arrived(&[KEY]));
        check(sns(&bridge("Object Created")), arrived(&[KEY]));
        let own = json!({"s3Bucket": "trail", "s3ObjectKey": [KEY, "b"]});
        check(sns(&own), arrived(&[KEY, "b"]));
        check(own, arrived(&[KEY, "b"]));
    }

    #[test]
    fn what_is_no_arrival_is_nothing() {
        let check =
            |body: Value| assert_eq!(notice(&body.to_string()), Ok(Notice::Nothing), "{body}");
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"});
        check(test.clone());
        check(sns(&test));
        check(json!({"Records": []}));
        check(json!({"Records": [s3("ObjectRemoved:Delete", "a")]}));
        check(json!({"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}));
    }

    #[test]
    fn what_is_no_notice_says_why() {
        let check = |body: &str, reason: &str| {
            let error = notice(body).unwrap_err();
            assert!(error.contains(reason), "{body}: {error}");
        };
        check("", "no JSON");
        check("{\"Records\":", "no JSON");
        check("[]", "no JSON object");
        check("\"text\"", "no JSON object");
        check("{}", "no notice");
        check(r#"{"source":"aws.ec2","detail-type":"Object Created"}"#, "no notice");
        check(r#"{"Records":[{"eventSource":"aws:sqs"}]}"#, "aws:sqs");
        check(r#"{"Records":[{"eventSource":"aws:s3"}]}"#, "eventName");
        check(r#"{"Type":"Notification","TopicArn":"t","Message":"hello"}"#, "no JSON");
        check(r#"{"source":"aws.s3","detail-type":"Object Created","detail":{}}"#, "bucket.name");
        check(r#"{"s3Bucket":"trail","s3ObjectKey":[7]}"#, "s3ObjectKey");
        let bad = |key: &str| json!({"Records": [s3("ObjectCreated:Put", key)]}).to_string();
        check(&bad("a%2"), "not URL-encoded");
        check(&bad("a%zz"), "not URL-encoded");
        check(&bad("a%ff"), "no UTF-8");
        check(&bad(""), "s3.object.key");
    }
}
