//! `mattermost install`: a server made ready for the bot.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::env_file::{EnvFile, Replacement};
use crate::config::{Faults, confidential, public_address};
use crate::platform::mattermost::install::{Options, Ready, install};
use crate::resolve::is_loopback;
use crate::resolve::network::Network;
use crate::resolve::proxy::Proxies;
use crate::resolve::tls::Tls;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Create the bot's account, token and slash command on a server, and check its settings. Prints
    /// the environment for `serve`, or merges it into a file; run again, it uses what is there.
    /// First, a system administrator allows personal access tokens (System Console > Integrations >
    /// Integration Management) and bot accounts (Integrations > Bot Accounts)
    Install(Args),
}

#[derive(clap::Args)]
pub struct Args {
    /// The server, by its Site URL, with the sub-path if it has one
    #[arg(long, env = "MATTERMOST_URL", value_parser = server)]
    url: Url,
    /// A personal access token of a system administrator; better given by the environment, because
    /// other users of this machine see command lines. It is used now and kept nowhere
    #[arg(long, env = "MATTERMOST_ADMIN_TOKEN", hide_env_values = true, value_parser = secret)]
    admin_token: SecretString,
    /// The team's name, as it stands in its address; several by giving it again
    #[arg(long = "team", required = true, value_name = "NAME")]
    teams: Vec<String>,
    /// How the server reaches the bot, by its https:// address. Left out if it cannot: no slash command is
    /// made then, and the bot reads commands after mentions alone
    #[arg(long, env = "CHATOPS_PUBLIC_URL", value_parser = public)]
    public_url: Option<Url>,
    /// The environment file of the bot. What is set up is merged into it: other lines stay, the
    /// tokens of other teams too, and the bot's token in it is used if it still works
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The bot's user name
    #[arg(long, default_value = "sekoia")]
    bot_name: String,
    /// The word after the slash
    #[arg(long, env = TRIGGER, default_value = DEFAULT_TRIGGER)]
    trigger: String,
    /// Make another token for the bot, although it has one. The old one keeps working
    #[arg(long)]
    new_token: bool,
    /// Let the bot answer presses with buttons of their own, by a built-in role (the output says which)
    #[arg(long)]
    grant_private_answers: bool,
    /// A PEM file of further certificate authorities, for a server whose certificate the system does not know
    #[arg(long, env = "CHATOPS_CA_FILE", value_name = "FILE", value_parser = authorities)]
    ca_file: Option<Tls>,
    /// Let the bot edit its messages on a server where members may not edit theirs, by the same role
    #[arg(long)]
    grant_edits: bool,
}

/// As `serve` has it without a setting.
const DEFAULT_TRIGGER: &str = "sekoia";
const URL: &str = "MATTERMOST_URL";
const BOT_TOKEN: &str = "MATTERMOST_BOT_TOKEN";
const COMMAND_TOKEN: &str = "MATTERMOST_COMMAND_TOKEN";
const SOURCES: &str = "MATTERMOST_SOURCES";
const PUBLIC_URL: &str = "CHATOPS_PUBLIC_URL";
const TRIGGER: &str = "MATTERMOST_TRIGGER";

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Install(args) = command;
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !args.admin_token.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
        anyhow::bail!("the admin token holds spaces or characters that no token has");
    }
    let (mut file, replacement) = match &args.output {
        Some(path) => Replacement::of(path).map(|(file, new)| (file, Some(new)))?,
        None => (EnvFile::default(), None),
    };
    let known = file.get(BOT_TOKEN).or_else(|| std::env::var(BOT_TOKEN).ok().filter(|token| !token.is_empty()));
    let wanted = Options {
        url: args.url,
        admin_token: args.admin_token,
        teams: args.teams,
        public_url: args.public_url,
        bot_name: args.bot_name,
        trigger: args.trigger,
        bot_token: known.map(SecretString::from),
        new_token: args.new_token,
        grant_private: args.grant_private_answers,
        grant_edits: args.grant_edits,
        network: Network { tls: args.ca_file.unwrap_or_default(), proxies: proxies()? },
    };
    let installed = install(&wanted).await?;
    // What was done goes to the terminal, so that the output alone can become an environment file.
    for done in &installed.done {
        eprintln!("  {done}");
    }
    for advice in &installed.advice {
        eprintln!("\nBetter: {advice}");
    }
    if let Some(ready) = &installed.ready {
        merge(&mut file, &wanted, ready);
        match (replacement, &args.output) {
            (Some(new), Some(path)) => {
                // A token that was made now is shown only once.
                new.write(&file).inspect_err(|_| print!("{}", file.text()))?;
                eprintln!("\nThe environment is in {}, readable by you alone.", path.display());
            }
            _ => print!("{}", file.text()),
        }
        eprintln!("\n{}", next(&wanted, args.output.as_deref()));
    }
    if installed.problems.is_empty() {
        return Ok(());
    }
    let all = if installed.ready.is_some() { "everything is set up and the environment is complete, but " } else { "" };
    let problems: Vec<String> = installed.problems.iter().map(|problem| format!("  {problem}")).collect();
    anyhow::bail!(
        "{all}an administrator of the server has to change this before the bot works:\n{}",
        problems.join("\n")
    )
}

fn merge(file: &mut EnvFile, wanted: &Options, ready: &Ready) {
    let address = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    file.set(URL, &address(&wanted.url));
    file.set(BOT_TOKEN, ready.bot_token.expose_secret());
    // Those of other teams stay.
    let known = file.get(COMMAND_TOKEN).unwrap_or_default();
    let mut tokens: Vec<&str> = known.split(',').map(str::trim).filter(|token| !token.is_empty()).collect();
    for token in &ready.command_tokens {
        if !tokens.contains(&token.expose_secret()) {
            tokens.push(token.expose_secret());
        }
    }
    if !tokens.is_empty() {
        file.set(COMMAND_TOKEN, &tokens.join(","));
    }
    let Some(public_url) = &wanted.public_url else { return };
    file.set(PUBLIC_URL, &address(public_url));
    if wanted.trigger != DEFAULT_TRIGGER || file.get(TRIGGER).is_some() {
        file.set(TRIGGER, &wanted.trigger);
    }
    if file.mentions(SOURCES) {
        return;
    }
    let sources: Vec<String> = ready.sources.iter().map(ToString::to_string).collect();
    let sources = sources.join(",");
    if is_loopback(&wanted.url) && is_loopback(public_url) {
        // Nothing stands between the two.
        file.set(SOURCES, "127.0.0.1,::1");
    } else if let (Some(host), false) = (wanted.url.host_str(), sources.is_empty()) {
        file.comment(&format!(
            "The addresses of {host}. Remove the # if the server calls the bot from them (behind a proxy of the bot's, give the proxy's):"
        ));
        file.comment(&format!("{SOURCES}={sources}"));
    }
}

/// What is left to do.
fn next(wanted: &Options, output: Option<&Path>) -> String {
    let file = match output {
        Some(path) if path.is_absolute() => path.display().to_string(),
        Some(path) => format!("./{}", path.display()),
        None => "./bot.env".into(),
    };
    let bot = &wanted.bot_name;
    let call = match wanted.public_url {
        Some(_) => format!("/{}", wanted.trigger),
        None => format!("@{bot}"),
    };
    format!(
        "Next:
  1. Load the environment: `set -a; . {file}; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
  2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. {call} whoami shows an id.
  3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
  4. Type /invite @{bot} in the channel, then {call} setup."
    )
}

fn server(s: &str) -> Result<Url, String> {
    confidential(s, "the token")
}

fn proxies() -> Result<Proxies, Faults> {
    Proxies::read(super::env).map_err(Faults::all)
}

/// An empty value is how a compose file leaves a variable out.
fn authorities(path: &str) -> Result<Tls, String> {
    if path.trim().is_empty() { Ok(Tls::default()) } else { Tls::of_file(path.trim()) }
}

fn public(s: &str) -> Result<Url, String> {
    public_address(s)
}

/// Whatever it is: what is wrong with a value is shown with it, and this one is a secret.
fn secret(s: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(s.to_owned()))
}
