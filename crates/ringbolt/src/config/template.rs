//! The table of settings as a file to fill in and as a page of the book.

use std::fmt::Write as _;

use super::{GROUPS, Setting};

/// A commented file: every setting with its meaning and its default.
pub(crate) fn toml() -> String {
    let mut text = String::from(
        "# Configuration of Ringbolt. What is commented out is the default.\n\
         # The environment wins over this file: RINGBOLT_LISTEN, RINGBOLT_DELIVERY__TIMEOUT, …\n",
    );
    for (group, about, settings) in GROUPS {
        text.push('\n');
        comment(&mut text, about);
        if !group.is_empty() {
            let _ = writeln!(text, "[{group}]");
        }
        for setting in *settings {
            text.push('\n');
            comment(&mut text, setting.doc);
            let _ = writeln!(text, "# Form: {}.", setting.form);
            let name = setting.key.rsplit('.').next().unwrap_or(setting.key);
            let _ = writeln!(text, "#{name} = {}", literal(setting));
        }
    }
    text
}

fn comment(text: &mut String, lines: &str) {
    for line in lines.lines() {
        let _ = writeln!(text, "# {}", line.trim());
    }
}

/// The default as TOML writes it.
fn literal(setting: &Setting) -> String {
    let default = setting.default;
    let bare = matches!(default, "true" | "false")
        || (!default.is_empty() && default.bytes().all(|byte| byte.is_ascii_digit()));
    if bare {
        default.to_owned()
    } else {
        format!("\"{default}\"")
    }
}

/// The page of the book.
pub(crate) fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (group, about, settings) in GROUPS {
        let title = if group.is_empty() { "General" } else { group };
        let about = about.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "\n## {title}\n\n{about}\n");
        for setting in *settings {
            let default = if setting.default.is_empty() {
                "none".to_owned()
            } else {
                format!("`{}`", setting.default)
            };
            let _ = writeln!(
                text,
                "### `{}`\n\n{}\n\n- Environment: `{}`\n- Form: {}\n- Default: {default}\n",
                setting.key,
                setting.doc_line(),
                setting.variable(),
                setting.form,
            );
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

const INTRODUCTION: &str = "\
# Configuration

Ringbolt runs without any configuration. What is set comes from three places, and the later one wins:

1. a TOML file: the one that `--config PATH` or `RINGBOLT_CONFIG` names, otherwise `ringbolt.toml` in the
   current folder if it is there;
2. environment variables: `RINGBOLT_` and the key in capitals, with `__` between group and name;
3. flags: `--listen`, `--store`, `--public-url`, and `--set KEY=VALUE` for everything that is no secret.

`ringbolt config` prints what is in force and where each value came from. `ringbolt config --toml` prints
a file to begin with. A key that does not exist, and a value that cannot be, are errors that name the key,
where it was set, and the nearest key that exists; the process then ends with code 78.
Passed over are the variables that Kubernetes sets for a Service named `ringbolt`, such as
`RINGBOLT_PORT=tcp://…` and `RINGBOLT_SERVICE_HOST`.

Durations and sizes have units. Lists are written with commas, or as lists in the file. This page is
written by `ringbolt config --markdown`.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, Sources};

    #[test]
    fn the_template_is_valid_as_it_is_and_with_every_line_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let uncommented: String = toml()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        for (name, text) in [("as-is.toml", toml()), ("all.toml", uncommented)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let sources = Sources {
                file: Some(path),
                ..Sources::default()
            };
            let config = Config::read(&Layers::merge(sources).unwrap());
            assert_eq!(
                config.map(|config| config.general.listen.port()),
                Ok(8071),
                "{name}"
            );
        }
    }

    #[test]
    fn the_book_is_current() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let written = std::fs::read_to_string(page).unwrap();
        assert!(
            written == markdown(),
            "run: ringbolt config --markdown > docs/configuration.md"
        );
    }
}
