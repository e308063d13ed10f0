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
pub(crate) use signature::is_parameter as is_signature_parameter;

use self::signature::Signature;
use crate::error::{Error, Result};
use crate::state::{Credential, CredentialKind, State};

/// What a user may do; each includes those before. What they see is their own, but for an
/// administrator of all stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
enum Claim {
    Token(String),
    Signature(Signature),
    Nothing,
}

/// Who a request is from, as far as its head alone can tell: looked at before a body is read.
pub(crate) enum Claimed {
    /// It carries a token that is valid now.
    Known(Credential),
    /// It was signed a moment ago in the name of an access key: with which body is still to be seen.
    Signed(Signature, Credential),
}

/// Returns who a request with that head says it is from.
///
/// # Errors
/// [`Error::Unknown`] when it carries nothing, or nothing that can be valid now.
pub(crate) async fn claimed(state: &State, head: &Parts, now: DateTime<Utc>) -> Result<Claimed> {
    match claim(head)? {
        Claim::Token(token) => Ok(Claimed::Known(tokens::check(state, &token, now).await?)),
        Claim::Signature(signature) => {
            signature.check_head(head, now)?;
            let found = state.credential(&signature.access_key).await?;
            let found = found.filter(|(key, _)| key.kind == CredentialKind::AccessKey);
            let (key, _) = found.ok_or_else(signature::no_match)?;
            Ok(Claimed::Signed(signature, key))
        }
        Claim::Nothing => Err(Error::unknown("the request carries no credentials")),
    }
}

impl Claimed {
    /// The id of the credential. Of a signature no more is known than that there is such a key.
    pub(crate) fn credential(&self) -> &str {
        match self {
            Claimed::Known(credential) | Claimed::Signed(_, credential) => &credential.id,
        }
    }

    /// Returns who sent the request, now that its body is there, and the id of the credential they
    /// did it with.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the body or the head is not what was signed, or the access key has
    /// ended: that is told to nobody who does not have its secret.
    pub(crate) async fn identify(
        self,
        state: &State,
        head: &Parts,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(Identity, String)> {
        let credential = match self {
            Claimed::Known(credential) => credential,
            Claimed::Signed(signature, key) => {
                signature.verify(&tokens::secret_of(state, &key.id), head, body, now)?;
                still_valid(key, now)?
            }
        };
        state.credential_used(&credential, now).await;
        let id = credential.id.clone();
        Ok((Identity::of(credential), id))
    }
}

/// Returns the user and the id of the credential that a request names, right or wrong, where there
/// is such a one.
pub(crate) async fn named(state: &State, head: &Parts) -> Option<(String, String)> {
    let id = match claim(head).ok()? {
        Claim::Token(token) => tokens::id_of(&token)?.to_owned(),
        Claim::Signature(signature) => signature.access_key,
        Claim::Nothing => return None,
    };
    let (credential, _) = state.credential(&id).await.ok()??;
    Some((Identity::of(credential).user, id))
}

fn claim(head: &Parts) -> Result<Claim> {
    let Some(value) = head.headers.get(axum::http::header::AUTHORIZATION) else {
        return Ok(Signature::of_url(head)?.map_or(Claim::Nothing, Claim::Signature));
    };
    let text = value.to_str().map_err(|_| Error::unknown("`Authorization` is not text"))?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(Claim::Token(rest.trim().to_owned())),
        "basic" => tokens::password(rest).map(Claim::Token),
        "aws4-hmac-sha256" => Signature::parse(rest).map(Claim::Signature),
        _ => Err(Error::unknown("`Authorization` must be Bearer, Basic or AWS4-HMAC-SHA256")),
    }
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
