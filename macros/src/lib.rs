//! The macros of `peermux`, which passes them on: `messages!` and the derive of `RlpValue`. Their
//! documentation is there. Use this crate through it: what they generate names hidden parts of the
//! same version.

mod field;
mod options;
mod record;
mod set;
mod size;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Defines the typed messages of a subprotocol. `peermux::messages!` hands the crate's own name in,
/// in parentheses before all else.
#[proc_macro]
pub fn messages(input: TokenStream) -> TokenStream {
    done(set::expand(input.into()))
}

/// Makes a struct a value of messages: the list of its fields.
#[proc_macro_derive(RlpValue, attributes(rlp))]
pub fn rlp_value(input: TokenStream) -> TokenStream {
    done(record::expand(input.into()))
}

fn done(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
