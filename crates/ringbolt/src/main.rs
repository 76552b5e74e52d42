#![doc = include_str!("../README.md")]

mod cli;
mod clock;
mod commands;
mod config;
mod environment;
mod first_start;
mod front;
mod house;
mod kept;
mod local_api;
mod logs;
mod open_files;
mod output;
mod ownership;
mod request_log;
mod running;
mod server;
mod signals;
mod welcome;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use config::ConfigError;
use output::say;

/// Keeps threads out of each other's way, and gives back what is not used.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The version, and the commit in brackets if it was built from a checkout.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("RINGBOLT_COMMIT"));

/// The code of a wrong configuration, `EX_CONFIG` of sysexits.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let Some(ConfigError(problems)) = why.downcast_ref() else {
                eprintln!("error: {why:#}");
                return ExitCode::FAILURE;
            };
            for problem in problems {
                eprintln!("error: {problem}");
            }
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => commands::serve::run(settings),
        Command::Config(args) => commands::config::run(args),
        Command::Doctor(args) => commands::doctor::run(args),
        Command::Failing(settings) => commands::failing::run(settings),
        Command::Nodes(settings) => commands::nodes::run(settings),
        Command::Key(command) => commands::key::run(command),
        Command::Backup(args) => commands::backup::run(args),
        Command::Migrate(args) => commands::migrate::run(args),
        Command::Demo => commands::demo::run(),
        Command::Version => {
            say!("ringbolt {VERSION}");
            Ok(())
        }
    }
}
