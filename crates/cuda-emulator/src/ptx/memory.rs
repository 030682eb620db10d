//! Memory as the threads of one block see it.

use super::error::{Fault, FaultKind};
use super::instruction::Space;
use super::module::Program;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Whether all bytes of an access belong to an allocation: address and length.
pub type MemoryCheck = fn(address: u64, len: usize) -> bool;

/// Asked about every access to global memory that is no variable of the module. Without it every address is taken as
/// good.
pub static MEMORY_CHECK: OnceLock<MemoryCheck> = OnceLock::new();

/// Generic addresses of shared, local and parameter memory; no pointer to global memory has these bits.
pub(super) const SHARED_WINDOW: u64 = 1 << 61;
pub(super) const LOCAL_WINDOW: u64 = 2 << 61;
pub(super) const PARAMETER_WINDOW: u64 = 3 << 61;

pub(super) struct Memory<'p> {
    pub(super) program: &'p Program,
    pub(super) check: Option<MemoryCheck>,
    pub(super) parameters: &'p [u8],
    pub(super) shared: Vec<u8>,
}

/// An address in one memory.
#[derive(Debug, Clone, Copy)]
struct Place {
    space: Space,
    address: u64,
}

/// The space that a generic address points into, and the address there.
pub(super) fn locate(address: u64) -> (Space, u64) {
    let space = match address >> 61 {
        0 => Space::Global,
        1 => Space::Shared,
        2 => Space::Local,
        3 => Space::Parameter,
        _ => return (Space::Global, address),
    };
    (space, address & (SHARED_WINDOW - 1))
}

fn place(space: Space, address: u64) -> Place {
    match space {
        Space::Generic => {
            let (space, address) = locate(address);
            Place { space, address }
        }
        _ => Place { space, address },
    }
}

#[cold]
fn misaligned(address: u64, bytes: usize) -> Box<Fault> {
    let message = format!("address {address:#x} is no multiple of {bytes}");
    Fault::new(FaultKind::MisalignedAddress, message)
}

#[cold]
fn outside(space: Space, address: u64, bytes: usize, size: usize) -> Box<Fault> {
    let name = match space {
        Space::Shared => "shared",
        Space::Local => "local",
        Space::Parameter => "parameter",
        Space::Global | Space::Generic => {
            let message = format!("{bytes} bytes at {address:#x} lie outside every allocation");
            return Fault::new(FaultKind::IllegalAddress, message);
        }
    };
    let message = format!("{bytes} bytes at {address} lie outside the {size} bytes of {name} memory");
    Fault::new(FaultKind::IllegalAddress, message)
}

fn range(
    space: Space,
    address: u64,
    bytes: usize,
    size: usize,
) -> Result<std::ops::Range<usize>, Box<Fault>> {
    if address > size as u64 || size as u64 - address < bytes as u64 {
        return Err(outside(space, address, bytes, size));
    }
    Ok(address as usize..address as usize + bytes)
}

#[inline(always)]
fn from_bytes(bytes: &[u8]) -> u64 {
    let mut value = [0; 8];
    value[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(value)
}

impl Memory<'_> {
    #[inline]
    fn check_global(&self, address: u64, bytes: usize) -> Result<(), Box<Fault>> {
        let known = match self.check {
            Some(check) => check(address, bytes) || self.program.storage.holds(address, bytes),
            None => address < SHARED_WINDOW,
        };
        if known { Ok(()) } else { Err(outside(Space::Global, address, bytes, 0)) }
    }

    /// Checks an access of `bytes` bytes as one, which may be made of several numbers.
    #[inline]
    fn checked(&self, local: &[u8], space: Space, address: u64, bytes: usize) -> Result<Place, Box<Fault>> {
        let place = place(space, address);
        if place.address & (bytes as u64 - 1) != 0 {
            return Err(misaligned(place.address, bytes));
        }
        match place.space {
            Space::Global | Space::Generic => self.check_global(place.address, bytes)?,
            Space::Shared => _ = range(place.space, place.address, bytes, self.shared.len())?,
            Space::Local => _ = range(place.space, place.address, bytes, local.len())?,
            Space::Parameter => _ = range(place.space, place.address, bytes, self.parameters.len())?,
        }
        Ok(place)
    }

    #[inline]
    fn read(&self, local: &[u8], place: Place, bytes: usize) -> u64 {
        let at = place.address as usize;
        match place.space {
            Space::Global | Space::Generic => read_global(place.address, bytes),
            Space::Shared => from_bytes(&self.shared[at..at + bytes]),
            Space::Local => from_bytes(&local[at..at + bytes]),
            Space::Parameter => from_bytes(&self.parameters[at..at + bytes]),
        }
    }

    #[inline]
    fn write(&mut self, local: &mut [u8], place: Place, bytes: usize, value: u64) -> Result<(), Box<Fault>> {
        let at = place.address as usize;
        let value = value.to_le_bytes();
        match place.space {
            Space::Global | Space::Generic => write_global(place.address, bytes, u64::from_le_bytes(value)),
            Space::Shared => self.shared[at..at + bytes].copy_from_slice(&value[..bytes]),
            Space::Local => local[at..at + bytes].copy_from_slice(&value[..bytes]),
            Space::Parameter => {
                return Err(Fault::new(FaultKind::IllegalAddress, "a store to the kernel's parameters"));
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn load(
        &self,
        local: &[u8],
        space: Space,
        address: u64,
        bytes: usize,
    ) -> Result<u64, Box<Fault>> {
        let place = self.checked(local, space, address, bytes)?;
        Ok(self.read(local, place, bytes))
    }

    #[inline]
    pub(super) fn store(
        &mut self,
        local: &mut [u8],
        space: Space,
        address: u64,
        bytes: usize,
        value: u64,
    ) -> Result<(), Box<Fault>> {
        let place = self.checked(local, space, address, bytes)?;
        self.write(local, place, bytes, value)
    }

    /// Loads one number after another; the address must suit all of them together.
    pub(super) fn load_vector(
        &self,
        local: &[u8],
        space: Space,
        address: u64,
        bytes: usize,
        count: usize,
    ) -> Result<impl Iterator<Item = u64>, Box<Fault>> {
        let place = self.checked(local, space, address, bytes * count)?;
        Ok((0..count).map(move |index| {
            let address = place.address + (index * bytes) as u64;
            self.read(local, Place { space: place.space, address }, bytes)
        }))
    }

    pub(super) fn store_vector(
        &mut self,
        local: &mut [u8],
        space: Space,
        address: u64,
        bytes: usize,
        values: &[u64],
    ) -> Result<(), Box<Fault>> {
        let place = self.checked(local, space, address, bytes * values.len())?;
        for (index, &value) in values.iter().enumerate() {
            let address = place.address + (index * bytes) as u64;
            self.write(local, Place { space: place.space, address }, bytes, value)?;
        }
        Ok(())
    }

    /// Replaces a number by a function of it, as one step, and returns the old one.
    pub(super) fn change(
        &mut self,
        local: &mut [u8],
        space: Space,
        address: u64,
        bytes: usize,
        f: impl Fn(u64) -> u64,
    ) -> Result<u64, Box<Fault>> {
        let place = self.checked(local, space, address, bytes)?;
        if let Space::Global | Space::Generic = place.space {
            return Ok(change_global(place.address, bytes, f));
        }
        let old = self.read(local, place, bytes);
        self.write(local, place, bytes, f(old))?;
        Ok(old)
    }
}

// SAFETY, for the three functions below: the address was checked to be aligned and in an allocation, and all accesses to
// global memory of all emulated threads are atomic.

#[inline(always)]
fn read_global(address: u64, bytes: usize) -> u64 {
    unsafe {
        match bytes {
            1 => AtomicU8::from_ptr(address as *mut u8).load(Ordering::Relaxed).into(),
            2 => AtomicU16::from_ptr(address as *mut u16).load(Ordering::Relaxed).into(),
            4 => AtomicU32::from_ptr(address as *mut u32).load(Ordering::Relaxed).into(),
            _ => AtomicU64::from_ptr(address as *mut u64).load(Ordering::Relaxed),
        }
    }
}

#[inline(always)]
fn write_global(address: u64, bytes: usize, value: u64) {
    unsafe {
        match bytes {
            1 => AtomicU8::from_ptr(address as *mut u8).store(value as u8, Ordering::Relaxed),
            2 => AtomicU16::from_ptr(address as *mut u16).store(value as u16, Ordering::Relaxed),
            4 => AtomicU32::from_ptr(address as *mut u32).store(value as u32, Ordering::Relaxed),
            _ => AtomicU64::from_ptr(address as *mut u64).store(value, Ordering::Relaxed),
        }
    }
}

fn change_global(address: u64, bytes: usize, f: impl Fn(u64) -> u64) -> u64 {
    macro_rules! change {
        ($atomic:ty, $t:ty) => {{
            let number = unsafe { <$atomic>::from_ptr(address as *mut $t) };
            let changed = |old: $t| Some(f(u64::from(old)) as $t);
            match number.fetch_update(Ordering::SeqCst, Ordering::SeqCst, changed) {
                Ok(old) | Err(old) => u64::from(old),
            }
        }};
    }
    match bytes {
        1 => change!(AtomicU8, u8),
        2 => change!(AtomicU16, u16),
        4 => change!(AtomicU32, u32),
        _ => change!(AtomicU64, u64),
    }
}
