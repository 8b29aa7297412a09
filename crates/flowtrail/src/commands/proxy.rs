//! `flowtrail proxy`: stands in front of another MCP server and records every call of a tool.

use flowtrail_mcp::proxy::{
    About, Command, Ended, Journal, Reach, Target, Upstream, derived_name, relay_command, relay_url,
};
use flowtrail_runner::TraceContext;
use flowtrail_types::IdSource;

use super::serve::stop_signal;
use crate::cli::Proxy;
use crate::failure::Doing;
use crate::wiring::{Access, open_tracker};
use crate::{Config, Failure};

pub(super) fn run(config: Config, options: Proxy) -> Result<(), Failure> {
    let upstream = upstream(&config, options)?;
    // One thread is enough: what relays standard input and output has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing("cannot start")?;
    let opened = std::sync::Arc::new(std::sync::Mutex::new(None));
    let journal = Journal::opening(config.input_timeout, {
        let opened = std::sync::Arc::clone(&opened);
        move || {
            let (tracker, _) =
                open_tracker(&config, &Access::Record).map_err(|failure| failure.to_string())?;
            *opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(tracker.clone());
            Ok(tracker)
        }
    });
    let session = flowtrail_types::RandomIds::default()
        .next(flowtrail_types::Clock::now(&flowtrail_types::SystemClock));
    let tap = journal.connection(About {
        upstream: upstream.name,
        principal: None,
        transport: "stdio",
        session: Some(session.to_string()),
        public: false,
        trace: TraceContext::default(),
    });
    let relayed = runtime.block_on(async {
        match upstream.reach {
            Reach::Command(command) => match relay_command(&command, tap, stop_signal()).await {
                Ok(Ended::Exited(status)) if !status.success() => Err(Failure::new(Ended::Exited(status))),
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::new(error)),
            },
            Reach::Url(target) => relay_url(target, tap, stop_signal()).await.map_err(Failure::new),
        }
    });
    runtime.shutdown_background();
    journal.close();
    if journal.gaps() > 0 {
        log::warn!("{} calls passed and were not recorded", journal.gaps());
    }
    if let Some(tracker) = opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        tracker.close();
    }
    relayed
}

/// The server that the command line names: by a command, by an address, or by its name in the configuration.
fn upstream(config: &Config, options: Proxy) -> Result<Upstream, Failure> {
    let Proxy { name, url, headers, command } = options;
    let (given, derived) = match (url, command.split_first()) {
        (Some(url), _) => {
            let headers: Option<Vec<_>> = headers.iter().map(|header| header.split_once(':')).collect();
            let headers = headers.ok_or_else(|| Failure::bad_argument("--header: expected `Name: value`"))?;
            let target = Target::new(&url, headers).argument("--url")?;
            // Nothing but the host: the rest of an address may hold a key.
            let host = target.host().to_owned();
            (Reach::Url(target), derived_name(&host, &[]))
        }
        (None, Some((program, arguments))) => {
            let command = Command {
                program: program.clone(),
                arguments: arguments.to_vec(),
                environment: Vec::new(),
                folder: None,
            };
            (Reach::Command(command), derived_name(program, arguments))
        }
        (None, None) => {
            let known = || config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect::<Vec<_>>();
            let hint = "expected `-- COMMAND …`, --url URL, or --name with the name of a configured upstream";
            let name = name.ok_or_else(|| Failure::bad_argument(hint))?;
            let found = config.upstreams.iter().find(|upstream| upstream.name == name);
            return found.cloned().ok_or_else(|| {
                Failure::new(format_args!("there is no upstream {name:?} among {:?}; {hint}", known()))
            });
        }
    };
    Upstream::new(&name.unwrap_or(derived), given).argument("--name")
}
