//! Words that a field takes: each set an enum, written in one way everywhere.

/// A word that is none of those that a field takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {got:?}, expected {expected}")]
pub struct UnknownName {
    what: &'static str,
    got: String,
    expected: &'static str,
}

impl UnknownName {
    /// Says that `got` is no `what`, and what would be.
    #[must_use]
    pub fn new(what: &'static str, got: &str, expected: &'static str) -> Self {
        Self { what, got: got.chars().take(100).collect(), expected }
    }
}

macro_rules! words {
    (
        $(#[$meta:meta])* $name:ident, $what:literal, $expected:literal,
        { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word as it is written everywhere: on the wire, in the database, in logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownName> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName::new($what, text, $expected)),
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as ::serde::Deserialize>::deserialize(deserializer)?.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}
