//! Arguments: the schema that callers see, and what is accepted by it.

use flowtrail_runner::{check_arguments, first_parameter, input_schema, parse_flow};
use flowtrail_types::FlowDefinition;
use serde_json::{Map, Value, json};

fn definition() -> FlowDefinition {
    let parameters = json!([
        {"name": "orderId", "type": "string", "description": "Order number", "required": true},
        {"name": "count", "type": "integer", "default": 1},
        {"name": "price", "type": "number"},
        {"name": "rush", "type": "boolean"},
        {"name": "tags", "type": "array"},
        {"name": "extra", "type": "object"},
        {"name": "size", "type": "string", "enum": ["S", "M"]},
    ]);
    let trigger = json!({"id": "ask", "type": "UserIntent", "parameters": {"parameters": parameters}});
    parse_flow(json!({"name": "Order", "nodes": [trigger]})).unwrap().definition
}

fn check(arguments: Value) -> Result<Value, String> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    check_arguments(&definition(), arguments).map(Value::Object).map_err(|problems| problems.to_string())
}

#[test]
fn the_schema_says_what_is_declared() {
    assert_eq!(
        Value::Object(input_schema(&definition())),
        json!({
            "type": "object",
            "properties": {
                "orderId": {"type": "string", "description": "Order number"},
                "count": {"type": "integer", "default": 1},
                "price": {"type": "number"},
                "rush": {"type": "boolean"},
                "tags": {"type": "array"},
                "extra": {"type": "object"},
                "size": {"type": "string", "enum": ["S", "M"]},
            },
            "required": ["orderId"],
            "additionalProperties": false,
        })
    );
    assert_eq!(first_parameter(&definition()), Some("orderId"));
    let nothing = FlowDefinition::default();
    assert_eq!(first_parameter(&nothing), None);
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    assert_eq!(Value::Object(input_schema(&nothing)), schema);
}

#[test]
fn arguments_that_fit_are_taken_and_defaults_filled_in() {
    assert_eq!(check(json!({"orderId": "7"})), Ok(json!({"orderId": "7", "count": 1})));
    let all =
        json!({"orderId": "7", "count": 3, "price": 2, "rush": false, "tags": [], "extra": {}, "size": "M"});
    assert_eq!(check(all.clone()), Ok(all));
    assert_eq!(check(json!({"orderId": "7", "count": 3.0})), Ok(json!({"orderId": "7", "count": 3})));
    assert_eq!(
        check(json!({"orderId": "7", "count": null, "price": null})),
        Ok(json!({"orderId": "7", "count": 1}))
    );
    assert_eq!(
        check(json!({"orderId": "7", "count": u64::MAX})),
        Ok(json!({"orderId": "7", "count": u64::MAX}))
    );
}

#[test]
fn every_argument_that_does_not_fit_is_told() {
    for (arguments, expected) in [
        (json!({}), "orderId: is missing, expected string"),
        (json!({"orderId": null}), "orderId: expected string, got null"),
        (json!({"orderId": 7}), "orderId: expected string, got the number 7"),
        (json!({"orderId": "7", "count": 3.5}), "count: expected integer, got the number 3.5"),
        (json!({"orderId": "7", "count": "3"}), "count: expected integer, got the string \"3\""),
        (json!({"orderId": "7", "price": true}), "price: expected number, got the boolean true"),
        (json!({"orderId": "7", "tags": {}}), "tags: expected array, got an object"),
        (json!({"orderId": "7", "extra": []}), "extra: expected object, got an array"),
        (json!({"orderId": "7", "size": "L"}), "size: must be one of \"S\", \"M\""),
        (
            json!({"orderId": "7", "oderId": 1}),
            "oderId: is no parameter of this flow, did you mean \"orderId\"?",
        ),
    ] {
        assert_eq!(check(arguments.clone()), Err(expected.to_owned()), "{arguments}");
    }
    let problems = check(json!({"count": "x", "colour": 1})).unwrap_err();
    assert_eq!(problems.lines().count(), 3, "{problems}");
}

#[test]
fn a_flow_without_parameters_takes_none() {
    let nothing = FlowDefinition::default();
    assert_eq!(check_arguments(&nothing, Map::new()), Ok(Map::new()));
    let some = Map::from_iter([("a".to_owned(), json!(1))]);
    let problems = check_arguments(&nothing, some).unwrap_err();
    assert_eq!(problems.to_string(), "a: is no parameter of this flow");
}
