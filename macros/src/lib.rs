//! The macros of `peermux`: `messages!` and the derive of `RlpValue`.
//!
//! `peermux` re-exports and documents them. Use them through `peermux`, because the generated code
//! needs hidden parts of the same version.

mod field;
mod options;
mod record;
mod set;
mod size;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Defines the typed messages of a subprotocol.
///
/// `peermux::messages!` passes the crate's path in parentheses before the input.
#[proc_macro]
pub fn messages(input: TokenStream) -> TokenStream {
    done(set::expand(input.into()))
}

/// Implements `RlpValue` for a struct, as the list of its fields.
///
/// The trait of that name documents the attributes of fields.
#[proc_macro_derive(RlpValue, attributes(rlp))]
pub fn rlp_value(input: TokenStream) -> TokenStream {
    done(record::expand(input.into()))
}

fn done(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
