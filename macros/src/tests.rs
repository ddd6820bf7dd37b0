use std::str::FromStr;

use proc_macro2::TokenStream;

use crate::{record, set};

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).unwrap()
}

/// Returns the error for a set, and the text at its place.
fn refused_set(text: &str) -> (String, String) {
    place(
        &set::expand(tokens(&format!("(krate)\n{text}"))).unwrap_err(),
        text,
        2,
    )
}

fn refused_record(text: &str) -> (String, String) {
    place(&record::expand(tokens(text)).unwrap_err(), text, 1)
}

/// Returns the message of an error, and the text at its place.
fn place(error: &syn::Error, text: &str, first: usize) -> (String, String) {
    let (start, end) = (error.span().start(), error.span().end());
    let lines: Vec<_> = text.lines().collect();
    let at = match start
        .line
        .checked_sub(first)
        .and_then(|line| lines.get(line))
    {
        Some(line) if start.line == end.line => &line[start.column..end.column],
        Some(_) => "several lines",
        None => "the end",
    };
    (error.to_string(), at.to_owned())
}

/// Checks the place and the message of the error for each definition.
fn all(refused: impl Fn(&str) -> (String, String), cases: &[(&str, &str, &str)]) {
    for (text, at, sentence) in cases {
        assert_eq!(
            refused(text),
            ((*sentence).to_owned(), (*at).to_owned()),
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_set_is_told_at_its_place() {
    all(
        refused_set,
        &[
            (
                "pub struct A { }",
                "struct",
                "a set of messages is an enum: `pub enum Greet, length = 2 { 0x00 => Hello(String), … }`",
            ),
            (
                "enum A { 0 => B }",
                "A",
                "`length` is missing, the set's number of codes: `enum A, length = 2 { … }`",
            ),
            (
                "enum A, size = 2 { 0 => B }",
                "size",
                "a set takes `length`, `max_size` and `max_memory`",
            ),
            (
                "enum A, length = 2 { }",
                "A",
                "a set needs at least one message: `0x00 => Hello(String)`",
            ),
            (
                "enum A, length = 2 { B }",
                "B",
                "a message begins with its code: `0x00 => Hello(String)`",
            ),
            (
                "enum A, length = 2 { 0x02 => B }",
                "0x02",
                "the code 0x02 must be below the length of A, which is 2",
            ),
            (
                "enum A, length = 2 { 0x01 => B, 1 => C }",
                "1",
                "`B` already has the code 1: give `C` another one",
            ),
            (
                "enum A, length = 2 { 0 => B(u8, u8) }",
                "(u8, u8)",
                "parentheses hold one value: name several, as in `B { first: …, second: … }`",
            ),
            (
                "enum A, length = 2 { 0 => B() }",
                "()",
                "a message without a value has no parentheses: `B`",
            ),
            (
                "enum A, length = 2 { 0 => B {} }",
                "{}",
                "a message without fields has no braces: `B`",
            ),
            (
                "enum A, length = 2 { 0 => B { pub a: u8 } }",
                "pub",
                "the fields of a message are as visible as its set: leave `pub` out",
            ),
            (
                "enum A, length = 2 { 0 => B 1 => C }",
                "1",
                "expected a comma after `B`",
            ),
            (
                "enum A, length = 2 { 0 => B } enum C",
                "enum",
                "one call of `messages!` defines one set",
            ),
            (
                "enum A, length = 2, max_size = \"64 KB\" { 0 => B }",
                "\"64 KB\"",
                "`64 KB` is not a size: write a number of bytes, or one with a unit, as in `\"64 KiB\"` or `\"2 MiB\"`",
            ),
            (
                "enum A, length = 2 { #[rlp(max = 3)] 0 => B }",
                "max",
                "`#[rlp(…)]` takes `max_size = \"64 KiB\"` and `max_memory = \"1 MiB\"` here",
            ),
        ],
    );
}

#[test]
fn what_is_wrong_with_a_request_is_told_at_its_place() {
    all(
        refused_set,
        &[
            (
                "enum A, length = 2 { 0 => B -> C }",
                "C",
                "`C` is not a message of A: name the one that answers `B`",
            ),
            (
                "enum A, length = 2 { 0 => B -> C, 1 => C -> B }",
                "C",
                "`C` is a request itself, so it cannot answer `B`",
            ),
            (
                "enum A, length = 2 { 0 => B -> B }",
                "B",
                "`B` is a request itself, so it cannot answer `B`",
            ),
        ],
    );
}

#[test]
fn what_is_wrong_with_a_field_is_told_at_its_place() {
    let message =
        |field: &str| refused_set(&format!("enum A, length = 2 {{ 0 => B {{ {field} }} }}"));
    let record = |field: &str| refused_record(&format!("struct A {{ {field} }}"));
    let cases = [
        (
            "#[rlp(min = 3)] a: u8",
            "min",
            "`#[rlp(…)]` takes `max = N` and `optional` here",
        ),
        (
            "#[rlp(optional)] a: u8",
            "optional",
            "an optional field must have the type `Option<…>`",
        ),
        (
            "#[rlp(optional)] a: Option<u8>, b: u8",
            "u8",
            "`b` follows an optional field: make it optional too, or move it in front",
        ),
    ];
    all(message, &cases);
    all(record, &cases);
    all(
        refused_set,
        &[(
            "enum A, length = 2 { 0 => B(#[rlp(optional)] Option<u8>) }",
            "optional",
            "a single value cannot be optional: only the last fields of a list can",
        )],
    );
}

#[test]
fn what_is_wrong_with_a_record_is_told_at_its_place() {
    all(
        refused_record,
        &[
            (
                "enum A { B }",
                "enum",
                "a record is a struct: define an enum of messages with `messages!`, and implement `RlpValue` for another enum by hand",
            ),
            ("union A { b: u8 }", "union", "a record is a struct"),
            (
                "struct A<'a>(&'a [u8]);",
                "'a",
                "a record owns its fields: use `Bytes`, which shares the payload's memory, instead of a slice",
            ),
            (
                "#[rlp(transparent)] struct A(u8, u8);",
                "transparent",
                "a transparent record has one field",
            ),
            (
                "#[rlp(opaque)] struct A(u8);",
                "opaque",
                "`#[rlp(…)]` takes `transparent` and `crate = path::of::peermux` here",
            ),
        ],
    );
}

/// Returns the generated code of a set, as text without spaces.
fn code(text: &str) -> String {
    let code = set::expand(tokens(&format!("(krate) {text}"))).unwrap();
    code.to_string().split_whitespace().collect()
}

#[test]
fn requests_and_responses_become_structs() {
    let code = code(
        "/// Messages.\n#[derive(Debug, Clone)] #[serde(tag = \"t\")]
            pub(crate) enum A, length = 4 { /// Asks.
            0 => Get { key: String } -> Value, 1 => Value(u8), 2 => Stop -> Stopped, 3 => Stopped }",
    );
    let all = [
        "pub(crate)enumA{#[doc=\"Asks.\"]Get(u64,Get)",
        "#[doc=\"Asks.\"]#[derive(Debug,Clone)]pub(crate)structGet{#[allow(missing_docs)]pub(crate)key:String}",
        "#[derive(Debug,Clone)]pub(crate)structValue(#[allow(missing_docs)]pub(crate)u8);",
        "pub(crate)structStop;",
        "implkrate::message::RequestforStop{typeMessages=A;typeResponse=Stopped;",
        "implkrate::message::ResponseforValue",
    ];
    for part in all {
        assert!(code.contains(part), "{part}\n{code}");
    }
    assert_eq!(code.matches("#[serde").count(), 1);
}

#[test]
fn a_message_may_have_limits_of_its_own() {
    let code = code(
        "enum A, length = 3, max_size = \"2 MiB\" { 0 => B, #[rlp(max_size = 5, max_memory = LIMIT)] 1 => C }",
    );
    assert!(
        code.contains("0=>2097152usize,1=>5,_=>usize::MAX"),
        "{code}"
    );
    assert!(
        code.contains("(\"C\",::core::option::Option::Some(LIMIT),"),
        "{code}"
    );
}

#[test]
fn the_limits_of_a_set_may_be_constants() {
    let code = code("enum A, length = 1, max_size = super::MOST, max_memory = MORE { 0 => B }");
    assert!(code.contains("0=>super::MOST,_=>usize::MAX"), "{code}");
    assert!(code.contains("Option::Some(MORE)"), "{code}");
}

#[test]
fn a_set_without_requests_has_no_structs() {
    let code = code("enum A, length = 3 { 0 => B, 1 => C(String) }");
    assert!(!code.contains("struct"), "{code}");
    assert!(!code.contains("RequestMessages"), "{code}");
}
