//! Signatures in URLs: who has one can fetch an object for a while without keys
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>). They are taken
//! for files of results alone; nothing is asked by a URL that goes from hand to hand.

use axum::http::Method;
use axum::http::request::Parts;
use chrono::{DateTime, TimeDelta, Utc};

use super::{SKEW, Signature, UNSIGNED, quoted};
use crate::aws::objects::is_meant;
use crate::error::{Error, Result};

/// Seconds that a URL may be good for, as many as in S3.
const SECONDS_MAX: i64 = 7 * 24 * 3600;

pub(super) const SIGNATURE: &str = "X-Amz-Signature";
const ALGORITHM: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const SESSION: &str = "X-Amz-Security-Token";

/// Whether a parameter of a URL is one of its signature.
pub(crate) fn is_parameter(name: &str) -> bool {
    [SIGNATURE, ALGORITHM, CREDENTIAL, DATE, EXPIRES, SIGNED_HEADERS, SESSION].contains(&name)
}

/// What a URL says beside its signature.
#[derive(Debug)]
pub(super) struct Presigned {
    /// When it was signed, as the client wrote it.
    stamp: String,
    good_for: TimeDelta,
}

impl Presigned {
    /// Returns the hash that was signed, which stands for no body at all.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is a body.
    pub(super) fn payload(&self, body: &[u8]) -> Result<String> {
        match body.is_empty() {
            true => Ok(UNSIGNED.to_owned()),
            false => Err(Error::unknown("a URL that is signed is sent without a body")),
        }
    }
}

impl Signature {
    /// Returns the signature that a URL carries; none where it carries none.
    ///
    /// # Errors
    /// [`Error::Unknown`] for one that is malformed, of another version, or for something else than a
    /// file of results.
    pub(in crate::auth) fn of_url(head: &Parts) -> Result<Option<Signature>> {
        let query = head.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let pairs: Vec<(String, String)> = pairs.into_owned().collect();
        let value = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        let fetches =
            is_meant(head.uri.path()) && matches!(head.method, Method::GET | Method::HEAD);
        if fetches && value("AWSAccessKeyId").and(value("Signature")).is_some() {
            return Err(Error::unknown(
                "the URL is signed by version 2; sign it by version 4 (boto3: \
                 `Config(signature_version=\"s3v4\")`)",
            ));
        }
        if value(SIGNATURE).is_none() {
            return Ok(None);
        }
        if !fetches {
            return Err(Error::unknown("a signature in a URL is taken for files of results alone"));
        }
        let signature = || {
            let seconds: i64 = value(EXPIRES)?.parse().ok()?;
            let good_for =
                (1..=SECONDS_MAX).contains(&seconds).then(|| TimeDelta::seconds(seconds))?;
            let stamp = value(DATE)?.to_owned();
            let signed =
                Signature::of(value(CREDENTIAL)?, value(SIGNED_HEADERS)?, value(SIGNATURE)?)?;
            let known = value(ALGORITHM)? == "AWS4-HMAC-SHA256" && signed.service == "s3";
            known.then_some(Signature { presigned: Some(Presigned { stamp, good_for }), ..signed })
        };
        let malformed = || {
            Error::unknown(format!(
                "the signature in the URL is malformed, not for `s3`, or good for no 1 to \
                 {SECONDS_MAX} s"
            ))
        };
        signature().map(Some).ok_or_else(malformed)
    }

    /// Checks that a URL is good now; returns when it was signed, as the client wrote it.
    pub(super) fn stamp_of_url(&self, presigned: &Presigned, now: DateTime<Utc>) -> Result<String> {
        let Presigned { stamp, good_for } = presigned;
        let age = now - self.time(stamp)?;
        if age < -SKEW || age > *good_for {
            return Err(Error::unknown(format!(
                "the URL is good for {} s from {} on; the server's time is {}",
                good_for.num_seconds(),
                quoted(stamp),
                now.format("%Y%m%dT%H%M%SZ")
            )));
        }
        Ok(stamp.clone())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// The example of AWS's guide: a URL for an object, the secret and the signature.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const URL: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    fn head(method: &str, url: &str) -> Parts {
        let request = Request::builder().method(method).uri(url);
        let request = request.header("host", "examplebucket.s3.amazonaws.com").body(());
        request.unwrap().into_parts().0
    }

    fn verified(head: &Parts, secret: &str, body: &[u8], now: &str) -> Result<(), String> {
        let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
        let signature = Signature::of_url(head).map_err(|error| error.to_string())?;
        let signature = signature.ok_or("no signature")?;
        assert_eq!(signature.access_key, "AKIAIOSFODNN7EXAMPLE");
        signature.verify(secret, head, body, now).map_err(|error| error.to_string())
    }

    #[test]
    fn the_guides_example_is_valid_while_it_is_good() {
        for (method, url, secret, body, now, refused) in [
            ("GET", URL.to_owned(), SECRET, "", "2013-05-24T00:00:00Z", None),
            ("GET", URL.to_owned(), SECRET, "", "2013-05-24T23:59:59Z", None),
            ("GET", URL.to_owned(), SECRET, "", "2013-05-23T23:50:00Z", None),
            ("GET", URL.to_owned(), SECRET, "", "2013-05-25T00:00:01Z", Some("good for 86400 s")),
            ("GET", URL.to_owned(), SECRET, "", "2013-05-23T23:40:00Z", Some("good for 86400 s")),
            ("GET", URL.to_owned(), "other", "", "2013-05-24T00:00:00Z", Some("does not match")),
            ("GET", URL.to_owned(), SECRET, "x", "2013-05-24T00:00:00Z", Some("without a body")),
            ("HEAD", URL.to_owned(), SECRET, "", "2013-05-24T00:00:00Z", Some("does not match")),
            ("PUT", URL.to_owned(), SECRET, "", "2013-05-24T00:00:00Z", Some("results alone")),
            (
                "GET",
                URL.replace("86400", "86401"),
                SECRET,
                "",
                "2013-05-24T00:00:00Z",
                Some("does not match"),
            ),
            (
                "GET",
                URL.replace("/test", "/other"),
                SECRET,
                "",
                "2013-05-24T00:00:00Z",
                Some("does not match"),
            ),
            ("GET", format!("{URL}&x-id=1"), SECRET, "", "2013-05-24T00:00:00Z", Some("match")),
        ] {
            let done = verified(&head(method, &url), secret, body.as_bytes(), now);
            match refused {
                None => assert_eq!(done, Ok(()), "{now}"),
                Some(word) => {
                    assert!(done.as_ref().is_err_and(|error| error.contains(word)), "{done:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_such_url_is_told_so() {
        let of = |url: &str| Signature::of_url(&head("GET", url)).map(|found| found.is_some());
        assert!(matches!(of("/bucket/key?x-id=GetObject"), Ok(false)));
        assert!(matches!(of("/v1/query?sql=SELECT+1&AWSAccessKeyId=a&Signature=b"), Ok(false)));
        for (url, word) in [
            (URL.replace("/test.txt", "/v1/query"), "files of results alone"),
            (URL.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), "malformed"),
            (URL.replace("%2Fs3%2F", "%2Fathena%2F"), "malformed"),
            (URL.replace("=86400", "=604801"), "604800"),
            (URL.replace("=86400", "=0"), "604800"),
            (URL.replace("X-Amz-Date", "X-Amz-Time"), "malformed"),
            (URL.replace("aeeed9bb", "aeeed9b"), "malformed"),
            ("/bucket/key?AWSAccessKeyId=a&Signature=b&Expires=1".to_owned(), "version 2"),
        ] {
            let told = of(&url).map_err(|error| error.to_string());
            assert!(told.as_ref().is_err_and(|told| told.contains(word)), "{url}: {told:?}");
        }
    }
}
