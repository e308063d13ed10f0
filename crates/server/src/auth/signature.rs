//! AWS Signature Version 4, as a server checks it:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>. A signature stands
//! in `Authorization`, or in a URL (`presigned`).

mod presigned;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::http::request::Parts;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub(crate) use presigned::is_parameter;

use self::presigned::Presigned;
use super::tokens::hmac;
use crate::error::{Error, Result};

/// How far a client's clock may be off.
const SKEW: TimeDelta = TimeDelta::minutes(15);
/// What RFC 3986 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// Characters that a refusal quotes of a request: it is logged and kept, and strangers choose them.
const QUOTED_MAX: usize = 200;

/// What `Authorization` or a URL says.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(super) access_key: String,
    date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: Vec<u8>,
    /// What a URL says beside it.
    presigned: Option<Presigned>,
}

impl Signature {
    /// Reads `Credential=…, SignedHeaders=…, Signature=…`.
    pub(super) fn parse(text: &str) -> Result<Signature> {
        let wrong = || Error::unknown("`Authorization: AWS4-HMAC-SHA256` is malformed");
        let part = |name: &str| {
            let mut parts = text.split(',').filter_map(|part| part.trim().split_once('='));
            parts.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or_else(wrong)
        };
        let (scope, headers) = (part("Credential")?, part("SignedHeaders")?);
        Signature::of(scope, headers, part("Signature")?).ok_or_else(wrong)
    }

    /// Puts a signature together; none where a part of it is malformed.
    fn of(scope: &str, signed_headers: &str, signature: &str) -> Option<Signature> {
        let scope: Vec<&str> = scope.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = scope[..] else { return None };
        Some(Signature {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: unhex(signature)?,
            presigned: None,
        })
    }

    /// Checks that whoever has `secret` signed this very request, a moment ago.
    pub(super) fn verify(
        &self,
        secret: &str,
        head: &Parts,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let stamp = self.check_head(head, now)?;
        let payload = match &self.presigned {
            Some(presigned) => presigned.payload(body)?,
            None => payload_hash(head, body)?,
        };
        let canonical = self.canonical(head, &payload)?;
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let digest = hex(&Sha256::digest(canonical.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        let mut key = hmac(format!("AWS4{secret}").as_bytes(), self.date.as_bytes());
        for part in [self.region.as_str(), self.service.as_str(), "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        let expected = hmac(&key, to_sign.as_bytes());
        match bool::from(expected.ct_eq(self.signature.as_slice())) {
            true => Ok(()),
            false => Err(no_match()),
        }
    }

    /// Checks what needs neither a secret nor a body: that it was signed a moment ago, all that
    /// matters of the head included. Returns when it was signed, as the client wrote it.
    pub(super) fn check_head(&self, head: &Parts, now: DateTime<Utc>) -> Result<String> {
        let stamp = match &self.presigned {
            Some(presigned) => self.stamp_of_url(presigned, now)?,
            None => self.stamp(head, now)?,
        };
        self.covers_what_matters(head)?;
        Ok(stamp)
    }

    fn stamp(&self, head: &Parts, now: DateTime<Utc>) -> Result<String> {
        let text = head.headers.get("x-amz-date").and_then(|value| value.to_str().ok());
        let text = text.ok_or_else(|| Error::unknown("`X-Amz-Date` is missing"))?;
        let time = self.time(text)?;
        if (now - time).abs() > SKEW {
            return Err(Error::unknown(format!(
                "the request was signed at {}, which is more than {} minutes from the server's \
                 time, {}",
                quoted(text),
                SKEW.num_minutes(),
                now.format("%Y%m%dT%H%M%SZ")
            )));
        }
        Ok(text.to_owned())
    }

    /// Reads when it was signed.
    fn time(&self, text: &str) -> Result<DateTime<Utc>> {
        let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ");
        let time = time.map_err(|_| Error::unknown("`X-Amz-Date` is no time"))?;
        match text.starts_with(&self.date) {
            true => Ok(time.and_utc()),
            false => Err(Error::unknown("`X-Amz-Date` is of another day than the credential")),
        }
    }

    /// A header that says what is asked must be signed, else somebody on the way could change it.
    fn covers_what_matters(&self, head: &Parts) -> Result<()> {
        let signed: BTreeSet<&str> = self.signed_headers.iter().map(String::as_str).collect();
        let matters = |name: &str| {
            name == "host" || (name.starts_with("x-amz-") && name != "x-amz-security-token")
        };
        let present = head.headers.keys().map(|name| name.as_str());
        let present = std::iter::once("host").chain(present);
        match present.filter(|name| matters(name)).find(|name| !signed.contains(name)) {
            Some(name) => {
                Err(Error::unknown(format!("the header `{}` is not signed", quoted(name))))
            }
            None => Ok(()),
        }
    }

    fn canonical(&self, head: &Parts, payload: &str) -> Result<String> {
        let mut text = format!("{}\n{}\n", head.method, self.canonical_path(head.uri.path()));
        // A signature in a URL is over all of it but itself.
        let itself = self.presigned.as_ref().map(|_| presigned::SIGNATURE);
        text += &canonical_query(head.uri.query().unwrap_or_default(), itself);
        text.push('\n');
        for name in &self.signed_headers {
            let _ = writeln!(text, "{name}:{}", canonical_values(head, name)?);
        }
        let _ = write!(text, "\n{}\n{payload}", self.signed_headers.join(";"));
        Ok(text)
    }

    /// S3 encodes a path once, everybody else twice.
    fn canonical_path(&self, path: &str) -> String {
        let decoded = percent_decode_str(path).collect::<Vec<u8>>();
        let once = percent_encoding::percent_encode(&decoded, ENCODED_PATH).to_string();
        match self.service == "s3" {
            true => once,
            false => utf8_percent_encode(&once, ENCODED_PATH).to_string(),
        }
    }
}

/// Returns as much of what a request says as a refusal quotes.
fn quoted(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// One answer for an access key that is not known and for a signature that is not by it: who tries
/// keys learns nothing of them.
pub(super) fn no_match() -> Error {
    Error::unknown(
        "the access key is not known, or the signature does not match: check both keys and that \
         nothing on the way changes the request",
    )
}

fn canonical_values(head: &Parts, name: &str) -> Result<String> {
    if name == "host" && !head.headers.contains_key("host") {
        // HTTP/2 carries it as the authority.
        return Ok(head.uri.authority().map(ToString::to_string).unwrap_or_default());
    }
    let mut values = Vec::new();
    for value in head.headers.get_all(name) {
        let value = value
            .to_str()
            .map_err(|_| Error::unknown(format!("the header `{}` is not text", quoted(name))))?;
        values.push(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    }
    match values.is_empty() {
        true => Err(Error::unknown(format!("the signed header `{}` is missing", quoted(name)))),
        false => Ok(values.join(",")),
    }
}

/// The names and values of a query string in their order, without those of one name.
fn canonical_query(query: &str, without: Option<&str>) -> String {
    let encode = |text: &str| {
        let decoded = percent_decode_str(text).collect::<Vec<u8>>();
        percent_encoding::percent_encode(&decoded, ENCODED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .filter(|(name, _)| Some(name.as_str()) != without)
        .collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The hash that was signed, which must be the body's. What has no body needs no hash of it.
fn payload_hash(head: &Parts, body: &[u8]) -> Result<String> {
    let actual = hex(&Sha256::digest(body));
    let told = head.headers.get("x-amz-content-sha256").map(|value| value.to_str());
    match told {
        None => Ok(actual),
        Some(Ok(told)) if told == actual => Ok(actual),
        Some(Ok(UNSIGNED)) if body.is_empty() => Ok(UNSIGNED.to_owned()),
        Some(_) => Err(Error::unknown("`X-Amz-Content-Sha256` is not the hash of the body")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..32).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    /// The example of AWS's guide: a request to IAM, its secret and its signature.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn example() -> (Parts, Signature) {
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let authorization = format!(
            "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        );
        let request = Request::builder()
            .uri("/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z");
        let (head, ()) = request.body(()).unwrap().into_parts();
        (head, Signature::parse(&authorization).unwrap())
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn the_guides_example_is_valid() {
        let (head, signature) = example();
        signature.verify(SECRET, &head, b"", at("2015-08-30T12:40:00Z")).unwrap();
    }

    #[test]
    fn whatever_is_changed_makes_it_invalid() {
        let now = at("2015-08-30T12:40:00Z");
        let check =
            |change: &dyn Fn(&mut Parts, &mut Signature), secret: &str, body: &[u8], now| {
                let (mut head, mut signature) = example();
                change(&mut head, &mut signature);
                signature.verify(secret, &head, body, now).map_err(|error| error.to_string())
            };
        let same = |_: &mut Parts, _: &mut Signature| {};
        let refused = |result: Result<(), String>, word: &str| {
            assert!(result.as_ref().is_err_and(|error| error.contains(word)), "{result:?} {word}");
        };
        refused(check(&same, "another secret", b"", now), "does not match");
        refused(check(&same, SECRET, b"a body", now), "does not match");
        refused(check(&same, SECRET, b"", at("2015-08-30T12:52:00Z")), "15 minutes");
        refused(check(&same, SECRET, b"", at("2015-08-30T12:20:59Z")), "15 minutes");
        let other_query = |head: &mut Parts, _: &mut Signature| {
            head.uri = "/?Action=DeleteUser&Version=2010-05-08".parse().unwrap();
        };
        refused(check(&other_query, SECRET, b"", now), "does not match");
        let other_path =
            |head: &mut Parts, _: &mut Signature| head.uri = "/x?Action=ListUsers".parse().unwrap();
        refused(check(&other_path, SECRET, b"", now), "does not match");
        let other_host = |head: &mut Parts, _: &mut Signature| {
            head.headers.insert("host", "evil.example".parse().unwrap());
        };
        refused(check(&other_host, SECRET, b"", now), "does not match");
        let unsigned_target = |head: &mut Parts, _: &mut Signature| {
            head.headers.insert("x-amz-target", "CloudTrail_20131101.StartQuery".parse().unwrap());
        };
        refused(check(&unsigned_target, SECRET, b"", now), "`x-amz-target` is not signed");
        let without_host = |_: &mut Parts, signature: &mut Signature| {
            signature.signed_headers.retain(|name| name != "host");
        };
        refused(check(&without_host, SECRET, b"", now), "`host` is not signed");
        let wrong_hash = |head: &mut Parts, signature: &mut Signature| {
            head.headers.insert("x-amz-content-sha256", "00".parse().unwrap());
            signature.signed_headers.push("x-amz-content-sha256".to_owned());
        };
        refused(check(&wrong_hash, SECRET, b"", now), "not the hash");
        let other_day = |_: &mut Parts, signature: &mut Signature| {
            signature.date = "20150829".to_owned();
        };
        refused(check(&other_day, SECRET, b"", now), "another day");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let signs = format!(
            "Credential=AK/20150830/r/s/aws4_request, SignedHeaders=host, Signature={}",
            "+0".repeat(32)
        );
        for text in [
            signs.as_str(),
            "",
            "Credential=a",
            "Credential=AK/20150830/r/s/aws4_request, SignedHeaders=host, Signature=zz",
            "Credential=AK/20150830/r/s/aws4, SignedHeaders=host, Signature=00",
            "Credential=AK/20150830/r/s/t/aws4_request, SignedHeaders=host, Signature=00",
        ] {
            assert!(Signature::parse(text).is_err(), "{text}");
        }
    }
}
