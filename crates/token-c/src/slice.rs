//! Slices of C, and the members of a struct as a form that serde reads. Nothing is copied.

use std::{ffi::c_char, ptr, slice, str};

use serde::{
    Deserializer,
    de::{
        Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{self, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use token_embed::{Error, MAX_REQUEST};

/// `onetoken_slice`: bytes, or nothing where `data` is NULL. In a request, `data` points to `len` bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Slice {
    pub(crate) data: *const c_char,
    pub(crate) len: usize,
}

/// `onetoken_slices`: a list, or nothing where `data` is NULL. In a request, `data` points to `len` slices.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Slices {
    pub(crate) data: *const Slice,
    pub(crate) len: usize,
}

impl Slice {
    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0 };
}

impl Slices {
    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0 };
}

/// A member of a request, by its name in JSON; `None` if it is absent.
pub(crate) type Member<'m, 'a> = Option<(&'static str, Value<'m, 'a>)>;

/// The value of a member, which lies in the request (`'a`) or in a list of members (`'m`).
#[derive(Clone, Copy)]
pub(crate) enum Value<'m, 'a> {
    Number(u64),
    True,
    Bytes(&'a [u8]),
    List(List<'a>),
    Object(&'m [Member<'m, 'a>]),
}

/// Slices that were checked: each points to bytes.
#[derive(Clone, Copy)]
pub(crate) struct List<'a>(&'a [Slice]);

impl<'a> List<'a> {
    fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        // SAFETY: `Reader::list` took each of them.
        self.0.iter().map(|item| unsafe { slice::from_raw_parts(item.data.cast(), item.len) })
    }
}

/// Makes members of what a struct holds, as long as the request does not become too long.
pub(crate) struct Reader {
    left: usize,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { left: MAX_REQUEST }
    }

    /// A number, unless it is 0.
    pub(crate) fn number<'m, 'a>(name: &'static str, number: impl Into<u64>) -> Member<'m, 'a> {
        let number = number.into();
        (number != 0).then_some((name, Value::Number(number)))
    }

    /// True, for any number but 0.
    pub(crate) fn flag<'m, 'a>(name: &'static str, flag: u32) -> Member<'m, 'a> {
        (flag != 0).then_some((name, Value::True))
    }

    /// A text or bytes.
    pub(crate) fn bytes<'m, 'a>(
        &mut self,
        name: &'static str,
        bytes: &'a Slice,
    ) -> Result<Member<'m, 'a>, Error> {
        // SAFETY: a slice of a request points to this many bytes.
        let bytes = unsafe { self.take(name, bytes.data.cast(), bytes.len) }?;
        Ok(bytes.map(|bytes| (name, Value::Bytes(bytes))))
    }

    /// A list of texts or bytes.
    pub(crate) fn list<'m, 'a>(
        &mut self,
        name: &'static str,
        list: &'a Slices,
    ) -> Result<Member<'m, 'a>, Error> {
        // SAFETY: a list of a request points to this many slices.
        let Some(items) = (unsafe { self.take(name, list.data, list.len) })? else { return Ok(None) };
        for item in items {
            // SAFETY: as for `bytes`.
            let bytes = unsafe { self.take::<u8>(name, item.data.cast(), item.len) }?;
            bytes.ok_or_else(|| Error::argument(name, "an item is NULL"))?;
        }
        Ok(Some((name, Value::List(List(items)))))
    }

    /// # Safety
    /// `data` is NULL or points to `len` items, which stay as they are for `'a`.
    unsafe fn take<'a, T>(
        &mut self,
        name: &'static str,
        data: *const T,
        len: usize,
    ) -> Result<Option<&'a [T]>, Error> {
        match (data.is_null(), len) {
            (true, 0) => return Ok(None),
            (true, _) => return Err(Error::argument(name, "it is NULL")),
            _ if !data.is_aligned() => return Err(Error::argument(name, "it is not aligned")),
            _ => {}
        }
        let size = len.checked_mul(size_of::<T>());
        let left = size.and_then(|size| self.left.checked_sub(size));
        self.left = left.ok_or_else(Error::request_too_large)?;
        // SAFETY: the caller promises the items. They are shorter than a request, and so than the longest slice.
        Ok(Some(unsafe { slice::from_raw_parts(data, len) }))
    }
}

impl<'de> IntoDeserializer<'de> for Value<'_, 'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self {
            Self::Number(number) => visitor.visit_u64(number),
            Self::True => visitor.visit_bool(true),
            Self::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(bytes),
            },
            Self::List(list) => visitor.visit_seq(SeqDeserializer::new(list.iter().map(Value::Bytes))),
            Self::Object(members) => {
                visitor.visit_map(MapDeserializer::new(members.iter().copied().flatten()))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        match self {
            Self::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(word) => visitor.visit_enum(word.into_deserializer()),
                Err(_) => Err(value::Error::invalid_type(Unexpected::Other("bytes"), &"UTF-8")),
            },
            _ => Err(value::Error::invalid_type(Unexpected::Other("no word"), &"a word")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
