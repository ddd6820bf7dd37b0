//! Generates a struct and the implementation of its trait for each request and response.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use super::code::named;
use super::{Form, Message, Role, Set};

/// Returns the code for a set's requests; empty for a set without requests.
pub(super) fn code(set: &Set) -> TokenStream {
    let asks = |message: &Message| message.response.is_some();
    if !set.messages.iter().any(asks) {
        return TokenStream::new();
    }
    let roles = roles(set);
    let parts = set.messages.iter().filter_map(|message| {
        let implementation = match set.role(message) {
            Role::Request => implementation(set, message, "Request"),
            Role::Response => implementation(set, message, "Response"),
            Role::Other => return None,
        };
        let definition = definition(set, message);
        Some(quote!(#definition #implementation))
    });
    quote!(#roles #(#parts)*)
}

fn roles(set: &Set) -> TokenStream {
    let (krate, name) = (&set.krate, &set.name);
    let arms = set.messages.iter().map(|message| {
        let name = &message.name;
        match set.role(message) {
            Role::Request => quote!(Self::#name(id, _) => #krate::message::Role::Request(*id)),
            Role::Response => quote!(Self::#name(id, _) => #krate::message::Role::Response(*id)),
            Role::Other => quote!(Self::#name { .. } => #krate::message::Role::Other),
        }
    });
    let are = |wanted: fn(Role) -> bool| {
        let messages = set.messages.iter();
        let codes = messages.filter(move |message| wanted(set.role(message)));
        codes.map(|message| &message.code)
    };
    let requests = are(|role| matches!(role, Role::Request));
    let responses = are(|role| matches!(role, Role::Response));
    quote! {
        #[automatically_derived]
        impl #krate::message::RequestMessages for #name {
            fn role(&self) -> #krate::message::Role {
                match self {
                    #(#arms),*
                }
            }

            fn is_request(code: u64) -> bool {
                [#(#requests),*].contains(&code)
            }

            fn is_response(code: u64) -> bool {
                [#(#responses),*].contains(&code)
            }
        }
    }
}

/// Returns the struct, with the set's derives and the message's documentation.
fn definition(set: &Set, message: &Message) -> TokenStream {
    let is = |attribute: &&Attribute, name| attribute.path().is_ident(name);
    let derives = set
        .attributes
        .iter()
        .filter(|attribute| is(attribute, "derive"));
    let docs = message
        .attributes
        .iter()
        .filter(|attribute| is(attribute, "doc"));
    let (visibility, name) = (&set.visibility, &message.name);
    let content = match &message.form {
        Form::Named(fields) => {
            let fields = fields.iter().map(|field| named(field, Some(visibility)));
            quote!({ #(#fields),* })
        }
        Form::Value(field) => {
            let (attributes, ty) = (&field.attributes, &field.ty);
            quote!((#[allow(missing_docs)] #(#attributes)* #visibility #ty);)
        }
        Form::Unit => quote!(;),
    };
    quote! {
        #[allow(missing_docs)]
        #(#docs)*
        #(#derives)*
        #visibility struct #name #content
    }
}

fn implementation(set: &Set, message: &Message, role: &str) -> TokenStream {
    let (krate, set_name) = (&set.krate, &set.name);
    let (name, code, text) = (&message.name, &message.code, message.name.to_string());
    let role = quote::format_ident!("{role}");
    let response = message
        .response
        .as_ref()
        .map(|response| quote!(type Response = #response;));
    quote! {
        #[automatically_derived]
        impl #krate::message::#role for #name {
            type Messages = #set_name;
            #response
            const NAME: &'static str = #text;
            const CODE: u64 = #code;

            fn into_message(self, id: u64) -> #set_name {
                #set_name::#name(id, self)
            }

            fn from_message(message: #set_name) -> ::core::option::Option<(u64, Self)> {
                match message {
                    #set_name::#name(id, value) => ::core::option::Option::Some((id, value)),
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}
