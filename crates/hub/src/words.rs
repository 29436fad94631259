//! Enums whose variants are words: in the database, in the API, and in the keys of what people read.

/// Makes enums of words. Each variant has its word and, where the keys of its words differ from it, the part of those keys.
macro_rules! words {
    (@key $word:tt) => { $word };
    (@key $word:tt $key:tt) => { $key };
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$word_doc:meta])* $variant:ident = $word:tt $(/ $key:tt)?),* $(,)?
    })*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
        )]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// All, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in the database and the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The word in the keys of words.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $crate::words::words!(@key $word $($key)?)),* }
            }

            /// Reads [`Self::as_str`].
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(word: String) -> Result<Self, String> {
                Self::parse(&word).ok_or(word)
            }
        }
    )*};
}

pub(crate) use words;
