//! The header, the list of symbols and the code are one.
#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use std::{collections::BTreeMap, ffi::c_char, mem::offset_of};

use serde_json::Value;
use token_embed::{ABI, ERRORS_JSON, authority::Authority};

use crate::{
    authority, buffer,
    buffer::Buf,
    slice::{Slice, Slices},
    status,
    status::Status,
    typed,
    typed::{ConfineRequest, Verified, VerifyRequest},
    verbs,
};

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
    u64 = "uint64_t",
    Slice = "onetoken_slice",
    Slices = "onetoken_slices",
    *const Slice = "const onetoken_slice *",
    *const VerifyRequest = "const onetoken_verify_request *",
    *const ConfineRequest = "const onetoken_confine_request *",
    *mut Verified = "onetoken_verified *",
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
    unsafe extern "C" fn(A, B) -> R: A B,
    unsafe extern "C" fn(A, B, C) -> R: A B C,
    unsafe extern "C" fn(A, B, C, D) -> R: A B C D,
}

/// The functions of the code.
fn code() -> BTreeMap<String, String> {
    let own: [(&str, &dyn Signature); 7] = [
        ("onetoken_verify_typed", &(typed::onetoken_verify_typed as unsafe extern "C" fn(_, _, _) -> _)),
        ("onetoken_confine_typed", &(typed::onetoken_confine_typed as unsafe extern "C" fn(_, _) -> _)),
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
    let (head, name) = text.split_at(at);
    (head.trim_end(), name)
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

/// The members of a struct of the header, with their types.
fn members(name: &str) -> Vec<(&'static str, &'static str)> {
    let body =
        HEADER.split_once(&format!("typedef struct {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
    let lines = body.lines().map(str::trim).filter_map(|line| line.strip_suffix(';'));
    lines.map(typed).collect()
}

/// Checks that a struct has the members of the header, in their order, at the places where C puts them.
macro_rules! is_laid_out {
    ($type:ident = $name:literal { $($member:ident: $as:ty,)+ }) => {
        let mut end = 0;
        $(
            end = usize::next_multiple_of(end, align_of::<$as>());
            assert_eq!(offset_of!($type, $member), end, "{}", stringify!($member));
            end += size_of::<$as>();
        )+
        assert_eq!(size_of::<$type>(), end.next_multiple_of(align_of::<$type>()));
        let expected = [$((<$as>::NAME, stringify!($member).trim_start_matches("r#"))),+];
        assert_eq!(members($name), expected);
        // That the members have these types.
        let _ = |it: &$type| { $(let _: &$as = &it.$member;)+ };
    };
}

#[test]
fn the_structs_are_laid_out_as_declared() {
    is_laid_out!(Buf = "onetoken_buf" { data: *mut u8, len: usize, capacity: usize, });
    is_laid_out!(Slice = "onetoken_slice" { data: *const c_char, len: usize, });
    is_laid_out!(Slices = "onetoken_slices" { data: *const Slice, len: usize, });
    is_laid_out!(VerifyRequest = "onetoken_verify_request" {
        size: usize,
        token: Slice,
        secret: Slice,
        root_key: Slice,
        r#as: Slice,
        supported: Slices,
        ignored: Slices,
        exact: Slices,
        discharges: Slices,
        now: u64,
        ip: Slice,
        country: Slice,
        regions: Slices,
        service: Slice,
        consumer: Slice,
        groups: Slices,
        interface: Slice,
        session: Slice,
        scope: Slice,
        asn: u32,
        allow_data_caveats: u32,
    });
    is_laid_out!(ConfineRequest = "onetoken_confine_request" { size: usize, token: Slice, caveats: Slices, });
    is_laid_out!(Verified = "onetoken_verified" {
        size: usize,
        identifier: Slice,
        subject: Slice,
        r#type: Slice,
        session: Slice,
        target: Slice,
        caveats: Slices,
        expires_at: u64,
    });
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
