//! Sets of messages.

mod check;
mod code;
mod parse;
mod requests;

use proc_macro2::TokenStream;
use syn::{Attribute, Ident, LitInt, Result, Visibility};

use crate::field::Field;
use crate::options::MessageOptions;

/// A set as the user has written it.
struct Set {
    /// The path of `peermux`: `$crate` in `peermux::messages!`.
    krate: TokenStream,
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    length: LitInt,
    messages: Vec<Message>,
}

/// A message of a set.
struct Message {
    attributes: Vec<Attribute>,
    options: MessageOptions,
    code: LitInt,
    name: Ident,
    form: Form,
    /// The message that answers this one, if this one is a request.
    response: Option<Ident>,
}

/// The content of a message, by its syntax.
enum Form {
    /// `Name { a: T, b: U }`
    Named(Vec<Field>),
    /// `Name(T)`
    Value(Box<Field>),
    /// `Name`
    Unit,
}

impl Form {
    fn fields(&self) -> &[Field] {
        match self {
            Self::Named(fields) => fields,
            Self::Value(field) => std::slice::from_ref(field),
            Self::Unit => &[],
        }
    }
}

/// The role of a message in requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Request,
    Response,
    Other,
}

impl Set {
    fn role(&self, message: &Message) -> Role {
        let answers = |other: &Message| other.response.as_ref() == Some(&message.name);
        if message.response.is_some() {
            Role::Request
        } else if self.messages.iter().any(answers) {
            Role::Response
        } else {
            Role::Other
        }
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let set: Set = syn::parse2(input)?;
    check::check(&set)?;
    Ok(code::code(&set))
}
