//! Fields of records and messages, and the code that writes and reads them.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Ident, Member, Result, Type};

use crate::options::{FieldOptions, error};

/// A field, or the value in the parentheses of a message.
pub(crate) struct Field {
    pub(crate) attributes: Vec<Attribute>,
    /// The field's name or its index.
    pub(crate) member: Member,
    pub(crate) ty: Type,
    options: FieldOptions,
    /// Whether the field appears in the path of an error.
    named: bool,
    /// The variable that holds the field; its name cannot collide with the user's names.
    pub(crate) local: Ident,
}

impl Field {
    pub(crate) fn new(
        index: usize,
        name: Option<Ident>,
        ty: Type,
        mut attributes: Vec<Attribute>,
    ) -> Result<Self> {
        let options = FieldOptions::take(&mut attributes)?;
        if let Some(span) = options.optional
            && !is_option(&ty)
        {
            return error(span, "an optional field must have the type `Option<…>`");
        }
        Ok(Self {
            attributes,
            member: name.map_or_else(|| Member::from(index), Member::Named),
            ty,
            options,
            named: true,
            local: format_ident!("field_{index}", span = Span::mixed_site()),
        })
    }

    /// Omits the field from the path of an error.
    pub(crate) fn without_name(mut self) -> Self {
        self.named = false;
        self
    }

    /// Returns the field's name in the path of an error.
    fn name(&self) -> String {
        match &self.member {
            Member::Named(name) => name.to_string().trim_start_matches("r#").to_owned(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }

    /// Returns an expression for the field's approximate size in bytes.
    pub(crate) fn size(&self, krate: &TokenStream) -> TokenStream {
        let (ty, local) = (&self.ty, &self.local);
        quote_spanned!(ty.span()=> <#ty as #krate::rlp::RlpValue>::rlp_size(#local))
    }

    /// Returns a statement that appends the field to `out`; `later` are the fields after it.
    fn write_before(&self, krate: &TokenStream, later: &[Field], out: &Ident) -> TokenStream {
        let local = &self.local;
        if self.options.optional.is_some() {
            let later = later.iter().map(|field| &field.local);
            return quote! {
                #krate::rlp::generated::write_optional(
                    #local, false #(|| ::core::option::Option::is_some(#later))*, #out);
            };
        }
        self.write(krate, out)
    }

    /// Returns a statement that appends the field to `out`.
    pub(crate) fn write(&self, krate: &TokenStream, out: &Ident) -> TokenStream {
        let (ty, local) = (&self.ty, &self.local);
        quote_spanned!(ty.span()=> <#ty as #krate::rlp::RlpValue>::write_rlp(#local, #out);)
    }

    /// Returns an expression that reads the field from `from`, as a `Result`.
    pub(crate) fn read(&self, krate: &TokenStream, from: &Ident) -> TokenStream {
        let ty = &self.ty;
        let inner = match &self.options.optional {
            // The compiler infers the type inside the option.
            Some(_) => quote!(_),
            None => quote!(#ty),
        };
        let read = |from: TokenStream| match &self.options.max {
            Some(max) => quote_spanned! {ty.span()=>
                <#inner as #krate::rlp::Counted>::read_rlp_at_most(#from, #max)
            },
            None => quote_spanned! {ty.span()=>
                <#inner as #krate::rlp::RlpValue>::read_rlp(#from)
            },
        };
        match &self.options.optional {
            Some(_) => {
                let list = Ident::new("list", Span::mixed_site());
                let read = read(quote!(#list));
                quote!(#krate::rlp::generated::read_optional(#from, |#list| #read))
            }
            None => read(quote!(#from)),
        }
    }

    /// Rejects options that have no meaning outside a list.
    pub(crate) fn alone(&self) -> Result<()> {
        match self.options.optional {
            Some(span) => error(
                span,
                "a single value cannot be optional: only the last fields of a list can",
            ),
            None => Ok(()),
        }
    }
}

/// Checks that no required field follows an optional one.
pub(crate) fn check_order(fields: &[Field]) -> Result<()> {
    let first = fields
        .iter()
        .position(|field| field.options.optional.is_some());
    let behind = fields.iter().skip(first.unwrap_or(fields.len()));
    match behind
        .into_iter()
        .find(|field| field.options.optional.is_none())
    {
        Some(field) => error(
            field.ty.span(),
            format!(
                "`{}` follows an optional field: make it optional too, or move it in front",
                field.name()
            ),
        ),
        None => Ok(()),
    }
}

/// Returns an expression for the approximate size of the list of fields, in bytes.
pub(crate) fn size(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let sizes = fields.iter().map(|field| field.size(krate));
    quote!(9 #(+ #sizes)*)
}

/// Returns a statement that appends the list of fields to `out`.
///
/// `first` returns a statement that appends the first elements of the list.
pub(crate) fn write_list(
    fields: &[Field],
    krate: &TokenStream,
    out: &Ident,
    first: impl FnOnce(&Ident) -> TokenStream,
) -> TokenStream {
    let list = Ident::new("list", Span::mixed_site());
    let first = first(&list);
    let write = |(index, field): (usize, &Field)| {
        let later = fields.get(index + 1..).unwrap_or_default();
        field.write_before(krate, later, &list)
    };
    let writes = fields.iter().enumerate().map(write);
    quote! {
        #krate::rlp::generated::put_list(#out, |#list| {
            let _ = &#list;
            #first
            #(#writes)*
        });
    }
}

/// Returns statements that read the list of fields into variables.
///
/// `first` returns a statement that reads the first elements of the list. If an error occurs, the
/// statements return it from the enclosing function.
pub(crate) fn read_list(
    fields: &[Field],
    krate: &TokenStream,
    from: &Ident,
    first: impl FnOnce(&Ident) -> TokenStream,
) -> TokenStream {
    let list = Ident::new("list", Span::mixed_site());
    let first = first(&list);
    let reads = fields.iter().map(|field| {
        let (local, ty, name) = (&field.local, &field.ty, field.name());
        let read = field.read(krate, &list);
        if field.named {
            quote! {
                let #local: #ty = #krate::rlp::generated::field(#name, #read)?;
            }
        } else {
            quote!(let #local: #ty = #read?;)
        }
    });
    quote! {
        let #list = &mut #krate::rlp::ValueReader::list(#from)?;
        #first
        #(#reads)*
        #krate::rlp::ValueReader::end(#list)?;
    }
}

/// Returns `member: variable` for each field, for patterns and expressions of structs.
pub(crate) fn bindings(fields: &[Field]) -> TokenStream {
    let bindings = fields.iter().map(|field| {
        let (member, local) = (&field.member, &field.local);
        quote!(#member: #local)
    });
    quote!(#(#bindings),*)
}

fn is_option(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Option"),
        Type::Group(group) => is_option(&group.elem),
        _ => false,
    }
}
