//! Device memory: which addresses are live, how much is in use, and what was freed lately.
//!
//! Fresh memory is full of `0xFF`, which is a NaN in every floating-point type. Freed memory waits before the host's
//! allocator gets it back, so that an address is not reused at once and a use after free is recognized as one.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use crate::boundary;
use crate::failure::{Failure, Outcome};
use crate::handles::{lock, read, write};
use crate::settings::settings;

const ALIGNMENT: usize = 512;
/// Between two allocations lie at least this many bytes that are nobody's.
const GUARD: usize = 512;
const QUARANTINE_BYTES: usize = 128 << 20;
const NAN: [u8; 1] = [0xFF];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `cuMemAlloc` and its relatives.
    Device,
    /// From a memory pool, in the order of a stream.
    Pool,
    /// An allocation node of a graph.
    Graph,
    /// Page-locked memory of the host.
    Pinned,
    /// A variable of a module.
    Variable,
}

struct Block {
    size: usize,
    kind: Kind,
    storage: Option<Arc<Storage>>,
}

/// Bytes that live as long as something refers to them; device memory counts against the total.
pub(crate) struct Storage {
    pointer: *mut u8,
    layout: Layout,
    counted: usize,
}

// SAFETY: the pointer is owned, and what it points to is only touched as the program's own device memory.
unsafe impl Send for Storage {}
// SAFETY: as above.
unsafe impl Sync for Storage {}

impl Storage {
    pub(crate) fn new(size: usize, kind: Kind) -> Result<Arc<Self>, Failure> {
        let counted = if kind == Kind::Pinned { 0 } else { size.next_multiple_of(ALIGNMENT) };
        count(counted)?;
        let layout = size.checked_add(GUARD).and_then(|bytes| Layout::from_size_align(bytes, ALIGNMENT).ok());
        let Some(layout) = layout else {
            uncount(counted);
            return Err(Failure::OUT_OF_MEMORY);
        };
        // SAFETY: the layout has at least GUARD bytes.
        let pointer = unsafe { if settings().null { alloc_zeroed(layout) } else { alloc(layout) } };
        if pointer.is_null() {
            uncount(counted);
            return Err(Failure::OUT_OF_MEMORY);
        }
        Ok(Arc::new(Self { pointer, layout, counted }))
    }

    pub(crate) fn address(&self) -> u64 {
        self.pointer as u64
    }

    pub(crate) fn capacity(&self) -> usize {
        self.layout.size() - GUARD
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        uncount(self.counted);
        // SAFETY: `new` allocated it with this layout.
        unsafe { dealloc(self.pointer, self.layout) }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) used: usize,
    pub(crate) peak: usize,
}

static USAGE: Mutex<Usage> = Mutex::new(Usage { used: 0, peak: 0 });

fn count(bytes: usize) -> Outcome {
    let mut usage = lock(&USAGE);
    if bytes > settings().memory_bytes - usage.used {
        return Err(Failure::OUT_OF_MEMORY);
    }
    usage.used += bytes;
    usage.peak = usage.peak.max(usage.used);
    Ok(())
}

fn uncount(bytes: usize) {
    lock(&USAGE).used -= bytes;
}

pub(crate) fn usage() -> Usage {
    *lock(&USAGE)
}

pub(crate) fn reset_peak() {
    let mut usage = lock(&USAGE);
    usage.peak = usage.used;
}

static LIVE: RwLock<BTreeMap<u64, Block>> = RwLock::new(BTreeMap::new());
static QUARANTINE: Mutex<Quarantine> = Mutex::new(Quarantine { dead: VecDeque::new(), bytes: 0 });
/// Counts removals, so that threads know when what they remember is out of date.
static REMOVALS: AtomicU64 = AtomicU64::new(1);

struct Quarantine {
    dead: VecDeque<Dead>,
    bytes: usize,
}

/// Memory that was freed: no longer counted, not yet given back.
struct Dead {
    address: u64,
    size: usize,
    _storage: Option<Arc<Storage>>,
}

pub(crate) fn allocate(size: usize, kind: Kind) -> Result<u64, Failure> {
    let storage = Storage::new(size, kind)?;
    let address = storage.address();
    make_live(&storage, size, kind);
    Ok(address)
}

/// Makes the first `size` bytes of `storage` an allocation.
pub(crate) fn make_live(storage: &Arc<Storage>, size: usize, kind: Kind) {
    let address = storage.address();
    if !settings().null {
        boundary::fill(address, size, &NAN);
    }
    write(&LIVE).insert(address, Block { size, kind, storage: Some(storage.clone()) });
}

/// Makes memory live that someone else owns.
pub(crate) fn adopt(address: u64, size: usize, kind: Kind) {
    write(&LIVE).insert(address, Block { size, kind, storage: None });
}

/// Ends an allocation; the address must be its first.
pub(crate) fn free(address: u64) -> Result<Kind, Failure> {
    let block = write(&LIVE).remove(&address);
    REMOVALS.fetch_add(1, Ordering::Release);
    let Some(Block { size, kind, storage }) = block else {
        eprintln!("cuda-emulator: free of {address:#x}, which {}", describe(address));
        return Err(Failure::INVALID_VALUE);
    };
    if !settings().null && kind != Kind::Variable {
        boundary::fill(address, size, &NAN);
    }
    // What belongs to a graph is not held back: its next launch must get the same address.
    let storage = storage.filter(|_| kind != Kind::Graph);
    quarantine(Dead { address, size, _storage: storage.map(uncounted) });
    Ok(kind)
}

/// Freed memory no longer counts, though it is still there.
fn uncounted(storage: Arc<Storage>) -> Arc<Storage> {
    match Arc::try_unwrap(storage) {
        Ok(mut storage) => {
            uncount(std::mem::take(&mut storage.counted));
            Arc::new(storage)
        }
        Err(shared) => shared,
    }
}

fn quarantine(dead: Dead) {
    let mut quarantine = lock(&QUARANTINE);
    quarantine.bytes += dead.size;
    quarantine.dead.push_back(dead);
    while quarantine.bytes > QUARANTINE_BYTES
        && let Some(oldest) = quarantine.dead.pop_front()
    {
        quarantine.bytes -= oldest.size;
    }
}

/// Ends all allocations, as the reset of a device does.
pub(crate) fn free_all() {
    write(&LIVE).clear();
    REMOVALS.fetch_add(1, Ordering::Release);
    *lock(&QUARANTINE) = Quarantine { dead: VecDeque::new(), bytes: 0 };
}

pub(crate) fn kind_of(address: u64) -> Option<Kind> {
    containing(address, 1).map(|(_, _, kind)| kind)
}

/// First address, size and kind of the allocation in which `[address, address + length)` lies.
pub(crate) fn containing(address: u64, length: usize) -> Option<(u64, usize, Kind)> {
    let live = read(&LIVE);
    let (&start, block) = live.range(..=address).next_back()?;
    let end = start + block.size as u64;
    let fits = address.checked_add(length as u64).is_some_and(|last| last <= end);
    (fits && (address < end || length == 0)).then_some((start, block.size, block.kind))
}

const REMEMBERED: usize = 4;

/// Ranges that were found live, as long as nothing was freed since.
struct Recent {
    removals: Cell<u64>,
    ranges: [Cell<(u64, u64)>; REMEMBERED],
    next: Cell<usize>,
}

thread_local! {
    static RECENT: Recent =
        const { Recent { removals: Cell::new(0), ranges: [const { Cell::new((0, 0)) }; REMEMBERED], next: Cell::new(0) } };
}

/// Is all of `[address, address + length)` inside one live allocation? Asked at every access of every thread of a kernel.
pub(crate) fn is_live(address: u64, length: usize) -> bool {
    RECENT.with(|recent| {
        let removals = REMOVALS.load(Ordering::Acquire);
        let last = address.wrapping_add(length as u64);
        if recent.removals.get() == removals {
            let holds = |range: &Cell<(u64, u64)>| {
                range.get().0 <= address && address < range.get().1 && last <= range.get().1
            };
            if recent.ranges.iter().any(holds) {
                return true;
            }
        } else {
            recent.removals.set(removals);
            recent.ranges.iter().for_each(|range| range.set((0, 0)));
        }
        let Some((start, size, _)) = containing(address, length) else { return false };
        let next = recent.next.get();
        recent.ranges[next].set((start, start + size as u64));
        recent.next.set((next + 1) % REMEMBERED);
        true
    })
}

/// The memory that a library call is about to touch.
pub(crate) fn require(address: u64, length: usize, what: &str) -> Outcome {
    if length == 0 || is_live(address, length) {
        return Ok(());
    }
    eprintln!("cuda-emulator: {what}: {length} bytes at {address:#x}, which {}", describe(address));
    Err(Failure::ILLEGAL_ADDRESS)
}

/// Where an address lies, in words that end a sentence.
pub(crate) fn describe(address: u64) -> String {
    if let Some((&start, block)) = read(&LIVE).range(..=address).next_back()
        && address < start + block.size as u64 + GUARD as u64
    {
        return format!("is at byte {} of an allocation of {} bytes", address - start, block.size);
    }
    let quarantine = lock(&QUARANTINE);
    let dead = quarantine
        .dead
        .iter()
        .rev()
        .find(|dead| (dead.address..dead.address + dead.size as u64).contains(&address));
    match dead {
        Some(dead) => {
            format!(
                "is at byte {} of an allocation of {} bytes that was freed",
                address - dead.address,
                dead.size
            )
        }
        None => "is not in any allocation".to_owned(),
    }
}
