//! Queues of SQS in which S3 tells of new objects.

use std::sync::Arc;
use std::time::Duration;

use aws_config::Region;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
};
use tokio::task::JoinHandle;
use traillake_ingest::{Arrival, Notice, notice};
use traillake_store::{Refusal, spelled_out};
use url::Url;

use crate::buckets::{self, BucketArgs};
use crate::failure::Problem;

/// Messages of one request, at most: SQS's own bound.
const MESSAGES_AT_ONCE: usize = 10;
/// Messages that are brought in together, about.
const MESSAGES_MAX: usize = 1_000;
/// How long nobody else gets a message that we hold. It is extended while a round runs.
const HIDDEN_SECONDS: i32 = 120;
/// How often it is extended.
const EXTENDED_EVERY: Duration = Duration::from_secs(40);

/// A queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    url: Arc<str>,
    /// Whose credentials the client has.
    whose: Arc<str>,
}

/// A message that is held.
pub struct Message {
    receipt: String,
    /// Its id, the same each time it comes.
    pub id: String,
    /// What it says, or why it cannot be read.
    pub says: Result<Vec<Arrival>, String>,
}

impl Queue {
    /// Returns the queue at `url`, as whom the arguments say.
    ///
    /// # Errors
    /// For a URL that is none, and when the AWS configuration gives no credentials.
    pub async fn open(url: &str, args: &BucketArgs) -> anyhow::Result<Queue> {
        let parsed = parse(url)?;
        let config = buckets::as_whom(args).await?;
        let mut builder = aws_sdk_sqs::config::Builder::from(&config);
        // The queue knows better than the profile where it is.
        let host = parsed.host_str().unwrap_or_default();
        if let Some((region, _)) = host.strip_prefix("sqs.").and_then(|rest| rest.split_once('.')) {
            builder = builder.region(Region::new(region.to_owned()));
        } else if config.region().is_none() {
            builder = builder.region(Region::new("us-east-1"));
        }
        let client = Client::from_conf(builder.build());
        Ok(Queue { client, url: url.into(), whose: buckets::whose(args).into() })
    }

    /// Takes what is in the queue, waiting for the first message for so long (20 s at most).
    ///
    /// # Errors
    /// When the queue cannot be asked.
    pub async fn receive(&self, wait: Duration) -> anyhow::Result<Vec<Message>> {
        let mut wait = i32::try_from(wait.as_secs().min(20)).unwrap_or(20);
        let mut messages = Vec::new();
        while messages.len() < MESSAGES_MAX {
            let request = self.client.receive_message().queue_url(&*self.url);
            let request = request.max_number_of_messages(MESSAGES_AT_ONCE as i32);
            let request = request.wait_time_seconds(wait).visibility_timeout(HIDDEN_SECONDS);
            let received = request.send().await;
            let received =
                received.map_err(|error| self.failed("read", "sqs:ReceiveMessage", &error))?;
            let found = received.messages.unwrap_or_default();
            if found.is_empty() {
                break;
            }
            messages.extend(found.into_iter().filter_map(|message| {
                let says = match notice(message.body.as_deref().unwrap_or_default()) {
                    Ok(Notice::Arrivals(arrivals)) => Ok(arrivals),
                    Ok(Notice::Nothing) => Ok(Vec::new()),
                    Err(reason) => Err(reason),
                };
                let id = message.message_id.unwrap_or_default();
                Some(Message { receipt: message.receipt_handle?, id, says })
            }));
            wait = 0;
        }
        Ok(messages)
    }

    /// Removes messages whose objects are committed.
    ///
    /// # Errors
    /// When that cannot be asked for. A message that stays comes again, and does no harm.
    pub async fn delete(&self, messages: &[&Message]) -> anyhow::Result<()> {
        for some in messages.chunks(MESSAGES_AT_ONCE) {
            let entries = some.iter().enumerate().map(|(number, message)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
                entry.receipt_handle(&message.receipt).build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let request = self.client.delete_message_batch().queue_url(&*self.url);
            request.set_entries(Some(entries)).send().await.map_err(|error| {
                self.failed("remove messages from", "sqs:DeleteMessage", &error)
            })?;
        }
        Ok(())
    }

    /// Keeps messages hidden from others until the answer is dropped.
    pub fn hold(&self, messages: &[Message]) -> Held {
        let (queue, receipts) = (self.clone(), messages.iter().map(|m| m.receipt.clone()));
        let receipts: Vec<String> = receipts.collect();
        Held(tokio::spawn(async move {
            loop {
                tokio::time::sleep(EXTENDED_EVERY).await;
                queue.extend(&receipts).await;
            }
        }))
    }

    async fn extend(&self, receipts: &[String]) {
        for some in receipts.chunks(MESSAGES_AT_ONCE) {
            let entries = some.iter().enumerate().filter_map(|(number, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder();
                let entry = entry.id(number.to_string()).receipt_handle(receipt);
                entry.visibility_timeout(HIDDEN_SECONDS).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&*self.url);
            if let Err(error) = request.set_entries(Some(entries.collect())).send().await {
                // Somebody else may get them meanwhile: twice the work, the same rows.
                tracing::warn!(error = self.said(&error), "messages may be shown again");
            }
        }
    }

    /// Returns about how many messages wait or are held.
    ///
    /// # Errors
    /// When the queue does not say.
    pub async fn backlog(&self) -> anyhow::Result<u64> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self.client.get_queue_attributes().queue_url(&*self.url);
        let answer = request.set_attribute_names(Some(names.to_vec())).send().await;
        let answer =
            answer.map_err(|error| self.failed("ask", "sqs:GetQueueAttributes", &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let counts = names.iter().map(|name| attributes.get(name)?.parse::<u64>().ok());
        counts.sum::<Option<u64>>().ok_or_else(|| {
            let queue = &self.url;
            Problem::new(format!("the queue `{queue}` does not say how many messages wait")).into()
        })
    }

    /// What went wrong, in the words of whoever has to mend it.
    fn said<E>(&self, error: &SdkError<E>) -> String
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match Refusal::of_session(&self.whose, error.code(), error) {
            Some(refusal) => refusal.to_string(),
            None => said(error),
        }
    }

    fn failed<E>(&self, what: &str, action: &str, error: &SdkError<E>) -> anyhow::Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (url, said) = (&self.url, self.said(error));
        let code = error.code().unwrap_or_default();
        // In the message: of what goes wrong while a source is followed no hint is told.
        let denied = match code.starts_with("AccessDenied") {
            true => format!(" (is `{action}` allowed on it?)"),
            false => String::new(),
        };
        let problem = Problem::new(format!("could not {what} the queue `{url}`: {said}{denied}"));
        match is_absent(code) {
            true => problem.hint("`aws sqs list-queues` lists those there are").into(),
            false => problem.into(),
        }
    }
}

/// Returns the URL of a queue, taken apart.
///
/// # Errors
/// When it can be none.
pub fn parse(url: &str) -> anyhow::Result<Url> {
    let parsed = Url::parse(url).ok().filter(|url| url.scheme().starts_with("http"));
    parsed.ok_or_else(|| {
        Problem::new(format!("`{url}` is no queue"))
            .hint("write `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`")
            .into()
    })
}

/// What SQS says, or why it could not be asked; nothing of how that was sent.
fn said<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), _) if is_absent(code) => "there is no such queue".to_owned(),
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => spelled_out(error),
    }
}

/// Returns whether that is SQS's code for a queue that is not there: of its JSON protocol, and of the
/// one before it.
fn is_absent(code: &str) -> bool {
    code == "QueueDoesNotExist" || code.ends_with(".NonExistentQueue")
}

/// Messages that are kept hidden.
pub struct Held(JoinHandle<()>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::{ProvideCredentials, future};
    use aws_sdk_sqs::config::BehaviorVersion;
    use aws_smithy_http_client::Builder;
    use traillake_store::path_of_profile;

    use super::*;

    /// A profile whose single sign-on is over.
    #[derive(Debug)]
    struct SignedOut;

    impl ProvideCredentials for SignedOut {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let over = "the SSO token has expired and cannot be refreshed";
            future::ProvideCredentials::ready(Err(CredentialsError::provider_error(over)))
        }
    }

    #[tokio::test]
    async fn a_sign_on_that_is_over_says_how_to_sign_on_again() {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .http_client(Builder::new().build_http())
            .credentials_provider(SignedOut)
            .build();
        let client = Client::from_conf(config);
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/told";
        let queue = Queue { client, url: url.into(), whose: path_of_profile("corp").into() };
        let said = queue.receive(Duration::ZERO).await.err().unwrap().to_string();
        let words =
            format!("could not read the queue `{url}`: no AWS credentials: the SSO session");
        assert!(said.starts_with(&words), "{said}");
        assert!(said.ends_with("renew it with `aws sso login --profile corp`"), "{said}");
    }
}
