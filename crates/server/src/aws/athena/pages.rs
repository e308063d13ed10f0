//! Where does the next page of a list begin? A token says of which list it is and how far the
//! client has come, so that nothing has to be remembered for it.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Fault, invalid};

/// Returns the token of a place in the list `list`, which has no white space in its name.
pub(super) fn token<const N: usize>(list: &str, place: [u64; N]) -> String {
    let mut text = list.to_owned();
    for number in place {
        text += &format!(" {number}");
    }
    URL_SAFE_NO_PAD.encode(text)
}

/// Returns the place that a token of the list `list` stands for.
///
/// # Errors
/// For a token that is of no list, or of another.
pub(super) fn place<const N: usize>(list: &str, token: &str) -> Result<[u64; N], Fault> {
    let numbers = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut words = text.split(' ');
        if words.next() != Some(list) {
            return None;
        }
        let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    numbers().ok_or_else(|| invalid("`NextToken` is not a token of this list"))
}

/// Returns how many things a page has: as many as asked, else the most.
///
/// # Errors
/// When that is outside the range of AWS's model.
pub(super) fn size(asked: Option<i64>, range: RangeInclusive<usize>) -> Result<usize, Fault> {
    let Some(asked) = asked else { return Ok(*range.end()) };
    let size = usize::try_from(asked).ok().filter(|size| range.contains(size));
    size.ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        invalid(format!("`MaxResults` must be from {least} to {most}"))
    })
}

/// Returns the page of `all` that begins where `next_token` says, and the token of the next one.
///
/// # Errors
/// As [`place`].
pub(super) fn page<T>(
    list: &str,
    all: Vec<T>,
    next_token: Option<&str>,
    size: usize,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let [begin] = next_token.map_or(Ok([0]), |token| place(list, token))?;
    let end = begin.saturating_add(size as u64);
    let next = (end < all.len() as u64).then(|| token(list, [end]));
    let begin = usize::try_from(begin).unwrap_or(usize::MAX);
    Ok((all.into_iter().skip(begin).take(size).collect(), next))
}

/// Puts the token of the next page beside a page.
pub(super) fn with_token(mut page: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        page["NextToken"] = json!(next);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_its_own_place_only() {
        assert_eq!(place("tables", &token("tables", [7, 8])).unwrap(), [7, 8]);
        assert!(place::<2>("databases", &token("tables", [7, 8])).is_err());
        assert!(place::<1>("tables", &token("tables", [7, 8])).is_err());
        for token in ["", "7", "dGFibGVzIC0x", "ÿ"] {
            assert!(place::<1>("tables", token).is_err(), "{token}");
        }
    }

    #[test]
    fn pages_hold_everything_once() {
        let (mut seen, mut next) = (Vec::new(), None);
        loop {
            let (page, token) = page("n", (0..7).collect(), next.as_deref(), 3).unwrap();
            seen.extend(page);
            match token {
                Some(token) => next = Some(token),
                None => break,
            }
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
        let far = token("n", [u64::MAX]);
        assert!(page("n", vec![1], Some(&far), 3).unwrap().0.is_empty());
    }
}
