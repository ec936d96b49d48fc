//! How much memory a piece of work holds at its worst, for tests that state a bound, and how often it asks for some, for
//! benchmarks.
//!
//! Counted for each thread alone, so that tests run side by side; what other threads do for the work is not seen. A test
//! program that asks has to have the allocator that counts:
//!
//! ```
//! #[global_allocator]
//! static HEAP: wharf_test_services::heap::Counted = wharf_test_services::heap::Counted;
//! # assert!(wharf_test_services::heap::used_by(|| vec![0_u8; 1000]).peak >= 1000);
//! ```
//!
//! The one module with unsafe code of this crate.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting.
#[derive(Debug)]
pub struct Counted;

/// What a piece of work used, in bytes.
#[derive(Debug)]
pub struct Used<T> {
    /// What it answered.
    pub outcome: T,
    /// Most that it held at a time, beyond what there was before. Memory that grows counts twice while it moves.
    pub peak: usize,
    /// What its answer holds; what it let go that there was before is taken off.
    pub kept: usize,
    /// How often it asked for memory; memory that grows is asked for again.
    pub allocations: usize,
}

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Layouts are never larger than this.
fn signed(size: usize) -> isize {
    isize::try_from(size).unwrap_or(isize::MAX)
}

fn taken(size: usize) {
    let live = LIVE.get() + signed(size);
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

fn returned(size: usize) {
    LIVE.set(LIVE.get() - signed(size));
}

// SAFETY: every call is passed on to the system's allocator as it is; counting allocates nothing, and the cells have nothing to
// drop, so that they are there until the thread is gone.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        returned(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        returned(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Does the work and says what it used.
pub fn used_by<T>(work: impl FnOnce() -> T) -> Used<T> {
    let (before, outer) = (LIVE.get(), PEAK.get());
    let allocations = ALLOCATIONS.get();
    PEAK.set(before);
    let outcome = work();
    let peak = PEAK.get();
    PEAK.set(outer.max(peak));
    let beyond = |count: isize| usize::try_from(count - before).unwrap_or(0);
    Used {
        outcome,
        peak: beyond(peak),
        kept: beyond(LIVE.get()),
        allocations: ALLOCATIONS.get() - allocations,
    }
}

/// Holds a peak against a bound: so many bytes for each byte that came in, and some beside.
///
/// # Panics
/// When the peak is beyond it.
pub fn assert_in_proportion(peak: usize, factor: usize, came_in: usize, beside: usize, context: &str) {
    let most = beside + factor * came_in;
    assert!(
        peak <= most,
        "{peak} bytes, more than {most} for {came_in}: {context}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static HEAP: Counted = Counted;

    #[test]
    fn the_worst_moment_counts_and_what_is_kept() {
        let used = used_by(|| {
            drop(vec![0_u8; 5_000]);
            vec![0_u8; 1_000]
        });
        assert_eq!((used.peak, used.kept, used.outcome.len()), (5_000, 1_000, 1_000));
        // What grows is there twice while it moves.
        let used = used_by(|| {
            let mut text = String::with_capacity(1_000);
            text.reserve_exact(3_000);
            text
        });
        assert_eq!((used.peak, used.kept, used.allocations), (4_000, 3_000, 2));
        let inner = used_by(|| used_by(|| drop(vec![0_u8; 700])).peak);
        assert_eq!((inner.outcome, inner.peak, inner.kept), (700, 700, 0));
    }

    #[test]
    fn other_threads_do_not_count() {
        let used = used_by(|| {
            std::thread::spawn(|| drop(vec![0_u8; 1 << 20])).join().unwrap();
        });
        assert!(used.peak < 1 << 19, "{}", used.peak);
    }
}
