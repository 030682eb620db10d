//! Values that cross from C: places for results, arrays, texts. Here is what is trusted of a caller, as CUDA trusts it.

use std::ffi::{CStr, c_char};

use crate::failure::{Failure, Outcome};

/// A place that the caller gave for a result.
#[repr(transparent)]
pub(crate) struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    pub(crate) fn set(self, value: T) -> Outcome {
        if self.0.is_null() {
            return Err(Failure::INVALID_VALUE);
        }
        self.set_if_wanted(value);
        Ok(())
    }

    pub(crate) fn set_if_wanted(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: the C signature promises a place for one T.
            unsafe { self.0.write_unaligned(value) }
        }
    }

    pub(crate) fn set_at(self, index: usize, value: T) -> Outcome {
        if self.0.is_null() {
            return Err(Failure::INVALID_VALUE);
        }
        // SAFETY: the caller said that the array has more than `index` places.
        unsafe { self.0.add(index).write_unaligned(value) }
        Ok(())
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The same place, for a result of another type.
    pub(crate) fn cast<U>(self) -> Out<U> {
        Out(self.0.cast())
    }

    pub(crate) fn as_in(self) -> In<T> {
        In(self.0)
    }
}

/// One value, or several, that the caller lets us read.
#[repr(transparent)]
pub(crate) struct In<T>(*const T);

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T: Copy> In<T> {
    pub(crate) fn get(self) -> Result<T, Failure> {
        self.at(0)
    }

    pub(crate) fn at(self, index: usize) -> Result<T, Failure> {
        if self.0.is_null() {
            return Err(Failure::INVALID_VALUE);
        }
        // SAFETY: the C signature promises an array with more than `index` elements.
        Ok(unsafe { self.0.add(index).read_unaligned() })
    }
}

impl<T> In<T> {
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    pub(crate) fn null() -> Self {
        Self(std::ptr::null())
    }

    pub(crate) fn address(self) -> u64 {
        self.0 as u64
    }

    pub(crate) fn cast<U>(self) -> In<U> {
        In(self.0.cast())
    }
}

pub(crate) fn text(pointer: In<c_char>) -> Result<String, Failure> {
    if pointer.is_null() {
        return Err(Failure::INVALID_VALUE);
    }
    // SAFETY: the C signature promises a text that ends with a zero.
    let text = unsafe { CStr::from_ptr(pointer.0) };
    Ok(text.to_string_lossy().into_owned())
}

/// Copies bytes between places that may be one and the same.
pub(crate) fn copy_bytes(to: u64, from: u64, bytes: usize) {
    // SAFETY: device addresses were looked up among the live allocations; host addresses are the caller's promise.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) }
}

/// Reads bytes of a kernel's parameter.
pub(crate) fn read_bytes(from: u64, into: &mut [u8]) {
    // SAFETY: the caller of a launch promises one readable value of the parameter's size at each pointer.
    unsafe { std::ptr::copy_nonoverlapping(from as *const u8, into.as_mut_ptr(), into.len()) }
}

/// Fills device memory that was looked up among the live allocations with a pattern of 1, 2 or 4 bytes.
pub(crate) fn fill(address: u64, bytes: usize, pattern: &[u8]) {
    if bytes == 0 {
        return;
    }
    // SAFETY: the range is live, and nothing else in this process refers to it.
    let memory = unsafe { std::slice::from_raw_parts_mut(address as *mut u8, bytes) };
    if let [byte] = pattern {
        memory.fill(*byte);
    } else {
        for chunk in memory.chunks_exact_mut(pattern.len()) {
            chunk.copy_from_slice(pattern);
        }
    }
}
