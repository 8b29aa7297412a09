//! The log: on standard error, without the values of configured secrets.

use std::sync::OnceLock;

use flowtrail_tracker::Redactor;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// The redactor of each line, once the configuration is read.
static REDACTOR: OnceLock<Redactor> = OnceLock::new();

/// The logger behind it, and before it whatever hides secrets.
struct Redacting(env_logger::Logger);

impl Log for Redacting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let told = Metadata::builder().target(record.target()).level(level_of(record)).build();
        if !self.0.enabled(&told) {
            return;
        }
        let line = record.args().to_string();
        let clean = REDACTOR.get().map_or(line.as_str().into(), |redactor| redactor.redact_name(&line));
        let mut same = Record::builder();
        same.metadata(told).module_path(record.module_path()).file(record.file()).line(record.line());
        self.0.log(&same.args(format_args!("{clean}")).build());
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// The level that a line has for an operator: what these libraries call an error is what a client did, such as hanging up,
/// or is told by whoever asked them.
fn level_of(record: &Record<'_>) -> Level {
    let is_of = |library: &str| record.target().split("::").next() == Some(library);
    match record.level() {
        Level::Error | Level::Warn if is_of("actix_http") || is_of("r2d2") => Level::Debug,
        level => level,
    }
}

/// Begins to log. Logs go to standard error: standard output belongs to what was asked for.
pub(crate) fn begin() {
    // The SDK logs whole messages at `info`, with arguments that may hold secrets, so it is quieter by default.
    let defaults = env_logger::Env::default().default_filter_or("info,actix_server=warn,tracing=warn");
    let logger = env_logger::Builder::from_env(defaults)
        // At `debug` the SDK would write whole requests, with whatever secrets their arguments hold.
        .filter_module("rmcp", LevelFilter::Warn)
        .filter_module("rmcp_actix_web", LevelFilter::Warn)
        .filter_module("rmcp::service", LevelFilter::Off)
        .target(env_logger::Target::Stderr)
        .build();
    let level = logger.filter();
    // It fails when there is a logger already, such as that of a program that calls this library.
    if log::set_boxed_logger(Box::new(Redacting(logger))).is_ok() {
        log::set_max_level(level);
    }
}

/// From now on these secrets are taken out of each line.
pub(crate) fn hide(redactor: Redactor) {
    // Later configurations of the same process, as in tests, find the first one's.
    let _ = REDACTOR.set(redactor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_does_is_no_error_of_the_server() {
        let level = |target: &str, level: Level| {
            level_of(&Record::builder().target(target).level(level).args(format_args!("")).build())
        };
        assert_eq!(level("actix_http::h1::dispatcher", Level::Error), Level::Debug);
        assert_eq!(level("r2d2", Level::Error), Level::Debug);
        assert_eq!(level("actix_http::h1", Level::Trace), Level::Trace);
        assert_eq!(level("flowtrail_http::error", Level::Error), Level::Error);
        assert_eq!(level("actix_httpx", Level::Error), Level::Error);
    }
}
