//! Tokens and access keys: how they are made, and how a token is checked.
//!
//! A token is `tl_<id>_<secret>` with a secret of 256 random bits, of which SHA-256 is kept: nothing
//! that can be guessed, so no slow hash is needed. An access key looks like AWS's (20 characters),
//! and its secret is an HMAC of it by the server's key, so that it is kept nowhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Role, still_valid};
use crate::error::{Error, Result};
use crate::state::{Credential, CredentialKind, NewCredential, State};

const PREFIX: &str = "tl_";
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The length of AWS's secrets.
const SECRET_LENGTH: usize = 40;

/// A token, whole: shown once.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// What it is known by.
    pub id: String,
    /// What a client sends.
    pub token: String,
}

/// An access key with its secret.
#[derive(Clone, Debug)]
pub struct IssuedKey {
    /// What AWS calls the access key id.
    pub id: String,
    /// What AWS calls the secret access key.
    pub secret: String,
}

/// What a server without any credentials makes at its first start.
#[derive(Clone, Debug)]
pub struct FirstCredentials {
    /// A token.
    pub token: IssuedToken,
    /// An access key.
    pub key: IssuedKey,
}

impl State {
    /// Makes a token.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn issue_token(&self, new: &NewCredential, now: DateTime<Utc>) -> Result<IssuedToken> {
        let id = random_letters(12)?.to_ascii_lowercase();
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(Error::state)?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let new = NewCredential { kind: CredentialKind::Token, ..new.clone() };
        self.add_credential(&id, &new, Some(hash(&secret)), now)?;
        Ok(IssuedToken { token: format!("{PREFIX}{id}_{secret}"), id })
    }

    /// Makes an access key.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn issue_key(&self, new: &NewCredential, now: DateTime<Utc>) -> Result<IssuedKey> {
        let id = format!("TLAK{}", random_letters(16)?);
        let new = NewCredential { kind: CredentialKind::AccessKey, ..new.clone() };
        self.add_credential(&id, &new, None, now)?;
        Ok(IssuedKey { secret: secret_of(self, &id), id })
    }

    /// Makes a token and an access key for the administrator, if there is no credential at all.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn first_credentials(&self, now: DateTime<Utc>) -> Result<Option<FirstCredentials>> {
        let none = self.credentials(CredentialKind::Token)?.is_empty()
            && self.credentials(CredentialKind::AccessKey)?.is_empty();
        if !none {
            return Ok(None);
        }
        let new = NewCredential {
            kind: CredentialKind::Token,
            user: "admin".to_owned(),
            role: Role::Admin,
            stores: None,
            expires_at: None,
        };
        let token = self.issue_token(&new, now)?;
        let key = self.issue_key(&new, now)?;
        Ok(Some(FirstCredentials { token, key }))
    }
}

/// Returns the credential that a token stands for.
pub(super) async fn check(state: &State, token: &str, now: DateTime<Utc>) -> Result<Credential> {
    // One answer for all that is wrong with it, whether its id is known or not.
    let unknown = || Error::unknown("the token is not known");
    let (id, secret) = parts_of(token).ok_or_else(unknown)?;
    let (credential, known) = state.credential(id).await?.ok_or_else(unknown)?;
    let known = known.ok_or_else(unknown)?;
    if credential.kind != CredentialKind::Token || !bool::from(known.ct_eq(&hash(secret))) {
        return Err(unknown());
    }
    still_valid(credential, now)
}

/// Returns the id of a token, whether its secret is right or not.
pub(super) fn id_of(token: &str) -> Option<&str> {
    parts_of(token).map(|(id, _)| id)
}

fn parts_of(token: &str) -> Option<(&str, &str)> {
    token.strip_prefix(PREFIX)?.split_once('_')
}

/// Returns the token that HTTP Basic carries as its password; the user name is not looked at.
pub(super) fn password(encoded: &str) -> Result<String> {
    let wrong = || Error::unknown("`Authorization: Basic` must hold `user:token` in base64");
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let (_, password) = text.split_once(':').ok_or_else(wrong)?;
    Ok(password.to_owned())
}

/// Returns the secret of an access key.
pub(super) fn secret_of(state: &State, id: &str) -> String {
    let made = hmac(state.key(), format!("traillake access key {id}").as_bytes());
    let mut secret = STANDARD_NO_PAD.encode(made);
    secret.truncate(SECRET_LENGTH);
    secret
}

/// Returns HMAC-SHA256 (RFC 2104, FIPS 180-4).
pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn random_letters(count: usize) -> Result<String> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(Error::state)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}
