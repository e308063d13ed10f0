//! Paths into JSON text: what `json_extract` takes, and what `.field` and `[index]` on maps become.

use std::borrow::Cow;

use crate::json;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Member(String),
    /// An element of an array, from 0; negative from its end.
    Element(i64),
}

/// Steps from a value to a value inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonPath {
    pub(crate) steps: Vec<Step>,
}

impl JsonPath {
    /// Reads `$.a.b[0]["k"]`: names may hold any character but `.` and `[`, as Trino's do `-`,
    /// `:` and spaces.
    ///
    /// # Errors
    /// A message in Trino's words.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let invalid = || format!("invalid JSON path: `{path}`");
        if path.is_empty() {
            return Err(invalid());
        }
        let mut rest = path.strip_prefix('$').unwrap_or(path);
        if rest.len() == path.len() {
            // Trino reads a path without `$` as a member of the top.
            return Self::parse(&format!("$.{path}"));
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if rest.starts_with("..") || rest.contains("[*]") || rest.starts_with(".*") {
                return Err(format!("{}: `..` and `*` are not supported", invalid()));
            }
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at(end);
                let name = name.trim_matches('"');
                if name.is_empty() {
                    return Err(invalid());
                }
                steps.push(Step::Member(name.to_owned()));
                rest = after;
            } else {
                let after = rest.strip_prefix('[').ok_or_else(invalid)?;
                let (step, after) = bracket(after).ok_or_else(invalid)?;
                steps.push(step);
                rest = after;
            }
        }
        Ok(Self { steps })
    }

    /// Returns the text of the value the path leads to.
    pub(crate) fn walk<'a>(&self, json: &'a str) -> Option<Cow<'a, str>> {
        let mut value = json.trim();
        for step in &self.steps {
            value = match step {
                Step::Member(name) => json::member(value, name)?,
                Step::Element(index) => json::element(value, *index)?,
            };
        }
        (!value.is_empty()).then_some(Cow::Borrowed(value))
    }
}

/// Reads `0]`, `"k"]` or `'k']`; returns the step and what follows.
fn bracket(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let end = unescaped(inside, quote)?;
            let name = inside[..end].replace("\\\"", "\"").replace("\\\\", "\\");
            let after = inside[end + 1..].strip_prefix(']')?;
            return Some((Step::Member(name), after));
        }
    }
    let (inside, after) = text.split_once(']')?;
    let step = match inside.trim().parse() {
        Ok(index) => Step::Element(index),
        Err(_) if !inside.is_empty() => Step::Member(inside.to_owned()),
        Err(_) => return None,
    };
    Some((step, after))
}

fn unescaped(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_keys_with_any_character() {
        let json = r#"{"a":{"AWS:ComplianceItem":{"x-y z":[1,{"k.1":"v"}]}},"":5}"#;
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(JsonPath::parse(path).unwrap().walk(json).as_deref(), expected, "{path}");
        };
        check("$.a.AWS:ComplianceItem.x-y z[0]", Some("1"));
        check("$.a['AWS:ComplianceItem'][\"x-y z\"][1]['k.1']", Some("\"v\""));
        check("a.AWS:ComplianceItem.x-y z[-1]", Some(r#"{"k.1":"v"}"#));
        check("$['']", Some("5"));
        check("$.b", None);
        check("$", Some(json));
        assert!(JsonPath::parse("$..a").is_err());
        assert!(JsonPath::parse("$.a[").is_err());
    }
}
