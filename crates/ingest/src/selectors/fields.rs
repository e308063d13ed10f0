//! The fields that selectors may name, and with which operators in which category (CloudTrail User
//! Guide, "Filtering data events by using advanced event selectors").

use std::fmt;

use serde::Deserialize;

use super::FieldSelector;

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Field {
    #[serde(rename = "eventCategory")]
    EventCategory,
    #[serde(rename = "eventName")]
    EventName,
    #[serde(rename = "eventSource")]
    EventSource,
    #[serde(rename = "eventType")]
    EventType,
    #[serde(rename = "readOnly")]
    ReadOnly,
    #[serde(rename = "resources.type")]
    ResourceType,
    #[serde(rename = "resources.ARN")]
    ResourceArn,
    #[serde(rename = "userIdentity.arn")]
    UserArn,
    #[serde(rename = "sessionCredentialFromConsole")]
    FromConsole,
    #[serde(rename = "errorCode")]
    ErrorCode,
    #[serde(rename = "vpcEndpointId")]
    VpcEndpointId,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::EventCategory => "eventCategory",
            Field::EventName => "eventName",
            Field::EventSource => "eventSource",
            Field::EventType => "eventType",
            Field::ReadOnly => "readOnly",
            Field::ResourceType => "resources.type",
            Field::ResourceArn => "resources.ARN",
            Field::UserArn => "userIdentity.arn",
            Field::FromConsole => "sessionCredentialFromConsole",
            Field::ErrorCode => "errorCode",
            Field::VpcEndpointId => "vpcEndpointId",
        })
    }
}

/// What selectors of a category must and may name.
struct Category {
    name: &'static str,
    required: &'static [Field],
    optional: &'static [Field],
}

const CATEGORIES: &[Category] = &[
    Category {
        name: "Management",
        required: &[],
        optional: &[
            Field::EventSource,
            Field::ReadOnly,
            Field::EventName,
            Field::EventType,
            Field::FromConsole,
            Field::UserArn,
        ],
    },
    Category {
        name: "Data",
        required: &[Field::ResourceType],
        optional: &[
            Field::ReadOnly,
            Field::EventName,
            Field::ResourceArn,
            Field::EventSource,
            Field::EventType,
            Field::FromConsole,
            Field::UserArn,
        ],
    },
    Category {
        name: "NetworkActivity",
        required: &[Field::EventSource],
        optional: &[Field::EventName, Field::ErrorCode, Field::VpcEndpointId],
    },
    Category { name: "Insight", required: &[], optional: &[] },
    Category { name: "ConfigurationItem", required: &[], optional: &[] },
    Category { name: "Evidence", required: &[], optional: &[] },
    Category { name: "ActivityAuditLog", required: &[], optional: &[] },
    // Not among AWS's: its stores take no aggregated events, a lake does.
    Category {
        name: "Aggregated",
        required: &[],
        optional: &[Field::EventSource, Field::EventType],
    },
];

/// Checks the fields of one selector against its category.
pub(super) fn check(fields: &[FieldSelector]) -> Result<(), String> {
    let find = |field: Field| fields.iter().find(|of| of.field == field);
    let category = find(Field::EventCategory).ok_or("`eventCategory` is missing")?;
    let [name] = category.equals.as_slice() else {
        return Err("`eventCategory` takes `Equals` with one value".to_string());
    };
    let known = CATEGORIES.iter().find(|category| category.name == name);
    let known = known.ok_or_else(|| {
        let names: Vec<&str> = CATEGORIES.iter().map(|category| category.name).collect();
        format!("`eventCategory` is one of {}, not `{name}`", names.join(", "))
    })?;
    if let Some(missing) = known.required.iter().find(|field| find(**field).is_none()) {
        return Err(format!("of category {name} `{missing}` is required"));
    }
    for of in fields {
        let field = of.field;
        let allowed = field == Field::EventCategory
            || known.required.contains(&field)
            || known.optional.contains(&field);
        if !allowed {
            return Err(format!("of category {name} there is no field `{field}`"));
        }
        operators(name, of)?;
    }
    Ok(())
}

fn operators(category: &str, of: &FieldSelector) -> Result<(), String> {
    let field = of.field;
    let only_equals = match field {
        Field::EventCategory | Field::ReadOnly | Field::ResourceType => true,
        Field::EventSource | Field::ErrorCode => category == "NetworkActivity",
        _ => false,
    };
    if only_equals && of.has_others() {
        return Err(format!("of category {category} `{field}` takes `Equals` only"));
    }
    let allowed: Option<&[&str]> = match field {
        Field::ReadOnly => Some(&["true", "false"]),
        Field::FromConsole => Some(&["true"]),
        Field::ErrorCode => Some(&["VpceAccessDenied"]),
        _ => None,
    };
    if let Some(allowed) = allowed
        && let Some(other) = of.values().find(|value| !allowed.contains(value))
    {
        return Err(format!("`{field}` is {}, not `{other}`", allowed.join(" or ")));
    }
    let by_part = [&of.starts_with, &of.ends_with, &of.not_starts_with, &of.not_ends_with];
    if field == Field::FromConsole && by_part.iter().any(|values| !values.is_empty()) {
        return Err(format!("`{field}` takes `Equals` and `NotEquals` only"));
    }
    Ok(())
}
