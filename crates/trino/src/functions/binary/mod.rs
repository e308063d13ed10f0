//! Binary: <https://trino.io/docs/current/functions/binary.html>.

mod base32;
mod base64;
mod crc32;
mod digests;
mod from_hex;
mod from_utf8;
pub(crate) mod hashes;
mod sha1;
mod to_hex;
mod to_utf8;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/binary.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        crc32::function(),
        from_hex::function(),
        from_utf8::function(),
        to_hex::function(),
        to_utf8::function(),
    ];
    all.extend(base32::functions());
    all.extend(base64::functions());
    all.extend(digests::functions());
    all.extend(hashes::functions());
    all
}
