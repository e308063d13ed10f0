//! What S3 means by an error, in the words of whoever has to mend it.
//!
//! Codes are those of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>. What
//! IAM and KMS say more stands in the message of `AccessDenied`:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use std::error::Error as StdError;
use std::iter::successors;

use object_store::Error;

/// What was tried at S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// To list a folder.
    List,
    /// To read an object.
    Read,
    /// To write an object.
    Write,
    /// To remove an object.
    Remove,
}

impl Attempt {
    /// The permission it needs, and on what.
    fn permission(self, bucket: &str, key: &str) -> (&'static str, String) {
        let object = format!("`arn:aws:s3:::{bucket}/{key}`");
        match self {
            Attempt::List => ("s3:ListBucket", format!("`arn:aws:s3:::{bucket}`")),
            Attempt::Read => ("s3:GetObject", object),
            Attempt::Write => ("s3:PutObject", object),
            Attempt::Remove => ("s3:DeleteObject", object),
        }
    }
}

/// Why S3 did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bucket does not exist.
    #[error("there is no bucket `{bucket}`")]
    NoBucket {
        /// Its name.
        bucket: String,
    },
    /// The object has to be restored first.
    #[error(
        "is in an archive class of S3; restore it (`aws s3api restore-object`) and run this again"
    )]
    Archived,
    /// Nobody is signed in any more.
    #[error(
        "no AWS credentials: the SSO session has expired or is missing ({said}); renew it with \
         `{renewed_by}`"
    )]
    SignedOut {
        /// What was said of the session.
        said: String,
        /// The command that renews it.
        renewed_by: String,
    },
    /// The credentials were good for a while.
    #[error("the credentials have expired; renew them (`aws sso login`) and run this again")]
    Expired,
    /// There are no credentials, or none of this S3's.
    #[error("no AWS credentials that S3 accepts: {said}")]
    NoCredentials {
        /// Why not.
        said: String,
    },
    /// S3 does not know the key, or its secret is another one.
    #[error("S3 does not accept the credentials ({code})")]
    WrongCredentials {
        /// S3's code.
        code: String,
    },
    /// A permission is missing.
    #[error("access denied: `{action}` on {resource} {ending}")]
    Denied {
        /// The permission.
        action: String,
        /// What it is needed on.
        resource: String,
        /// That it is missing, or refused, and why.
        ending: String,
    },
    /// The KMS key of an object is disabled, deleted or otherwise of no use.
    #[error("the KMS key cannot be used: {code}: {message}")]
    Key {
        /// S3's code, which begins with `KMS.`.
        code: String,
        /// S3's message, which names the key.
        message: String,
    },
    /// Anything else that S3 answered.
    #[error("{code}: {message}")]
    Other {
        /// S3's code, or the HTTP status where it gave none.
        code: String,
        /// S3's message.
        message: String,
    },
}

impl Refusal {
    /// Returns what an error of S3 means; none when S3 did not answer, and nobody is to blame but
    /// the network or the disk. `key` is the whole key in `bucket`.
    pub fn of(error: &Error, attempt: Attempt, bucket: &str, key: &str) -> Option<Refusal> {
        if let Some(known) = within(error) {
            return Some(known.clone());
        }
        let answer = Answer::of(error);
        let Answer { status, code, message } = match (answer, error) {
            (Some(answer), _) => answer,
            (None, Error::Unauthenticated { path, source }) => {
                return Some(Refusal::without_credentials(path, source.as_ref()));
            }
            (None, Error::PermissionDenied { .. }) => Answer::default(),
            (None, _) => return None,
        };
        Some(match code.as_str() {
            "NoSuchBucket" => Refusal::NoBucket { bucket: bucket.to_string() },
            "InvalidObjectState" => Refusal::Archived,
            code if has_expired(code) => Refusal::Expired,
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" => {
                Refusal::WrongCredentials { code }
            }
            "AccessDenied" | "Forbidden" => Refusal::denied(&message, attempt, bucket, key),
            // To HEAD S3 says no word.
            "" if matches!(status.as_str(), "" | "403 Forbidden") => {
                Refusal::denied(&message, attempt, bucket, key)
            }
            "" => Refusal::Other { code: status, message },
            _ if code.starts_with("KMS.") => Refusal::Key { code, message },
            _ => Refusal::Other { code, message },
        })
    }

    /// What to try next, where its words do not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Refusal::NoCredentials { .. } => Some(
                "a lake in S3 is reached as the environment says: `AWS_PROFILE`, or \
                 `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
            ),
            _ => None,
        }
    }

    fn without_credentials(whose: &str, error: &(dyn StdError + 'static)) -> Refusal {
        let nobody = || Refusal::NoCredentials { said: spelled_out(error) };
        Refusal::without_session(whose, error).unwrap_or_else(nobody)
    }

    /// Returns what an error of any service of AWS means that answered with `code`, or was not asked,
    /// where it is a session that is over; else none.
    ///
    /// What the AWS configuration says of SSO ends with one of a few sentences (`aws-config`,
    /// `sso::token`; IAM Identity Center, `GetRoleCredentials`). `whose` is [`path_of_profile`] where
    /// a profile was asked.
    pub fn of_session(
        whose: &str,
        code: Option<&str>,
        error: &(dyn StdError + 'static),
    ) -> Option<Refusal> {
        match code {
            Some(code) => has_expired(code).then_some(Refusal::Expired),
            None => Refusal::without_session(whose, error),
        }
    }

    fn without_session(whose: &str, error: &(dyn StdError + 'static)) -> Option<Refusal> {
        let is_of_sso = |said: &str| {
            let said = said.to_ascii_lowercase();
            said.contains("sso token") || said.contains("session token not found or invalid")
        };
        let said = chain(error).map(ToString::to_string).find(|said| is_of_sso(said))?;
        let renewed_by = match whose.strip_prefix(OF_PROFILE) {
            Some(name) => format!("aws sso login --profile {name}"),
            None => "aws sso login".to_string(),
        };
        Some(Refusal::SignedOut { said, renewed_by })
    }

    /// Reads which permission is missing, from S3's own words where it has some: `… is not
    /// authorized to perform: ACTION on resource: ARN because …`.
    fn denied(message: &str, attempt: Attempt, bucket: &str, key: &str) -> Refusal {
        let (action, resource) = attempt.permission(bucket, key);
        let (mut action, mut resource) = (action.to_string(), resource);
        let mut why = "";
        if let Some((_, rest)) = message.split_once("is not authorized to perform: ") {
            let (named, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            action = named.to_string();
            let (on, rest) = resource_in(rest);
            why = rest.trim();
            match on {
                Some(on) => resource = format!("`{on}`"),
                None if action.starts_with("kms:") => resource = "the object's key".to_string(),
                None => {}
            }
        } else if let Some(named) = message.split([' ', '(', ')']).find(|w| w.starts_with("kms:")) {
            action = named.trim_end_matches(['.', ',']).to_string();
            resource = format!("the key of bucket `{bucket}`");
        }
        let ending = match why.strip_prefix("because ") {
            Some(why) => format!("is missing: {why}"),
            None if why.starts_with("with an explicit deny") => format!("is refused {why}"),
            None => "is missing".to_string(),
        };
        Refusal::Denied { action, resource, ending }
    }
}

/// Returns whether this is AWS's code for credentials that were good for a while: S3's, and those of
/// its other services (<https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>).
fn has_expired(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
}

/// What the path of an error of credentials begins with that are a profile's.
const OF_PROFILE: &str = "profile ";

/// Returns the path that an error of a profile's credentials has ([`Error::Unauthenticated`]), so that
/// what is told of it names the profile.
pub fn path_of_profile(name: &str) -> String {
    format!("{OF_PROFILE}{name}")
}

/// The resource that a message names, and what it says after it. Its key may hold any words, which
/// is why S3 quotes it.
fn resource_in(text: &str) -> (Option<&str>, &str) {
    let reason = |text: &str| {
        let starts = ["because ", "with an explicit deny"].into_iter();
        starts.filter_map(|start| text.find(start)).min().unwrap_or(text.len())
    };
    let Some(named) = text.strip_prefix("on resource: ") else {
        return (None, &text[reason(text)..]);
    };
    match named.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        Some((resource, rest)) => (Some(resource), rest),
        None => {
            let (resource, rest) = named.split_at(reason(named));
            (Some(resource.trim()), rest)
        }
    }
}

/// What S3 answered.
#[derive(Default)]
struct Answer {
    /// `403 Forbidden`, as HTTP has it; empty where nobody has told.
    status: String,
    code: String,
    message: String,
}

impl Answer {
    /// Finds the answer among an error's causes. Only a cause that is nothing else is looked at:
    /// whoever names objects chooses what stands in the words around it.
    fn of(error: &Error) -> Option<Answer> {
        chain(error).find_map(|link| {
            let text = link.to_string();
            if let Some(answer) = text.strip_prefix("Server returned non-2xx status code: ") {
                let (status, body) = answer.split_once(": ").unwrap_or((answer, ""));
                return Some(Answer::read(status.trim_end_matches(':'), body));
            }
            if let Some(body) = text.strip_prefix("Server returned error response: ") {
                return Some(Answer::read("200 OK", body));
            }
            // One object of many that were to be removed.
            let said = text.strip_prefix("DeleteObjects request failed for key ")?;
            let (message, code) = said.strip_suffix(')')?.rsplit_once(" (code: ")?;
            let (code, message) = (code.to_string(), message.to_string());
            Some(Answer { code, message, ..Answer::default() })
        })
    }

    fn read(status: &str, body: &str) -> Answer {
        let element = |start: &str, end: &str| {
            let (_, rest) = body.split_once(start)?;
            rest.split_once(end).map(|(inside, _)| unescaped(inside))
        };
        let code = element("<Code>", "</Code>").unwrap_or_default();
        let message = element("<Message>", "</Message>");
        // A page that something on the way has made helps nobody.
        let plain = || Some(body.trim()).filter(|text| !text.starts_with('<')).unwrap_or_default();
        let message = message.unwrap_or_else(|| plain().to_string());
        let message = if message.is_empty() { "S3 says no more".to_string() } else { message };
        Answer { status: status.trim().to_string(), code, message }
    }
}

fn unescaped(text: &str) -> String {
    let entities =
        [("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")];
    let text = entities.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}

/// The refusal that an error already carries.
pub(crate) fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Refusal> {
    chain(error).find_map(|link| link.downcast_ref::<Refusal>())
}

/// An error and its causes.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| error.source())
}

/// Returns the words of an error and of its causes, each once.
pub fn spelled_out(error: &(dyn StdError + 'static)) -> String {
    chain(error).map(ToString::to_string).fold(String::new(), |text, words| {
        match text.contains(&words) {
            true => text,
            false if text.is_empty() => words,
            false => format!("{text}: {words}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error that carries another, as those of a credentials provider do.
    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn an_sso_session_that_is_over_is_told_with_the_command_that_renews_it() {
        let check = |words: &[&'static str], expected: &str| {
            let link = |source, words: &&'static str| Some(Box::new(Link { words, source }));
            let source = words.iter().rev().fold(None, link).unwrap();
            let error = Error::Unauthenticated { path: path_of_profile("corp"), source };
            let said = Refusal::of(&error, Attempt::List, "trail", "").unwrap().to_string();
            assert!(said.starts_with("no AWS credentials") && said.contains(expected), "{said}");
            said.contains("renew it with `aws sso login --profile corp`")
        };
        let loading = "an error occurred while loading credentials";
        for said in [
            "the SSO token has expired and cannot be refreshed",
            "failed to load the cached SSO token",
            "invalid JSON in cached SSO token file",
            "UnauthorizedException: Session token not found or invalid",
        ] {
            assert!(check(&[loading, "service error", said], &format!("({said})")), "{said}");
        }
        let expected = format!("{loading}: profile `a` was not defined");
        assert!(!check(&[loading, "profile `a` was not defined"], &expected));
    }

    #[test]
    fn the_words_of_iam_and_kms_are_read_and_a_key_cannot_forge_them() {
        let check = |message: &str, expected: &str| {
            let refusal = Refusal::denied(message, Attempt::Read, "trail", "a.json");
            assert_eq!(refusal.to_string(), format!("access denied: {expected}"), "{message}");
        };
        let who = "User: arn:aws:sts::111122223333:assumed-role/reader/me";
        let refused = |what: &str| format!("{who} is not authorized to perform: {what}");
        let (key, object) =
            ("arn:aws:kms:eu-west-1:111122223333:key/1", "arn:aws:s3:::trail/a.json");
        check("Access Denied", &format!("`s3:GetObject` on `{object}` is missing"));
        check(
            &refused(&format!("kms:Decrypt on resource: {key} because nobody allows it")),
            &format!("`kms:Decrypt` on `{key}` is missing: nobody allows it"),
        );
        check(
            &refused("kms:Decrypt on the resource associated with this ciphertext because of it"),
            "`kms:Decrypt` on the object's key is missing: of it",
        );
        check(
            "The ciphertext refers to a key on which you lack kms:Decrypt.",
            "`kms:Decrypt` on the key of bucket `trail` is missing",
        );
        check(
            &refused(&format!(
                "s3:GetObject on resource: \"{object} because kms:Decrypt\" with an explicit deny in \
                 a resource-based policy"
            )),
            &format!(
                "`s3:GetObject` on `{object} because kms:Decrypt` is refused with an explicit deny in \
                 a resource-based policy"
            ),
        );
    }
}
