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

/// Function names of a backtrace between the panic machinery and the border, at most this many.
const MAX_FRAMES: usize = 24;

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
        if function.starts_with("wharf_abi::guest::panics::contain")
            || function.contains("wharf_abi::guest::enter")
        {
            break;
        }
        let machinery = [
            "std::",
            "core::",
            "<alloc::boxed::Box",
            "rust_begin_unwind",
            "__rustc",
            "wharf_abi::guest::panics",
        ];
        if machinery.iter().any(|prefix| function.starts_with(prefix)) {
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
