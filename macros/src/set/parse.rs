//! Parses tokens into a set.

use proc_macro2::{Group, Span};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::token::{Brace, Comma, Paren};
use syn::{Attribute, Ident, LitInt, Result, Token, Type, Visibility, braced, parenthesized};

use super::{Form, Message, Set};
use crate::field::Field;
use crate::options::{MessageOptions, error};

impl Parse for Set {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let krate = input.parse::<Group>()?.stream();
        let mut attributes = input.call(Attribute::parse_outer)?;
        let mut options = MessageOptions::take(&mut attributes)?;
        let visibility: Visibility = input.parse()?;
        if !input.peek(Token![enum]) {
            return error(
                input.span(),
                "a set of messages is an enum: `pub enum Greet, length = 2 { 0x00 => Hello(String), … }`",
            );
        }
        input.parse::<Token![enum]>()?;
        let name: Ident = input.parse()?;
        let length = set_options(input, &name, &mut options)?;
        let content;
        braced!(content in input);
        if !input.is_empty() {
            return error(input.span(), "one call of `messages!` defines one set");
        }
        let messages = Punctuated::<Message, Comma>::parse_terminated(&content)?;
        let messages = messages.into_iter().map(|message| Message {
            options: message.options.or(&options),
            ..message
        });
        Ok(Self {
            krate,
            attributes,
            visibility,
            name,
            length,
            messages: messages.collect(),
        })
    }
}

/// Reads the options between a set's name and its messages, and returns the length.
fn set_options(
    input: ParseStream<'_>,
    name: &Ident,
    options: &mut MessageOptions,
) -> Result<LitInt> {
    let mut length = None;
    while input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        let option: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        if option == "length" {
            length = Some(input.parse()?);
        } else if option == "max_size" {
            options.max_size = Some(input.parse()?);
        } else if option == "max_memory" {
            options.max_memory = Some(input.parse()?);
        } else {
            return error(
                option.span(),
                "a set takes `length`, `max_size` and `max_memory`",
            );
        }
    }
    match length {
        Some(length) => Ok(length),
        None => error(
            name.span(),
            format!(
                "`length` is missing, the set's number of codes: `enum {name}, length = 2 {{ … }}`"
            ),
        ),
    }
}

impl Parse for Message {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let options = MessageOptions::take(&mut attributes)?;
        if !input.peek(LitInt) {
            return error(
                input.span(),
                "a message begins with its code: `0x00 => Hello(String)`",
            );
        }
        let code = input.parse()?;
        input.parse::<Token![=>]>()?;
        let name: Ident = input.parse()?;
        let form = form(input, &name)?;
        let response = if input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        if !input.is_empty() && !input.peek(Token![,]) {
            return error(input.span(), format!("expected a comma after `{name}`"));
        }
        Ok(Self {
            attributes,
            options,
            code,
            name,
            form,
            response,
        })
    }
}

fn form(input: ParseStream<'_>, name: &Ident) -> Result<Form> {
    let content;
    if input.peek(Brace) {
        let brace = braced!(content in input);
        let fields = Punctuated::<Named, Comma>::parse_terminated(&content)?;
        if fields.is_empty() {
            return error(
                brace.span.join(),
                format!("a message without fields has no braces: `{name}`"),
            );
        }
        let fields = fields.into_iter().enumerate();
        let fields = fields.map(|(index, Named(attributes, name, ty))| {
            Field::new(index, Some(name), ty, attributes)
        });
        return Ok(Form::Named(fields.collect::<Result<_>>()?));
    }
    if input.peek(Paren) {
        let paren = parenthesized!(content in input);
        let values = Punctuated::<Value, Comma>::parse_terminated(&content)?;
        return one(values, paren.span.join(), name);
    }
    Ok(Form::Unit)
}

fn one(values: Punctuated<Value, Comma>, span: Span, name: &Ident) -> Result<Form> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(Value(attributes, ty)), None) => {
            let field = Field::new(0, None, ty, attributes)?.without_name();
            field.alone()?;
            Ok(Form::Value(Box::new(field)))
        }
        (Some(_), Some(_)) => error(
            span,
            format!(
                "parentheses hold one value: name several, as in `{name} {{ first: …, second: … }}`"
            ),
        ),
        (None, _) => error(
            span,
            format!("a message without a value has no parentheses: `{name}`"),
        ),
    }
}

/// A field in braces.
struct Named(Vec<Attribute>, Ident, Type);

impl Parse for Named {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        if input.peek(Token![pub]) {
            return error(
                input.span(),
                "the fields of a message are as visible as its set: leave `pub` out",
            );
        }
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Self(attributes, name, input.parse()?))
    }
}

/// A value in parentheses.
struct Value(Vec<Attribute>, Type);

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        Ok(Self(attributes, input.parse()?))
    }
}
