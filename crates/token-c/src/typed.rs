//! `verify` and `confine` by structs, for callers to whom writing and reading JSON takes too long.

use std::iter;

use token_embed::{Confine, Error, TokenType, Verify};

use crate::{
    boundary,
    buffer::Buf,
    slice::{Reader, Slice, Slices, Value},
    status::Status,
};

/// `onetoken_verify_request`
#[repr(C)]
pub(crate) struct VerifyRequest {
    pub(crate) size: usize,
    pub(crate) token: Slice,
    pub(crate) secret: Slice,
    pub(crate) root_key: Slice,
    pub(crate) r#as: Slice,
    pub(crate) supported: Slices,
    pub(crate) ignored: Slices,
    pub(crate) exact: Slices,
    pub(crate) discharges: Slices,
    pub(crate) now: u64,
    pub(crate) ip: Slice,
    pub(crate) country: Slice,
    pub(crate) regions: Slices,
    pub(crate) service: Slice,
    pub(crate) consumer: Slice,
    pub(crate) groups: Slices,
    pub(crate) interface: Slice,
    pub(crate) session: Slice,
    pub(crate) scope: Slice,
    pub(crate) asn: u32,
    pub(crate) allow_data_caveats: u32,
}

impl VerifyRequest {
    fn read(&self) -> Result<Verify<'_>, Error> {
        let mut reader = Reader::new();
        let context = [
            Reader::number("now", self.now),
            reader.bytes("ip", &self.ip)?,
            Reader::number("asn", self.asn),
            reader.bytes("country", &self.country)?,
            reader.list("regions", &self.regions)?,
            reader.bytes("service", &self.service)?,
            reader.bytes("consumer", &self.consumer)?,
            reader.list("groups", &self.groups)?,
            reader.bytes("interface", &self.interface)?,
            reader.bytes("session", &self.session)?,
            reader.bytes("scope", &self.scope)?,
            Reader::flag("allowDataCaveats", self.allow_data_caveats),
        ];
        let members = [
            reader.bytes("token", &self.token)?,
            reader.bytes("secret", &self.secret)?,
            reader.bytes("rootKey", &self.root_key)?,
            Some(("context", Value::Object(&context))),
            reader.bytes("as", &self.r#as)?,
            reader.list("supported", &self.supported)?,
            reader.list("ignored", &self.ignored)?,
            reader.list("exact", &self.exact)?,
            reader.list("discharges", &self.discharges)?,
        ];
        Verify::read(Value::Object(&members))
    }
}

/// `onetoken_verified`
#[repr(C)]
pub(crate) struct Verified {
    pub(crate) size: usize,
    pub(crate) identifier: Slice,
    pub(crate) subject: Slice,
    pub(crate) r#type: Slice,
    pub(crate) session: Slice,
    pub(crate) target: Slice,
    pub(crate) caveats: Slices,
    pub(crate) expires_at: u64,
}

impl Verified {
    const EMPTY: Self = Self {
        size: size_of::<Self>(),
        identifier: Slice::NONE,
        subject: Slice::NONE,
        r#type: Slice::NONE,
        session: Slice::NONE,
        target: Slice::NONE,
        caveats: Slices::NONE,
        expires_at: 0,
    };

    /// Copies what was found. The slices point into the memory that is returned.
    fn of(found: &token_embed::Verified) -> (Self, Vec<u8>) {
        let stated = found.stated();
        let subject = stated.map(|stated| stated.subject.to_string());
        let (name, session, target) = match stated.map(|stated| stated.token_type) {
            Some(TokenType::Access { session }) => (Some("access"), session, None),
            Some(TokenType::Identity) => (Some("identity"), None, None),
            Some(TokenType::Invite { invite, target }) => (Some(invite.name()), None, Some(target)),
            _ => (None, None, None),
        };
        let parts = [subject.as_deref(), name, session, target].map(|part| part.map(str::as_bytes));
        let mut memory = Vec::with_capacity(256);
        for text in [found.identifier()].into_iter().chain(parts.into_iter().flatten()).chain(found.caveats())
        {
            memory.extend_from_slice(text);
            memory.push(0);
        }
        // Room for the list, its padding and the NUL of a buffer: from here on the memory stays where it is.
        let count = found.caveats().count();
        memory.reserve(count.saturating_mul(size_of::<Slice>()).saturating_add(align_of::<Slice>()));
        let mut at = memory.as_ptr();
        let mut slice = |text: &[u8]| {
            let data = at.cast();
            at = at.wrapping_add(text.len()).wrapping_add(1);
            Slice { data, len: text.len() }
        };
        let identifier = slice(found.identifier());
        let [subject, name, session, target] = parts.map(|part| part.map_or(Slice::NONE, &mut slice));
        let padding = memory.as_ptr().wrapping_add(memory.len()).align_offset(align_of::<Slice>());
        memory.extend(iter::repeat_n(0, padding));
        let data = memory.as_ptr().wrapping_add(memory.len()).cast();
        for caveat in found.caveats().map(slice) {
            memory.extend_from_slice(&caveat.data.expose_provenance().to_ne_bytes());
            memory.extend_from_slice(&caveat.len.to_ne_bytes());
        }
        let caveats = Slices { data, len: count };
        let expires_at = found.expires_at().map_or(0, |time| time.as_secs());
        let size = size_of::<Self>();
        (Self { size, identifier, subject, r#type: name, session, target, caveats, expires_at }, memory)
    }
}

/// `onetoken_confine_request`
#[repr(C)]
pub(crate) struct ConfineRequest {
    pub(crate) size: usize,
    pub(crate) token: Slice,
    pub(crate) caveats: Slices,
}

impl ConfineRequest {
    fn read(&self) -> Result<Confine<'_>, Error> {
        let mut reader = Reader::new();
        let members = [reader.bytes("token", &self.token)?, reader.list("caveats", &self.caveats)?];
        Confine::read(Value::Object(&members))
    }
}

/// Checks that a struct is there and has the size of this version. A version that adds members has to take the sizes of
/// earlier ones as well.
///
/// # Safety
/// `pointer` is NULL or points to a struct that begins with its size.
unsafe fn sized<T>(name: &'static str, pointer: *const T) -> Result<(), Error> {
    if pointer.is_null() {
        return Err(Error::argument(name, "it is NULL"));
    }
    if !pointer.is_aligned() {
        return Err(Error::argument(name, "it is not aligned"));
    }
    // SAFETY: the caller promises that it begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size == size_of::<T>() {
        Ok(())
    } else {
        Err(Error::argument(name, "its size is not of this version"))
    }
}

/// The verb `verify`.
///
/// # Safety
/// `request` and `verified` are NULL or point to structs of the sizes that they state, `verified` to one that nothing else
/// uses. Each slice of the request has as many items as it states. `answer` is as for [`boundary::fill`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn onetoken_verify_typed(
    request: *const VerifyRequest,
    verified: *mut Verified,
    answer: *mut Buf,
) -> Status {
    // SAFETY: the caller promises NULL or such a struct.
    let is_there = unsafe { sized("verified", verified) };
    if is_there.is_ok() {
        // What an earlier call left there must not pass for the answer of this one.
        // SAFETY: it is aligned and of this size.
        unsafe { verified.write(Verified::EMPTY) };
    }
    let verify = || {
        is_there?;
        // SAFETY: the caller promises NULL or such a struct.
        unsafe { sized("request", request) }?;
        // SAFETY: it is aligned and of this size, and the caller promises that it stays as it is.
        let request = unsafe { &*request };
        let (found, memory) = Verified::of(&request.read()?.answer()?);
        // SAFETY: it is aligned and of this size.
        unsafe { verified.write(found) };
        Ok(memory)
    };
    // SAFETY: the caller promises such a buffer.
    unsafe { boundary::fill(answer, verify) }
}

/// The verb `confine`. The answer is the text of the token.
///
/// # Safety
/// As for [`onetoken_verify_typed`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn onetoken_confine_typed(
    request: *const ConfineRequest,
    answer: *mut Buf,
) -> Status {
    let confine = || {
        // SAFETY: the caller promises NULL or such a struct.
        unsafe { sized("request", request) }?;
        // SAFETY: it is aligned and of this size, and the caller promises that it stays as it is.
        let request = unsafe { &*request };
        Ok(request.read()?.answer()?.into_token().into_bytes())
    };
    // SAFETY: the caller promises such a buffer.
    unsafe { boundary::fill(answer, confine) }
}
