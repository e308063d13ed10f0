//! Buckets of S3, reached as the AWS CLI reaches them: its environment variables, profiles, single
//! sign-on, processes, web identities, containers and instances; its flags where one is needed.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredentialProvider, resolve_bucket_region};
use object_store::client::{HttpConnector, ReqwestConnector};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use serde::{Deserialize, Serialize};
use traillake_ingest::Lister;
use url::Url;

use crate::config::Settings;
use crate::env_vars;
use crate::failure::Problem;

mod class;
mod found;
mod whom;

use class::InClass;
pub use found::Found;
pub use whom::{as_whom, whose};

/// Region of an endpoint that is not AWS's, where nothing names one.
const REGION_ELSEWHERE: &str = "us-east-1";
/// The domain of the endpoints of most partitions.
const AMAZONS: &str = "amazonaws.com";
/// How long one request may take: a log of hundreds of megabytes comes in one. Of an S3 that falls
/// silent an ingest hears sooner.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a page of a listing may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to be connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How S3 is reached, in the words of the AWS CLI.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[command(next_help_heading = "Buckets")]
#[serde(default)]
pub struct BucketArgs {
    /// Use this profile of the AWS configuration files
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// Assume this role
    #[arg(long, value_name = "ARN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    /// External id that the role asks for
    #[arg(long, value_name = "ID", requires = "role_arn")]
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// Another S3 than Amazon's, or a VPC endpoint
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    /// Pay for the requests to a bucket of somebody else
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    requester_pays: bool,
    /// Sign no request: for public buckets
    #[arg(long, conflicts_with_all = ["profile", "role_arn"])]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_sign_request: bool,
}

/// A place in S3: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    bucket: String,
    /// Without a `/` at either end.
    prefix: String,
}

/// Returns whether a text names a place in S3.
pub fn is_bucket(text: &str) -> bool {
    text.starts_with("s3://")
}

/// Returns the bucket or prefix that a URL names, as the place of a lake.
///
/// # Errors
/// As [`Found::source`].
pub async fn lake(url: &str, settings: &Settings) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let place = Place::parse(url)?;
    let builder = Reach::find(&place.bucket, &BucketArgs::default()).await?.builder(&place.bucket);
    let builder = match settings.text("s3.encryption") {
        "bucket" => builder,
        "AES256" => builder.with_config("aws_server_side_encryption".parse()?, "AES256"),
        key => builder.with_sse_kms_encryption(key),
    };
    let objects = InClass::new(build(builder, &place.bucket)?, settings.text("s3.storage-class"));
    Ok(match place.prefix.is_empty() {
        true => Arc::new(objects),
        false => Arc::new(PrefixStore::new(objects, Path::parse(place.prefix)?)),
    })
}

/// Returns the client of the bucket in which a URL names an object, and the object's key.
///
/// # Errors
/// As [`Found::source`].
pub async fn object(
    url: &str,
    args: &BucketArgs,
) -> anyhow::Result<(Arc<dyn ObjectStore>, String)> {
    let place = Place::parse(url)?;
    let builder = Reach::find(&place.bucket, args).await?.builder(&place.bucket);
    Ok((Arc::new(build(builder, &place.bucket)?), place.prefix))
}

/// Returns the bucket that a URL names.
///
/// # Errors
/// For a URL without a bucket.
pub fn bucket_of(url: &str) -> anyhow::Result<String> {
    Ok(Place::parse(url)?.bucket)
}

/// Returns whether an object lies in the bucket, and under the prefix, that a URL names.
pub fn holds(url: &str, bucket: &str, key: &str) -> bool {
    let Ok(place) = Place::parse(url) else { return false };
    let rest = key.strip_prefix(place.prefix.as_str());
    let inside = rest.is_some_and(|rest| place.prefix.is_empty() || rest.starts_with('/'));
    is_bucket(url) && place.bucket == bucket && inside
}

/// Returns whether one of two places in S3 lies inside the other.
pub fn overlap(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (Place::parse(one), Place::parse(other)) else { return false };
    let inside = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    one.bucket == other.bucket
        && (inside(&one.prefix, &other.prefix) || inside(&other.prefix, &one.prefix))
}

impl Place {
    fn parse(text: &str) -> anyhow::Result<Place> {
        let refused = |reason: &str| {
            Problem::new(format!("`{text}` is no bucket: {reason}"))
                .hint("write `s3://bucket` or `s3://bucket/prefix`")
        };
        let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
        let bucket = url.host_str().filter(|host| !host.is_empty());
        let bucket = bucket.ok_or_else(|| refused("it has no name"))?.to_owned();
        // Not the URL's path: it escapes what keys may hold.
        let prefix = text.trim_start_matches("s3://").split_once('/').map_or("", |(_, key)| key);
        Ok(Place { bucket, prefix: prefix.trim_matches('/').to_owned() })
    }
}

fn build(builder: AmazonS3Builder, bucket: &str) -> anyhow::Result<AmazonS3> {
    builder.build().map_err(|error| {
        Problem::new(format!("bucket `{bucket}` cannot be reached so")).because(error)
    })
}

/// How a bucket is reached.
struct Reach {
    endpoint: Option<String>,
    region: String,
    options: ClientOptions,
    requester_pays: bool,
    /// None: requests are not signed.
    credentials: Option<AwsCredentialProvider>,
}

impl Reach {
    async fn find(bucket: &str, args: &BucketArgs) -> anyhow::Result<Reach> {
        let config = whom::load(args).await?;
        let endpoint = args.endpoint_url.clone();
        let endpoint = endpoint.or_else(|| env_vars::read(env_vars::AWS_ENDPOINT_URL_S3));
        let endpoint = endpoint.or_else(|| config.endpoint_url().map(str::to_owned));
        let options = ClientOptions::new()
            .with_timeout(REQUEST_TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(endpoint.as_deref().is_some_and(|url| url.starts_with("http://")));
        let named = config.region().map(ToString::to_string);
        let region = match &endpoint {
            Some(_) => named.unwrap_or_else(|| REGION_ELSEWHERE.to_owned()),
            // The bucket knows better than the profile where it is.
            None => match (resolve_bucket_region(bucket, &options).await, named) {
                (Ok(region), _) => region,
                (Err(_), Some(region)) => region,
                (Err(error), None) => {
                    let message = format!("could not find out the region of bucket `{bucket}`");
                    let hint = "name it with `AWS_REGION`, or in the profile";
                    return Err(Problem::new(message).hint(hint).because(error));
                }
            },
        };
        let credentials: Option<AwsCredentialProvider> = match args.no_sign_request {
            true => None,
            false => Some(Arc::new(whom::credentials(&config, args).await?)),
        };
        let requester_pays = args.requester_pays;
        Ok(Reach { endpoint, region, options, requester_pays, credentials })
    }

    fn builder(&self, bucket: &str) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&self.region)
            .with_client_options(self.options.clone())
            .with_request_payer(self.requester_pays);
        // The library knows no partition but its own.
        let is_elsewhere = domain_of(&self.region) != AMAZONS;
        if self.endpoint.is_some() || is_elsewhere {
            builder = builder.with_endpoint(self.url());
        }
        match &self.credentials {
            None => builder.with_skip_signature(true),
            Some(credentials) => builder.with_credentials(credentials.clone()),
        }
    }

    /// The endpoint: the one that is named, else the region's.
    fn url(&self) -> String {
        let amazons = || format!("https://s3.{}.{}", self.region, domain_of(&self.region));
        self.endpoint.clone().unwrap_or_else(amazons)
    }

    fn lister(&self, bucket: &str) -> anyhow::Result<Lister> {
        Ok(Lister {
            bucket_url: format!("{}/{bucket}", self.url().trim_end_matches('/')),
            region: self.region.clone(),
            credentials: self.credentials.clone(),
            requester_pays: self.requester_pays,
            archives_told: self.endpoint.as_deref().is_none_or(|url| url.contains(".amazonaws.")),
            retry: RetryConfig::default(),
            patience: PAGE_TIMEOUT,
            http: ReqwestConnector::default().connect(&self.options)?,
        })
    }
}

/// Returns the domain of a region's endpoints: that of the partition it is in
/// (<https://docs.aws.amazon.com/general/latest/gr/s3.html>).
fn domain_of(region: &str) -> &'static str {
    match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => AMAZONS,
    }
}

#[cfg(test)]
mod tests {
    use object_store::StaticCredentialProvider;
    use object_store::aws::AwsCredential;
    use object_store::signer::Signer as _;

    use super::*;

    #[tokio::test]
    async fn a_bucket_is_read_where_it_is_listed() {
        let check = async |endpoint: Option<&str>, region: &str, expected: &str| {
            let key = AwsCredential {
                key_id: "key".to_owned(),
                secret_key: "secret".to_owned(),
                token: None,
            };
            let reach = Reach {
                endpoint: endpoint.map(str::to_owned),
                region: region.to_owned(),
                options: ClientOptions::new(),
                requester_pays: false,
                credentials: Some(Arc::new(StaticCredentialProvider::new(key))),
            };
            assert_eq!(reach.lister("trail").unwrap().bucket_url, expected);
            let objects = build(reach.builder("trail"), "trail").unwrap();
            let get = Default::default();
            let url = objects.signed_url(get, &Path::from("a"), CONNECT_TIMEOUT).await;
            let url = url.unwrap().to_string();
            assert!(url.starts_with(&format!("{expected}/a?")), "{url}");
        };
        check(None, "eu-west-1", "https://s3.eu-west-1.amazonaws.com/trail").await;
        check(None, "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn/trail").await;
        check(Some("https://minio:9000"), "cn-north-1", "https://minio:9000/trail").await;
    }

    #[test]
    fn a_url_is_a_bucket_and_a_prefix() {
        let check = |url: &str, bucket: &str, prefix: &str| {
            let place = Place::parse(url).unwrap();
            assert_eq!((place.bucket.as_str(), place.prefix.as_str()), (bucket, prefix), "{url}");
        };
        check("s3://trail", "trail", "");
        check("s3://trail/", "trail", "");
        check("s3://trail/logs/AWSLogs/", "trail", "logs/AWSLogs");
        check("s3://trail/a b/%20", "trail", "a b/%20");
        assert!(Place::parse("s3:///logs").is_err());
    }

    #[test]
    fn a_place_holds_what_lies_under_its_prefix() {
        let check = |url: &str, bucket: &str, key: &str, expected: bool| {
            assert_eq!(holds(url, bucket, key), expected, "{url} {bucket} {key}");
        };
        check("s3://trail", "trail", "AWSLogs/1", true);
        check("s3://trail/logs/", "trail", "logs/AWSLogs/1", true);
        check("s3://trail/logs", "trail", "logs-other/1", false);
        check("s3://trail/logs", "trail", "AWSLogs/1", false);
        check("s3://trail", "trail-2", "AWSLogs/1", false);
        check("/trail", "trail", "AWSLogs/1", false);
    }

    #[test]
    fn places_overlap_by_whole_folders() {
        let check = |one: &str, other: &str, expected: bool| {
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one}");
        };
        check("s3://trail", "s3://trail/lake", true);
        check("s3://trail/logs", "s3://trail/logs/", true);
        check("s3://trail/logs", "s3://trail/logs/lake", true);
        check("s3://trail/logs", "s3://trail/logs-lake", false);
        check("s3://trail", "s3://trail-lake", false);
    }
}
