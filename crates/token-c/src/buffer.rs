//! The buffer that an answer is handed out in.

use std::{
    mem::{self, ManuallyDrop, MaybeUninit},
    ptr,
    sync::atomic::{Ordering, compiler_fence},
};

/// `onetoken_buf`: bytes of a `Vec`, or zeros.
#[repr(C)]
pub(crate) struct Buf {
    pub(crate) data: *mut u8,
    pub(crate) len: usize,
    pub(crate) capacity: usize,
}

impl Buf {
    const EMPTY: Self = Self { data: ptr::null_mut(), len: 0, capacity: 0 };

    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_null()
    }
}

/// With a NUL behind the bytes, which `len` does not count: what prints them as a C string stays inside.
impl From<Vec<u8>> for Buf {
    fn from(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        bytes.push(0);
        let mut bytes = ManuallyDrop::new(bytes);
        Self { data: bytes.as_mut_ptr(), len, capacity: bytes.capacity() }
    }
}

/// Writes zeros that the compiler keeps, though nothing reads them.
fn wipe(bytes: &mut [MaybeUninit<u8>]) {
    const ZERO: MaybeUninit<u8> = MaybeUninit::new(0);
    // Byte by byte it would take longer than the answer.
    let (blocks, rest) = bytes.as_chunks_mut();
    for block in blocks {
        // SAFETY: a reference is valid for writes.
        unsafe { ptr::write_volatile(block, [ZERO; 16]) };
    }
    for byte in rest {
        // SAFETY: likewise.
        unsafe { ptr::write_volatile(byte, ZERO) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// Wipes the bytes, frees them and empties the buffer. Does nothing for NULL and for an empty buffer.
///
/// # Safety
/// `buf` is NULL or points to a buffer that is zeroed or that a function of this library filled.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn onetoken_buf_free(buf: *mut Buf) {
    // SAFETY: the caller promises NULL or a buffer.
    let Some(buf) = (unsafe { buf.as_mut() }) else { return };
    let Buf { data, capacity, .. } = mem::replace(buf, Buf::EMPTY);
    if !data.is_null() {
        // SAFETY: `data` and `capacity` came from a `Vec` in `From`, and nothing else frees it. `len` is not used, so it
        // does not matter what the caller made of it.
        let mut bytes = unsafe { Vec::from_raw_parts(data, 0, capacity) };
        wipe(bytes.spare_capacity_mut());
    }
}
