//! What is remembered of a query to be told again, and where its file is looked for.

use serde::{Deserialize, Serialize};

use super::executions::Start;
use super::statement::Kind;
use super::{Fault, check_length, invalid, workgroups};
use crate::aws::objects::Location;
use crate::state::QueryRecord;

/// What is remembered of a query to be told again.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    work_group: Option<String>,
    pub(super) database: Option<String>,
    pub(super) catalog: Option<String>,
    /// Where the client wanted the result put; none when it asked for no file.
    output: Option<String>,
    pub(super) parameters: Vec<String>,
    /// The kind of the statement, of which the history may keep the beginning alone.
    kind: Option<Kind>,
}

impl Details {
    /// Returns what is remembered of a request.
    ///
    /// # Errors
    /// When its workgroup has no name of one, its results cannot go where they should, or a name in
    /// it is longer than Athena allows.
    pub(super) fn asked(asked: &Start) -> Result<Details, Fault> {
        let work_group = asked.work_group.clone().filter(|name| !name.is_empty());
        if let Some(name) = &work_group {
            workgroups::check_name(name)?;
        }
        let output =
            asked.result_configuration.as_ref().and_then(|asked| asked.output_location.clone());
        let output = output.filter(|output| !output.is_empty());
        if let Some(output) = &output
            && Location::parse(output).is_none()
        {
            return Err(invalid(format!("`OutputLocation` is not a valid S3 path: `{output}`")));
        }
        let output = workgroups::output_of(work_group.as_deref(), output);
        let context = asked.query_execution_context.as_ref();
        let database = context.and_then(|context| context.database.clone());
        let catalog = context.and_then(|context| context.catalog.clone());
        for (name, text, most) in [("Database", &database, 255), ("Catalog", &catalog, 256)] {
            // An empty one is as good as none, as of a workgroup.
            check_length(name, text.as_deref().unwrap_or_default(), 0..=most)?;
        }
        let parameters = asked.execution_parameters.clone().unwrap_or_default();
        let kind = Some(Kind::of(&asked.query_string));
        Ok(Details { work_group, database, catalog, output, parameters, kind })
    }

    /// Returns what was remembered of a query, also of one that another protocol asked.
    pub(super) fn of(record: &QueryRecord) -> Details {
        serde_json::from_value(record.details.clone()).unwrap_or_default()
    }

    /// Returns the kind of the query's statement.
    pub(super) fn kind(&self, record: &QueryRecord) -> Kind {
        self.kind.unwrap_or_else(|| Kind::of(&record.sql))
    }

    /// Returns the workgroup that it was asked in.
    pub(super) fn work_group(&self) -> &str {
        self.work_group.as_deref().unwrap_or(workgroups::PRIMARY)
    }
}

/// Returns where a client looks for the file of a query's result; none when it asked for no file.
pub(crate) fn output_location(record: &QueryRecord) -> Option<String> {
    let output = Details::of(record).output?;
    let slash = if output.ends_with('/') { "" } else { "/" };
    Some(format!("{output}{slash}{}.{}", record.id, file_ending(record)))
}

/// Returns what the name of the file of a query's result ends in.
pub(crate) fn file_ending(record: &QueryRecord) -> &'static str {
    Details::of(record).kind(record).ending()
}
