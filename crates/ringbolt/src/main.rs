#![doc = include_str!("../README.md")]

mod cli;
mod clock;
mod commands;
mod config;
mod environment;
mod first_start;
mod logs;
mod server;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use config::ConfigError;

/// Returns memory to the system sooner than the default one, and keeps threads out of each other's way.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The code of a wrong configuration, `EX_CONFIG` of sysexits.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            let wrong = why.is::<ConfigError>();
            if wrong {
                ExitCode::from(WRONG_CONFIGURATION)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Config(args) => commands::config::run(args),
        _ => Ok(()),
    }
}
