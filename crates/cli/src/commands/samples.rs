//! `traillake samples`

use clap::Args;
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::output::{Report, ReportArgs, ReportFormat};
use crate::samples::{self, Sample};
use crate::session::Session;

/// What can be typed after `traillake samples`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake samples
  traillake samples bucket
  traillake samples bucket-access --format json")]
pub struct SamplesArgs {
    /// The name of a sample, or words to look for
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    #[command(flatten)]
    report: ReportArgs,
}

/// Lists the samples in which all words occur; shows the only one in full.
pub fn run(session: &Session, args: SamplesArgs) -> anyhow::Result<Outcome> {
    let named = match args.words.as_slice() {
        [name] => samples::find(name),
        _ => None,
    };
    let found = named.map_or_else(|| samples::search(&args.words), |sample| vec![sample]);
    if found.is_empty() {
        session.talk.warn(&format!("no sample speaks of `{}`", args.words.join(" ")));
    }
    let text = match found.as_slice() {
        [only] => in_full(only),
        many => list(many),
    };
    let json = found.iter().map(as_json).collect();
    let outcome = if found.is_empty() { Outcome::DoneWithFailures } else { Outcome::Done };
    if args.report.format == ReportFormat::Text && found.is_empty() {
        return Ok(outcome);
    }
    let report = Report { text, json: Value::Array(json) };
    outcome.after(report.print(args.report.format, session.terminal.stdout))
}

/// Returns one line a sample.
pub fn list(samples: &[Sample]) -> String {
    let widest = samples.iter().map(|sample| sample.name.len()).max().unwrap_or(0);
    let lines = samples.iter().map(|sample| {
        let (name, question) = (sample.name, sample.question);
        format!("{name:<widest$}  {question}\n")
    });
    lines.collect()
}

/// Returns everything about one sample, and the command that asks it.
pub fn in_full(sample: &Sample) -> String {
    let mut text = format!("{}\n{}\n\n", sample.title, sample.question);
    for parameter in &sample.parameters {
        let default = match parameter.default {
            Some(default) => format!("default {default}"),
            None => "required".to_owned(),
        };
        let (name, kind, about) = (parameter.name, parameter.kind.word(), parameter.about);
        text += &format!("  -p {name}=…  {kind}, {default}: {about}\n");
    }
    let required: Vec<String> = (sample.parameters.iter())
        .filter(|parameter| parameter.default.is_none())
        .map(|parameter| format!(" -p {}=…", parameter.name))
        .collect();
    text += &format!("\n{}\n\n", sample.sql);
    text += &format!("traillake query --sample {}{}\n", sample.name, required.concat());
    text
}

fn as_json(sample: &Sample) -> Value {
    let parameters: Vec<Value> = (sample.parameters.iter())
        .map(|parameter| {
            json!({"name": parameter.name, "type": parameter.kind.word(),
                   "default": parameter.default, "about": parameter.about})
        })
        .collect();
    json!({"name": sample.name, "title": sample.title, "question": sample.question,
           "parameters": parameters, "sql": sample.sql})
}
