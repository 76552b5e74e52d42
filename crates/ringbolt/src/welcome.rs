//! What a person reads when the server has started: where it is, where things lie, how to begin.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, absolute};

use crate::config::Config;
use crate::config::value::LogFormat;
use crate::first_start::{AdminToken, Secrets};
use crate::output::say;

/// Prints it, unless nobody reads what is printed: logs for machines, and no terminal.
pub(crate) fn say(config: &Config, secrets: &Secrets, token: &AdminToken, listens_on: SocketAddr) {
    if config.log.format == LogFormat::Text || std::io::stdout().is_terminal() {
        say!(
            "{}",
            text(
                config,
                secrets,
                token,
                &config.own_url(reachable(listens_on))
            )
        );
    }
}

/// The address for somebody on this machine: nobody can connect to "every address".
pub(crate) fn reachable(listens_on: SocketAddr) -> SocketAddr {
    let loopback = |address: SocketAddr| match address {
        SocketAddr::V4(_) => [127, 0, 0, 1].into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let unspecified = listens_on.ip().is_unspecified();
    if unspecified {
        SocketAddr::new(loopback(listens_on), listens_on.port())
    } else {
        listens_on
    }
}

fn text(config: &Config, secrets: &Secrets, token: &AdminToken, url: &str) -> String {
    let mut text = format!(
        "\nRingbolt {} serves on {url}\n\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut line = |what: &str, where_: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {what:<15}{where_}");
    };
    match config.store_file() {
        Some(_) => line("data", shown(config.data_folder())),
        None => line("data", config.store_shown()),
    }
    line(
        "admin token",
        match &token.file {
            Some(path) => shown(path),
            None => "as configured".into(),
        },
    );
    line(
        "encryption key",
        match &secrets.key_file {
            Some(path) => format!("{} (it belongs into the backup)", shown(path)),
            None => "as configured (it belongs into the backup)".into(),
        },
    );
    if config.delivery.paused {
        line(
            "deliveries",
            "paused: nothing is sent (delivery.paused)".into(),
        );
    }
    text += &of_another_store(config, secrets);
    let token = match &token.file {
        Some(path) => format!("$(cat {})", quoted(&shown(path))),
        None => "$RINGBOLT_ADMIN_TOKEN".into(),
    };
    let reached = config.general.public_url.as_ref();
    let begin = reached.map_or_else(|| url.to_owned(), ToString::to_string);
    // A certificate made for a name does not fit the address.
    let insecure = if config.tls.certificate.is_some() && reached.is_none() {
        " -k"
    } else {
        ""
    };
    let curl = |path: &str, json: &str| {
        format!(
            "curl -sS{insecure} \"{begin}/api/v1/{path}\" -H \"Authorization: Bearer {token}\" -d '{json}'; echo\n"
        )
    };
    text.push_str(
        "\nBegin with an application, an endpoint (put your own URL in) and an event:\n\n",
    );
    text += &curl(
        "app?get_if_exists=true",
        r#"{"name": "Demo", "uid": "demo"}"#,
    );
    text += &curl(
        "app/demo/endpoint",
        r#"{"url": "https://your-app.example.com/webhooks"}"#,
    );
    text += &curl(
        "app/demo/msg",
        r#"{"eventType": "invoice.paid", "payload": {"invoice": 1}}"#,
    );
    text
}

/// What is said when the store is new and the secrets beside it are not.
fn of_another_store(config: &Config, secrets: &Secrets) -> String {
    let older = secrets.older_than_the_store.iter();
    let older: Vec<_> = older.map(|path| shown(path)).collect();
    if older.is_empty() {
        return String::new();
    }
    format!(
        "\nThe store {} is new and empty, but {} was there before it. If a store belongs here, stop,\nand put it back; or is it another one that RINGBOLT_STORE should name?\n",
        config
            .store_file()
            .map_or_else(|| config.store_shown(), shown),
        older.join(" and "),
    )
}

fn shown(path: &Path) -> String {
    absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(
            quoted("/var/lib/ringbolt/admin-token"),
            "/var/lib/ringbolt/admin-token"
        );
        assert_eq!(quoted("/my data/it's"), r"'/my data/it'\''s'");
    }

    #[test]
    fn every_address_is_shown_as_one_that_can_be_reached() {
        let shown = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(shown("[::]:80"), "[::1]:80");
        assert_eq!(shown("10.0.0.1:80"), "10.0.0.1:80");
    }
}
