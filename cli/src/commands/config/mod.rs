//! `peermux config`: checks a configuration file, and shows a node's settings.

mod settings;

use std::fmt;
use std::path::PathBuf;

use clap::Subcommand;
use peermux::ServerConfig;
use peermux_cli::config::Config;
#[cfg(unix)]
use peermux_cli::request::Query;
use serde::Serialize;

#[cfg(unix)]
use crate::admin::{Client, Which};
use crate::config_file;
use crate::failure::Failure;
use crate::human;
use crate::node;
use crate::output::Output;

use settings::Settings;

const EXAMPLES: &str = "\
Examples:
  peermux config check node.toml
  peermux config show                   all settings with their defaults, as a file to begin with
  peermux config show node.toml         what a file changes
  peermux config show --data-dir node   what a running node has now";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read a configuration file as `listen` does, and report errors
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show all settings: first those that are not the default, then the others as comments
    Show {
        /// A configuration file [default: the default settings]
        #[arg(conflicts_with_all = ["data_dir", "admin"])]
        file: Option<PathBuf>,
        /// The running node
        #[cfg(unix)]
        #[command(flatten)]
        which: Which,
    },
}

/// The report that a file is valid.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "checked")]
struct Checked {
    file: String,
    /// The number of settings that are not the default.
    changed: usize,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, changed } = self;
        write!(
            f,
            "{file} is valid and changes {}",
            human::count(*changed, "setting")
        )
    }
}

pub(crate) async fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    match &args.action {
        Action::Check { file } => {
            let config = config_file::read(file)?;
            check(&config.server).map_err(|error| {
                Failure::Usage(format!("config file {}: {error}", file.display()))
            })?;
            out.tell(&Checked {
                file: file.display().to_string(),
                changed: Settings::of_node(&config)?.changed(),
            })
        }
        #[cfg(unix)]
        Action::Show { file: None, which } if which.is_given() => {
            let mut node = Client::connect(&which.socket()?).await?;
            let config = node.ask(Query::Config {}).await?;
            Settings::of_node(&config)?.show(out)
        }
        Action::Show { file, .. } => {
            let config = match file {
                Some(file) => config_file::read(file)?,
                None => Config::default(),
            };
            Settings::of_node(&config)?.show(out)
        }
    }
}

/// Makes the checks that a node makes when it starts.
fn check(config: &ServerConfig) -> Result<(), String> {
    config.check().map_err(|error| error.to_string())?;
    for node in config.static_nodes() {
        node::check_dialable(node).map_err(|error| format!("static node {node}: {error}"))?;
    }
    Ok(())
}
