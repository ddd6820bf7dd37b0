//! Sizes in bytes, with or without a unit.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, LitStr, Result, Token, token};

/// A number of bytes: `"64 KiB"`, or an expression.
#[derive(Clone)]
pub(crate) struct Size(TokenStream);

impl Parse for Size {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(LitStr) {
            return Ok(Self(expression(input)?.into_token_stream()));
        }
        let literal: LitStr = input.parse()?;
        let text = literal.value();
        match bytes(&text) {
            Some(bytes) => Ok(Self(bytes.into_token_stream())),
            None => Err(Error::new(
                literal.span(),
                format!(
                    "`{text}` is not a size: write a number of bytes, or one with a unit, as in `\"64 KiB\"` or `\"2 MiB\"`"
                ),
            )),
        }
    }
}

/// Parses an expression that ends at a comma or at the brace of the set.
///
/// The brace must not be parsed: after the name of a constant, it would begin a struct literal.
fn expression(input: ParseStream<'_>) -> Result<Expr> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.peek(token::Brace) && !tokens.is_empty() {
            break;
        }
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    if tokens.is_empty() {
        input.parse()
    } else {
        syn::parse2(tokens)
    }
}

impl ToTokens for Size {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "B"));
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}
