//! The options in `#[rlp(…)]`.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Path, Result};

use crate::size::Size;

/// Removes `#[rlp(…)]` from `attributes`, and passes each option in it to `read`.
///
/// `read` returns whether it knows the option. `known` lists the options for the error message.
fn take(
    attributes: &mut Vec<Attribute>,
    known: &str,
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> Result<bool>,
) -> Result<()> {
    let is_ours = |attribute: &Attribute| attribute.path().is_ident("rlp");
    for attribute in attributes.iter().filter(|one| is_ours(one)) {
        attribute.parse_nested_meta(|meta| {
            if read(&meta)? {
                Ok(())
            } else {
                Err(meta.error(format!("`#[rlp(…)]` takes {known} here")))
            }
        })?;
    }
    attributes.retain(|attribute| !is_ours(attribute));
    Ok(())
}

/// Options of a field.
#[derive(Default)]
pub(crate) struct FieldOptions {
    /// The maximum number of items or bytes.
    pub(crate) max: Option<Expr>,
    /// The position of `optional`.
    pub(crate) optional: Option<Span>,
}

impl FieldOptions {
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Self> {
        let mut options = Self::default();
        take(attributes, "`max = N` and `optional`", |meta| {
            if meta.path.is_ident("max") {
                options.max = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("optional") {
                options.optional = Some(span(&meta.path));
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(options)
    }
}

/// Options of a message.
#[derive(Default, Clone)]
pub(crate) struct MessageOptions {
    /// The maximum size of the message's payload.
    pub(crate) max_size: Option<Size>,
    /// The maximum memory of the message's values.
    pub(crate) max_memory: Option<Size>,
}

impl MessageOptions {
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Self> {
        let mut options = Self::default();
        let known = "`max_size = \"64 KiB\"` and `max_memory = \"1 MiB\"`";
        take(attributes, known, |meta| {
            if meta.path.is_ident("max_size") {
                options.max_size = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("max_memory") {
                options.max_memory = Some(meta.value()?.parse()?);
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(options)
    }

    /// Returns these options; where one is missing, it is taken from `set`.
    pub(crate) fn or(self, set: &Self) -> Self {
        Self {
            max_size: self.max_size.or_else(|| set.max_size.clone()),
            max_memory: self.max_memory.or_else(|| set.max_memory.clone()),
        }
    }
}

/// Options of a record.
#[derive(Default)]
pub(crate) struct RecordOptions {
    /// The position of `transparent`.
    pub(crate) transparent: Option<Span>,
    /// The path of `peermux`.
    pub(crate) krate: Option<Path>,
}

impl RecordOptions {
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Self> {
        let mut options = Self::default();
        let known = "`transparent` and `crate = path::of::peermux`";
        take(attributes, known, |meta| {
            if meta.path.is_ident("transparent") {
                options.transparent = Some(span(&meta.path));
            } else if meta.path.is_ident("crate") {
                options.krate = Some(meta.value()?.call(Path::parse_mod_style)?);
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(options)
    }
}

fn span(path: &Path) -> Span {
    path.get_ident()
        .map_or_else(Span::call_site, proc_macro2::Ident::span)
}

/// Returns an error at a position in the source.
pub(crate) fn error<T>(span: Span, sentence: impl std::fmt::Display) -> Result<T> {
    Err(Error::new(span, sentence))
}
