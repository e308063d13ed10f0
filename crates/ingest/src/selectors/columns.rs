//! The values of fields in rows.

use arrow::array::{
    Array, AsArray, BooleanArray, ListArray, RecordBatch, StringArray, StructArray,
};

use super::fields::Field;
use traillake_cloudtrail::Kind;

/// The columns of a batch that selectors look at; one that a kind does not have is null throughout.
pub(super) struct Columns<'a> {
    kind: Kind,
    categories: Option<&'a StringArray>,
    management: Option<&'a BooleanArray>,
    names: Option<&'a StringArray>,
    sources: Option<&'a StringArray>,
    types: Option<&'a StringArray>,
    read_only: Option<&'a BooleanArray>,
    resources: Option<&'a ListArray>,
    user_arns: Option<&'a StringArray>,
    from_console: Option<&'a StringArray>,
    error_codes: Option<&'a StringArray>,
    endpoints: Option<&'a StringArray>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(kind: Kind, rows: &'a RecordBatch) -> Columns<'a> {
        let text = |name| rows.column_by_name(name)?.as_string_opt::<i32>();
        let flag = |name| rows.column_by_name(name)?.as_boolean_opt();
        Columns {
            kind,
            categories: text("eventCategory"),
            management: flag("managementEvent"),
            names: text("eventName"),
            sources: text("eventSource"),
            types: text("eventType"),
            read_only: flag("readOnly"),
            resources: rows.column_by_name("resources").and_then(|of| of.as_list_opt::<i32>()),
            user_arns: text("userIdentity_arn"),
            from_console: text("sessionCredentialFromConsole"),
            error_codes: text("errorCode"),
            endpoints: text("vpcEndpointId"),
        }
    }

    /// Calls `tell` with every value the field has in a row.
    pub(super) fn values(&self, field: Field, row: usize, tell: &mut dyn FnMut(&str)) {
        let text = match field {
            Field::EventCategory => return tell(self.category(row)),
            Field::ReadOnly => {
                let flags = self.read_only.filter(|of| of.is_valid(row));
                let flag = flags.map(|flags| if flags.value(row) { "true" } else { "false" });
                return flag.into_iter().for_each(tell);
            }
            Field::ResourceType => return self.resources(row, "type", tell),
            Field::ResourceArn => return self.resources(row, "ARN", tell),
            Field::EventName => self.names,
            Field::EventSource => self.sources,
            Field::EventType => self.types,
            Field::UserArn => self.user_arns,
            Field::FromConsole => self.from_console,
            Field::ErrorCode => self.error_codes,
            Field::VpcEndpointId => self.endpoints,
        };
        if let Some(values) = text.filter(|of| of.is_valid(row)) {
            tell(values.value(row));
        }
    }

    /// The category; records from before version 1.07 do not name it.
    fn category(&self, row: usize) -> &str {
        let named = self.categories.filter(|of| of.is_valid(row)).map(|of| of.value(row));
        let is_data = || self.management.is_some_and(|of| of.is_valid(row) && !of.value(row));
        named.unwrap_or_else(|| match self.kind {
            Kind::Insights => "Insight",
            Kind::Aggregated => "Aggregated",
            Kind::Events | Kind::Digest if is_data() => "Data",
            Kind::Events | Kind::Digest => "Management",
        })
    }

    fn resources(&self, row: usize, name: &str, tell: &mut dyn FnMut(&str)) {
        let Some(lists) = self.resources.filter(|of| of.is_valid(row)) else { return };
        let elements = lists.value(row);
        let Some(elements) = elements.as_any().downcast_ref::<StructArray>() else { return };
        let values = elements.column_by_name(name).and_then(|of| of.as_string_opt::<i32>());
        let Some(values) = values else { return };
        values.iter().flatten().for_each(tell);
    }
}
