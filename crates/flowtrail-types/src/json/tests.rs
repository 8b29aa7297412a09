//! The reader beside serde_json's own.

use proptest::prelude::*;
use serde_json::{Number, Value, json};

use super::*;

#[track_caller]
fn read(text: &str) -> Value {
    read_json_value(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn number(text: &str) -> Number {
    Number::from_string_unchecked(text.to_owned())
}

#[test]
fn numbers_keep_their_text() {
    let text = "[1.10,1e2,1E+2,1E-0,-0,-0.0,1e400,-1e-400,18446744073709551617,-9223372036854775809,\
                123456789.123456789123,115792089237316195423570985008687907853269984665640564039457584007913129639935]";
    assert_eq!(read(text).to_string(), text);
    assert_eq!(read("\u{feff} 1e2 \n").to_string(), "1e2", "one byte order mark is skipped");
    assert!(read_json(b"\xef\xbb\xbf\xef\xbb\xbf1").is_err(), "a second one is not JSON");
}

#[test]
fn objects_are_made_of_numbers_as_they_are() {
    let object = json_object([("a", read("1e2")), ("b", read("[1.10]"))]);
    assert_eq!(object.to_string(), r#"{"a":1e2,"b":[1.10]}"#);
}

#[test]
fn no_key_has_a_meaning() {
    for text in [
        r#"{"$serde_json::private::Number":"7"}"#,
        r#"{"$serde_json::private::Number":[1e2]}"#,
        r#"{"$serde_json::private::RawValue":"[1]"}"#,
        r#"{"a":[{"$serde_json::private::RawValue":1}]}"#,
    ] {
        assert_eq!(read(text).to_string(), text);
    }
    let escaped = read(r#"{"\u0024serde_json::private\u003a:Number":"7"}"#);
    assert_eq!(escaped.to_string(), r#"{"$serde_json::private::Number":"7"}"#);
}

#[test]
fn of_duplicate_keys_the_last_counts() {
    assert_eq!(read(r#"{"a":1e1,"b":2,"a":3e1}"#).to_string(), r#"{"a":3e1,"b":2}"#);
    let json = read_json(br#"{"a":"\ud83d","b":[0,{"c":"\udc00"}],"a":"x"}"#).unwrap();
    assert!(!json.replaced.at("a").is_any(), "the value that was replaced does not count");
    assert!(json.replaced.at("b").at("1").at("c").is_any());
    assert!(!json.replaced.at("b").at("0").is_any());
}

#[test]
fn unpaired_surrogates_are_replaced_and_reported() {
    let json = read_json(br#"{"a":["\ud83d\ude42","\ud83d"],"\udc00":1e2,"c":"\ufffd"}"#).unwrap();
    assert_eq!(json.value.to_string(), "{\"a\":[\"🙂\",\"\u{fffd}\"],\"\u{fffd}\":1e2,\"c\":\"\u{fffd}\"}");
    assert!(json.replaced.at("a").is_any() && json.replaced.at("\u{fffd}").is_any());
    assert!(!json.replaced.at("c").is_any(), "a replacement character that was sent is none of ours");
    assert!(!read_json(br#"{"a":"\\ud83d"}"#).unwrap().replaced.is_any());
}

#[test]
fn errors_are_those_of_serde_json() {
    let deep = "[".repeat(128) + &"]".repeat(128);
    for text in ["", "{", "[1,]", "01", "1e", "{\"a\":nul}", "\"\u{1}\"", "[1] 2", "\"\\x\"", "-", &deep] {
        let expected = serde_json::from_str::<Value>(text).unwrap_err().to_string();
        assert_eq!(read_json(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
    assert_eq!(
        read_json(b"{\"a\": \"\\ud83d\",\n x}").unwrap_err().to_string(),
        "key must be a string at line 2 column 2"
    );
    assert!(read_json(b"[\"\\ud83d\", \"\xff\"]").is_err(), "text that is not UTF-8");
    let odd_and_deep = "[".repeat(127) + "1e2" + &"]".repeat(127);
    assert_eq!(read(&odd_and_deep).to_string(), odd_and_deep);
    assert!(read_json(format!("[{odd_and_deep}]").as_bytes()).is_err());
}

#[test]
fn numbers_are_compared_by_value() {
    for (one, other) in [("1.0", "1"), ("1e2", "100.00"), ("0.1", "1e-1"), ("-0", "0.0e7"), ("120e-1", "12")]
    {
        assert!(same_number(&number(one), &number(other)), "{one} {other}");
    }
    for (one, other) in
        [("9007199254740993", "9007199254740992"), ("1", "-1"), ("1e400", "1e401"), ("1", "10")]
    {
        assert!(!same_number(&number(one), &number(other)), "{one} {other}");
    }
    let (one, other) = (read(r#"{"a":[1.0],"b":"1"}"#), read(r#"{"b":"1","a":[1]}"#));
    assert!(same_json(&one, &other));
    assert!(!same_json(&one, &read(r#"{"a":[1.0],"b":1}"#)));
}

#[test]
fn what_a_double_holds_is_known() {
    for (text, expected) in [
        ("0.1", DoubleFit::Exact),
        ("1.10", DoubleFit::Exact),
        ("-0", DoubleFit::Exact),
        ("9007199254740992", DoubleFit::Exact),
        ("9007199254740993", DoubleFit::Rounded),
        ("9007199254740994.000", DoubleFit::Exact),
        ("18446744073709551616", DoubleFit::Exact),
        ("18446744073709551617", DoubleFit::Rounded),
        ("9.31322574615478515625e-10", DoubleFit::Exact),
        ("123456789.123456789123", DoubleFit::Rounded),
        ("1e-400", DoubleFit::Rounded),
        ("0e400", DoubleFit::Exact),
        ("1e308", DoubleFit::Exact),
        ("1e309", DoubleFit::Overflows),
        ("-1e400", DoubleFit::Overflows),
    ] {
        assert_eq!(double_fit(&number(text)), expected, "{text}");
    }
}

#[test]
fn the_old_form_is_what_was_written_without_arbitrary_precision() {
    for (text, expected) in [
        ("7", Some("7")),
        ("1.10", Some("1.1")),
        ("1e2", Some("100.0")),
        ("-0", Some("-0.0")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("-9223372036854775809", Some("-9.223372036854776e+18")),
        ("18446744073709551617", Some("1.8446744073709552e+19")),
        ("123456789.123456789123", Some("123456789.12345679")),
        ("1e400", None),
    ] {
        assert_eq!(number_as_rounded(&number(text)).as_deref(), expected, "{text}");
    }
}

#[test]
fn whole_numbers_are_written_without_a_fraction() {
    for (text, expected) in [
        ("3.0", Some("3")),
        ("30e-1", Some("3")),
        ("-1.50E1", Some("-15")),
        ("9007199254740993.0", Some("9007199254740993")),
        ("1e3", Some("1000")),
        ("-0.0", Some("0")),
        ("7", Some("7")),
        ("1e400", Some("1e400")),
        ("1e999999999999999999999", Some("1e999999999999999999999")),
        ("1.5", None),
        ("1e-3", None),
        ("1e-999999999999999999999", None),
    ] {
        assert_eq!(whole_number(&number(text)), expected.map(number), "{text}");
    }
}

fn any_number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?"
}

/// JSON text without whitespace, and with the numbers of people who write them by hand.
fn any_text() -> impl Strategy<Value = String> {
    let string = ".{0,8}".prop_map(|text| Value::String(text).to_string());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any_number(),
        string,
        Just(r#""\ud83d""#.to_owned()),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let key = prop_oneof!["[a-c]{0,2}", Just("$serde_json::private::Number".to_owned())];
        let member = (key, inner.clone()).prop_map(|(key, value)| format!("{}:{value}", json!(key)));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map("[a-c]{1,2}", member, 0..4)
                .prop_map(|members| format!("{{{}}}", members.into_values().collect::<Vec<_>>().join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_as_it_reads_it(text in any_text()) {
        let json = read_json(text.as_bytes()).unwrap();
        let halves = text.contains(r"\ud83d");
        prop_assert_eq!(json.replaced.is_any() && !halves, false);
        // Written and read again nothing changes any more.
        let written = json.value.to_string();
        prop_assert_eq!(&read_json(written.as_bytes()).unwrap().value, &json.value);
        // Where serde_json reads it as well, it says the same by value.
        if !text.contains("$serde_json") && let Ok(value) = serde_json::from_str::<Value>(&text) {
            prop_assert!(same_json(&value, &json.value));
        }
    }

    #[test]
    fn a_number_is_written_as_it_was_read(text in any_number()) {
        prop_assert_eq!(read_json_value(text.as_bytes()).unwrap().to_string(), text);
    }

    #[test]
    fn what_serde_json_refuses_is_refused(text in r#"[\[\]{},:"\\u0-9eE+\-. dtrue]{0,12}"#) {
        let (ours, theirs) = (read_json(text.as_bytes()), serde_json::from_str::<Value>(&text));
        if theirs.is_ok() {
            prop_assert!(ours.is_ok());
        } else if !text.contains(r"\u") {
            prop_assert!(ours.is_err());
        }
    }

    #[test]
    fn a_number_that_fits_a_double_is_shown_by_it(double in any::<f64>().prop_filter("JSON", |n| n.is_finite())) {
        let shortest = number(&format!("{double:?}"));
        let scientific = number(&format!("{double:e}"));
        prop_assert_eq!(double_fit(&shortest), DoubleFit::Exact);
        prop_assert!(same_number(&shortest, &scientific));
    }
}
