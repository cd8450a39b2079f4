//! Terms as a form that serde writes: maps with binaries as keys, binaries, lists, numbers, and the atoms `true`, `false`
//! and `null`.

use std::fmt;

use rustler::{Encoder, Env, NewBinary, Term};
use serde::{
    Serialize, Serializer,
    ser::{self, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct},
};
use token_embed::{Code, Error};

use crate::atoms;

/// Writes a document as a term.
pub(crate) fn written<'a>(env: Env<'a>, document: &impl Serialize) -> Result<Term<'a>, Error> {
    document.serialize(Writer(env)).map_err(|_| Error::new(Code::Panic))
}

#[derive(Clone, Copy)]
struct Writer<'a>(Env<'a>);

/// A document that no term can have, which no answer is.
#[derive(Debug)]
struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document cannot be written as a term")
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'a> Writer<'a> {
    fn binary(self, bytes: &[u8]) -> Term<'a> {
        let mut binary = NewBinary::new(self.0, bytes.len());
        binary.as_mut_slice().copy_from_slice(bytes);
        binary.into()
    }

    fn items(self, len: Option<usize>) -> Items<'a> {
        Items { writer: self, items: Vec::with_capacity(len.unwrap_or_default()) }
    }

    fn pairs(self, len: Option<usize>) -> Pairs<'a> {
        let len = len.unwrap_or_default();
        Pairs { writer: self, keys: Vec::with_capacity(len), values: Vec::with_capacity(len) }
    }
}

macro_rules! encoded {
    ($($method:ident $type:ty),+) => {
        $(fn $method(self, value: $type) -> Result<Term<'a>, Unwritable> {
            Ok(value.encode(self.0))
        })+
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = Term<'a>;
    type Error = Unwritable;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = ser::Impossible<Term<'a>, Unwritable>;
    type SerializeMap = Pairs<'a>;
    type SerializeStruct = Pairs<'a>;
    type SerializeStructVariant = ser::Impossible<Term<'a>, Unwritable>;

    encoded! {
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_f32 f32, serialize_f64 f64
    }

    fn serialize_char(self, value: char) -> Result<Term<'a>, Unwritable> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Term<'a>, Unwritable> {
        Ok(self.binary(value.as_bytes()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Term<'a>, Unwritable> {
        Ok(self.binary(value))
    }

    fn serialize_none(self) -> Result<Term<'a>, Unwritable> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Term<'a>, Unwritable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Term<'a>, Unwritable> {
        Ok(atoms::null().encode(self.0))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Term<'a>, Unwritable> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Term<'a>, Unwritable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Term<'a>, Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Term<'a>, Unwritable> {
        let mut pairs = self.pairs(Some(1));
        pairs.serialize_entry(variant, value)?;
        SerializeMap::end(pairs)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'a>, Unwritable> {
        Ok(self.items(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'a>, Unwritable> {
        Ok(self.items(Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items<'a>, Unwritable> {
        Ok(self.items(Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unwritable> {
        Err(Unwritable)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Pairs<'a>, Unwritable> {
        Ok(self.pairs(len))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Pairs<'a>, Unwritable> {
        Ok(self.pairs(Some(len)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unwritable> {
        Err(Unwritable)
    }
}

struct Items<'a> {
    writer: Writer<'a>,
    items: Vec<Term<'a>>,
}

impl<'a> SerializeSeq for Items<'a> {
    type Ok = Term<'a>;
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.items.push(value.serialize(self.writer)?);
        Ok(())
    }

    fn end(self) -> Result<Term<'a>, Unwritable> {
        Ok(self.items.encode(self.writer.0))
    }
}

impl<'a> SerializeTuple for Items<'a> {
    type Ok = Term<'a>;
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Term<'a>, Unwritable> {
        SerializeSeq::end(self)
    }
}

impl<'a> SerializeTupleStruct for Items<'a> {
    type Ok = Term<'a>;
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Term<'a>, Unwritable> {
        SerializeSeq::end(self)
    }
}

struct Pairs<'a> {
    writer: Writer<'a>,
    keys: Vec<Term<'a>>,
    values: Vec<Term<'a>>,
}

impl<'a> SerializeMap for Pairs<'a> {
    type Ok = Term<'a>;
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.keys.push(key.serialize(self.writer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.values.push(value.serialize(self.writer)?);
        Ok(())
    }

    fn end(self) -> Result<Term<'a>, Unwritable> {
        Term::map_from_term_arrays(self.writer.0, &self.keys, &self.values).map_err(|_| Unwritable)
    }
}

impl<'a> SerializeStruct for Pairs<'a> {
    type Ok = Term<'a>;
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        self.serialize_entry(key, value)
    }

    fn end(self) -> Result<Term<'a>, Unwritable> {
        SerializeMap::end(self)
    }
}
