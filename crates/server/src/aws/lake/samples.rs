//! Sample queries, found by the words of a question.

use serde_json::{Value, json};

use super::Call;
use super::pages::Pages;
use crate::aws::Answered;
use crate::options::Sample;

/// Samples of a page.
const PAGE: usize = 50;
/// Samples of a page when no number is asked for.
const PAGE_USUAL: usize = 10;
/// What a word weighs in the title or name, the question, and the rest of a sample.
const WEIGHTS: [u32; 3] = [3, 2, 1];

/// SearchSampleQueries: those that share a word with the phrase, the most fitting first.
pub(super) fn search_sample_queries(call: &Call<'_>) -> Answered {
    let phrase = call.request.required("SearchPhrase", 2..=1_000)?;
    let size = match call.request.member("MaxResults") {
        None => PAGE_USUAL,
        Some(_) => call.request.page_size("MaxResults", PAGE)?,
    };
    let pages = Pages::of(call, json!(["SearchSampleQueries", phrase]));
    let offset: usize = pages.begin(call)?.unwrap_or(0);
    let found = ranked(&call.server.options.samples.all, phrase);
    let shown: Vec<Value> = found.iter().skip(offset).take(size).map(described).collect();
    let next = offset + shown.len();
    let mut answer = json!({ "SearchResults": shown });
    if next < found.len() {
        answer["NextToken"] = pages.token(&next).into();
    }
    Ok(answer)
}

fn described((relevance, sample): &(f32, &Sample)) -> Value {
    let mut about = sample.question.clone();
    for (place, parameter) in sample.parameters.iter().enumerate() {
        let default = parameter.default.as_ref().map(|default| format!(", default {default}"));
        about += &format!(
            " Parameter {} is `{}` ({}{}): {}.",
            place + 1,
            parameter.name,
            parameter.kind,
            default.unwrap_or_default(),
            parameter.about
        );
    }
    json!({
        "Name": sample.name,
        "Description": format!("{}. {about}", sample.title),
        "SQL": sample.sql,
        "Relevance": relevance,
    })
}

/// Returns the samples that share words with a phrase, the best first, with how well they fit: from
/// 0 to 1, which is a sample that has every word in its title.
fn ranked<'a>(samples: &'a [Sample], phrase: &str) -> Vec<(f32, &'a Sample)> {
    let asked = words(phrase);
    let best = WEIGHTS[0] * asked.len() as u32;
    let weigh = |sample: &'a Sample| {
        let about = sample.parameters.iter().map(|parameter| parameter.about.as_str());
        let rest: Vec<&str> = about.chain([sample.sql.as_str()]).collect();
        let places = [
            words(&format!("{} {}", sample.name, sample.title)),
            words(&sample.question),
            words(&rest.join(" ")),
        ];
        let weight = |word: &String| {
            let place = places.iter().position(|known| known.iter().any(|other| akin(word, other)));
            place.map_or(0, |place| WEIGHTS[place])
        };
        let sum: u32 = asked.iter().map(weight).sum();
        (sum as f32 / best.max(1) as f32, sample)
    };
    let mut found: Vec<_> = samples.iter().map(weigh).filter(|(weight, _)| *weight > 0.0).collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    found
}

/// The words of a text that tell something.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    words.map(str::to_lowercase).filter(|word| !NOISE.contains(&word.as_str())).collect()
}

/// Words that every question has.
const NOISE: [&str; 12] =
    ["all", "and", "any", "did", "for", "from", "the", "this", "was", "were", "what", "who"];

/// Whether two words are forms of one: `login` and `logins`, `delete` and `deleted`.
fn akin(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.starts_with(short) && (long.len() - short.len() < 2 || short.len() > 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, title: &str, question: &str) -> Sample {
        Sample {
            name: name.to_owned(),
            title: title.to_owned(),
            question: question.to_owned(),
            sql: "SELECT eventName FROM events".to_owned(),
            parameters: Vec::new(),
        }
    }

    #[test]
    fn the_title_counts_more_than_the_question_and_that_more_than_the_statement() {
        let samples = [
            sample("a", "Access keys", "Which eventname is most frequent?"),
            sample("b", "Deletions", "Who deleted what?"),
            sample("c", "Failed logins", "Who could not sign in?"),
            sample("d", "Console", "Which login failed?"),
        ];
        let names = |phrase: &str| {
            let found = ranked(&samples, phrase);
            found.iter().map(|(_, sample)| sample.name.clone()).collect::<Vec<_>>().join("")
        };
        for (phrase, expected) in [
            ("failed login", "cd"),
            ("What was deleted?", "b"),
            ("eventName", "abcd"),
            ("key", "a"),
            ("fail", "cd"),
            ("con", ""),
            ("KEYS", "a"),
            ("who did the", ""),
        ] {
            assert_eq!(names(phrase), expected, "{phrase}");
        }
        assert_eq!(ranked(&samples, "failed logins")[0].0, 1.0);
    }
}
