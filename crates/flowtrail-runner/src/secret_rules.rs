//! Rules for secrets in flows: the places where one may stand, and the users who may put it there.
//!
//! A secret is an opaque value: it stands as the bare expression `{{ secrets.NAME }}` in the few fields that send it on, and
//! nothing can be done with it. So no flow can show it, take a part of it or compare it.

use flowtrail_types::{Flow, Node, SavedBy};
use serde_json::Value;

use crate::secrets::{Rules, Secrets};
use crate::template;

/// A wrong use of a secret, by the field of the node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misuse {
    /// The field, as a path from the node.
    pub(crate) field: String,
    /// The problem, and the right way.
    pub(crate) message: String,
}

/// The flow that a node belongs to, as far as its names are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlowNames<'f> {
    pub(crate) id: Option<&'f str>,
    pub(crate) name: &'f str,
    pub(crate) tool_name: Option<&'f str>,
}

impl FlowNames<'_> {
    fn is_among(&self, listed: &[String]) -> bool {
        let names = [self.id, Some(self.name), self.tool_name];
        listed.iter().any(|listed| names.contains(&Some(listed.as_str())))
    }
}

/// The fields of a kind that send secrets on.
fn places(kind: &str) -> &'static [&'static str] {
    match kind {
        "ApiCall" => &["headers", "url", "query", "body"],
        "Model" => &["baseUrl", "headers", "apiKey"],
        "McpTool" => &["arguments"],
        _ => &[],
    }
}

/// True when a node may use a secret. Cheap: most do not.
pub(crate) fn may_use(node: &Node) -> bool {
    fn mentions(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains("secrets"),
            Value::Array(items) => items.iter().any(mentions),
            Value::Object(members) => members.values().any(mentions),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    node.parameters.values().any(mentions)
}

/// The secrets that a node names, and the first thing that is wrong with how.
pub(crate) fn check(node: &Node, flow: FlowNames<'_>, secrets: &Secrets) -> Result<Vec<String>, Misuse> {
    let mut used = Vec::new();
    if secrets.are_unrestricted() {
        return Ok(used);
    }
    for (parameter, value) in &node.parameters {
        // Code is no template, and knows no secrets.
        if is_code(&node.kind, parameter) {
            continue;
        }
        let before = used.len();
        let path = format!("parameters.{parameter}");
        find(&path, value, &mut used)?;
        let misuse = |message: String| Err(Misuse { field: path.clone(), message });
        for name in &used[before..] {
            if !places(&node.kind).contains(&parameter.as_str()) {
                return misuse(format!(
                    "the secret {name} may not stand here, {}",
                    allowed_places(&node.kind)
                ));
            }
            let Some(rules) = secrets.rules(name) else { continue };
            if rules.flows.as_ref().is_some_and(|flows| !flow.is_among(flows)) {
                return misuse(format!("the secret {name} is not for this flow: its `flows` do not name it"));
            }
            if node.kind == "McpTool" {
                let upstream = node.parameters.get("upstream").and_then(Value::as_str).unwrap_or_default();
                if !rules.upstreams.iter().any(|named| named == upstream) {
                    return misuse(format!(
                        "the secret {name} may not go to the upstream {upstream:?}: its `upstreams` do not name it"
                    ));
                }
            }
        }
    }
    Ok(used)
}

/// Refuses the secrets of a node that are neither for administrators' eyes nor for the one who saved it.
pub(crate) fn check_saver(used: &[String], saved_by: &SavedBy, secrets: &Secrets) -> Result<(), Misuse> {
    let is_for_others = |name: &&String| secrets.rules(name).is_some_and(|rules| !may_save(saved_by, rules));
    let Some(name) = used.iter().find(is_for_others) else { return Ok(()) };
    let message =
        format!("the secret {name} may be used only by administrators and by those whom its `users` name");
    Err(Misuse { field: "parameters".to_owned(), message })
}

/// True for those who may save a version that uses a secret: administrators, and those who are listed.
fn may_save(saved_by: &SavedBy, rules: &Rules) -> bool {
    let id = saved_by.id.to_string();
    saved_by.is_admin || rules.users.iter().any(|listed| *listed == id || *listed == saved_by.name)
}

/// The names of a flow that is there.
pub(crate) fn names_of<'f>(flow: &'f Flow, id: &'f str) -> FlowNames<'f> {
    FlowNames { id: Some(id), name: &flow.name, tool_name: flow.tool_name.as_ref().map(|name| name.as_str()) }
}

fn is_code(kind: &str, parameter: &str) -> bool {
    matches!(
        (kind, parameter),
        ("Transform", "code") | ("Conditional", "expression") | ("Loop", "over" | "until")
    )
}

fn allowed_places(kind: &str) -> String {
    match places(kind) {
        [] => format!("and nowhere in a {kind}: only in ApiCall, Model and McpTool nodes"),
        places => format!("in a {kind} only in {}", places.join(", ")),
    }
}

fn find(path: &str, value: &Value, used: &mut Vec<String>) -> Result<(), Misuse> {
    match value {
        Value::String(source) if source.contains("secrets") => {
            let names = template::secrets_in(source);
            used.extend(names.map_err(|message| Misuse { field: path.to_owned(), message })?);
            Ok(())
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, item)| find(&format!("{path}[{index}]"), item, used))
        }
        Value::Object(members) => {
            members.iter().try_for_each(|(key, value)| find(&format!("{path}.{key}"), value, used))
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        let rules = |flows: Option<&str>, upstreams: &[&str]| Rules {
            flows: flows.map(|flow| vec![flow.to_owned()]),
            upstreams: upstreams.iter().map(|name| (*name).to_owned()).collect(),
            ..Rules::default()
        };
        let all = [("A", rules(None, &[])), ("B", rules(Some("orders"), &["shop"]))];
        let named = all.map(|(name, rules)| (name.to_owned(), ("hunter2-value".to_owned(), rules)));
        Secrets::with_rules(BTreeMap::from(named), false)
    }

    fn checked(kind: &str, parameters: Value) -> Result<Vec<String>, String> {
        let node = json!({"id": "n", "type": kind, "parameters": parameters});
        let node: Node = serde_json::from_value(node).unwrap();
        let flow = FlowNames { id: None, name: "Orders", tool_name: Some("orders") };
        check(&node, flow, &secrets()).map_err(|misuse| format!("{}: {}", misuse.field, misuse.message))
    }

    #[test]
    fn a_secret_stands_bare_where_it_is_sent_on() {
        for (kind, parameters) in [
            ("ApiCall", json!({"headers": {"Authorization": "Bearer {{ secrets.A }}"}})),
            (
                "ApiCall",
                json!({"url": "https://x/{{secrets.A}}?q={{ ask.q }}", "query": {"k": "{{- secrets.A -}}"}}),
            ),
            (
                "ApiCall",
                json!({"body": [{"key": "{{ secrets.A }}"}, "{% if ask.q %}{{ secrets.A }}{% endif %}"]}),
            ),
            (
                "Model",
                json!({"baseUrl": "{{ secrets.A }}", "apiKey": "{{ secrets.A }}", "headers": {"x": "{{ secrets.A }}"}}),
            ),
            ("McpTool", json!({"upstream": "shop", "arguments": {"key": "{{ secrets.B }}"}})),
            ("Return", json!({"text": "say {{ ask.secrets }} and {{ nodes.secrets }}, secrets.A"})),
            ("Transform", json!({"code": "const secrets = '{{ secrets.A }}'; return secrets"})),
        ] {
            let used = checked(kind, parameters.clone());
            assert!(used.is_ok(), "{parameters}: {used:?}");
        }
        assert_eq!(checked("ApiCall", json!({"url": "{{ secrets.A }}"})), Ok(vec!["A".to_owned()]));
    }

    #[test]
    fn nothing_can_be_done_with_it_and_it_stands_nowhere_else() {
        for source in [
            "{{ secrets.A | upper }}",
            "{{ secrets.A[0:3] }}",
            "{{ secrets.A == 'x' }}",
            "{{ secrets.A + '' }}",
            "{{ [secrets.A] }}",
            "{{ secrets['A'] }}",
            "{{ secrets }}",
            "{{ secrets.A.b }}",
            "{{ (secrets.A) }}",
            "{% for c in secrets.A %}{{ c }}{% endfor %}",
            "{% for i in [1] %}{{ secrets.A }}{% endfor %}",
            "{% if secrets.A %}x{% endif %}",
            "{{ dict(secrets=1) }}{{ x(secrets) }}",
        ] {
            let refused = checked("ApiCall", json!({"url": source})).unwrap_err();
            assert!(refused.contains("{{ secrets.NAME }}"), "{source}: {refused}");
        }
        for (kind, parameters) in [
            ("Return", json!({"text": "{{ secrets.A }}"})),
            ("Link", json!({"url": "https://x/{{ secrets.A }}"})),
            ("Interface", json!({"data": {"a": ["{{ secrets.A }}"]}})),
            ("ApiCall", json!({"method": "{{ secrets.A }}"})),
            ("Model", json!({"messages": [{"content": "{{ secrets.A }}"}]})),
            ("McpTool", json!({"upstream": "shop", "tool": "{{ secrets.B }}"})),
            ("McpTool", json!({"upstream": "shop", "arguments": {"a": "{{ secrets.A }}"}})),
            ("McpTool", json!({"upstream": "{{ ask.x }}", "arguments": {"a": "{{ secrets.B }}"}})),
        ] {
            assert!(checked(kind, parameters.clone()).is_err(), "{kind} {parameters}");
        }
    }
}
