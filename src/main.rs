//! Parses the command line and runs one subcommand.

use std::process::ExitCode;

/// Thousands of small texts a second: glibc's allocator took a sixth of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sekoia_chatops::cli::run()
}
