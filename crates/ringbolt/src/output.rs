//! What commands print for people and scripts.

use std::io::Write as _;

/// Prints to standard output. Whoever reads it may have read enough and gone (`| head`): that is no
/// failure of ours.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The same, with a line's end.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::print(&(format!($($text)*) + "\n"))
    };
}

pub(crate) use say;
