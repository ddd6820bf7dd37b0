//! Structs that are values of messages.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Fields, GenericParam, Ident, Result, parse_quote};

use crate::field::{self, Field};
use crate::options::{RecordOptions, error};

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let mut input: DeriveInput = syn::parse2(input)?;
    let options = RecordOptions::take(&mut input.attrs)?;
    let fields = fields(&input)?;
    let krate = match &options.krate {
        Some(path) => path.to_token_stream(),
        None => quote!(::peermux),
    };
    let body = match options.transparent {
        Some(span) => match &*fields {
            [only] => {
                only.alone()?;
                transparent(only, &krate)
            }
            _ => return error(span, "a transparent record has one field"),
        },
        None => {
            field::check_order(&fields)?;
            list(&fields, &krate)
        }
    };
    let name = &input.ident;
    let generics = bounded(input.generics, &krate)?;
    let (parameters, arguments, conditions) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters #krate::rlp::RlpValue for #name #arguments #conditions {
            #body
        }
    })
}

fn fields(input: &DeriveInput) -> Result<Vec<Field>> {
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            return error(
                data.enum_token.span,
                "a record is a struct: define an enum of messages with `messages!`, and implement \
                 `RlpValue` for another enum by hand",
            );
        }
        Data::Union(data) => return error(data.union_token.span, "a record is a struct"),
    };
    let fields = match fields {
        Fields::Named(fields) => Some(&fields.named),
        Fields::Unnamed(fields) => Some(&fields.unnamed),
        Fields::Unit => None,
    };
    let fields = fields.into_iter().flatten().cloned().enumerate();
    fields
        .map(|(index, field)| Field::new(index, field.ident, field.ty, field.attrs))
        .collect()
}

/// Adds the bound `RlpValue` to each type parameter.
fn bounded(mut generics: syn::Generics, krate: &TokenStream) -> Result<syn::Generics> {
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => {
                return error(
                    lifetime.lifetime.span(),
                    "a record owns its fields: use `Bytes`, which shares the payload's memory, \
                     instead of a slice",
                );
            }
            GenericParam::Type(ty) => ty.bounds.push(parse_quote!(#krate::rlp::RlpValue)),
            GenericParam::Const(_) => {}
        }
    }
    Ok(generics)
}

/// Returns the functions of a record that is the list of its fields.
fn list(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let (out, from) = (local("out"), local("from"));
    let bindings = field::bindings(fields);
    let size = field::size(fields, krate);
    let write = field::write_list(fields, krate, &out, |_| TokenStream::new());
    let read = field::read_list(fields, krate, &from, |_| TokenStream::new());
    functions(krate, &bindings, &size, &write, &read)
}

/// Returns the functions of a record that is its only field.
fn transparent(field: &Field, krate: &TokenStream) -> TokenStream {
    let (out, from) = (local("out"), local("from"));
    let bindings = field::bindings(std::slice::from_ref(field));
    let (size, write) = (field.size(krate), field.write(krate, &out));
    let (variable, read) = (&field.local, field.read(krate, &from));
    let read = quote!(let #variable = #read?;);
    functions(krate, &bindings, &size, &write, &read)
}

fn functions(
    krate: &TokenStream,
    bindings: &TokenStream,
    size: &TokenStream,
    write: &TokenStream,
    read: &TokenStream,
) -> TokenStream {
    let (out, from) = (local("out"), local("from"));
    quote! {
        fn rlp_size(&self) -> usize {
            let Self { #bindings } = self;
            #size
        }

        fn write_rlp(&self, #out: &mut #krate::BytesMut) {
            let Self { #bindings } = self;
            #write
        }

        fn read_rlp(
            #from: &mut #krate::rlp::ValueReader<'_>,
        ) -> ::core::result::Result<Self, #krate::rlp::ValueError> {
            #read
            ::core::result::Result::Ok(Self { #bindings })
        }
    }
}

fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
