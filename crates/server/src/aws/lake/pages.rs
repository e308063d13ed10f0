//! The tokens of further pages. One names what was asked, by whom, and where the next page begins;
//! it is signed, so that a token of another question, or a made-up one, is refused. Nothing is
//! remembered for it: it is as good after a restart as before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::Sha256;

use super::Call;
use crate::aws::Fault;

/// Bytes of a signature.
const SIGNATURE: usize = 16;

/// The pages of one answer.
pub(super) struct Pages<'a> {
    key: &'a [u8; 32],
    question: String,
}

impl<'a> Pages<'a> {
    /// Returns the pages of the answer to what `call` asks: `question` is all that decides what the
    /// answer is, the operation's name first.
    pub(super) fn of(call: &Call<'a>, question: Value) -> Pages<'a> {
        let question = serde_json::json!(["page", call.identity.user, question]).to_string();
        Pages { key: call.server.state.key(), question }
    }

    /// Returns where the page that a call asks for begins; none for the first.
    ///
    /// # Errors
    /// `InvalidNextTokenException` for a token that was not given out for this question.
    pub(super) fn begin<P: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Option<P>, Fault> {
        let wrong = || {
            let message = "`NextToken` does not belong to this request";
            Fault::new("InvalidNextTokenException", message)
        };
        let Some(token) = call.request.member("NextToken") else { return Ok(None) };
        let token = token.as_str().ok_or_else(wrong)?;
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let (signature, position) = bytes.split_at_checked(SIGNATURE).ok_or_else(wrong)?;
        let signed = self.signing(position).verify_truncated_left(signature);
        signed.map_err(|_| wrong())?;
        serde_json::from_slice(position).map(Some).map_err(|_| wrong())
    }

    /// Returns the token of the page that begins at `position`.
    pub(super) fn token(&self, position: &impl Serialize) -> String {
        // A position is made of numbers and texts: it can be written.
        let position = serde_json::to_vec(position).unwrap_or_default();
        let signature = self.signing(&position).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&signature[..SIGNATURE], &position].concat())
    }

    fn signing(&self, position: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a short key with zeros; written out, no length of key can be wrong.
        let mut key = [0; 64];
        key[..32].copy_from_slice(self.key);
        let mut signing = Hmac::<Sha256>::new(&key.into());
        signing.update(self.question.as_bytes());
        signing.update(b"\0");
        signing.update(position);
        signing
    }
}
