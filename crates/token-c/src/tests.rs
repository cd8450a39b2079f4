//! The header, the list of symbols and the code are one.

use std::{collections::BTreeMap, ffi::c_char, mem::offset_of};

use serde_json::Value;
use token_embed::{ABI, ERRORS_JSON, authority::Authority};

use crate::{authority, buffer, buffer::Buf, status, status::Status, verbs};

const HEADER: &str = include_str!("../include/onetoken.h");
const SYMBOLS: &str = include_str!("../symbols.txt");

/// How C writes a type.
trait InC {
    const NAME: &'static str;
}

macro_rules! in_c {
    ($($type:ty = $name:literal,)+) => { $(impl InC for $type { const NAME: &'static str = $name; })+ };
}

in_c! {
    () = "void",
    u32 = "uint32_t",
    usize = "size_t",
    Status = "onetoken_status",
    *const c_char = "const char *",
    *mut u8 = "uint8_t *",
    *mut Buf = "onetoken_buf *",
    *const Authority = "const onetoken_authority *",
    *mut *mut Authority = "onetoken_authority **",
}

/// A function's type as C writes it, without names.
trait Signature {
    fn in_c(&self) -> String;
}

macro_rules! signatures {
    ($($abi:ty: $($part:ident)*,)+) => {
        $(impl<R: InC $(, $part: InC)*> Signature for $abi {
            fn in_c(&self) -> String {
                let parts: &[&str] = &[$($part::NAME),*];
                let parts = if parts.is_empty() { &["void"] } else { parts };
                format!("{}({})", R::NAME, parts.join(","))
            }
        })+
    };
}

signatures! {
    extern "C" fn() -> R: ,
    extern "C" fn(A) -> R: A,
    unsafe extern "C" fn(A) -> R: A,
    unsafe extern "C" fn(A, B, C) -> R: A B C,
    unsafe extern "C" fn(A, B, C, D) -> R: A B C D,
}

/// The functions of the code.
fn code() -> BTreeMap<String, String> {
    let own: [(&str, &dyn Signature); 5] = [
        ("onetoken_buf_free", &(buffer::onetoken_buf_free as unsafe extern "C" fn(_) -> _)),
        ("onetoken_status_name", &(status::onetoken_status_name as extern "C" fn(_) -> _)),
        ("onetoken_abi_version", &(status::onetoken_abi_version as extern "C" fn() -> _)),
        (
            "onetoken_authority_open",
            &(authority::onetoken_authority_open as unsafe extern "C" fn(_, _, _, _) -> _),
        ),
        ("onetoken_authority_close", &(authority::onetoken_authority_close as unsafe extern "C" fn(_) -> _)),
    ];
    let verbs = verbs::VERBS.iter().map(|(name, _, function)| (*name, function as &dyn Signature));
    let of_authority = authority::VERBS.iter().map(|(name, _, function)| (*name, function as &dyn Signature));
    verbs.chain(of_authority).chain(own).map(|(name, function)| (name.to_owned(), function.in_c())).collect()
}

/// The functions of the header: `ONETOKEN_API TYPE NAME(TYPE NAME, …);`
fn header() -> BTreeMap<String, String> {
    HEADER
        .split("\nONETOKEN_API ")
        .skip(1)
        .map(|text| {
            let function = text.split_once(';').unwrap().0;
            let checked = function.strip_suffix(" ONETOKEN_MUST_CHECK");
            assert_eq!(checked.is_some(), function.starts_with("onetoken_status "), "{function}");
            let function = checked.unwrap_or(function);
            let (head, parts) = function.strip_suffix(')').unwrap().split_once('(').unwrap();
            let (result, name) = typed(head);
            let parts: Vec<_> =
                parts.split(", ").map(|part| if part == "void" { part } else { typed(part).0 }).collect();
            (name.to_owned(), format!("{result}({})", parts.join(",")))
        })
        .collect()
}

/// Cuts `const char *name` into the type and the name.
fn typed(text: &str) -> (&str, &str) {
    let at = text.rfind(|it: char| it != '_' && !it.is_ascii_alphanumeric()).unwrap() + 1;
    (text[..at].trim_end(), &text[at..])
}

#[test]
fn the_header_declares_the_functions_of_the_code() {
    assert_eq!(header(), code());
    assert_eq!(header().len(), HEADER.matches("\nONETOKEN_API ").count());
}

#[test]
fn the_symbols_are_those_of_the_header() {
    assert_eq!(SYMBOLS.lines().collect::<Vec<_>>(), header().keys().collect::<Vec<_>>());
}

#[test]
fn every_verb_has_a_function() {
    let verbs: Vec<_> = verbs::VERBS.iter().map(|(_, verb, _)| *verb).collect();
    assert_eq!(verbs, token_embed::VERBS);
    for (function, verb, _) in verbs::VERBS {
        assert_eq!(*function, format!("onetoken_{verb}"));
    }
    let verbs: Vec<_> = authority::VERBS.iter().map(|(_, verb, _)| *verb).collect();
    assert_eq!(verbs, token_embed::authority::VERBS);
    for (function, verb, _) in authority::VERBS {
        assert_eq!(*function, format!("onetoken_authority_{verb}"));
    }
}

#[test]
fn the_buffer_is_laid_out_as_declared() {
    let members = HEADER.split_once("typedef struct onetoken_buf {").unwrap().1.split_once('}').unwrap().0;
    let members: Vec<_> = members.split(';').filter_map(|it| it.split("*/").last()).map(str::trim).collect();
    assert_eq!(members, ["uint8_t *data", "size_t len", "size_t capacity", ""]);
    let word = size_of::<usize>();
    assert_eq!(
        [offset_of!(Buf, data), offset_of!(Buf, len), offset_of!(Buf, capacity), size_of::<Buf>()],
        [0, word, 2 * word, 3 * word]
    );
    assert_eq!(size_of::<Status>(), 4);
    assert!(HEADER.contains("typedef int32_t onetoken_status;"));
}

#[test]
fn the_header_has_the_list_of_errors() {
    let mut expected = String::from("  /** Success. */\n  ONETOKEN_OK = 0,\n");
    for entry in serde_json::from_str::<Vec<Value>>(ERRORS_JSON).unwrap() {
        let (code, means) = (entry["code"].as_str().unwrap(), entry["means"].as_str().unwrap());
        let name = code.to_uppercase();
        expected += &format!("  /** {means} */\n  ONETOKEN_{name} = {},\n", entry["number"]);
    }
    let expected = format!("enum {{\n{}\n}};\n", expected.strip_suffix(",\n").unwrap());
    assert!(HEADER.contains(&expected), "include/onetoken.h lacks\n{expected}");
}

#[test]
fn a_status_has_its_word() {
    // SAFETY: the words are static.
    let name = |status| unsafe { std::ffi::CStr::from_ptr(status::onetoken_status_name(status)) };
    assert_eq!(name(Status::OK), c"ok");
    for code in token_embed::Code::ALL {
        assert_eq!(name(code.into()).to_str(), Ok(code.as_str()));
    }
}

#[test]
fn the_version_is_one() {
    assert!(HEADER.contains(&format!("\n#define ONETOKEN_ABI_VERSION {ABI}\n")));
    assert!(include_str!("../build.rs").contains(&format!("libonetoken.so.{ABI}\"")));
    assert!(include_str!("../Makefile").contains(&format!("\nABI = {ABI}\n")));
}
