//! The connector context of a thread, upstream's `connector.context`: `[conn|worker] `, `[conn|task-0] `,
//! `[conn|task-0|offsets] `. It stands before the message of every line that the thread writes.

use std::cell::RefCell;
use std::marker::PhantomData;

thread_local! {
    static CONTEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Sets this thread's context until the guard is dropped; then the one before is back. Contexts do not add up.
#[must_use = "the context ends when the guard is dropped"]
pub fn with_context(context: impl Into<String>) -> ContextGuard {
    let previous = CONTEXT.with(|current| current.replace(context.into()));
    ContextGuard {
        previous,
        not_send: PhantomData,
    }
}

/// Keeps a context set. Stays on its thread.
#[derive(Debug)]
pub struct ContextGuard {
    previous: String,
    not_send: PhantomData<*const ()>,
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        // a thread that is ending may have dropped the cell already; then there is nothing to restore
        let _ = CONTEXT.try_with(|current| current.replace(std::mem::take(&mut self.previous)));
    }
}

/// Appends the context to a line.
pub(super) fn append_to(line: &mut String) {
    let _ = CONTEXT.try_with(|current| line.push_str(&current.borrow()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current() -> String {
        let mut line = String::new();
        append_to(&mut line);
        line
    }

    #[test]
    fn the_inner_context_replaces_the_outer_until_its_guard_is_dropped() {
        assert_eq!(current(), "");
        let outer = with_context("[conn|task-0] ");
        {
            let _inner = with_context("[conn|task-0|offsets] ");
            assert_eq!(current(), "[conn|task-0|offsets] ");
        }
        assert_eq!(current(), "[conn|task-0] ");
        drop(outer);
        assert_eq!(current(), "");
    }

    #[test]
    fn other_threads_have_no_part_in_it() {
        let _guard = with_context("[a|worker] ");
        assert_eq!(std::thread::spawn(current).join().unwrap(), "");
    }
}
