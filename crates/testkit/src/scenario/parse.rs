//! From text to steps.

/// One thing to do, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Line on which it begins, from 1.
    pub line: usize,
    pub action: Action,
    /// The lines below it.
    pub body: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Put { path: String },
    Raw { path: String },
    Copy { from: String, to: String },
    Cut { path: String, bytes: usize },
    Join { path: String, other: String },
    Remove { path: String },
    Ingest { paths: Vec<String>, exit: i32, crash: Option<String> },
    Rows { sql: String },
    Fails { sql: String },
    Says { sql: String },
}

/// Returns the steps of a scenario, or the line and reason of what is no step.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, (usize, String)> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end();
        if line.starts_with('#') {
            continue;
        }
        let sql = |rest: &str| rest.trim().to_owned();
        let action = match line.split_once(' ') {
            Some(("$", rest)) => Some(command(rest).map_err(|reason| (number, reason))?),
            Some((">", rest)) => Some(Action::Rows { sql: sql(rest) }),
            Some(("!", rest)) => Some(Action::Fails { sql: sql(rest) }),
            Some(("?", rest)) => Some(Action::Says { sql: sql(rest) }),
            _ => None,
        };
        match (action, steps.last_mut()) {
            (Some(action), _) => steps.push(Step { line: number, action, body: Vec::new() }),
            (None, Some(step)) => step.add(line),
            (None, None) if line.is_empty() => {}
            (None, None) => return Err((number, format!("`{line}` belongs to no step"))),
        }
    }
    Ok(steps)
}

impl Step {
    /// Adds a line below: more of the query while it is indented, then what must come of it. An
    /// empty line means nothing.
    fn add(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        match &mut self.action {
            Action::Rows { sql } | Action::Fails { sql } | Action::Says { sql }
                if line.starts_with("    ") && self.body.is_empty() =>
            {
                sql.push(' ');
                sql.push_str(line.trim());
            }
            _ => self.body.push(line.to_owned()),
        }
    }
}

fn command(text: &str) -> Result<Action, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let wrong = || format!("`$ {text}` is no step");
    let (verb, rest) = words.split_first().ok_or_else(wrong)?;
    Ok(match (verb.as_str(), rest) {
        ("put", [path]) => Action::Put { path: path.clone() },
        ("raw", [path]) => Action::Raw { path: path.clone() },
        ("copy", [from, to]) => Action::Copy { from: from.clone(), to: to.clone() },
        ("cut", [path, bytes]) => {
            Action::Cut { path: path.clone(), bytes: bytes.parse().map_err(|_| wrong())? }
        }
        ("join", [path, other]) => Action::Join { path: path.clone(), other: other.clone() },
        ("remove", [path]) => Action::Remove { path: path.clone() },
        ("ingest", rest) => {
            let (mut paths, mut exit, mut crash) = (Vec::new(), 0, None);
            for word in rest {
                match word.split_once('=') {
                    Some(("exit", code)) => exit = code.parse().map_err(|_| wrong())?,
                    Some(("crash", step)) => crash = Some(step.to_owned()),
                    _ => paths.push(word.clone()),
                }
            }
            Action::Ingest { paths, exit, crash }
        }
        _ => return Err(wrong()),
    })
}
