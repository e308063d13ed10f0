//! Which object does a path mean, and is a path meant for S3 at all?

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::auth::is_signature_parameter;

/// First parts of paths that have a meaning of their own, and are no bucket.
const OURS: &[&str] = &["v1", "ui", "health", "ready", "metrics", "openapi.json"];

/// Whether S3's clients are meant by a path: whatever no other protocol means.
pub(crate) fn is_meant(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    !first.is_empty() && !OURS.contains(&first)
}

/// A bucket and a key in it, which is empty for the bucket itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Location {
    /// Reads `s3://bucket/key`; none when it is none.
    pub(crate) fn parse(url: &str) -> Option<Location> {
        let (bucket, key) = match url.strip_prefix("s3://")?.split_once('/') {
            Some((bucket, key)) => (bucket, key),
            None => (url.strip_prefix("s3://")?, ""),
        };
        Location::new(bucket, key)
    }

    /// Reads the path of a request, path style; none when its bucket or key cannot be one.
    pub(super) fn of_path(path: &str) -> Option<Location> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let path = path.strip_prefix('/')?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Location::new(bucket, key)
    }

    fn new(bucket: &str, key: &str) -> Option<Location> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let is_bucket = (3..=255).contains(&bucket.len()) && bucket.chars().all(is_name);
        let is_key = key.len() <= 1024 && !key.chars().any(char::is_control);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        (is_bucket && is_key).then_some(Location { bucket, key })
    }
}

/// The names and values of a query string, without those of a signature.
pub(super) fn query_of(uri: &Uri) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let pairs = pairs.filter(|(name, _)| !is_signature_parameter(name));
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_alike_from_urls_and_paths() {
        let of = |bucket: &str, key: &str| {
            Some(Location { bucket: bucket.to_owned(), key: key.to_owned() })
        };
        for (url, path, expected) in [
            ("s3://bucket/a/b.csv", "/bucket/a/b.csv", of("bucket", "a/b.csv")),
            ("s3://bucket", "/bucket", of("bucket", "")),
            ("s3://bucket/", "/bucket/", of("bucket", "")),
            ("s3://bucket/a b/ü", "/bucket/a%20b/%C3%BC", of("bucket", "a b/ü")),
            ("s3://bucket/../x", "/bucket/../x", of("bucket", "../x")),
            ("s3://bucket//x", "/bucket//x", of("bucket", "/x")),
            ("s3://b/x", "/b/x", None),
            ("s3://buck et/x", "/buck%20et/x", None),
            ("s3://bucket/a\nb", "/bucket/a%0Ab", None),
            ("https://bucket/x", "bucket/x", None),
        ] {
            assert_eq!(Location::parse(url), expected, "{url}");
            assert_eq!(Location::of_path(path), expected, "{path}");
        }
        assert_eq!(Location::of_path("/bucket/%ff"), None);
    }

    #[test]
    fn paths_of_ours_are_no_buckets() {
        for (path, expected) in [
            ("/bucket/x", true),
            ("/v10/x", true),
            ("/v1", false),
            ("/v1/statement", false),
            ("/health/x", false),
            ("/openapi.json", false),
            ("/", false),
            ("//v1/x", false),
        ] {
            assert_eq!(is_meant(path), expected, "{path}");
        }
    }
}
