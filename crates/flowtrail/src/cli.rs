//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use flowtrail_http::ExportFormat;
use flowtrail_types::{Age, ExecutionId, ExecutionStatus, Role, SearchText, SortKey, Source, Tag, timestamp};
use time::OffsetDateTime;

use crate::Settings;

/// Keeps the history of flows: every run leaves a durable record with what each node did.
#[derive(Debug, Parser)]
#[command(name = "flowtrail", version, about, subcommand_required = false)]
#[command(after_help = "Every option is also an environment variable, and may stand in flowtrail.toml.\n\
    A flag beats a variable, a variable beats the file. Logs: RUST_LOG (default: info).")]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where the configuration file is [default: ./flowtrail.toml, then flowtrail.toml in the data directory]
    #[arg(long, env = "FLOWTRAIL_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The options that can also stand in the file.
    #[command(flatten)]
    pub settings: Settings,
}

/// The arguments with `--flag true` written as `--flag=true`, for flags that may also stand alone: else a command that
/// follows one would be taken for its value.
pub fn joined_flags(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    const ALONE: [&str; 2] = ["--allow-private-addresses", "--record-rejected"];
    let mut joined: Vec<OsString> = Vec::new();
    // What follows is somebody else's command line.
    let mut is_ours = true;
    for argument in arguments {
        is_ours &= argument != "--";
        match joined.last_mut().filter(|_| is_ours) {
            Some(last)
                if ALONE.iter().any(|flag| last == flag) && (argument == "true" || argument == "false") =>
            {
                last.push("=");
                last.push(argument);
            }
            _ => joined.push(argument),
        }
    }
    joined
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve REST and MCP on one port
    Serve(Serve),
    /// Serve a temporary database with example flows that have been called over MCP
    Demo,
    /// Serve MCP over standard input and output, on the same data directory
    Mcp,
    /// Stand in front of another MCP server, on standard input and output, and record every call of a tool
    #[command(after_help = PROXY_HELP)]
    Proxy(Proxy),
    /// Flow files
    #[command(subcommand)]
    Flow(FlowCommand),
    /// History at the terminal
    #[command(subcommand)]
    Executions(ExecutionsCommand),
    /// Print a link to log in to the web UI once, as the administrator
    LoginLink {
        /// The server's address as browsers reach it [default: that of the server that runs on the data directory]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Who may ask
    #[command(subcommand)]
    Key(KeyCommand),
    /// The people and programs that have keys
    #[command(subcommand)]
    User(UserCommand),
    /// Statistics of a flow, or of all
    Stats {
        /// The flow: its tool name or id
        flow: Option<String>,
        /// By hour or day
        #[arg(long, value_name = "STEP", value_parser = ["hour", "day"])]
        by: Option<String>,
        /// Count also what was deleted since
        #[arg(long)]
        recorded: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The database's schema
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// The database itself
    #[command(subcommand)]
    Db(DbCommand),
    /// Write a consistent copy of a SQLite database while it is in use
    Backup {
        /// The file to write; it must not be there yet
        file: PathBuf,
    },
    /// Print the API's description, as OpenAPI 3.1
    Openapi,
}

const PROXY_HELP: &str = "Examples:\n  \
    flowtrail proxy -- npx -y @modelcontextprotocol/server-filesystem /tmp\n  \
    flowtrail proxy --name tickets --url https://mcp.example/mcp --header \"Authorization: Bearer $TOKEN\"\n\n\
    What passes is passed on as it is, and its recording never delays or changes it. Calls are found as the flows\n\
    NAME.TOOL, by `flowtrail executions list --source proxy` and in the web UI.";

/// The server that `proxy` stands in front of.
#[derive(Debug, Args)]
pub struct Proxy {
    /// What the server is called here [default: made from the command or address]; alone, the name of an upstream in
    /// the configuration
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The server's address, when it speaks streamable HTTP
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub url: Option<String>,
    /// A header for each request to the address; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "url")]
    pub headers: Vec<String>,
    /// The command that starts the server, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// The database itself.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Show what the tables take, and what can be given back
    Size {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Read everything and tell what is broken; exits with 1 if anything is
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write what can be read of a damaged SQLite database to a new one; the damaged one stays as it is
    Salvage {
        /// The file to write; it must not be there yet
        file: PathBuf,
    },
}

/// Options of `serve` alone.
#[derive(Debug, Args, Default)]
pub struct Serve {
    /// Do not migrate the database; refuse to start on an old schema
    #[arg(long, env = "FLOWTRAIL_NO_MIGRATE")]
    pub no_migrate: bool,
}

/// Flow files.
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Import flow files: all flows of all files, or none
    Import {
        /// The files; `-` for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Write a flow as a file to standard output
    Export {
        /// Its tool name or id
        flow: String,
    },
    /// List flows
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a flow and keep its history
    Delete {
        /// Its tool name or id
        flow: String,
    },
}

/// Which executions are wanted; all that are told must hold.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only of this flow: its tool name or id
    #[arg(long)]
    pub flow: Option<String>,
    /// Only with this status: pending, fulfilled, error or aborted
    #[arg(long)]
    pub status: Option<ExecutionStatus>,
    /// Only from this source: mcp, api, embedded, proxy or replay
    #[arg(long)]
    pub source: Option<Source>,
    /// Only what this user started, by name
    #[arg(long)]
    pub user: Option<String>,
    /// Only what began at this time or later, like 2026-01-06T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub from: Option<OffsetDateTime>,
    /// Only what began before this time
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub to: Option<OffsetDateTime>,
    /// Only what took so many milliseconds or more
    #[arg(long, value_name = "MS")]
    pub min_duration: Option<u64>,
    /// Only what took so many milliseconds or less
    #[arg(long, value_name = "MS")]
    pub max_duration: Option<u64>,
    /// Only with this tag, as key:value
    #[arg(long)]
    pub tag: Option<Tag>,
    /// Only with this text in a name, the preview, the error or an id
    #[arg(long, short = 'q', value_name = "TEXT")]
    pub query: Option<SearchText>,
}

/// History at the terminal.
#[derive(Debug, Subcommand)]
pub enum ExecutionsCommand {
    /// List executions, newest first
    List {
        /// Which executions
        #[command(flatten)]
        filter: Filter,
        /// In which order: startedAt, the newest first, or duration, the longest first
        #[arg(long, value_name = "KEY", default_value = "startedAt")]
        sort: SortKey,
        /// Which page
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
        /// How many on a page
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show executions as they begin and end, until Ctrl-C
    Tail {
        /// Only of this flow: its tool name or id
        #[arg(long)]
        flow: Option<String>,
        /// First show so many that were there before
        #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
        last: u32,
        /// As JSON, a line each
        #[arg(long)]
        json: bool,
    },
    /// Restore executions that were exported as NDJSON, as they were
    Import {
        /// The file; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The counts as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write executions as NDJSON, each in full, or as CSV
    Export {
        /// Which executions
        #[command(flatten)]
        filter: Filter,
        /// The form: ndjson or csv
        #[arg(long, default_value = "ndjson")]
        format: ExportFormat,
        /// The file to write, which must not be there yet; standard output when not told
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Delete the older part of the history; what is pending stays
    #[command(group = clap::ArgGroup::new("what").required(true).args(["keep", "older_than"]))]
    Prune {
        /// Only of this flow: its tool name or id
        #[arg(long)]
        flow: Option<String>,
        /// Keep the newest so many of the flow
        #[arg(long, value_name = "NUMBER", requires = "flow")]
        keep: Option<u64>,
        /// Delete what began longer ago than this, for example 30d
        #[arg(long, value_name = "AGE")]
        older_than: Option<Age>,
        /// Only count what would be deleted
        #[arg(long)]
        dry_run: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an execution, node by node
    Show {
        /// Its id, as `flowtrail executions list` shows it
        id: ExecutionId,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Who may ask.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it, once
    Create {
        /// What it is for
        name: String,
        /// Whose it is, by name; the administrator's when not told
        #[arg(long)]
        user: Option<String>,
        /// After how long it expires, for example `30d`; never when not told
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        expires: Option<std::time::Duration>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List keys, without the keys themselves
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key, at once
    Revoke {
        /// Its id, or its prefix as `key list` shows it
        key: String,
    },
}

/// The people and programs that have keys.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a user and print their id
    Create {
        /// Their name
        name: String,
        /// What they may do: an admin sees and changes everything
        #[arg(long, default_value = "user")]
        role: Role,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List users
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// The database's schema.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply the migrations that are missing
    Up,
    /// Take migrations back, newest first
    Down {
        /// How many
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show which migrations are applied
    Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_may_stand_alone_before_a_command_or_have_its_value_beside_it() {
        for (arguments, expected) in [
            (&["flowtrail", "--allow-private-addresses", "serve"][..], true),
            (&["flowtrail", "serve", "--allow-private-addresses"], true),
            (&["flowtrail", "serve", "--allow-private-addresses", "true"], true),
            (&["flowtrail", "serve", "--allow-private-addresses=false"], false),
            (&["flowtrail", "--allow-private-addresses", "false", "serve"], false),
        ] {
            let cli = Cli::try_parse_from(joined_flags(arguments.iter().map(OsString::from))).unwrap();
            assert_eq!(cli.settings.allow_private_addresses, Some(expected), "{arguments:?}");
            assert!(matches!(cli.command, Some(Command::Serve(_))));
        }
        let arguments = ["flowtrail", "--record-rejected", "true", "--allow-private-addresses", "serve"];
        let cli = Cli::try_parse_from(joined_flags(arguments.iter().map(OsString::from))).unwrap();
        assert_eq!(
            (cli.settings.record_rejected, cli.settings.allow_private_addresses),
            (Some(true), Some(true))
        );
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
