//! What an error of S3 means for an object or a folder.

use object_store::Error;
use traillake_store::{Refusal, spelled_out};

use super::Bucket;
use crate::report::FaultKind;

pub(super) use traillake_store::Attempt;

/// Returns what kind of fault an error is, and what to do about it. `key` is the whole key.
pub(super) fn of(
    error: &Error,
    attempt: Attempt,
    bucket: &Bucket,
    key: &str,
) -> (FaultKind, String) {
    let refusal = Refusal::of(error, attempt, &bucket.name, key);
    match (refusal, error) {
        (Some(refusal @ Refusal::NoBucket { .. }), _) => {
            (FaultKind::Unreadable, refusal.to_string())
        }
        (Some(refusal @ Refusal::Archived), _) => (FaultKind::Archived, refusal.to_string()),
        (_, Error::NotFound { .. }) if attempt == Attempt::Read => {
            (FaultKind::Vanished, "vanished before it was read".to_owned())
        }
        (_, Error::Precondition { .. }) => {
            (FaultKind::Changed, "was overwritten between its listing and its reading".to_owned())
        }
        (Some(refusal @ Refusal::NoCredentials { .. }), _) => {
            let words = format!("{refusal}; see `--profile` and `--no-sign-request`");
            (FaultKind::Unreadable, words)
        }
        (Some(refusal), _) => (FaultKind::Unreadable, refusal.to_string()),
        (None, _) => (FaultKind::Unreadable, spelled_out(error)),
    }
}

/// Returns whether trying again may help: nothing that S3 said about the object itself.
pub(super) fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}
