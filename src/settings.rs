//! The common form of all settings, and the error for values that are too small.

use std::fmt;

/// Defines a type of settings. Each setting has a private field, a default, a getter, and a setter
/// `with_…` that takes all settings by value and returns them.
///
/// A setting of a `Copy` type is written `name / with_name: Type = default;`. If the setter adjusts
/// values, the setting is written `name / with_name: Type = default, |value| normal(value);`. With
/// `name / with_name: Type => &Borrowed = default;` the getter returns the borrowed form, and the
/// setter takes `impl Into<Type>`. A setting may have an attribute `#[serde(…)]`.
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

/// A setting is below its minimum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, but must be at least {least}")]
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

    /// The given value, as text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The minimum, as text.
    #[must_use]
    pub fn least(&self) -> &str {
        &self.least
    }

    /// Rejects a `value` below `least`.
    pub(crate) fn check<T: Copy + PartialOrd + fmt::Debug>(
        setting: &'static str,
        value: T,
        least: T,
    ) -> Result<(), Self> {
        if value < least {
            Err(Self {
                setting,
                value: format!("{value:?}"),
                least: format!("{least:?}"),
            })
        } else {
            Ok(())
        }
    }
}
