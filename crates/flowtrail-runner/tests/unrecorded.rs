//! An end that cannot be recorded, in a program of its own: it listens to the log.

mod support;

use std::sync::{Arc, Mutex};

use flowtrail_types::lifecycle::Outcome;
use log::{LevelFilter, Log, Metadata, Record};
use serde_json::json;
use support::{Answer, Server, World, file, nothing};
use tokio::sync::Notify;

/// Keeps what is logged as an error.
struct Errors(Mutex<Vec<String>>);

static ERRORS: Errors = Errors(Mutex::new(Vec::new()));

impl Log for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == log::Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn the_caller_is_told_how_it_ended_and_the_log_that_it_was_not_recorded() {
    log::set_logger(&ERRORS).unwrap();
    log::set_max_level(LevelFilter::Error);
    let world = World::new();
    let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&go_on));
    let server = Server::start(move |_| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            Answer::text("here")
        }
    })
    .await;
    let nodes = [
        ("call", "ApiCall", json!({"method": "GET", "url": server.url("/")})),
        ("say", "Return", json!({"text": "{{ call.body }}"})),
    ];
    let flow = world.flow(&file(&nodes, "ask>call call>say"));
    let running = world.runner.start(world.call(&flow, nothing())).await.unwrap();
    let id = running.id;
    asked.notified().await;
    world.runner.tracker().close();
    go_on.notify_one();
    let finished = running.finish().await;
    assert_eq!((finished.outcome, finished.outputs), (Outcome::Fulfilled, json!("here")));
    let errors = ERRORS.0.lock().unwrap().clone();
    let expected = format!("the end of execution {id} was not recorded: the server is shutting down");
    assert_eq!(errors, [expected]);
}
