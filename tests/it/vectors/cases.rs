//! Access to the cases of a section.

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use serde_json::Value;

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../vectors/devp2p.json")).expect("valid JSON")
});

/// Returns the cases of a section; there is at least one.
pub(super) fn cases(section: &str) -> &'static [Value] {
    let cases = VECTORS[section]["cases"].as_array().expect("a list");
    assert!(!cases.is_empty());
    cases
}

pub(super) fn text<'c>(case: &'c Value, field: &str) -> &'c str {
    let value = case[field].as_str();
    value.unwrap_or_else(|| panic!("{field} is no text in {case}"))
}

pub(super) fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let digits = text(case, field).as_bytes();
    HEXLOWER.decode(digits).expect("hexadecimal digits")
}

pub(super) fn number(case: &Value, field: &str) -> u64 {
    let value = case[field].as_u64();
    value.unwrap_or_else(|| panic!("{field} is no number in {case}"))
}

pub(super) fn list<'c>(case: &'c Value, field: &str) -> &'c [Value] {
    let value = case[field].as_array();
    value.unwrap_or_else(|| panic!("{field} is no list in {case}"))
}

pub(super) fn accepted(case: &Value) -> bool {
    case["accept"].as_bool().expect("accept is true or false")
}
