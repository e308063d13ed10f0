//! Values for the placeholders of a query: bound as values, never pasted into its text.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use traillake_trino::{Parameters, Value};

use crate::closest::closest;
use crate::failure::Problem;
use crate::samples::{Parameter, ParameterKind, Sample};
use crate::times::parse_time;

/// Splits `NAME=VALUE`; for clap.
pub fn parse_assignment(text: &str) -> Result<(String, String), String> {
    split(text).ok_or_else(|| "write NAME=VALUE".to_owned())
}

/// Splits `NAME=FILE`; for clap.
pub fn parse_lookup(text: &str) -> Result<(String, String), String> {
    split(text).ok_or_else(|| "write NAME=FILE".to_owned())
}

fn split(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

/// Refuses a name that is given twice: an answer about one of two values reads as one about both.
fn each_once(given: &[(String, String)]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    // `1` and `01` are the same place.
    let meant = |name: &str| name.parse::<usize>().map_or(name.to_owned(), |at| at.to_string());
    match given.iter().find(|(name, _)| !seen.insert(meant(name))) {
        None => Ok(()),
        Some((name, _)) => Err(Problem::new(format!("parameter `{name}` is given twice"))
            .hint("give it once; ask about one value after another, or name each: `IN (:a, :b)`")
            .into()),
    }
}

/// Returns the parameters of a query of one's own: text, which reads as a number, a time or a
/// boolean where it meets one. A number as name stands for the `?` at that place.
pub fn of_query(given: &[(String, String)]) -> anyhow::Result<Parameters> {
    each_once(given)?;
    let mut parameters = Parameters::default();
    let mut places = Vec::new();
    for (name, value) in given {
        let value = Value::Text(value.clone());
        match name.parse::<usize>() {
            Ok(place) => places.push((place, value)),
            Err(_) => drop(parameters.named.insert(name.clone(), value)),
        }
    }
    places.sort_by_key(|(place, _)| *place);
    for (i, (place, value)) in places.into_iter().enumerate() {
        if place != i + 1 {
            let missing = i + 1;
            return Err(Problem::new(format!("parameter {missing} is missing, {place} is given"))
                .hint("number the values of `?` from 1: `-p 1=… -p 2=…`")
                .into());
        }
        parameters.positional.push(value);
    }
    Ok(parameters)
}

/// Returns the parameters of a sample, defaults filled in, times counted from `now`.
pub fn of_sample(
    sample: &Sample,
    given: &[(String, String)],
    now: DateTime<Utc>,
) -> anyhow::Result<Parameters> {
    if let Some((name, _)) = given.iter().find(|(name, _)| !knows(sample, name)) {
        return Err(unknown(sample, name));
    }
    each_once(given)?;
    let mut parameters = Parameters::default();
    for parameter in &sample.parameters {
        let text = given.iter().find(|(name, _)| name == parameter.name);
        let text = text.map(|(_, text)| text.as_str()).or(parameter.default);
        let text = text.ok_or_else(|| missing(sample, parameter))?.trim();
        let wrong =
            |reason: String| Problem::new(format!("parameter `{}`: {reason}", parameter.name));
        let value = typed(parameter.kind, text, now).map_err(wrong)?;
        if cannot_match(sample.name, parameter, text) {
            return Err(wrong(format!("`{text}` is not {}", parameter.about))
                .hint("write it so; `traillake find TERM` looks anywhere in an event")
                .into());
        }
        parameters.named.insert(parameter.name.to_owned(), value);
    }
    Ok(parameters)
}

/// Returns the parameters of the sample of that name, from values in the order of its parameters, of
/// which there are no more, or what is wrong with them: for those who ask a server.
pub fn in_order(sample: &str, values: &[&str], now: DateTime<Utc>) -> Result<Parameters, String> {
    let found = crate::samples::find(sample);
    let sample = found.ok_or_else(|| format!("there is no sample `{sample}`"))?;
    let names = sample.parameters.iter().map(|parameter| parameter.name.to_owned());
    let given: Vec<_> = names.zip(values.iter().map(|value| (*value).to_owned())).collect();
    of_sample(&sample, &given, now).map_err(|error| error.to_string())
}

/// Returns the value that a text means, or why it means none.
fn typed(kind: ParameterKind, text: &str, now: DateTime<Utc>) -> Result<Value, String> {
    match kind {
        ParameterKind::Text if text.is_empty() => Err("it is empty".to_owned()),
        ParameterKind::Text => Ok(Value::Text(text.to_owned())),
        ParameterKind::Time => Ok(Value::Timestamp(parse_time(text, now)?.timestamp_micros())),
        ParameterKind::Number => match text.parse::<i64>() {
            Ok(number) if number > 0 => Ok(Value::Integer(number)),
            _ => Err(format!("`{text}` is not a whole number from 1 on")),
        },
    }
}

/// Returns true for a spelling that no event can have where the sample looks for it: that there is
/// none would read as an answer.
fn cannot_match(sample: &str, parameter: &Parameter, text: &str) -> bool {
    let is_of_key = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "*._-".contains(c);
    match (sample, parameter.name) {
        // An access point goes by its ARN, a bucket never does.
        (_, "bucket") => match text.starts_with("arn:") {
            true => text.contains(":::"),
            false => text.contains([':', '/']),
        },
        // STS gives out none that stays.
        ("session-origin", "key") => text.starts_with("AKIA") || !text.chars().all(is_of_key),
        // What masks a key is not said to be none.
        (_, "key") => !text.chars().all(is_of_key),
        // Services stand here by their names.
        (_, "ip") => text.contains(['/', '*', '[', ']']) || text.parse::<SocketAddr>().is_ok(),
        (_, "role") => !text.starts_with("arn:") || text.contains(":assumed-role/"),
        (_, "arn") => !text.starts_with("arn:"),
        _ => false,
    }
}

fn knows(sample: &Sample, name: &str) -> bool {
    sample.parameters.iter().any(|parameter| parameter.name == name)
}

fn missing(sample: &Sample, parameter: &Parameter) -> anyhow::Error {
    let (name, about) = (parameter.name, parameter.about);
    Problem::new(format!("sample `{}` needs `{name}`: {about}", sample.name))
        .hint(format!("add `-p {name}=…`; `traillake samples {}` shows the rest", sample.name))
        .into()
}

fn unknown(sample: &Sample, name: &str) -> anyhow::Error {
    let names: Vec<&str> = sample.parameters.iter().map(|parameter| parameter.name).collect();
    let hint = match closest(name, names.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("it has {}", names.join(", ")),
    };
    Problem::new(format!("sample `{}` has no parameter `{name}`", sample.name)).hint(hint).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(given: &[&str]) -> Vec<(String, String)> {
        given.iter().filter_map(|text| parse_assignment(text).ok()).collect()
    }

    #[test]
    fn a_sample_takes_typed_values_and_its_defaults() -> anyhow::Result<()> {
        let sample = crate::samples::find("bucket-access").unwrap_or_else(|| unreachable!());
        let now = DateTime::from_timestamp(1_710_000_000, 0).unwrap_or_default();
        let parameters = of_sample(&sample, &pairs(&["bucket=a=b", "since=1h"]), now)?;
        assert_eq!(parameters.named["bucket"], Value::Text("a=b".to_owned()));
        assert_eq!(parameters.named["since"], Value::Timestamp(1_709_996_400_000_000));
        let parameters = of_sample(&sample, &pairs(&["bucket=x"]), now)?;
        assert_eq!(parameters.named["since"], Value::Timestamp(0));
        for (given, message) in [
            (vec![], "sample `bucket-access` needs `bucket`: the name of the bucket"),
            (vec!["bucket=x", "sinc=1h"], "sample `bucket-access` has no parameter `sinc`"),
            (vec!["bucket=x", "since=soon"], "parameter `since`: `soon` is not a time"),
            (vec!["bucket=x", "bucket=y"], "parameter `bucket` is given twice"),
            (vec!["bucket=x", "bucket=x"], "parameter `bucket` is given twice"),
        ] {
            let error =
                of_sample(&sample, &pairs(&given), now).map(|_| ()).map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|e| e.starts_with(message)), "{error:?}");
        }
        Ok(())
    }

    /// No rows are the answer "nobody did": a spelling that no event can have must not give it.
    #[test]
    fn what_can_match_nothing_is_refused() {
        let now = DateTime::from_timestamp(1_710_000_000, 0).unwrap_or_default();
        let mut kinds = BTreeSet::new();
        for sample in crate::samples::all() {
            let needed: Vec<&Parameter> = (sample.parameters.iter())
                .filter(|parameter| parameter.kind == ParameterKind::Text)
                .collect();
            for parameter in &sample.parameters {
                let (right, wrong) = spellings(sample.name, parameter);
                let given = |text: &str| {
                    let others = needed.iter().filter(|other| other.name != parameter.name);
                    let others = others.map(|other| {
                        let (right, _) = spellings(sample.name, other);
                        (other.name.to_owned(), right.first().copied().unwrap_or("").to_owned())
                    });
                    others.chain([(parameter.name.to_owned(), text.to_owned())]).collect::<Vec<_>>()
                };
                for text in right {
                    let spaced = of_sample(&sample, &given(&format!("\t{text}\n ")), now);
                    let plain = of_sample(&sample, &given(text), now);
                    let value = |bound: anyhow::Result<Parameters>| {
                        bound.ok().map(|bound| bound.named[parameter.name].clone())
                    };
                    let (spaced, plain) = (value(spaced), value(plain));
                    assert!(plain.is_some() && spaced == plain, "{}: {text}", sample.name);
                }
                for text in wrong.iter().chain(&["", " \n"]) {
                    let refused = of_sample(&sample, &given(text), now).err();
                    let told = refused.map(|error| error.to_string()).unwrap_or_default();
                    let named = format!("parameter `{}`: ", parameter.name);
                    assert!(told.starts_with(&named), "{}: {text}: {told}", sample.name);
                }
                kinds.insert(parameter.name);
            }
        }
        let known = ["arn", "bucket", "ip", "key", "kinds", "most", "role", "since", "who"];
        assert!(kinds.iter().eq(&known), "{kinds:?}: say in `spellings` what a new one is");
    }

    /// Texts that a parameter takes, and others that it refuses.
    fn spellings(
        sample: &str,
        parameter: &Parameter,
    ) -> (&'static [&'static str], &'static [&'static str]) {
        match (sample, parameter.name) {
            (_, "bucket") => (
                &["books", "old_Books.2", "arn:aws:s3:eu-west-1:111122223333:accesspoint/a"],
                &["arn:aws:s3:::books", "arn:aws-cn:s3:::books/a", "s3://books", "books/a"],
            ),
            ("session-origin", "key") => (
                &["ASIADEMO"],
                &["AKIADEMODEPLOYBOT001", "asiademo", "arn:aws:iam::111122223333:user/ann"],
            ),
            (_, "key") => (
                &["AKIADEMODEPLOYBOT001", "ASIADEMO", "AKIA************"],
                &["akiademodeploybot001", "'AKIADEMO'", "AKIA DEMO", "wJalrXUtnFEMI/K7MDENG"],
            ),
            (_, "ip") => (
                &["203.0.113.77", "2001:db8::1", "ec2.amazonaws.com", "AWS Internal"],
                &["203.0.113.77/32", "203[.]0[.]113[.]77", "203.0.113.77:443", "203.0.113.*"],
            ),
            (_, "role") => (
                &["arn:aws:iam::111122223333:role/aws-service-role/a/b"],
                &["DataExport", "role/DataExport", "arn:aws:sts::111122223333:assumed-role/a/b"],
            ),
            (_, "arn") => {
                (&["arn:aws:s3:::books", "arn:aws-cn:kms:cn-north-1:1:key/a"], &["books"])
            }
            (_, "kinds" | "most") => (&["1", "20"], &["0", "-1", "many", "1.5"]),
            (_, "since") => (&["2024-03-01", "7d"], &["soon"]),
            // Whoever it is: a name, an ARN, a key.
            _ => (&["ann", "DataExport", "arn:aws:iam::111122223333:user/ann", "AKIADEMO"], &[]),
        }
    }

    #[test]
    fn numbers_are_places() -> anyhow::Result<()> {
        let parameters = of_query(&pairs(&["2=b", "1=a", "name=c"]))?;
        assert_eq!(parameters.positional, [Value::Text("a".into()), Value::Text("b".into())]);
        assert_eq!(parameters.named["name"], Value::Text("c".into()));
        for (given, message) in [
            (["2=b", "3=a"], "parameter 1 is missing, 2 is given"),
            (["1=a", "01=b"], "parameter `01` is given twice"),
            (["name=a", "name=b"], "parameter `name` is given twice"),
        ] {
            let error = of_query(&pairs(&given)).map(|_| ()).map_err(|e| e.to_string());
            assert_eq!(error, Err(message.to_owned()));
        }
        of_query(&pairs(&["name=a", "Name=b"]))?;
        Ok(())
    }
}
