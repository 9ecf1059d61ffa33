//! `man`: the manual pages, made from the same definitions as `--help`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, version};
use crate::config::VARIABLES;

#[derive(clap::Args)]
pub struct Args {
    /// Write a page for the program and one for each subcommand into this folder, instead
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let page = page()?;
    match &args.output {
        None => std::io::stdout().write_all(&page).context("Cannot write the page"),
        Some(folder) => {
            write_all(folder, &page).with_context(|| format!("Cannot write the pages into {}", folder.display()))
        }
    }
}

/// The subcommands' pages, and the program's own in the place of the generated one.
fn write_all(folder: &Path, page: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    std::fs::write(folder.join(Man::new(Cli::command()).get_filename()), page)
}

/// The program's page, with what `--help` does not hold.
fn page() -> std::io::Result<Vec<u8>> {
    let mut man = Man::new(Cli::command().disable_help_subcommand(true)).manual("User Commands");
    if let Some(date) = version::date() {
        man = man.date(date);
    }
    let mut page = Vec::new();
    man.render(&mut page)?;
    let names: Vec<String> = VARIABLES.iter().map(|variable| format!("\\fB{}\\fR", variable.name)).collect();
    write!(
        page,
        ".SH ENVIRONMENT\n.nh\n.ad l\n\
         \\fBserve\\fR and the subcommands about its store read their settings from these variables, or from the file\n\
         that \\fBCHATOPS_CONFIG\\fR names, with the same names in lower case. The page Configuration of the\n\
         documentation says what each of them means.\n\
         .PP\n{}\n\
         .SH EXIT STATUS\n\
         .TP\n\\fB0\\fR\nSuccess.\n\
         .TP\n\\fB1\\fR\nIt failed, or a check found faults.\n\
         .TP\n\\fB2\\fR\nWrong usage or configuration. Every fault of the configuration is named on standard error.\n",
        names.join(",\n")
    )?;
    Ok(page)
}
