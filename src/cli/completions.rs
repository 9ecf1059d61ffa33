//! `completions`: a script that lets a shell complete the command line.

use std::io::Write as _;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

/// Writes the script to standard output.
pub fn run(shell: Shell) -> anyhow::Result<()> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    // Into memory first: `generate` panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    // For bash, clap_complete spells a hyphen in the program's name in two ways, so that nothing is offered behind a
    // subcommand (clap-rs/clap#6421).
    let script = script.replace("sekoia__subcmd__chatops", "sekoia__chatops");
    std::io::stdout().write_all(script.as_bytes()).context("Cannot write the script")
}
