//! Sample queries: questions that people have, with the SQL that answers them.
//!
//! Each is a file of SQL whose first comment lines say what it is:
//!
//! ```sql
//! -- title: Who touched a bucket
//! -- question: Did anybody touch this bucket, and who?
//! -- parameter bucket (text): the name of the bucket
//! -- parameter since (time, default 1970-01-01): how far back to look
//! ```

/// One sample query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its name on the command line.
    pub name: &'static str,
    /// A few words.
    pub title: &'static str,
    /// The question it answers.
    pub question: &'static str,
    /// What must or can be given to it.
    pub parameters: Vec<Parameter>,
    /// The SQL without the comment lines above.
    pub sql: &'static str,
}

/// A parameter of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name after the colon in the SQL.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: ParameterKind,
    /// Its value when none is given; without one, it must be given.
    pub default: Option<&'static str>,
    /// What it is, in a few words.
    pub about: &'static str,
}

/// What kind of value a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any text.
    Text,
    /// A time, a date, or a span back from now.
    Time,
    /// A whole number.
    Number,
}

impl ParameterKind {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            ParameterKind::Text => "text",
            ParameterKind::Time => "time",
            ParameterKind::Number => "number",
        }
    }
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!($name, ".sql")))),+]
    };
}

/// The files, in the order in which they are listed: most asked first.
const FILES: &[(&str, &str)] = files![
    "bucket-access",
    "access-key",
    "session-origin",
    "ip-address",
    "timeline",
    "role-activity",
    "resource-history",
    "principals",
    "access-denied",
    "failures-by-principal",
    "console-logins",
    "logins-without-mfa",
    "failed-logins",
    "sso-logins",
    "root-account",
    "new-access",
    "new-keys",
    "mfa-changes",
    "policy-changes",
    "federation-changes",
    "logging-changes",
    "detection-changes",
    "network-exposure",
    "open-security-groups",
    "public-buckets",
    "bucket-downloads",
    "shared-snapshots",
    "snapshot-copies",
    "secrets",
    "key-changes",
    "role-chains",
    "cross-account-roles",
    "instance-credentials",
    "instances-started",
    "remote-commands",
    "function-changes",
    "model-invocations",
    "network-changes",
    "endpoint-denials",
    "dns-changes",
    "organization-changes",
    "reconnaissance",
    "first-seen-calls",
    "new-regions",
    "new-addresses",
    "user-agents",
    "activity-by-hour",
    "console-changes",
    "deletions",
    "regions",
    "service-activity",
    "errors",
    "old-tls",
];

/// Returns every sample.
pub fn all() -> Vec<Sample> {
    FILES.iter().map(|(name, text)| parse(name, text)).collect()
}

/// Returns the sample of that name.
pub fn find(name: &str) -> Option<Sample> {
    all().into_iter().find(|sample| sample.name == name)
}

/// Returns the samples in which every word occurs, in whatever case.
pub fn search(words: &[String]) -> Vec<Sample> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let mut found = all();
    found.retain(|sample| {
        let text = format!("{} {} {} {}", sample.name, sample.title, sample.question, sample.sql);
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    });
    found
}

/// Reads the comment lines at the head of a file; the test below holds them to their form.
fn parse(name: &'static str, text: &'static str) -> Sample {
    let mut sample = Sample { name, title: "", question: "", parameters: Vec::new(), sql: text };
    while let Some((line, rest)) = sample.sql.split_once('\n') {
        let Some(comment) = line.strip_prefix("-- ") else { break };
        if let Some(title) = comment.strip_prefix("title: ") {
            sample.title = title;
        } else if let Some(question) = comment.strip_prefix("question: ") {
            sample.question = question;
        } else if let Some(parameter) = comment.strip_prefix("parameter ") {
            sample.parameters.extend(parse_parameter(parameter));
        } else {
            break;
        }
        sample.sql = rest;
    }
    sample.sql = sample.sql.trim();
    sample
}

fn parse_parameter(text: &'static str) -> Option<Parameter> {
    let (name, rest) = text.split_once(" (")?;
    let (kind, about) = rest.split_once("): ")?;
    let (kind, default) = match kind.split_once(", default ") {
        Some((kind, default)) => (kind, Some(default)),
        None => (kind, None),
    };
    let kind = match kind {
        "text" => ParameterKind::Text,
        "time" => ParameterKind::Time,
        "number" => ParameterKind::Number,
        _ => return None,
    };
    Some(Parameter { name, kind, default, about })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_says_what_it_is() {
        for sample in all() {
            let name = sample.name;
            assert!(!sample.title.is_empty() && sample.question.ends_with('?'), "{name}");
            assert!(!sample.sql.contains("-- parameter"), "{name}: a parameter line is malformed");
            for parameter in &sample.parameters {
                let placeholder = format!(":{}", parameter.name);
                assert!(sample.sql.contains(&placeholder), "{name}: {placeholder} is not used");
                assert!(!parameter.about.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn every_word_must_occur() {
        let names = |words: &[&str]| -> Vec<&str> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            search(&words).iter().map(|sample| sample.name).collect()
        };
        assert_eq!(names(&["BUCKET", "hostheader"]), ["bucket-access"]);
        assert_eq!(names(&["bucket", "no such word"]), Vec::<&str>::new());
        assert_eq!(names(&[]).len(), FILES.len());
    }
}
