//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ringbolt_model::Role;
use ringbolt_model::schedule::parse_duration;

use crate::config::{Flag, Sources};

/// Sends webhooks: events go in, signed requests come out, nothing is lost.
#[derive(Debug, Parser)]
#[command(
    name = "ringbolt",
    version = crate::VERSION,
    arg_required_else_help = true,
    after_help = "\
Begin with:
  ringbolt demo     the whole story in ten seconds, leaving nothing behind
  ringbolt serve    a server on http://127.0.0.1:8071 with its data in ./ringbolt-data
  ringbolt config   what can be set, what is set, and by whom"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server until SIGTERM or SIGINT
    #[command(after_help = "\
Examples:
  ringbolt serve
  ringbolt serve --listen 0.0.0.0:8071 --store sqlite:/var/lib/ringbolt/ringbolt.db
  ringbolt serve --config /etc/ringbolt.toml --set log.format=json
  RINGBOLT_DELIVERY__TIMEOUT=5s ringbolt serve

SIGHUP reads the TLS certificate again. A second SIGTERM ends at once.")]
    Serve(Settings),

    /// Prints the configuration in force, each value with its origin
    #[command(after_help = "\
Examples:
  ringbolt config
  ringbolt config --toml > ringbolt.toml
  RINGBOLT_LISTEN=[::]:80 ringbolt config")]
    Config(ConfigArgs),

    /// Checks whether a server can work here: store, clock, file limits, DNS, a way out
    #[command(after_help = "\
Examples:
  ringbolt doctor
  ringbolt doctor https://example.com/webhook

The URL gets one POST, the way an endpoint would.")]
    Doctor(DoctorArgs),

    /// Lists the endpoints of all applications that fail now: since when, why, how much waits
    #[command(after_help = "\
Examples:
  ringbolt failing
  ringbolt failing --config /etc/ringbolt.toml

Asks the running server. Those that have failed for longest come first.")]
    Failing(Settings),

    /// Lists the nodes that share the store: where each is, what it does, whether it is alive
    #[command(after_help = "\
Examples:
  ringbolt nodes
  ringbolt nodes --config /etc/ringbolt.toml

Asks the running server on this machine. Those that started first come first.")]
    Nodes(Settings),

    /// Makes, lists and revokes API keys
    #[command(
        subcommand,
        after_help = "\
Examples:
  ringbolt key create --name billing --role sender
  ringbolt key list
  ringbolt key revoke key_…

Works beside a running server, through its API, and without one, on the file."
    )]
    Key(KeyCommand),

    /// Makes a consistent copy of the store while the server serves
    #[command(after_help = "\
Example:
  ringbolt backup /backup/ringbolt-$(date +%F).db

It says where the encryption key is that belongs to the copy: without it the copy cannot be used.")]
    Backup(BackupArgs),

    /// Brings the schema of a PostgreSQL database up to date
    #[command(after_help = "\
Examples:
  ringbolt migrate
  ringbolt migrate --dry-run    what would be done, as SQL

Servers do it by themselves when they start. By hand it can be done before, as the same role: it has to own the tables.")]
    Migrate(MigrateArgs),

    /// Shows everything in one process: a server, a receiver that fails once, three events
    #[command(after_help = "\
Example:
  ringbolt demo")]
    Demo,

    /// Prints the version, and the commit if it was built from a checkout
    #[command(after_help = "\
Example:
  ringbolt version")]
    Version,
}

/// What to migrate.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Print what would be done, as SQL, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Where the configuration comes from; flags win over the environment, and that over the file.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The configuration file [default: ringbolt.toml, if it is there]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,

    /// Address and port to serve on
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,

    /// Where everything is kept
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// What every address that is handed out begins with
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Any setting, such as delivery.timeout=5s; see `ringbolt config`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

impl Settings {
    /// The layers that they stand for, over this environment.
    pub(crate) fn sources(self, environment: Vec<(String, String)>) -> Sources {
        let flag = |key: &str, name: &str, value: Option<String>| {
            value.map(|value| Flag {
                key: key.into(),
                value,
                name: name.into(),
            })
        };
        let named = [
            flag("listen", "--listen", self.listen),
            flag("store", "--store", self.store),
            flag("public_url", "--public-url", self.public_url),
        ];
        let others = self.set.into_iter().map(|(key, value)| {
            let name = format!("--set {key}");
            Flag { key, value, name }
        });
        let flags = named.into_iter().flatten().chain(others).collect();
        Sources {
            file: self.config,
            environment,
            flags,
        }
    }
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,

    /// Prints a commented file to begin with instead
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) toml: bool,

    /// Prints the documentation of every setting instead
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,

    /// Where to try an attempt
    #[arg(value_name = "URL")]
    target: Option<String>,

    /// The same as the argument
    #[arg(long, value_name = "URL", conflicts_with = "target")]
    url: Option<String>,
}

impl DoctorArgs {
    /// Where to try an attempt, if anywhere.
    pub(crate) fn target(&self) -> Option<&str> {
        self.target.as_deref().or(self.url.as_deref())
    }
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Makes a key and prints it; it is shown this once
    #[command(after_help = "\
Examples:
  ringbolt key create --name billing --role sender
  ringbolt key create --name support --role reader --application app_… --expires-in 30d")]
    Create(KeyCreate),

    /// Lists the keys
    #[command(after_help = "\
Examples:
  ringbolt key list
  ringbolt key list --listen 127.0.0.1:9000 --store sqlite:/var/lib/ringbolt/ringbolt.db")]
    List(KeyList),

    /// Revokes a key at once
    #[command(after_help = "\
Example:
  ringbolt key revoke key_…")]
    Revoke(KeyRevoke),
}

/// Arguments of `key create`.
#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    /// A name for people
    #[arg(long)]
    pub(crate) name: String,

    /// admin (everything), sender (sends messages) or reader (reads, but no secrets)
    #[arg(long, value_parser = role)]
    pub(crate) role: Role,

    /// The only application it may touch, by id or uid
    #[arg(long, visible_alias = "app", value_name = "ID")]
    pub(crate) application: Option<String>,

    /// How long it works, such as 30d; for ever without it
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) expires_in: Option<Duration>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Arguments of `key list`.
#[derive(Debug, Args)]
pub(crate) struct KeyList {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Arguments of `key revoke`.
#[derive(Debug, Args)]
pub(crate) struct KeyRevoke {
    /// The key's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "PATH")]
    pub(crate) to: PathBuf,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn role(text: &str) -> Result<Role, String> {
    match text.parse() {
        Ok(Role::Portal) | Err(_) => Err("expected admin, sender or reader".into()),
        Ok(role) => Ok(role),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration with a unit, such as 30d".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    fn shows_an_example(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string);
        let name = command.get_name();
        assert!(
            help.is_some_and(|help| help.contains(&format!("  ringbolt {name}"))
                || help.contains(&format!("  ringbolt key {name}"))),
            "{name}"
        );
        command.get_subcommands().for_each(shows_an_example);
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        Cli::command().get_subcommands().for_each(shows_an_example);
    }

    #[test]
    fn a_setting_is_a_key_and_a_value() {
        assert_eq!(key_and_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(key_and_value("a").is_err());
    }
}
