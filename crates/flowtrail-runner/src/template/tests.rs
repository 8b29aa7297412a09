//! Templates through their door: [`render`] and [`names_in`].

use std::collections::BTreeMap;
use std::sync::Arc;

use flowtrail_types::{ErrorKind, read_json_value};
use serde_json::{Value, json};

use super::meter::Meter;
use super::{Scope, Shared, TemplateError, names_in, render};
use crate::Secrets;

fn scope() -> Scope {
    let outputs = json!({
        "ask": {"id": 7, "big": u64::MAX, "rate": 3.0, "tags": ["a", "b"], "none": null, "name": "Ada",
                "text": "x".repeat(1000)},
        "shape": {"ok": true},
    });
    let Value::Object(outputs) = outputs else { unreachable!() };
    Scope::new(
        Arc::new(outputs.into_iter().map(|(id, value)| (id, Shared::new(value))).collect()),
        Shared::new(json!({"n": 1})),
        Secrets::new(BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())])),
    )
}

#[track_caller]
fn rendered(template: &str) -> Value {
    render("text", &json!(template), &scope()).unwrap_or_else(|error| panic!("{template}: {error:?}"))
}

#[track_caller]
fn refused(template: &str) -> TemplateError {
    match render("text", &json!(template), &scope()) {
        Ok(value) => panic!("{template} gave {}", value.to_string().chars().take(200).collect::<String>()),
        Err(error) => error,
    }
}

#[test]
fn a_template_alone_keeps_the_type() {
    for (template, expected) in [
        ("{{ ask.id }}", json!(7)),
        ("{{ask.big}}", json!(u64::MAX)),
        ("{{ ask.rate }}", json!(3.0)),
        ("{{ ask.tags }}", json!(["a", "b"])),
        ("{{ ask.none }}", json!(null)),
        ("{{ shape }}", json!({"ok": true})),
        ("{{ shape.ok }}", json!(true)),
        ("{{ input.n + 1 }}", json!(2)),
        ("{{ {'a': ask.id, 'b': [1]} }}", json!({"a": 7, "b": [1]})),
        ("{{ ask.missing|default('none given') }}", json!("none given")),
        ("{{ ask.tags|last }}", json!("b")),
        ("{{ secrets.TOKEN }}", json!("hunter2")),
    ] {
        assert_eq!(rendered(template), expected, "{template}");
    }
}

/// A scope with an output `n` whose numbers only their text holds.
fn exact_scope() -> Scope {
    let json = r#"{"n": {"price": 1.10, "hundred": 1e2, "big": 115792089237316195423570985008687907853, "huge": 1e400,
        "zero": 0e0, "list": [2.50, 3, 1.10, 1e1], "rows": [{"p": 2.50}, {"p": 3}, {"p": 1.10}], "id": -9223372036854775809}}"#;
    let Value::Object(outputs) = read_json_value(json.as_bytes()).unwrap() else { unreachable!() };
    let outputs = outputs.into_iter().map(|(id, value)| (id, Shared::new(value))).collect();
    Scope::new(Arc::new(outputs), Shared::new(json!(null)), Secrets::default())
}

#[test]
fn numbers_keep_their_text() {
    for (template, expected) in [
        ("{{ n.price }}", "1.10"),
        ("{{ n['hundred'] }}", "1e2"),
        ("{{ n.big }}", "115792089237316195423570985008687907853"),
        ("{{ n.huge|default(0) }}", "1e400"),
        ("{{ n.id }}", "-9223372036854775809"),
        ("{{ n.list }}", "[2.50,3,1.10,1e1]"),
        ("{{ {'a': [n.price]} }}", r#"{"a":[1.10]}"#),
        ("{{ n.price if n.price else 0 }}", "1.10"),
        ("{{ n.zero if n.zero else 'none' }}", "\"none\""),
        ("{{ n.list|sort }}", "[1.10,2.50,3,1e1]"),
        ("{{ n.rows|sort(attribute='p', reverse=true) }}", r#"[{"p":3},{"p":2.50},{"p":1.10}]"#),
        ("{{ n.list|max }}", "1e1"),
        ("{{ n.rows|min(attribute='p') }}", r#"{"p":1.10}"#),
        ("{{ (n.list + [1.1])|unique }}", "[2.50,3,1.10,1e1]"),
        ("{{ n.list|map('abs')|list }}", "[2.5,3,1.1,10.0]"),
        ("{{ n.rows|selectattr('p', '>', 2)|list }}", r#"[{"p":2.50},{"p":3}]"#),
        ("{{ n.price|tojson }}", "\"1.10\""),
        ("costs {{ n.price }}, {{ n.list }}", "\"costs 1.10, [2.50,3,1.10,1e1]\""),
    ] {
        let rendered = render("text", &json!(template), &exact_scope());
        let text = rendered.as_ref().map(Value::to_string).map_err(|error| error.message.as_str());
        assert_eq!(text, Ok(expected.to_owned()), "{template}");
    }
}

#[test]
fn arithmetic_rounds_to_doubles() {
    for (template, expected) in [
        ("{{ n.price + 1 }}", json!(2.1)),
        ("{{ n.hundred - 1 }}", json!(99.0)),
        ("{{ -n.hundred }}", json!(-100.0)),
        ("{{ n.hundred / 8 }}", json!(12.5)),
        ("{{ 7 // n.hundred }}", json!(0.0)),
        ("{{ 7 % n.hundred }}", json!(7.0)),
        ("{{ 1.1 == n.price and n.hundred == 100 and n.price < n.hundred }}", json!(true)),
        ("{{ 2.5 in n.list and n.price in n.list }}", json!(true)),
        ("{{ n.list|sum }}", json!(16.6)),
        ("{{ n.price|round }}", json!(1.0)),
        ("{{ n.hundred|int }}", json!(100)),
        ("{{ n.hundred is number and n.hundred is even and n.hundred is not integer }}", json!(true)),
    ] {
        let rendered = render("text", &json!(template), &exact_scope());
        assert_eq!(rendered, Ok(expected), "{template}");
    }
    let error = render("text", &json!("{{ n.huge + 1 }}"), &exact_scope()).unwrap_err();
    assert_eq!(error.message, "text: the number 1e400 is too large to compute with");
}

#[test]
fn text_shows_strings_as_they_are_and_everything_else_as_json() {
    for (template, expected) in [
        ("no template { at } all", "no template { at } all"),
        ("Order {{ ask.id }}", "Order 7"),
        ("{{ ask.name }}{{ ask.id }}", "Ada7"),
        (" {{ ask.tags }}", " [\"a\",\"b\"]"),
        ("ok: {{ shape.ok }}, {{ ask.none }}", "ok: true, null"),
        ("{% for tag in ask.tags %}<{{ tag }}>{% endfor %}", "<a><b>"),
        ("{% if shape.ok %}yes{% else %}no{% endif %}", "yes"),
        ("{{ ask.tags|join(', ') }}!", "a, b!"),
        ("{{ ask.name|upper }} {{ 'a&b'|urlencode }}", "ADA a%26b"),
        ("<{{ '<b>' }}>", "<<b>>"),
    ] {
        assert_eq!(rendered(template), json!(expected), "{template}");
    }
}

#[test]
fn templates_apply_at_any_depth() {
    let value = json!({"a": [{"b": "{{ ask.id }}"}, 1], "c": true});
    let rendered = render("json", &value, &scope()).unwrap();
    assert_eq!(rendered, json!({"a": [{"b": 7}, 1], "c": true}));
    let error = render("json", &json!({"a": ["{{ ask.x }}"]}), &scope()).unwrap_err();
    assert_eq!(error.message, "json.a[0]: `ask.x` is undefined");
}

#[test]
fn what_is_missing_is_named() {
    for (template, expected) in [
        ("{{ ask.nope }}", "text: `ask.nope` is undefined"),
        ("{{ ask.nope.deeper }}", "text: `ask.nope` is undefined"),
        ("a {{ nobody }}", "text: `nobody` is undefined"),
        ("{{ secrets.NOPE }}", "text: secret NOPE is not configured"),
        ("a {{ secrets.NOPE }}", "text: secret NOPE is not configured"),
    ] {
        assert_eq!(refused(template).message, expected, "{template}");
    }
}

#[test]
fn secrets_cannot_be_taken_all_at_once() {
    for template in ["{{ secrets }}", "a {{ secrets }}", "{{ secrets|tojson }}", "{{ [secrets] }}"] {
        let message = refused(template).message;
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn loops_and_growth_are_bounded() {
    let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert_eq!(refused(nested).kind, ErrorKind::Limit);
    let long = "{% for a in range(9999) %}{{ ask.text }}{% endfor %}";
    assert_eq!(refused(long).kind, ErrorKind::Limit);
    let many = format!("{{{{ [{}] }}}}", "ask.text,".repeat(5000));
    assert!(rendered(&many).as_array().is_some_and(|items| items.len() == 5000));
    for template in [
        "{{ 'x' * 100000000 }}",
        "{{ ask.text ~ ask.text }}",
        "{% set a = 'x' %}",
        "{% filter upper %}a{% endfilter %}",
        "{{ range(100000) }}",
        "{{ range(10000)|join('x')|replace('x', ask.text) }}",
        "{{ 'a'|indent(1000000000) }}",
        "{{ namespace() }}",
    ] {
        refused(template);
    }
    let chain = format!("{{{{ ask{} }}}}", "|tojson".repeat(40));
    assert!(refused(&chain).message.contains("too large"));
}

/// A scope with an output `ask` that is large: a text of a megabyte, and a hundred thousand numbers.
fn large_scope() -> Scope {
    let ask = json!({"text": "x".repeat(1_000_000), "list": (0..100_000).collect::<Vec<_>>(), "id": 7});
    let outputs = BTreeMap::from([("ask".to_owned(), Shared::new(ask))]);
    Scope::new(Arc::new(outputs), Shared::new(json!(null)), Secrets::default())
}

#[test]
fn what_filters_and_tests_process_is_bounded() {
    for work in [
        "{{ (ask.text|upper|length) }}",
        "{{ ask.text|length }}",
        "{{ ask.text|replace('y', 'z')|default('')|length }}",
        "{{ ask.text|urlencode|length }}",
        "{% if ask.text is endingwith 'y' %}{% endif %}",
        "{{ ask.list|sort|length }}",
        "{{ ask.list|reverse|first }}",
        "{{ [ask.text]|map('upper')|first|length }}",
        "{{ [-1]|select('in', ask.list)|length }}",
        "{{ ask.list|select('in', ask.list)|length }}",
        "{{ range(10000)|length }}",
        "{% if ask.text + 'x' == 'y' %}{% endif %}",
        "{% if ask.text[-1:] %}{% endif %}",
        "{% if ask.list[::2][9999] %}{% endif %}",
        "{% if (ask.list + [1])[9999] %}{% endif %}",
        "{% if 'yy' in ask.text %}{% endif %}",
        "{% if -1 not in ask.list %}{% endif %}",
        "{% if ask.list == ask.list[:] %}{% endif %}",
        "{% if ask.list <= ask.list[:] <= [] %}{% endif %}",
    ] {
        let template = format!("{{% for i in range(10000) %}}{work}{{% endfor %}}");
        // Less than there is, to be quick; more than anything here takes once.
        let scope = Scope { meter: Arc::new(Meter::of(16 * 1024 * 1024)), ..large_scope() };
        let error = render("text", &json!(template), &scope).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit, "{work}: {error:?}");
        assert!(error.message.contains("used more than 67108864 bytes"), "{work}: {error:?}");
    }
}

#[test]
fn all_templates_of_a_node_have_one_budget() {
    let template = json!({"a": vec!["{{ ask.text|upper|length }}"; 100]});
    let error = render("text", &template, &large_scope()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Limit, "{error:?}");
    let template = json!({"a": vec!["{{ ask.text|upper|length }}"; 10]});
    assert_eq!(render("text", &template, &large_scope()), Ok(json!({"a": vec![1_000_000; 10]})));
}

#[test]
fn operators_give_what_they_should() {
    for (template, expected) in [
        ("{{ input.n + 1 }}", json!(2)),
        ("{{ ask.name + '!' }}", json!("Ada!")),
        ("{{ ask.tags + ['c'] }}", json!(["a", "b", "c"])),
        ("{{ ask.name[1:] }}", json!("da")),
        ("{{ ask.tags[::-1] }}", json!(["b", "a"])),
        ("{{ 0 < input.n <= 1 }}", json!(true)),
        ("{{ 0 < input.n < 1 }}", json!(false)),
        ("{{ 'a' in ask.tags and 'x' not in ask.tags }}", json!(true)),
        ("{{ 'yes' if ask.id == 7 else 'no' }}", json!("yes")),
        ("{% for t in ask.tags if t != 'a' %}{{ t + '.' }}{% else %}none{% endfor %}!", json!("b.!")),
        ("{% for t in [] %}{% else %}{% if ask.id > 6 %}more{% endif %}{% endfor %} end", json!("more end")),
    ] {
        assert_eq!(rendered(template), expected, "{template}");
    }
    assert_eq!(refused("{{ ask.nope == 1 }}").message, "text: `ask.nope` is undefined");
    assert_eq!(refused("a {{ 'b' < ask.nope }}").message, "text: `ask.nope` is undefined");
    assert_eq!(refused("{{ ask.nope[1:] }}").message, "text: `ask.nope` is undefined");
    let much = "{% for i in range(9999) %}a text that is written as it stands, again and again and again{% endfor %}";
    let error =
        TemplateError::new(ErrorKind::Limit, "text: the template gives more than 1048576 bytes of text");
    assert_eq!(refused(&format!("{much}{much}")), error);
}

#[test]
fn what_is_cheap_stays_cheap_beside_large_values() {
    for (template, expected) in [
        ("{% for i in range(5000) %}{{ ask.id|default(0) }}{% endfor %}", "7".repeat(5000)),
        ("{% for i in range(5000) %}{{ ask.text|default('')|first }}{% endfor %}", "x".repeat(5000)),
        ("{% for i in range(500) %}{% if ask.list|length > 9 %}.{% endif %}{% endfor %}", ".".repeat(500)),
    ] {
        assert_eq!(render("text", &json!(template), &large_scope()), Ok(json!(expected)), "{template}");
    }
}

#[test]
fn syntax_is_checked_and_names_are_found() {
    let names = |template: &str| names_in(template).map(|names| names.into_iter().collect::<Vec<_>>());
    assert_eq!(
        names("{{ ask.id + shape.x|default(secrets.A) }}"),
        Ok(["ask", "secrets", "shape"].map(str::to_owned).to_vec())
    );
    assert_eq!(names("{% for x in ask %}{{ x }}{{ loop.index }}{% endfor %}"), Ok(vec!["ask".to_owned()]));
    assert_eq!(names("{{ range(3) }}"), Ok(vec![]));
    assert_eq!(names("plain"), Ok(vec![]));
    for (template, expected) in [
        ("{{ a + }}", "syntax error"),
        ("{{ a", "syntax error"),
        ("a {% if b %}", "syntax error"),
        ("{{ a|uper }}", "did you mean \"upper\"?"),
        ("{% include 'x' %}", "a template has no {% include %}"),
        ("{{ a * 2 }}", "use a Transform node"),
    ] {
        let message = names_in(template).unwrap_err();
        assert!(message.contains(expected), "{template}: {message}");
    }
}
