//! One event and its bytes, keys in the order CloudTrail writes them.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Utc};

/// One CloudTrail record before it is written. Texts are JSON already where the field is not a
/// plain string; plain strings hold nothing that JSON must escape, or come escaped.
///
/// The default is a successful, read-only management call.
#[derive(Debug, Clone)]
pub struct Event {
    /// `eventVersion`.
    pub version: &'static str,
    /// `userIdentity` as a JSON object; empty leaves the field out, as some service events do.
    pub identity: String,
    /// `eventTime`, seconds since 1970, UTC.
    pub time: i64,
    /// `eventSource` without `.amazonaws.com`.
    pub source: &'static str,
    /// `eventName`.
    pub name: &'static str,
    /// `awsRegion`.
    pub region: String,
    /// `sourceIPAddress`.
    pub address: String,
    /// `userAgent`.
    pub agent: String,
    /// `errorCode` and `errorMessage`.
    pub error: Option<(String, String)>,
    /// `requestParameters` as JSON; empty is `null`.
    pub request: String,
    /// `responseElements` as JSON; empty is `null`.
    pub response: String,
    /// `additionalEventData` as JSON; empty leaves it out.
    pub additional: String,
    /// `requestID`; empty leaves it out.
    pub request_id: String,
    /// `eventID`.
    pub id: String,
    /// `readOnly`.
    pub read_only: bool,
    /// `resources` as a JSON array; empty leaves it out.
    pub resources: String,
    /// `eventType`.
    pub kind: &'static str,
    /// `apiVersion`; empty leaves it out.
    pub api_version: &'static str,
    /// `managementEvent`; false also makes `eventCategory` `Data`.
    pub management: bool,
    /// `recipientAccountId`.
    pub account: String,
    /// `sharedEventID`; empty leaves it out.
    pub shared_id: String,
    /// `vpcEndpointId`; empty leaves it out.
    pub endpoint: String,
    /// `serviceEventDetails` as JSON; empty leaves it out.
    pub service_details: String,
    /// The host name in `tlsDetails`; empty leaves it out.
    pub host: String,
    /// Whether `sessionCredentialFromConsole` stands there (as the string `true`).
    pub from_console: bool,
}

impl Default for Event {
    fn default() -> Self {
        Self {
            version: "1.11",
            identity: String::new(),
            time: 0,
            source: "sts",
            name: "GetCallerIdentity",
            region: "us-east-1".to_owned(),
            address: String::new(),
            agent: String::new(),
            error: None,
            request: String::new(),
            response: String::new(),
            additional: String::new(),
            request_id: String::new(),
            id: String::new(),
            read_only: true,
            resources: String::new(),
            kind: "AwsApiCall",
            api_version: "",
            management: true,
            account: String::new(),
            shared_id: String::new(),
            endpoint: String::new(),
            service_details: String::new(),
            host: String::new(),
            from_console: false,
        }
    }
}

impl Event {
    /// Appends the record's bytes: compact JSON, as CloudTrail writes it.
    pub fn write(&self, out: &mut String) {
        out.push_str(r#"{"eventVersion":""#);
        out.push_str(self.version);
        out.push('"');
        json(out, "userIdentity", &self.identity);
        out.push_str(r#","eventTime":""#);
        push_time(out, self.time);
        out.push_str(r#"","eventSource":""#);
        out.push_str(self.source);
        out.push_str(r#".amazonaws.com""#);
        text(out, "eventName", self.name);
        text(out, "awsRegion", &self.region);
        text(out, "sourceIPAddress", &self.address);
        text(out, "userAgent", &self.agent);
        if let Some((code, message)) = &self.error {
            text(out, "errorCode", code);
            text(out, "errorMessage", message);
        }
        json(out, "requestParameters", or_null(&self.request));
        json(out, "responseElements", or_null(&self.response));
        json(out, "additionalEventData", &self.additional);
        text(out, "requestID", &self.request_id);
        text(out, "eventID", &self.id);
        json(out, "readOnly", if self.read_only { "true" } else { "false" });
        json(out, "resources", &self.resources);
        text(out, "eventType", self.kind);
        text(out, "apiVersion", self.api_version);
        json(out, "managementEvent", if self.management { "true" } else { "false" });
        text(out, "recipientAccountId", &self.account);
        text(out, "sharedEventID", &self.shared_id);
        json(out, "serviceEventDetails", &self.service_details);
        text(out, "vpcEndpointId", &self.endpoint);
        text(out, "eventCategory", if self.management { "Management" } else { "Data" });
        if !self.host.is_empty() {
            out.push_str(r#","tlsDetails":{"tlsVersion":"TLSv1.3","#);
            out.push_str(r#""cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":""#);
            out.push_str(&self.host);
            out.push_str(r#""}"#);
        }
        text(out, "sessionCredentialFromConsole", if self.from_console { "true" } else { "" });
        out.push('}');
    }
}

fn or_null(json: &str) -> &str {
    if json.is_empty() { "null" } else { json }
}

fn json(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        out.push_str(value);
    }
}

fn text(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":\"");
        out.push_str(value);
        out.push('"');
    }
}

/// Appends `seconds` since 1970 as `2024-05-06T07:08:09Z`.
pub(crate) fn push_time(out: &mut String, seconds: i64) {
    push_date(out, seconds, "-");
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    // Digits by hand: a quarter of the time of a trail went into formatting these.
    for (before, number) in [('T', hour), (':', minute), (':', second)] {
        out.push(before);
        push_two(out, number);
    }
    out.push('Z');
}

/// Appends the day of `seconds` since 1970 as year, month and day with `between` between them.
pub(crate) fn push_date(out: &mut String, seconds: i64, between: &str) {
    let date = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().date_naive();
    let _ = write!(out, "{:04}", date.year());
    for number in [date.month(), date.day()] {
        out.push_str(between);
        push_two(out, i64::from(number));
    }
}

pub(crate) fn push_two(out: &mut String, number: i64) {
    for digit in [number / 10, number % 10] {
        out.push(char::from(b'0' + digit as u8));
    }
}
