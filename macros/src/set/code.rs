//! Generates the code of a set.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use super::{Form, Message, Role, Set, requests};
use crate::field::{self, Field};

pub(super) fn code(set: &Set) -> TokenStream {
    let definition = definition(set);
    let payload = payload(set);
    let wire_message = wire_message(set);
    let requests = requests::code(set);
    quote! {
        #definition
        #payload
        #wire_message
        #requests
    }
}

/// Returns the enum.
fn definition(set: &Set) -> TokenStream {
    let Set {
        attributes,
        visibility,
        name,
        ..
    } = set;
    let variants = set.messages.iter().map(|message| {
        let (attributes, name) = (&message.attributes, &message.name);
        let content = match &message.form {
            // The id of the request, and the message's struct.
            _ if set.role(message) != Role::Other => quote!((u64, #name)),
            Form::Named(_) => {
                let fields = message.form.fields().iter().map(|field| named(field, None));
                quote!({ #(#fields),* })
            }
            Form::Value(field) => {
                let (attributes, ty) = (&field.attributes, &field.ty);
                quote!((#(#attributes)* #ty))
            }
            Form::Unit => TokenStream::new(),
        };
        quote!(#(#attributes)* #name #content)
    });
    quote! {
        #(#attributes)*
        #visibility enum #name {
            #(#variants),*
        }
    }
}

/// Returns a named field of an enum or a struct.
pub(super) fn named(field: &Field, visibility: Option<&syn::Visibility>) -> TokenStream {
    let (attributes, member, ty) = (&field.attributes, &field.member, &field.ty);
    quote!(#[allow(missing_docs)] #(#attributes)* #visibility #member: #ty)
}

/// Returns the code that writes payloads.
fn payload(set: &Set) -> TokenStream {
    let (krate, name) = (&set.krate, &set.name);
    let out = local("out");
    let sizes = set.messages.iter().map(|message| {
        let pattern = pattern(set, message);
        let size = match &message.form {
            Form::Value(field) if set.role(message) == Role::Other => field.size(krate),
            form => {
                let size = field::size(form.fields(), krate);
                match set.role(message) {
                    Role::Other => size,
                    _ => {
                        let id = local("id");
                        quote!(#size + #krate::rlp::RlpValue::rlp_size(#id))
                    }
                }
            }
        };
        quote!(#pattern => #size)
    });
    let writes = set.messages.iter().map(|message| {
        let pattern = pattern(set, message);
        let write = match &message.form {
            Form::Value(field) if set.role(message) == Role::Other => field.write(krate, &out),
            form => field::write_list(form.fields(), krate, &out, |list| match set.role(message) {
                Role::Other => TokenStream::new(),
                _ => {
                    let id = local("id");
                    quote!(#krate::rlp::RlpValue::write_rlp(#id, #list);)
                }
            }),
        };
        quote!(#pattern => { #write })
    });
    quote! {
        #[automatically_derived]
        impl #krate::message::payload::Payload for #name {
            fn size(&self) -> usize {
                match self {
                    #(#sizes),*
                }
            }

            fn write(&self, #out: &mut #krate::BytesMut) {
                match self {
                    #(#writes),*
                }
            }
        }
    }
}

fn wire_message(set: &Set) -> TokenStream {
    let (krate, name, length) = (&set.krate, &set.name, &set.length);
    let codes = set.messages.iter().map(|message| {
        let (name, code) = (&message.name, &message.code);
        quote!(Self::#name { .. } => #code)
    });
    let limits = set.messages.iter().filter_map(|message| {
        let (code, limit) = (&message.code, message.options.max_size.as_ref()?);
        Some(quote!(#code => #limit,))
    });
    let arms = set.messages.iter().map(|message| arm(set, message));
    let message = local("message");
    quote! {
        #[automatically_derived]
        impl #krate::WireMessage for #name {
            const LENGTH: ::core::option::Option<u64> = ::core::option::Option::Some(#length);

            fn code(&self) -> u64 {
                match self {
                    #(#codes),*
                }
            }

            fn max_size(code: u64) -> usize {
                match code {
                    #(#limits)*
                    _ => usize::MAX,
                }
            }

            fn encode(&self) -> #krate::Bytes {
                #krate::message::payload::encode(self)
            }

            fn to_payload(
                &self,
                spare: ::core::option::Option<&#krate::message::payload::Spare>,
            ) -> #krate::Bytes {
                #krate::message::payload::encode_message(self, spare)
            }

            fn decode(
                #message: #krate::Message,
            ) -> ::core::result::Result<Self, #krate::MessageError> {
                let (name, memory, read): (
                    &'static str,
                    ::core::option::Option<usize>,
                    #krate::message::payload::Read<Self>,
                ) = match #message.code {
                    #(#arms)*
                    code => {
                        return ::core::result::Result::Err(
                            #krate::MessageError::UnknownCode { code },
                        );
                    }
                };
                #krate::message::payload::decode(&#message, name, memory, read)
            }
        }
    }
}

/// Returns the match arm that decodes one message.
fn arm(set: &Set, message: &Message) -> TokenStream {
    let (krate, code) = (&set.krate, &message.code);
    let (from, name) = (local("from"), message.name.to_string());
    let memory = match &message.options.max_memory {
        Some(memory) => quote!(::core::option::Option::Some(#memory)),
        None => quote!(::core::option::Option::None),
    };
    let read = match &message.form {
        Form::Value(field) if set.role(message) == Role::Other => {
            let (variable, read) = (&field.local, field.read(krate, &from));
            quote!(let #variable = #read?;)
        }
        form => field::read_list(form.fields(), krate, &from, |list| {
            match set.role(message) {
                Role::Other => TokenStream::new(),
                _ => {
                    let id = local("id");
                    quote! {
                        let #id = #krate::rlp::generated::field(
                            "id", <u64 as #krate::rlp::RlpValue>::read_rlp(#list))?;
                    }
                }
            }
        }),
    };
    let value = pattern(set, message);
    quote! {
        #code => (#name, #memory, |#from| {
            #read
            ::core::result::Result::Ok(#value)
        }),
    }
}

/// Returns the message with a variable per field, for use as pattern and expression.
fn pattern(set: &Set, message: &Message) -> TokenStream {
    let (name, bindings) = (&message.name, field::bindings(message.form.fields()));
    match set.role(message) {
        Role::Other => quote!(Self::#name { #bindings }),
        _ => {
            let id = local("id");
            quote!(Self::#name(#id, #name { #bindings }))
        }
    }
}

fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
