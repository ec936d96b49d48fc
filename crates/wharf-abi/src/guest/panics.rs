//! Contains panics of plugin code and says where they happened.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use wharf_api::{ConnectError, Result};

thread_local! {
    static LAST: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Makes panics of this library say their place to [`contain`] instead of writing to standard error.
pub(super) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let mut frames = Vec::new();
            if let Some(place) = info.location() {
                frames.push(format!("{}:{}:{}", place.file(), place.line(), place.column()));
            }
            frames.extend(plugin_frames(&Backtrace::force_capture().to_string()));
            let expected = CONTAINED.with(|depth| *depth.borrow() > 0);
            if expected {
                LAST.with(|last| *last.borrow_mut() = Some(frames));
            } else {
                previous(info);
            }
        }));
    });
}

thread_local! {
    static CONTAINED: RefCell<u32> = const { RefCell::new(0) };
}

/// At most this many functions of a backtrace are kept.
const MAX_FRAMES: usize = 24;

/// The functions of a backtrace between the panic machinery and the border.
///
/// Inlined functions come with short names, so places tell whose they are too: those of the standard library lie below
/// `/rustc/`.
fn plugin_frames(backtrace: &str) -> Vec<String> {
    let mut frames = Vec::new();
    let mut lines = backtrace.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some((_, function)) = line.split_once(": ") else {
            continue;
        };
        let place = lines
            .next_if(|next| next.starts_with("at "))
            .map(|at| at.trim_start_matches("at "));
        let lies_in = |part: &str| place.is_some_and(|place| place.contains(part));
        if function.contains("wharf_abi::guest::") || lies_in("wharf-abi") && lies_in("/src/guest/") {
            // First come the frames of the hook, at last those of the call.
            if frames.is_empty() {
                continue;
            }
            break;
        }
        let machinery = [
            "std::",
            "core::",
            "<alloc::",
            "<core::",
            "rust_begin_unwind",
            "__rust",
        ];
        if lies_in("/rustc/") || machinery.iter().any(|prefix| function.starts_with(prefix)) {
            continue;
        }
        frames.push(match place {
            Some(place) => format!("{function} ({place})"),
            None => function.to_owned(),
        });
        if frames.len() == MAX_FRAMES {
            break;
        }
    }
    frames
}

/// Runs plugin code; a panic becomes an error of kind panic.
pub(super) fn contain<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    CONTAINED.with(|depth| *depth.borrow_mut() += 1);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.with(|depth| *depth.borrow_mut() -= 1);
    outcome.unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "the panic carried no message".to_owned());
        // The payload's destructor is plugin code too, and may panic: leak it rather than run it outside.
        std::mem::forget(payload);
        let frames = LAST.with(|last| last.borrow_mut().take()).unwrap_or_default();
        Err(ConnectError::panic(format!("the plugin panicked: {message}")).with_frames(frames))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_of_the_plugin_are_kept() {
        let backtrace = "\
            0: std::backtrace::Backtrace::create
             at /rustc/5980/library/std/src/backtrace.rs:331:13
            1: {closure#0}
             at /build/crates/wharf-abi/src/guest/panics.rs:24:42
            2: __rustc::rust_begin_unwind
             at /rustc/5980/library/std/src/panicking.rs:689:5
            3: my_plugin::read_page
             at ./src/lib.rs:7:9
            4: call_once<fn()>
             at /rustc/5980/library/core/src/ops/function.rs:250:5
            5: <my_plugin::Task as wharf_api::source::SourceTask>::poll
            6: <wharf_abi::guest::task::SourceTaskInstance<T> as wharf_abi::guest::Instance>::call
             at /build/crates/wharf-abi/src/guest/task.rs:72:17
            7: main";
        assert_eq!(
            plugin_frames(backtrace),
            [
                "my_plugin::read_page (./src/lib.rs:7:9)",
                "<my_plugin::Task as wharf_api::source::SourceTask>::poll"
            ]
        );
        assert!(plugin_frames("").is_empty());
    }

    #[test]
    fn panics_inside_and_after_one_another_are_told_apart() {
        install_hook();
        let outer = contain(|| {
            let inner: Result<()> = contain(|| panic!("inner"));
            assert!(inner.unwrap_err().message().ends_with("inner"));
            panic!("{} outer", 1)
        });
        let error: ConnectError = Result::<()>::unwrap_err(outer);
        assert_eq!(error.message(), "the plugin panicked: 1 outer");
        assert!(error.frames()[0].contains("panics.rs"), "{:?}", error.frames());
        let odd: Result<()> = contain(|| panic::panic_any(7));
        assert_eq!(
            odd.unwrap_err().message(),
            "the plugin panicked: the panic carried no message"
        );
        assert_eq!(contain(|| Ok(1)), Ok(1));
    }
}
