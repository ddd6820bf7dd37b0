//! One form for all settings, and the error for those that are too small.

use std::fmt;

/// Makes a type of settings. For each setting there is a private field, a default, a setter
/// `with_…` that takes and returns the whole, and a getter.
///
/// A setting is written
/// `name / with_name: Type => &Borrowed = default, |value| normal(value);`. Where a borrowed form is
/// given, the getter returns it and the setter takes whatever turns into the type; else the type is
/// one that is copied. The last part is optional too, and so is `#[serde(…)]` above.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $Name:ident {$(
            $(#[doc = $doc:literal])*
            $(#[serde $serde:tt])?
            $field:ident / $with:ident: $ty:ty $(=> $get:ty)? = $default:expr $(, $normal:expr)?;
        )*}
    ) => {
        $(#[$meta])*
        pub struct $Name {$(
            $(#[cfg_attr(feature = "serde", serde $serde)])?
            $field: $ty,
        )*}

        impl Default for $Name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $Name {$(
            $crate::settings::setter!(
                $(#[doc = $doc])* $field $with [$ty] [$($get)?] [$($normal)?]
            );
            $crate::settings::getter!($field $with [$ty] [$($get)?]);
        )*}
    };
}

macro_rules! setter {
    ($(#[$doc:meta])* $field:ident $with:ident [$ty:ty] [] [$($normal:expr)?]) => {
        $(#[$doc])*
        #[must_use]
        pub fn $with(mut self, $field: $ty) -> Self {
            $(let $field = ($normal)($field);)?
            self.$field = $field;
            self
        }
    };
    ($(#[$doc:meta])* $field:ident $with:ident [$ty:ty] [$get:ty] []) => {
        $(#[$doc])*
        #[must_use]
        pub fn $with(mut self, $field: impl Into<$ty>) -> Self {
            self.$field = $field.into();
            self
        }
    };
}

macro_rules! getter {
    ($field:ident $with:ident [$ty:ty] []) => {
        #[doc = concat!("What [`", stringify!($with), "`](Self::", stringify!($with), ") sets.")]
        #[must_use]
        pub fn $field(&self) -> $ty {
            self.$field
        }
    };
    ($field:ident $with:ident [$ty:ty] [$get:ty]) => {
        #[doc = concat!("What [`", stringify!($with), "`](Self::", stringify!($with), ") sets.")]
        #[must_use]
        pub fn $field(&self) -> $get {
            &self.$field
        }
    };
}

pub(crate) use {getter, setter, settings};

/// A setting is below the least value with which anything works.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, and must be at least {least}")]
pub struct TooSmall {
    setting: &'static str,
    value: String,
    least: String,
}

impl TooSmall {
    /// The name of the setting.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The value that it was given, as a text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The least value that works, as a text.
    #[must_use]
    pub fn least(&self) -> &str {
        &self.least
    }

    /// Refuses a `value` below `least`.
    pub(crate) fn check<T: Copy + PartialOrd + fmt::Debug>(
        setting: &'static str,
        value: T,
        least: T,
    ) -> Result<(), Self> {
        match value < least {
            true => Err(Self {
                setting,
                value: format!("{value:?}"),
                least: format!("{least:?}"),
            }),
            false => Ok(()),
        }
    }
}
