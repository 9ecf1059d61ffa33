//! `mattermost install`: a server made ready for the bot.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::config::{confidential, public_address};
use crate::platform::mattermost::install::{Installed, Wanted, install};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Create the bot's account, token and slash command on a server, and check its settings. Prints
    /// the environment for `serve`; run again, it uses what is there
    Install(Args),
}

#[derive(clap::Args)]
pub struct Args {
    /// The server, by its address in a browser
    #[arg(long, env = "MATTERMOST_URL", value_parser = server)]
    url: Url,
    /// A personal access token of a system administrator; better given by the environment, because
    /// other users of this machine see command lines. It is used now and kept nowhere
    #[arg(long, env = "MATTERMOST_ADMIN_TOKEN", hide_env_values = true, value_parser = secret)]
    admin_token: SecretString,
    /// The team's name, as it stands in its address; several by giving it again
    #[arg(long = "team", required = true, value_name = "NAME")]
    teams: Vec<String>,
    /// How the server reaches the bot, by its https:// address
    #[arg(long, env = "CHATOPS_PUBLIC_URL", value_parser = public)]
    public_url: Url,
    /// The bot's user name
    #[arg(long, default_value = "sekoia")]
    bot_name: String,
    /// The word after the slash
    #[arg(long, default_value = "sekoia")]
    trigger: String,
    /// Make another token for the bot, although it has one. The old one keeps working
    #[arg(long)]
    new_token: bool,
    /// Let the bot answer presses with buttons of their own, by a built-in role (the output says which)
    #[arg(long)]
    grant_private_answers: bool,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Install(args) = command;
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !args.admin_token.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
        anyhow::bail!("the admin token holds spaces or characters that no token has");
    }
    let wanted = Wanted {
        url: args.url,
        admin_token: args.admin_token,
        teams: args.teams,
        public_url: args.public_url,
        bot_name: args.bot_name,
        trigger: args.trigger,
        new_token: args.new_token,
        grant_private: args.grant_private_answers,
    };
    let installed = install(&wanted).await?;
    // What was done goes to the terminal, so that the output alone can become an environment file.
    for done in &installed.done {
        eprintln!("  {done}");
    }
    for advice in &installed.advice {
        eprintln!("\nBetter: {advice}");
    }
    if !installed.command_tokens.is_empty() {
        print!("{}", environment(&wanted, &installed));
    }
    if installed.problems.is_empty() {
        eprintln!("\nInvite @{} to the channel, then type /{} setup there.", wanted.bot_name, wanted.trigger);
        return Ok(());
    }
    let problems: Vec<String> = installed.problems.iter().map(|problem| format!("  {problem}")).collect();
    anyhow::bail!("an administrator of the server has to change this before the bot works:\n{}", problems.join("\n"))
}

fn environment(wanted: &Wanted, installed: &Installed) -> String {
    let address = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    let token = match &installed.bot_token {
        Some(token) => format!("MATTERMOST_BOT_TOKEN={}", token.expose_secret()),
        None => "# MATTERMOST_BOT_TOKEN: the one that was printed when it was made".into(),
    };
    let tokens: Vec<&str> = installed.command_tokens.iter().map(ExposeSecret::expose_secret).collect();
    format!(
        "MATTERMOST_URL={}\n{token}\nMATTERMOST_COMMAND_TOKEN={}\nCHATOPS_PUBLIC_URL={}\n",
        address(&wanted.url),
        tokens.join(","),
        address(&wanted.public_url)
    )
}

fn server(s: &str) -> Result<Url, String> {
    confidential(s, "the token")
}

fn public(s: &str) -> Result<Url, String> {
    public_address(s)
}

/// Whatever it is: what is wrong with a value is shown with it, and this one is a secret.
fn secret(s: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(s.to_owned()))
}
