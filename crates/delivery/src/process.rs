//! Figures of the process itself, as the operating system keeps them.

use std::fmt::Write as _;
use std::fs;

/// What Linux counts processor time in, per second.
const TICKS: f64 = 100.0;
/// Bytes in a page of memory on the machines that Linux runs on as we build it.
const PAGE: u64 = 4096;

/// Appends the figures that can be read here; elsewhere than on Linux there are none.
pub(crate) fn append(text: &mut String) {
    if let Some(seconds) = cpu_seconds() {
        let help = "Processor time used, by user and system";
        figure(text, "process_cpu_seconds", "counter", help, seconds);
    }
    if let Some(bytes) = resident_bytes() {
        let help = "Memory in use";
        figure(
            text,
            "process_resident_memory_bytes",
            "gauge",
            help,
            bytes as f64,
        );
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let help = "Files and connections that are open";
        figure(
            text,
            "process_open_fds",
            "gauge",
            help,
            files.count() as f64,
        );
    }
}

fn figure(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    let end = if kind == "counter" { "_total" } else { "" };
    let _infallible = writeln!(
        text,
        "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name}{end} {value}"
    );
}

/// The 14th and 15th field of `/proc/self/stat` (proc(5)), counted after the name in parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / TICKS)
}

fn resident_bytes() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_memory_and_files() {
        let mut text = String::new();
        append(&mut text);
        assert!(resident_bytes().is_some_and(|bytes| bytes > PAGE));
        assert!(text.contains("\nprocess_open_fds "));
        assert!(text.contains("\nprocess_cpu_seconds_total "));
    }
}
