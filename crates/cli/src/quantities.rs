//! Sizes and durations, as people type and read them.

use std::time::Duration;

/// Units of a size in bytes, as accepted after a number; decimal ones are powers of 1,000.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Units of a duration in milliseconds.
const DURATION_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Returns the bytes that a text such as `512MB` or `1GiB` means.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = lookup(SIZE_UNITS, &unit);
    let bytes = factor.and_then(|factor| number?.checked_mul(factor));
    bytes.ok_or_else(|| format!("`{text}` is not a size such as `512MB` or `1GiB`"))
}

/// Least memory of an ingest: with less, rounds get so small that the log of a small trail takes
/// minutes to write.
const INGEST_MEMORY_MIN: u64 = 16_000_000;

/// Returns the bytes of an ingest's memory.
pub fn parse_ingest_memory(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        bytes if bytes < INGEST_MEMORY_MIN => {
            let least = show_size(INGEST_MEMORY_MIN);
            Err(format!("`{text}` is less than an ingest needs; give {least} or more"))
        }
        bytes => Ok(bytes),
    }
}

/// Returns the time span that a text such as `90s`, `12h` or `30d` means.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let factor = lookup(DURATION_UNITS, &unit);
    let millis = factor.and_then(|factor| number?.checked_mul(factor));
    let millis = millis
        .ok_or_else(|| format!("`{text}` is not a duration such as `90s`, `12h` or `30d`"))?;
    Ok(Duration::from_millis(millis))
}

/// Returns the size in its largest fitting decimal unit: `14.2 MB`.
pub fn show_size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

/// Returns the duration to three digits or so: `12 ms`, `1.2 s`, `3 min 20 s`.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match duration.as_millis() {
        0..1_000 => format!("{} ms", duration.as_millis()),
        1_000..120_000 => format!("{:.1} s", duration.as_secs_f64()),
        120_000..7_200_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns the number with commas between groups of three digits: `23,981`.
pub fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns the count with its noun in the right number: `1 object`, `23 objects`.
pub fn count_of(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", show_count(count), if count == 1 { "" } else { "s" })
}

fn split(text: &str) -> (Option<u64>, String) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().ok(), text[end..].trim().to_ascii_lowercase())
}

fn lookup(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_unless_they_say_otherwise() {
        assert_eq!(parse_size("512MB"), Ok(512_000_000));
        assert_eq!(parse_size("1 GiB"), Ok(1 << 30));
        assert_eq!(parse_size("4096"), Ok(4096));
        for wrong in ["", "MB", "12 parsecs", "-1", "99999999999TB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_ingest_needs_some_memory() {
        assert_eq!(parse_ingest_memory("16MB"), Ok(16_000_000));
        for little in ["0", "1KB", "15MB"] {
            let refused = format!("`{little}` is less than an ingest needs; give 16.0 MB or more");
            assert_eq!(parse_ingest_memory(little), Err(refused));
        }
        assert!(parse_ingest_memory("much").is_err());
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_secs(172_800)));
        assert!(parse_duration("90").is_err());
    }

    #[test]
    fn numbers_are_shown_for_people() {
        assert_eq!(show_size(999), "999 B");
        assert_eq!(show_size(999_999), "1.0 MB");
        assert_eq!(show_size(14_234_567), "14.2 MB");
        assert_eq!(show_duration(Duration::from_millis(1_234)), "1.2 s");
        assert_eq!(show_duration(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(show_count(1_234_567), "1,234,567");
        assert_eq!(count_of(1, "object"), "1 object");
    }
}
