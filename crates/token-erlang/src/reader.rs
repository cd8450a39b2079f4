//! Terms as a form that serde reads. Binaries are borrowed, and nothing becomes an atom.

use std::{borrow::Cow, fmt};

use rustler::{Binary, ListIterator, MapIterator, Term, TermType};
use serde::{
    Deserializer, de,
    de::{
        DeserializeSeed, Error as _, Expected, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected,
        Visitor,
    },
    forward_to_deserialize_any,
};

use crate::atoms;

/// How many lists and maps may lie in one another. No request of a verb needs more than eight.
const MAX_DEPTH: u8 = 32;

/// A term that is to be read.
///
/// A binary in UTF-8 is a string, any other one bytes. `null` and `undefined` are both null.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    term: Term<'a>,
    depth: u8,
}

/// Why a term is not as the request needs it. Shows no value of it.
#[derive(Debug)]
pub(crate) struct Unreadable(Cow<'static, str>);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string().into())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("something else, expected {expected}").into())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("something else, expected {expected}").into())
    }
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(term: Term<'a>) -> Self {
        Self { term, depth: 0 }
    }

    /// Reads what lies in this term.
    fn inner(self, term: Term<'a>) -> Result<Self, Unreadable> {
        match self.depth.checked_add(1) {
            Some(depth @ ..=MAX_DEPTH) => Ok(Self { term, depth }),
            _ => Err(Unreadable("something deep, expected fewer levels".into())),
        }
    }

    fn bytes(self) -> Result<&'a [u8], Unreadable> {
        let whole = |_| Unreadable("a bit string, expected whole bytes".into());
        Binary::from_term(self.term).map(|binary| binary.as_slice()).map_err(whole)
    }

    fn is_null(self) -> bool {
        atoms::null() == self.term || atoms::undefined() == self.term
    }

    fn visit_atom<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.term.decode::<bool>() {
            Ok(boolean) => visitor.visit_bool(boolean),
            Err(_) if self.is_null() => visitor.visit_unit(),
            Err(_) => Err(Unreadable::invalid_type(Unexpected::Other("an atom"), &visitor)),
        }
    }

    fn visit_integer<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match (self.term.decode::<u64>(), self.term.decode::<i64>()) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(Unreadable::invalid_value(Unexpected::Other("a great integer"), &visitor)),
        }
    }

    fn visit_list<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        // An improper list has no length.
        let left =
            self.term.list_length().map_err(|_| Unreadable("a tail, expected a proper list".into()))?;
        let items = self.term.decode().map_err(|_| Unreadable::invalid_type(Unexpected::Seq, &visitor))?;
        visitor.visit_seq(Items { outer: self, items, left })
    }

    fn visit_pairs<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let pairs =
            MapIterator::new(self.term).ok_or_else(|| Unreadable::invalid_type(Unexpected::Map, &visitor))?;
        visitor.visit_map(Pairs { outer: self, pairs, value: None })
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.term.get_type() {
            TermType::Binary => {
                let bytes = self.bytes()?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => visitor.visit_borrowed_str(text),
                    Err(_) => visitor.visit_borrowed_bytes(bytes),
                }
            }
            TermType::Integer => self.visit_integer(visitor),
            TermType::Float => {
                visitor.visit_f64(self.term.decode().map_err(|_| Unreadable::custom("a number"))?)
            }
            TermType::Atom => self.visit_atom(visitor),
            TermType::List => self.visit_list(visitor),
            TermType::Map => self.visit_pairs(visitor),
            _ => Err(Unreadable::invalid_type(Unexpected::Other("a term of another type"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self.bytes().map(std::str::from_utf8) {
            Ok(Ok(word)) => visitor.visit_enum(word.into_deserializer()),
            _ => Err(Unreadable::invalid_type(Unexpected::Other("no word"), &"one of the words")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    outer: Reader<'a>,
    items: ListIterator<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.left = self.left.saturating_sub(1);
        seed.deserialize(self.outer.inner(item)?).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Pairs<'a> {
    outer: Reader<'a>,
    pairs: MapIterator<'a>,
    value: Option<Term<'a>>,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        if key.get_type() != TermType::Binary {
            return Err(Unreadable("another key, expected binaries as keys".into()));
        }
        self.value = Some(value);
        seed.deserialize(self.outer.inner(key)?).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unreadable> {
        let value = self.value.take().ok_or_else(|| Unreadable::custom("a value without its key"))?;
        seed.deserialize(self.outer.inner(value)?)
    }
}
