//! A request: a deserializer over the arguments of a call. It reads str, bytes, bytearray, int, float, bool, None, list,
//! tuple and dict, and runs no code of Python. Texts and bytes that are arguments themselves are borrowed.

use std::{cell::Cell, fmt};

use pyo3::{
    prelude::*,
    pybacked::PyBackedStr,
    types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple},
};
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer},
    },
    forward_to_deserialize_any,
};
use token_embed::{Error, MAX_REQUEST};

/// How deep lists and dicts may lie in each other. No document is deeper than 8.
const MAX_DEPTH: u8 = 32;

/// What an item of a list or a dict counts for beside its content, in bytes: as much as in JSON.
const ITEM: usize = 4;

/// The arguments of one call.
pub(crate) struct Arguments<'py> {
    named: Vec<(&'static str, Argument<'py>)>,
    others: Option<Bound<'py, PyDict>>,
    left: Left,
}

enum Argument<'py> {
    Text(PyBackedStr),
    Object(Bound<'py, PyAny>),
}

impl<'py> Arguments<'py> {
    /// Takes the arguments that the function names, each under its name in documents, and all others.
    pub(crate) fn new<const N: usize>(
        named: [(&'static str, Option<Bound<'py, PyAny>>); N],
        others: Option<Bound<'py, PyDict>>,
    ) -> Self {
        let left = Left { bytes: Cell::new(MAX_REQUEST), exceeded: Cell::new(false) };
        let argument = |(name, object): (_, Option<Bound<'py, PyAny>>)| {
            let object = object.filter(|object| !object.is_none())?;
            // A text that cannot be read is refused when its turn comes.
            let text = object.cast::<PyString>().ok().and_then(|text| {
                left.encode(text, |text| PyBackedStr::try_from(text.clone()), |text| text.len()).ok()
            });
            Some((name, text.map_or(Argument::Object(object), Argument::Text)))
        };
        let named = named.into_iter().filter_map(argument).collect();
        Self { named, others, left }
    }

    /// Reads the request.
    pub(crate) fn read<'a, R>(
        &'a self,
        read: impl FnOnce(Reader<'a, 'py>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let read = read(Reader(self));
        if self.left.exceeded.get() { Err(Error::request_too_large()) } else { read }
    }

    /// Returns the length of what was read, in bytes.
    pub(crate) fn len(&self) -> usize {
        MAX_REQUEST.saturating_sub(self.left.bytes.get())
    }
}

/// What is left of the longest request.
struct Left {
    bytes: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Left {
    fn take(&self, bytes: usize) -> Result<(), Unreadable> {
        match self.bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => {
                self.exceeded.set(true);
                Err(Unreadable(String::new()))
            }
        }
    }

    /// Returns the UTF-8 of a text, unless it is too long, which is known before it is encoded. The length of a subclass of
    /// `str` is not asked for: that may run code of Python.
    fn encode<'t, 'py, T>(
        &self,
        text: &'t Bound<'py, PyString>,
        encode: impl FnOnce(&'t Bound<'py, PyString>) -> PyResult<T>,
        len: impl FnOnce(&T) -> usize,
    ) -> Result<T, Unreadable> {
        if text.is_exact_instance_of::<PyString>() {
            let characters = text.len().unwrap_or(usize::MAX);
            if characters > self.bytes.get() {
                self.take(characters)?;
            }
        }
        // The exception would hold the text.
        let encoded = encode(text).map_err(|_| Unreadable::expected("a text without surrogates"))?;
        self.take(len(&encoded))?;
        Ok(encoded)
    }
}

/// Why a request cannot be read. The message is the one that `token_embed` strips of all values.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl Unreadable {
    fn expected(what: &str) -> Self {
        Self(format!("something else, expected {what}"))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl serde::de::Error for Unreadable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Reads the arguments as an object.
pub(crate) struct Reader<'a, 'py>(&'a Arguments<'py>);

impl<'a> Deserializer<'a> for Reader<'a, '_> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let Self(Arguments { named, others, left }) = self;
        let others = others.as_ref().map(|others| Entries::new(others, left, 1));
        visitor.visit_map(Members { named: named.iter(), value: None, others, left })
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Members<'a, 'py> {
    named: std::slice::Iter<'a, (&'static str, Argument<'py>)>,
    value: Option<&'a Argument<'py>>,
    others: Option<Entries<'a, 'py>>,
    left: &'a Left,
}

impl<'a> MapAccess<'a> for Members<'a, '_> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        match (self.named.next(), &mut self.others) {
            (Some((name, argument)), _) => {
                self.value = Some(argument);
                seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
            }
            (None, Some(others)) => others.next_key_seed(seed),
            (None, None) => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Unreadable> {
        match (self.value.take(), &mut self.others) {
            (Some(Argument::Text(text)), _) => seed.deserialize(Value::at(Source::Text(text), self.left, 1)),
            (Some(Argument::Object(object)), _) => {
                let from = match object.cast::<PyBytes>() {
                    Ok(bytes) => Source::Bytes(bytes.as_bytes()),
                    Err(_) => Source::Object(object),
                };
                seed.deserialize(Value::at(from, self.left, 1))
            }
            (None, Some(others)) => others.next_value_seed(seed),
            (None, None) => Err(Unreadable::expected("a name before a value")),
        }
    }
}

/// What a value is read from: a text or bytes that outlast the request, or any object.
enum Source<'a, 'v, 'py> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Object(&'v Bound<'py, PyAny>),
}

/// A value, and how deep it lies.
struct Value<'a, 'v, 'py> {
    from: Source<'a, 'v, 'py>,
    left: &'a Left,
    depth: u8,
}

impl<'a, 'v, 'py> Value<'a, 'v, 'py> {
    fn at(from: Source<'a, 'v, 'py>, left: &'a Left, depth: u8) -> Self {
        Self { from, left, depth }
    }

    /// Returns the depth of what is in it.
    fn deeper(&self) -> Result<u8, Unreadable> {
        let depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH);
        depth.ok_or_else(|| Unreadable::expected("no more lists and dicts inside each other"))
    }

    fn encode(&self, text: &Bound<'py, PyString>) -> Result<Bound<'py, PyBytes>, Unreadable> {
        self.left.encode(text, Bound::encode_utf8, |bytes| bytes.as_bytes().len())
    }
}

/// Returns the text, which Python has encoded.
fn utf8<'t>(bytes: &'t Bound<'_, PyBytes>) -> Result<&'t str, Unreadable> {
    str::from_utf8(bytes.as_bytes()).map_err(|_| Unreadable::expected("a text in UTF-8"))
}

fn integer<'de, V: Visitor<'de>>(integer: &Bound<'_, PyInt>, visitor: V) -> Result<V::Value, Unreadable> {
    if let Ok(natural) = integer.extract::<u64>() {
        visitor.visit_u64(natural)
    } else if let Ok(integer) = integer.extract::<i64>() {
        visitor.visit_i64(integer)
    } else {
        Err(Unreadable::expected("an integer of 64 bits"))
    }
}

impl<'a> Deserializer<'a> for Value<'a, '_, '_> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let object = match self.from {
            Source::Text(text) => return visitor.visit_borrowed_str(text),
            Source::Bytes(bytes) => {
                self.left.take(bytes.len())?;
                return visitor.visit_borrowed_bytes(bytes);
            }
            Source::Object(object) => object,
        };
        if let Ok(text) = object.cast::<PyString>() {
            visitor.visit_str(utf8(&self.encode(text)?)?)
        } else if let Ok(dict) = object.cast::<PyDict>() {
            visitor.visit_map(Entries::new(dict, self.left, self.deeper()?))
        } else if let Ok(list) = object.cast::<PyList>() {
            visitor.visit_seq(Items { items: list.iter(), left: self.left, depth: self.deeper()? })
        } else if let Ok(flag) = object.cast::<PyBool>() {
            visitor.visit_bool(flag.is_true())
        } else if let Ok(number) = object.cast::<PyInt>() {
            integer(number, visitor)
        } else if object.is_none() {
            visitor.visit_unit()
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            self.left.take(bytes.as_bytes().len())?;
            visitor.visit_bytes(bytes.as_bytes())
        } else if let Ok(bytes) = object.cast::<PyByteArray>() {
            self.left.take(bytes.len())?;
            visitor.visit_byte_buf(bytes.to_vec())
        } else if let Ok(tuple) = object.cast::<PyTuple>() {
            visitor.visit_seq(Items { items: tuple.iter(), left: self.left, depth: self.deeper()? })
        } else if let Ok(float) = object.cast::<PyFloat>() {
            visitor.visit_f64(float.value())
        } else {
            Err(serde::de::Error::invalid_type(Unexpected::Other("another object"), &visitor))
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.from {
            Source::Object(object) if object.is_none() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Reads a name, or a dict of one name with its content.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let object = match self.from {
            Source::Text(text) => return visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            Source::Bytes(_) => return self.deserialize_any(visitor),
            Source::Object(object) => object,
        };
        if let Ok(text) = object.cast::<PyString>() {
            visitor.visit_enum(utf8(&self.encode(text)?)?.into_deserializer())
        } else {
            match object.cast::<PyDict>() {
                Ok(dict) if dict.len() == 1 => {
                    let entries = Entries::new(dict, self.left, self.deeper()?);
                    visitor.visit_enum(MapAccessDeserializer::new(entries))
                }
                _ => Err(Unreadable::expected("a text, or a dict of one item")),
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The items of a list or a tuple.
struct Items<'a, I> {
    items: I,
    left: &'a Left,
    depth: u8,
}

impl<'a, 'py, I: Iterator<Item = Bound<'py, PyAny>>> SeqAccess<'a> for Items<'a, I> {
    type Error = Unreadable;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Unreadable> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.left.take(ITEM)?;
        seed.deserialize(Value::at(Source::Object(&item), self.left, self.depth)).map(Some)
    }
}

/// The entries of a dict.
struct Entries<'a, 'py> {
    entries: pyo3::types::iter::BoundDictIterator<'py>,
    value: Option<Bound<'py, PyAny>>,
    left: &'a Left,
    depth: u8,
}

impl<'a, 'py> Entries<'a, 'py> {
    fn new(dict: &Bound<'py, PyDict>, left: &'a Left, depth: u8) -> Self {
        Self { entries: dict.iter(), value: None, left, depth }
    }
}

impl<'a> MapAccess<'a> for Entries<'a, '_> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.left.take(ITEM)?;
        self.value = Some(value);
        if !key.is_instance_of::<PyString>() {
            return Err(Unreadable::expected("names that are texts"));
        }
        seed.deserialize(Value::at(Source::Object(&key), self.left, self.depth)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Unreadable> {
        let Some(value) = self.value.take() else {
            return Err(Unreadable::expected("a name before a value"));
        };
        seed.deserialize(Value::at(Source::Object(&value), self.left, self.depth))
    }
}
