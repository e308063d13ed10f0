//! As whom AWS is asked: the profile, the keys, the role that arguments, environment and files name.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::{self, ProfileFileCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;
use traillake_store::path_of_profile;

use super::BucketArgs;
use crate::env_vars;
use crate::failure::Problem;

/// How long before they expire credentials are renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Returns the AWS configuration that environment and files give. A profile that is named beats keys
/// in the environment, as it does with the AWS CLI.
///
/// # Errors
/// For a profile that is in no file, and when the files cannot be read.
pub(super) async fn load(args: &BucketArgs) -> anyhow::Result<SdkConfig> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
    let Some(name) = &args.profile else {
        // Nobody asks it where nothing is signed, or where the environment has keys, which come first.
        let has_keys = env_vars::read(env_vars::AWS_ACCESS_KEY_ID).is_some();
        let named = env_vars::read(env_vars::AWS_PROFILE).filter(|name| name != "default");
        if let Some(name) = named.filter(|_| !has_keys && !args.no_sign_request) {
            check_profile(&name).await?;
        }
        return Ok(loader.load().await);
    };
    check_profile(name).await?;
    let config = loader.profile_name(name).load().await;
    let shared = ProviderConfig::without_region()
        .with_http_client(http)
        .with_region(config.region().cloned());
    let of_profile = ProfileFileCredentialsProvider::builder().configure(&shared);
    let of_container = EcsCredentialsProvider::builder().configure(&shared);
    let of_instance = ImdsCredentialsProvider::builder().configure(&shared);
    // A profile may give a region alone: then the machine decides, and never the environment.
    let of_profile = of_profile.profile_name(name).build();
    let chain = CredentialsProviderChain::first_try("profile", of_profile)
        .or_else("container", of_container.build())
        .or_else("instance", of_instance.build());
    let credentials = SharedCredentialsProvider::new(chain);
    Ok(config.into_builder().credentials_provider(credentials).build())
}

/// Refuses a profile that the AWS configuration files do not have.
async fn check_profile(name: &str) -> anyhow::Result<()> {
    let (disk, environment, files) = Default::default();
    let read = profile::load(&disk, &environment, &files, None).await;
    let profiles = read.map_err(|error| {
        Problem::new("the AWS configuration files cannot be read").because(error)
    })?;
    match profiles.get_profile(name) {
        Some(_) => Ok(()),
        None => Err(Problem::new(format!(
            "there is no profile `{name}` in the AWS configuration files"
        ))
        .hint("`aws configure list-profiles` lists those there are")
        .into()),
    }
}

/// Returns the credentials of a bucket, as whom the arguments say.
///
/// # Errors
/// When the AWS configuration gives none.
pub(super) async fn credentials(
    config: &SdkConfig,
    args: &BucketArgs,
) -> anyhow::Result<Credentials> {
    let provider = provider(config, args).await?;
    Ok(Credentials { provider, whose: whose(args), held: Mutex::new(None) })
}

/// Returns whose credentials they are, as the errors of a profile's name it.
pub fn whose(args: &BucketArgs) -> String {
    let profile = args.profile.clone().or_else(|| env_vars::read(env_vars::AWS_PROFILE));
    profile.map_or_else(|| "credentials".to_owned(), |name| path_of_profile(&name))
}

async fn provider(
    config: &SdkConfig,
    args: &BucketArgs,
) -> anyhow::Result<SharedCredentialsProvider> {
    let own = config.credentials_provider();
    let own = || own.ok_or_else(|| Problem::new("the AWS configuration gives no credentials"));
    let Some(role) = &args.role_arn else { return Ok(own()?) };
    let mut role = AssumeRoleProvider::builder(role)
        .configure(config)
        .session_name(concat!("traillake-", env!("CARGO_PKG_VERSION")));
    if let Some(id) = &args.external_id {
        role = role.external_id(id);
    }
    Ok(SharedCredentialsProvider::new(role.build().await))
}

/// Returns the AWS configuration for a service other than S3, as whom the arguments say.
///
/// # Errors
/// For a profile that is in no file, and when the configuration gives no credentials.
pub async fn as_whom(args: &BucketArgs) -> anyhow::Result<SdkConfig> {
    let config = load(args).await?;
    let provider = provider(&config, args).await?;
    Ok(config.into_builder().credentials_provider(provider).build())
}

/// Credentials, renewed before they expire. The provider itself would ask for them at each request.
pub(super) struct Credentials {
    provider: SharedCredentialsProvider,
    /// The path of their errors.
    whose: String,
    held: Mutex<Option<Held>>,
}

struct Held {
    credential: Arc<AwsCredential>,
    expires_at: Option<SystemTime>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held = self.held.lock().await;
        let soon = SystemTime::now() + RENEW_BEFORE;
        if let Some(held) = held.as_ref()
            && held.expires_at.is_none_or(|at| at > soon)
        {
            return Ok(held.credential.clone());
        }
        let found = self.provider.provide_credentials().await;
        let found = found.map_err(|source| object_store::Error::Unauthenticated {
            path: self.whose.clone(),
            source: source.into(),
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *held = Some(Held { credential: credential.clone(), expires_at: found.expiry() });
        Ok(credential)
    }
}
