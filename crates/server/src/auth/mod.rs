//! Who is asking, and what may they see?
//!
//! A request is first looked at for where it comes from (`origin`), then for who sends it: a token
//! (`tokens`) or a signature by an access key (`signature`).

mod origin;
mod signature;
mod tokens;

use std::collections::BTreeSet;

use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde_json::json;

pub use tokens::{FirstCredentials, IssuedKey, IssuedToken};

pub(crate) use origin::check as check_origin;

use crate::error::{Error, Result};
use crate::state::{Credential, CredentialKind, State};

/// What a user may do; each includes those before. What they see is their own, but for an
/// administrator of all stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ask.
    Read,
    /// See how the followed sources fare, and have them looked at.
    Ingest,
    /// See the queries and logins of everybody.
    Admin,
}

impl Role {
    /// Returns its word: `read`, `ingest` or `admin`.
    pub fn word(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Ingest => "ingest",
            Role::Admin => "admin",
        }
    }

    /// Returns the role of that word.
    pub fn of_word(word: &str) -> Option<Role> {
        [Role::Read, Role::Ingest, Role::Admin].into_iter().find(|role| role.word() == word)
    }
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Whom queries belong to.
    pub(crate) user: String,
    pub(crate) role: Role,
    /// The stores they may see; none: all.
    pub(crate) stores: Option<Vec<String>>,
}

impl Identity {
    /// Everybody, where nobody needs to say who they are.
    pub(crate) fn anybody() -> Identity {
        Identity { user: "anybody".to_owned(), role: Role::Read, stores: None }
    }

    /// Whoever sees other stores is somebody else, also under the same name: what a query of one
    /// tells must not reach the other. Names have no white space, so the two cannot be mixed up.
    fn of(credential: Credential) -> Identity {
        let Credential { user, role, stores, .. } = credential;
        let user = match &stores {
            None => user,
            Some(stores) => {
                let stores: BTreeSet<&String> = stores.iter().collect();
                format!("{user} {}", json!(stores))
            }
        };
        Identity { user, role, stores }
    }

    /// Whether they see the queries and logins of everybody: administrators of all stores do.
    pub(crate) fn sees_everybody(&self) -> bool {
        self.role == Role::Admin && self.stores.is_none()
    }

    /// Refuses who has a lesser role.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub(crate) fn needs(&self, role: Role) -> Result<()> {
        if self.role >= role {
            return Ok(());
        }
        let (needed, own) = (role.word(), self.role.word());
        Err(Error::forbidden(format!("this needs the role `{needed}`; yours is `{own}`")))
    }

    /// Whether a store may be seen.
    pub(crate) fn may_see(&self, store: &str) -> bool {
        self.stores.as_ref().is_none_or(|stores| stores.iter().any(|known| known == store))
    }
}

/// What a request says about who sends it.
enum Claim<'a> {
    Token(String),
    Signature(&'a str),
    Nothing,
}

/// Returns who sent a request with that head and body, and the id of the credential they did it with.
///
/// # Errors
/// [`Error::Unknown`] when it carries nothing, or nothing that is valid now.
pub(crate) async fn identify(
    state: &State,
    head: &Parts,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(Identity, String)> {
    let credential = match claim(head)? {
        Claim::Token(token) => tokens::check(state, &token, now).await?,
        Claim::Signature(text) => {
            let signature = signature::Signature::parse(text)?;
            let key = known(state, &signature.access_key, CredentialKind::AccessKey, now).await?;
            let secret = tokens::secret_of(state, &key.id);
            signature.verify(&secret, head, body, now)?;
            key
        }
        Claim::Nothing => return Err(Error::unknown("the request carries no credentials")),
    };
    state.credential_used(&credential, now).await;
    let id = credential.id.clone();
    Ok((Identity::of(credential), id))
}

/// Returns the user and the id of the credential that a request names, right or wrong, where there
/// is such a one.
pub(crate) async fn named(state: &State, head: &Parts) -> Option<(String, String)> {
    let id = match claim(head).ok()? {
        Claim::Token(token) => tokens::id_of(&token)?.to_owned(),
        Claim::Signature(text) => signature::Signature::parse(text).ok()?.access_key,
        Claim::Nothing => return None,
    };
    let (credential, _) = state.credential(&id).await.ok()??;
    Some((Identity::of(credential).user, id))
}

fn claim(head: &Parts) -> Result<Claim<'_>> {
    let Some(value) = head.headers.get(axum::http::header::AUTHORIZATION) else {
        return Ok(Claim::Nothing);
    };
    let text = value.to_str().map_err(|_| Error::unknown("`Authorization` is not text"))?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(Claim::Token(rest.trim().to_owned())),
        "basic" => tokens::password(rest).map(Claim::Token),
        "aws4-hmac-sha256" => Ok(Claim::Signature(rest)),
        _ => Err(Error::unknown("`Authorization` must be Bearer, Basic or AWS4-HMAC-SHA256")),
    }
}

/// Returns the credential of that id and kind, if it is valid now.
async fn known(
    state: &State,
    id: &str,
    kind: CredentialKind,
    now: DateTime<Utc>,
) -> Result<Credential> {
    let found = state.credential(id).await?;
    let (credential, _) = found
        .filter(|(credential, _)| credential.kind == kind)
        .ok_or_else(|| Error::unknown("the access key is not known"))?;
    still_valid(credential, now)
}

fn still_valid(credential: Credential, now: DateTime<Utc>) -> Result<Credential> {
    match credential.expires_at {
        Some(at) if at <= now => Err(Error::unknown(format!(
            "the credential `{}` ended at {}",
            credential.id,
            at.format("%Y-%m-%dT%H:%M:%SZ")
        ))),
        _ => Ok(credential),
    }
}
