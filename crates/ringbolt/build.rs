//! Tells the binary which commit it is built from, where that can be known.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // What changes with each commit and each change of the branch; a file that is missing would count as changed always.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = commit().map_or_else(String::new, |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=RINGBOLT_COMMIT={commit}");
}

/// The commit that is checked out here, unless this is a copy within somebody else's repository.
fn commit() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let ours = Path::new("../..").canonicalize().ok()?;
    let commit = git(&["rev-parse", "HEAD"])?;
    let is_ours = Path::new(&top).canonicalize().ok()? == ours;
    commit.get(..12).filter(|_| is_ours).map(str::to_owned)
}

/// What git answers, if there is a git and it knows.
fn git(question: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(question).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim().to_owned())
}
