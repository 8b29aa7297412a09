//! Flowtrail in a test.
//!
//! ```no_run
//! use flowtrail_testkit::{Era, TestServer, assert_execution, flow};
//! use serde_json::json;
//!
//! # async fn example() {
//! let server = TestServer::start().await;
//! server.create(&flow("Greet").text("name").returns("Hello {{ ask.name }}")).await;
//! let client = server.mcp(Era::Stateless).await;
//! let answer = client.call("greet", json!({"name": "Ana"})).await;
//! assert_eq!(answer.text(), "Hello Ana");
//! let execution = server.execution(answer.execution_id()).await;
//! assert_execution(&execution).has_status("fulfilled").has_nodes(&[("ask", "completed"), ("say", "completed")]);
//! # }
//! ```
//!
//! [`TestServer`] is a whole server on a free port with a temporary database, in this process; [`TestProcess`] is
//! the same as a process of its own, which can be killed. Both give a REST client and real MCP clients. What they
//! do not find they say with all they know, by panicking: this crate is for tests.

mod assert;
mod events;
mod flow;
mod mcp;
mod process;
mod rest;
mod scripted;
mod server;
mod store;
mod worker;

pub use assert::{ExecutionAssert, assert_execution};
pub use events::{EventStream, SentEvent};
pub use flow::{FlowBuilder, flow};
pub use mcp::{Answered, Era, McpClient};
pub use process::TestProcess;
pub use rest::{Answer, Rest, http_client};
pub use scripted::{Said, ScriptedServer};
pub use server::{TestServer, TestServerBuilder, TestUser};
pub use store::{TestStore, sqlite_store};
