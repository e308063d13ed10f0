//! The public keys that digest files are verified with. The lake holds none yet.

use serde_json::json;

use super::Call;
use crate::aws::{Answered, Fault};

/// ListPublicKeys.
pub(super) fn list_public_keys(call: &Call<'_>) -> Answered {
    call.request.time_range("InvalidTimeRangeException")?;
    if call.request.member("NextToken").is_some() {
        let message = "`NextToken` does not belong to this request";
        return Err(Fault::new("InvalidTokenException", message));
    }
    Ok(json!({ "PublicKeyList": [] }))
}
