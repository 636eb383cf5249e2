//! What the keys of tables are made of, as types: a key is a tuple of parts, and the beginning of
//! such a tuple is a prefix, by which rows are found together.

use super::{Key, KeyReader};

/// What a part of a key says, as far as it decides what becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user's id.
    User,
    /// The id of a device of the user before it.
    Device,
    /// A room's id, or nothing.
    Room,
    /// A text that must not be told to anybody.
    Secret,
    /// Any other text or bytes.
    Text,
    /// Eight bytes.
    Number,
    /// All that is left of the key.
    Rest,
}

/// A part of a key.
pub trait Part: Sized {
    /// What it says.
    const KIND: Kind;

    /// Takes it out of a key; `None` when what is there is another.
    fn read(key: &mut KeyReader<'_>) -> Option<Self>;
}

/// What can be written as a part of a key: a borrowed form of it, as a rule.
pub trait AsPart<P> {
    /// Appends it to a key.
    fn append(&self, key: Key) -> Key;
}

impl<P, T: AsPart<P> + ?Sized> AsPart<P> for &T {
    fn append(&self, key: Key) -> Key {
        (**self).append(key)
    }
}

/// All parts of a key, or those that follow a prefix.
pub trait Parts: Sized {
    /// What they say.
    const KINDS: &'static [Kind];

    /// Takes them out of a key that has nothing else.
    fn read(key: KeyReader<'_>) -> Option<Self>;
}

/// What can be written as the first parts of the key `K`.
pub trait Prefix<K> {
    /// The parts after it; none for a whole key.
    type Rest: Parts;

    /// Appends it to a key.
    fn append(&self, key: Key) -> Key;
}

impl<K, T: Prefix<K>> Prefix<K> for &T {
    type Rest = T::Rest;

    fn append(&self, key: Key) -> Key {
        (**self).append(key)
    }
}

/// The rules for keys of so many parts: each is a type, and what stands for it in a prefix.
macro_rules! keys_of {
    ($($part:ident $given:ident),+) => {
        impl<$($part: Part),+> Parts for ($($part,)+) {
            const KINDS: &'static [Kind] = &[$($part::KIND),+];

            fn read(mut key: KeyReader<'_>) -> Option<Self> {
                let parts = ($($part::read(&mut key)?,)+);
                key.is_empty().then_some(parts)
            }
        }
        keys_of!(@prefixes [$($part)+] [] [$($part $given,)+]);
    };
    (@prefixes [$($all:ident)+] [$($part:ident $given:ident,)*] [$next:ident $next_given:ident, $($rest:ident $rest_given:ident,)*]) => {
        keys_of!(@prefix [$($all)+] [$($part $given,)*] [$next $($rest)*]);
        keys_of!(@prefixes [$($all)+] [$($part $given,)* $next $next_given,] [$($rest $rest_given,)*]);
    };
    (@prefixes [$($all:ident)+] [$($part:ident $given:ident,)*] []) => {
        keys_of!(@prefix [$($all)+] [$($part $given,)*] []);
    };
    (@prefix [$($all:ident)+] [$($part:ident $given:ident,)*] [$($rest:ident)*]) => {
        impl<$($all: Part,)+ $($given: AsPart<$part>,)*> Prefix<($($all,)+)> for ($($given,)*) {
            type Rest = ($($rest,)*);

            #[allow(non_snake_case, reason = "variables are named after their types")]
            fn append(&self, key: Key) -> Key {
                let ($($given,)*) = self;
                $(let key = $given.append(key);)*
                key
            }
        }
    };
}

keys_of!(A GivenA);
keys_of!(A GivenA, B GivenB);
keys_of!(A GivenA, B GivenB, C GivenC);
keys_of!(A GivenA, B GivenB, C GivenC, D GivenD);
keys_of!(A GivenA, B GivenB, C GivenC, D GivenD, E GivenE);

impl Parts for () {
    const KINDS: &'static [Kind] = &[];

    fn read(key: KeyReader<'_>) -> Option<Self> {
        key.is_empty().then_some(())
    }
}

/// The key of a row, as a part of another.
pub struct Nested<K>(pub K);

impl<K: Parts> Part for Nested<K> {
    const KIND: Kind = Kind::Text;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        K::read(KeyReader::new(&key.bytes()?)).map(Self)
    }
}

impl<K> AsPart<Nested<K>> for Key {
    fn append(&self, key: Key) -> Key {
        key.bytes(self)
    }
}

/// All that is left of a key, for tables whose rows end in one way or another.
pub struct Remainder(Vec<u8>);

impl Part for Remainder {
    const KIND: Kind = Kind::Rest;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        Some(Self(key.rest().to_vec()))
    }
}

impl AsPart<Self> for Remainder {
    fn append(&self, key: Key) -> Key {
        key.key(&self.0)
    }
}

impl AsPart<Remainder> for Key {
    fn append(&self, key: Key) -> Key {
        key.key(self)
    }
}

impl Part for u64 {
    const KIND: Kind = Kind::Number;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        key.u64()
    }
}

impl AsPart<u64> for u64 {
    fn append(&self, key: Key) -> Key {
        key.u64(*self)
    }
}

impl Part for String {
    const KIND: Kind = Kind::Text;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        key.str()
    }
}

impl AsPart<String> for str {
    fn append(&self, key: Key) -> Key {
        key.str(self)
    }
}

impl AsPart<String> for String {
    fn append(&self, key: Key) -> Key {
        key.str(self)
    }
}

impl Part for Vec<u8> {
    const KIND: Kind = Kind::Text;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        key.bytes()
    }
}

impl AsPart<Vec<u8>> for [u8] {
    fn append(&self, key: Key) -> Key {
        key.bytes(self)
    }
}
