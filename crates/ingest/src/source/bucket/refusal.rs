//! What S3 means by an error, in the words of whoever has to mend it.

use std::error::Error as StdError;

use object_store::Error;

use super::Bucket;
use crate::report::FaultKind;

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// To list a folder.
    List,
    /// To read an object.
    Read,
}

/// What becomes of an object that is archived.
pub(super) const ARCHIVED: &str =
    "is in an archive class of S3; restore it (`aws s3api restore-object`) and ingest again";

/// Returns what kind of fault an error is, and what to do about it. Error codes are those of
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
pub(super) fn of(
    error: &Error,
    attempt: Attempt,
    bucket: &Bucket,
    key: &str,
) -> (FaultKind, String) {
    let text = whole(error);
    let code = between(&text, "<Code>", "</Code>").unwrap_or_default();
    // Not the whole text: whoever names objects chooses what is in a key.
    let message = between(&text, "<Message>", "</Message>").unwrap_or_default();
    let name = &bucket.name;
    // A listing's refusal comes without a variant of its own.
    let is_denied =
        matches!(error, Error::PermissionDenied { .. }) || text.contains("403 Forbidden");
    let unreadable = |reason: String| (FaultKind::Unreadable, reason);
    match (code, error) {
        ("NoSuchBucket", _) => unreadable(format!("there is no bucket `{name}`")),
        ("InvalidObjectState", _) => (FaultKind::Archived, ARCHIVED.to_owned()),
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => unreadable(
            "the credentials have expired; renew them (`aws sso login`) and ingest again"
                .to_owned(),
        ),
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken", _) => {
            unreadable(format!("S3 does not accept the credentials ({code})"))
        }
        _ if is_denied && message.contains("kms:") => unreadable(
            "access denied: `kms:Decrypt` on the key of the bucket is missing".to_owned(),
        ),
        (_, Error::Unauthenticated { .. }) => unreadable(format!(
            "no AWS credentials that S3 accepts: {text}; see `--profile` and `--no-sign-request`"
        )),
        _ if is_denied => unreadable(match attempt {
            Attempt::List => {
                format!("access denied: `s3:ListBucket` on `arn:aws:s3:::{name}` is missing")
            }
            Attempt::Read => {
                format!("access denied: `s3:GetObject` on `arn:aws:s3:::{name}/{key}` is missing")
            }
        }),
        (_, Error::NotFound { .. }) if attempt == Attempt::Read => {
            (FaultKind::Vanished, "vanished before it was read".to_owned())
        }
        (_, Error::Precondition { .. }) => {
            (FaultKind::Changed, "was overwritten between its listing and its reading".to_owned())
        }
        _ => unreadable(text),
    }
}

/// Returns whether trying again may help: nothing that S3 said about the object itself.
pub(super) fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}

/// Returns the words of an error and of its causes, each once.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}
