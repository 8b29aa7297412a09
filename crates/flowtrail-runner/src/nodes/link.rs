//! `Link`: answers with a link to open.

use flowtrail_types::ErrorKind;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use url::Url;

use super::{Check, NodeContext, NodeError, NodeKind, Output};
use crate::Returned;
use crate::template::has_template;

pub(super) struct Link;

impl NodeKind for Link {
    fn name(&self) -> &'static str {
        "Link"
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["url", "text"]);
        if let Some(url) = check.required_text("url").filter(|url| !has_template(url))
            && let Err(message) = openable(url)
        {
            check.problem("url", message);
        }
        check.text("text");
        check.templates("url");
        check.templates("text");
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            let url = context.rendered_text("url")?.unwrap_or_default();
            openable(&url)
                .map_err(|message| NodeError::new(ErrorKind::Failed, format!("parameters.url: {message}")))?;
            let text = context.rendered_text("text")?;
            let mut value = Map::new();
            value.insert("url".to_owned(), Value::String(url.clone()));
            if let Some(text) = &text {
                value.insert("text".to_owned(), Value::String(text.clone()));
            }
            Ok(Output::answering(Value::Object(value), Returned::Link { url, text }))
        })
    }
}

/// Whether a person can be sent there: a `javascript:` link would run in their browser.
fn openable(url: &str) -> Result<(), String> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        Ok(url) => Err(format!("must be an http or https URL and not {}:", url.scheme())),
        Err(error) => Err(format!("is no URL: {error}")),
    }
}
