//! One form for all settings, and the error for those that are too small.

use std::fmt;

/// Makes a type of settings. For each setting there is a private field, a default, a setter
/// `with_…` that takes and returns the whole, and a getter.
///
/// A setting whose type is copied is written `name / with_name: Type = default;`, or, if not all
/// values are taken as they are, `name / with_name: Type = default, |value| normal(value);`. With
/// `name / with_name: Type => &Borrowed = default;` the getter returns the borrowed form, and the
/// setter takes all that turns into the type. Above it may stand `#[serde(…)]`.
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
            $crate::settings::getter!($(#[doc = $doc])* $field [$ty] [$($get)?]);
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
    ($(#[$doc:meta])* $field:ident [$ty:ty] []) => {
        $(#[$doc])*
        #[must_use]
        pub fn $field(&self) -> $ty {
            self.$field
        }
    };
    ($(#[$doc:meta])* $field:ident [$ty:ty] [$get:ty]) => {
        $(#[$doc])*
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
