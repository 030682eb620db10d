//! Large things, one at a time on each thread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// `of(item)` of every item, in order, with as many at a time as Rayon has threads.
///
/// Unlike a parallel iterator this never begins a second item on a thread that waits inside a first one, so memory stays
/// that of so many items. Of several errors the one of the first item comes back.
pub(crate) fn one_each<T: Sync, R: Send, E: Send>(
    items: &[T],
    of: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let result = of(item);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, result));
        }
    };
    std::thread::scope(|scope| {
        (1..rayon::current_num_threads().min(items.len())).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_error_counts() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(one_each(&items, |&n| Ok::<_, ()>(n * n)).unwrap()[31], 961);
        assert_eq!(one_each(&items, |&n| if n % 7 == 6 { Err(n) } else { Ok(n) }), Err(6));
        assert_eq!(one_each(&[] as &[u8], |_| Ok::<_, ()>(())), Ok(vec![]));
    }

    #[test]
    fn no_more_are_at_work_than_there_are_threads() {
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let look = |_: &usize| {
            most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            rayon::join(std::thread::yield_now, std::thread::yield_now);
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        };
        one_each(&(0..200).collect::<Vec<_>>(), look).unwrap();
        assert!(most.load(Ordering::SeqCst) <= rayon::current_num_threads());
    }
}
