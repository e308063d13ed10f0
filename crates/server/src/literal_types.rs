//! Which type does a literal have? Trino's rules, for the values that clients bind in the words of
//! SQL: <https://trino.io/docs/current/language/types.html>.

/// Returns the type of a decimal's literal: as many digits as it has. None for what is no decimal, or
/// has more than 38 digits.
pub(crate) fn decimal(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole_digits, scale) = (whole.trim_start_matches('0').len(), fraction.len());
    let precision = (whole_digits + scale).max(1);
    let fits = all_digits(whole) && all_digits(fraction) && whole.len() + scale > 0;
    (fits && precision <= 38).then(|| format!("decimal({precision}, {scale})"))
}

/// Returns the type of a timestamp's literal; with a zone when one is written behind the time.
pub(crate) fn timestamp(text: &str) -> String {
    let zoned = if has_zone(text) { " with time zone" } else { "" };
    format!("timestamp({}){zoned}", digits(text))
}

/// Returns the type of a literal of a time of day.
pub(crate) fn time(text: &str) -> String {
    format!("time({})", digits(text))
}

/// Digits of a fraction of a second: those that are written, as many as times are kept with.
fn digits(text: &str) -> usize {
    let fraction = text.rsplit_once('.').map_or("", |(_, fraction)| fraction);
    match fraction.bytes().take_while(u8::is_ascii_digit).count() {
        0..=3 => 3,
        4..=6 => 6,
        _ => 9,
    }
}

/// Whether something stands behind the time of day: `2024-05-01 00:00:00 UTC`, `… +02:00`.
fn has_zone(text: &str) -> bool {
    let time = text.trim().split_once([' ', 'T']).map_or("", |(_, time)| time);
    time.contains([' ', '+', '-', 'Z'])
}
