//! Handles: numbers that stand for objects, so that one which was destroyed is noticed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, RwLock};

use crate::failure::{Failure, Outcome};

/// No handle of one kind is taken for one of another: all count with this.
static NEXT: AtomicUsize = AtomicUsize::new(0x1000);

pub(crate) struct Handles<T> {
    objects: LazyLock<RwLock<HashMap<usize, Arc<T>>>>,
}

impl<T> Handles<T> {
    pub(crate) const fn new() -> Self {
        Self { objects: LazyLock::new(RwLock::default) }
    }

    pub(crate) fn insert(&self, object: T) -> usize {
        let handle = NEXT.fetch_add(0x10, Ordering::Relaxed);
        write(&self.objects).insert(handle, Arc::new(object));
        handle
    }

    pub(crate) fn find(&self, handle: usize) -> Result<Arc<T>, Failure> {
        read(&self.objects).get(&handle).cloned().ok_or(Failure::INVALID_HANDLE)
    }

    pub(crate) fn remove(&self, handle: usize) -> Outcome {
        write(&self.objects).remove(&handle).map(drop).ok_or(Failure::INVALID_HANDLE)
    }

    pub(crate) fn clear(&self) {
        write(&self.objects).clear();
    }
}

/// A panic elsewhere leaves these tables whole, so a poisoned lock is as good as another.
pub(crate) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
