//! `eventContext`: what an event data store adds to an event when it is configured for enrichment.
//! AWS's schema page has no type for it; this one follows from AWS's examples:
//! `row(requestContext map, tagContext row(principalTags map, resourceTags array(row(arn, tags map))))`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, AsArray, ListBuilder, MapBuilder, MapFieldNames, StringBuilder,
    StringViewArray, StructBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use traillake_trino::map;

use super::Row;

/// Returns the row of the JSON text `context`, NULL where that is.
pub(super) fn event_context(context: Expr) -> Expr {
    let member = |part| ScalarUDF::from(Member::new(part)).call(vec![context.clone()]);
    let tags = [Part::PrincipalTags, Part::ResourceTags].map(|part| (part, member(part)));
    let present = tags.iter().map(|(_, tag)| tag.clone().is_not_null()).reduce(Expr::or);
    let empty = Row { present: context.clone().is_not_null(), fields: Vec::new() };
    let tag_context = Row {
        present: present.unwrap_or_else(|| context.clone().is_not_null()),
        fields: tags.into_iter().map(|(part, tag)| (part.name().to_string(), tag)).collect(),
    };
    let request = member(Part::RequestContext);
    let has_request = request.clone().is_not_null();
    empty
        .with(Part::RequestContext.name(), request, has_request)
        .with_row("tagContext", tag_context)
        .build()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    RequestContext,
    PrincipalTags,
    ResourceTags,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::RequestContext => "requestContext",
            Part::PrincipalTags => "principalTags",
            Part::ResourceTags => "resourceTags",
        }
    }
}

/// A part of the JSON text: a marked map, or the list of tagged resources.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Member {
    part: Part,
    signature: Signature,
}

impl Member {
    fn new(part: Part) -> Member {
        Member { part, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Member {
    fn name(&self) -> &str {
        "event_context"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.part {
            Part::ResourceTags => DataType::List(element()),
            _ => DataType::Utf8View,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.part.name(), self.return_type(&types)?, true);
        Ok(Arc::new(if self.part == Part::ResourceTags { field } else { map::mark(field) }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = cast(&texts[0], &DataType::Utf8View)?;
        let texts = texts.as_string_view();
        Ok(ColumnarValue::Array(match self.part {
            Part::ResourceTags => resource_tags(texts)?,
            part => {
                Arc::new(texts.iter().map(|text| member(text?, part)).collect::<StringViewArray>())
            }
        }))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Context<'a> {
    #[serde(borrow)]
    request_context: Option<&'a RawValue>,
    #[serde(borrow)]
    tag_context: Option<TagContext<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct TagContext<'a> {
    #[serde(borrow)]
    principal_tags: Option<&'a RawValue>,
    #[serde(borrow)]
    resource_tags: Option<Vec<TaggedResource<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TaggedResource<'a> {
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tags: Option<BTreeMap<Cow<'a, str>, Option<Cow<'a, str>>>>,
}

/// Text of another shape than AWS documents has no parts: it is still in `eventJson`.
fn parse(text: &str) -> Context<'_> {
    serde_json::from_str(text).unwrap_or_default()
}

fn member(text: &str, part: Part) -> Option<String> {
    let context = parse(text);
    let raw = match part {
        Part::RequestContext => context.request_context?,
        _ => context.tag_context?.principal_tags?,
    };
    raw.get().trim_start().starts_with('{').then(|| raw.get().to_string())
}

fn map_names() -> MapFieldNames {
    MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() }
}

fn element() -> FieldRef {
    let fields =
        vec![Field::new("arn", DataType::Utf8, true), Field::new("tags", map::arrow_type(), true)];
    Arc::new(Field::new("element", DataType::Struct(fields.into()), true))
}

fn resource_tags(texts: &StringViewArray) -> Result<ArrayRef> {
    let tags = MapBuilder::new(Some(map_names()), StringBuilder::new(), StringBuilder::new());
    let columns: Vec<Box<dyn ArrayBuilder>> = vec![Box::new(StringBuilder::new()), Box::new(tags)];
    let fields = match element().data_type() {
        DataType::Struct(fields) => fields.clone(),
        _ => Default::default(),
    };
    let mut list = ListBuilder::new(StructBuilder::new(fields, columns)).with_field(element());
    for text in texts {
        let resources = text.and_then(|text| parse(text).tag_context?.resource_tags);
        for resource in resources.iter().flatten() {
            append(list.values(), resource);
        }
        list.append(resources.is_some());
    }
    Ok(Arc::new(list.finish()))
}

fn append(row: &mut StructBuilder, resource: &TaggedResource<'_>) {
    if let Some(arn) = row.field_builder::<StringBuilder>(0) {
        arn.append_option(resource.arn.as_deref());
    }
    if let Some(tags) = row.field_builder::<MapBuilder<StringBuilder, StringBuilder>>(1) {
        for (key, value) in resource.tags.iter().flatten() {
            tags.keys().append_value(key);
            tags.values().append_option(value.as_deref());
        }
        // Keys and values were appended in pairs, so this cannot fail.
        let _ = tags.append(resource.tags.is_some());
    }
    row.append(true);
}
