//! `Interface`: answers with structured content, and with a UI resource if it has one.

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Check, NodeContext, NodeError, NodeKind, Output};
use crate::Returned;
use crate::suggest::suggestion;

const RESOURCE_FIELDS: [&str; 3] = ["uri", "mimeType", "text"];

pub(super) struct Interface;

impl NodeKind for Interface {
    fn name(&self) -> &'static str {
        "Interface"
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["data", "resource"]);
        if !check.node().parameters.contains_key("data") {
            check.problem("data", "is missing");
        }
        check.templates("data");
        check_resource(check);
        check.templates("resource");
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            let data = context.rendered("data")?.unwrap_or(Value::Null);
            let resource = context.rendered("resource")?;
            let mut value = Map::new();
            value.insert("data".to_owned(), data.clone());
            if let Some(resource) = &resource {
                value.insert("resource".to_owned(), resource.clone());
            }
            Ok(Output::answering(Value::Object(value), Returned::Interface { data, resource }))
        })
    }
}

fn check_resource(check: &mut Check<'_, '_>) {
    let fields = match check.parameter("resource") {
        None => return,
        Some(Value::Object(fields)) => fields,
        Some(_) => return check.problem("resource", "must be an object with a uri"),
    };
    for field in fields.keys().filter(|field| !RESOURCE_FIELDS.contains(&field.as_str())) {
        let hint = suggestion(field, RESOURCE_FIELDS);
        check.problem(&format!("resource.{field}"), format!("is unknown{hint}"));
    }
    if !fields.contains_key("uri") {
        check.problem("resource.uri", "is missing");
    }
    for (field, _) in fields.iter().filter(|(_, value)| !value.is_string()) {
        check.problem(&format!("resource.{field}"), "must be a string");
    }
}
