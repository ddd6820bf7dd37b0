//! Checks a set of messages.

use std::collections::BTreeMap;

use syn::{Ident, Result};

use super::{Form, Message, Set};
use crate::field;
use crate::options::error;

pub(super) fn check(set: &Set) -> Result<()> {
    if set.messages.is_empty() {
        return error(
            set.name.span(),
            "a set needs at least one message: `0x00 => Hello(String)`",
        );
    }
    codes(set)?;
    for message in &set.messages {
        if let Form::Named(fields) = &message.form {
            field::check_order(fields)?;
        }
        if let Some(response) = &message.response {
            answer(set, message, response)?;
        }
    }
    Ok(())
}

fn codes(set: &Set) -> Result<()> {
    let length: u64 = set.length.base10_parse()?;
    let mut taken = BTreeMap::new();
    for message in &set.messages {
        let code: u64 = message.code.base10_parse()?;
        if code >= length {
            return error(
                message.code.span(),
                format!(
                    "the code {} must be below the length of {}, which is {length}",
                    message.code, set.name
                ),
            );
        }
        if let Some(other) = taken.insert(code, &message.name) {
            return error(
                message.code.span(),
                format!(
                    "`{other}` already has the code {}: give `{}` another one",
                    message.code, message.name
                ),
            );
        }
    }
    Ok(())
}

fn answer(set: &Set, message: &Message, response: &Ident) -> Result<()> {
    let name = &message.name;
    let answer = set.messages.iter().find(|other| other.name == *response);
    match answer {
        None => error(
            response.span(),
            format!(
                "`{response}` is not a message of {}: name the one that answers `{name}`",
                set.name
            ),
        ),
        Some(answer) if answer.response.is_some() => error(
            response.span(),
            format!("`{response}` is a request itself, so it cannot answer `{name}`"),
        ),
        Some(_) => Ok(()),
    }
}
