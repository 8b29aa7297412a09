//! The application: what it needs, and which address leads where.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_mcp::proxy::Upstream;
use flowtrail_mcp::{Caller as McpCaller, FlowServer};
use flowtrail_runner::Runner;
use flowtrail_tracker::Tracker;
use flowtrail_types::Principal;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::health::Readiness;
use crate::mcp::{Doors, McpService};
use crate::memory::Memory;
use crate::operate::{Limits, Metrics, RequestIds};
use crate::turns::Turns;
use crate::upstreams::Upstreams;
use crate::{ApiError, ErrorCode, mcp, openapi, operate, protected, routes, ui, upstreams};

/// What can be chosen about the application.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// The largest body, in bytes.
    pub max_body: usize,
    /// Memory budget for requests, in bytes.
    pub memory: usize,
    /// Percentage of the budget that one user may have.
    pub user_share: u8,
    /// The host names that MCP answers to; with a port, only on that port.
    pub allowed_hosts: Vec<String>,
    /// The origins of web pages that may call the API and MCP.
    pub allowed_origins: Vec<String>,
    /// How many requests a second each key may send; any number when absent.
    pub rate_limit: Option<NonZeroU32>,
    /// Other MCP servers, to stand in front of at `/mcp/{name}`.
    pub upstreams: Vec<Upstream>,
    /// Idle time after which an MCP session ends: without a request in flight and without an open stream.
    pub mcp_session_idle: Duration,
    /// Maximum number of their processes for one user. All users together may have twice as many.
    pub max_upstream_processes: usize,
    /// For how long a call of a tool of theirs may wait for an answer to what it asks.
    pub input_timeout: Duration,
    /// On which runtime their processes are looked after; on that of a worker when absent.
    pub runtime: Option<Handle>,
}

impl Default for AppOptions {
    fn default() -> Self {
        Self {
            max_body: 16 << 20,
            memory: 512 << 20,
            user_share: 50,
            allowed_hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            allowed_origins: Vec::new(),
            rate_limit: None,
            upstreams: Vec::new(),
            mcp_session_idle: Duration::from_secs(15 * 60),
            max_upstream_processes: 32,
            input_timeout: Duration::from_secs(24 * 3600),
            runtime: None,
        }
    }
}

/// What requests have in common.
struct Around {
    metrics: Metrics,
    request_ids: RequestIds,
    readiness: Readiness,
    limits: Option<Limits>,
    answers: Answers,
    memory: Arc<Memory>,
    turns: Arc<Turns>,
}

/// The application. Build it once, outside of the workers, and let each of them configure itself from it.
#[derive(Clone)]
pub struct App {
    runner: Runner,
    options: AppOptions,
    mcp: McpService,
    flow_server: FlowServer,
    doors: web::Data<Doors>,
    around: Arc<Around>,
    upstreams: Arc<Upstreams>,
    /// Fires when the server is about to stop.
    shutdown: CancellationToken,
    /// Ends every stream that is still open.
    hang_up: CancellationToken,
}

impl App {
    /// An application that runs flows with this runner.
    #[must_use]
    pub fn new(runner: Runner, mut options: AppOptions) -> Self {
        let upstreams = std::mem::take(&mut options.upstreams);
        let upstreams = Upstreams::new(
            upstreams,
            runner.tracker().clone(),
            options.input_timeout,
            options.max_upstream_processes,
            options.runtime.clone(),
        );
        let shutdown = CancellationToken::new();
        let hang_up = CancellationToken::new();
        let server = FlowServer::new(runner.clone(), McpCaller::OfRequest, shutdown.clone());
        let around = Around {
            metrics: Metrics::new(),
            readiness: Readiness::default(),
            request_ids: RequestIds::new(*runner.tracker().instance().as_uuid()),
            limits: options.rate_limit.map(Limits::new),
            answers: Answers::default(),
            memory: Memory::new(options.memory, options.user_share),
            turns: Arc::new(Turns::new(options.user_share)),
        };
        let (mcp, doors) = mcp::service(server.clone(), &options, hang_up.clone());
        Self {
            upstreams: Arc::new(upstreams),
            around: Arc::new(around),
            mcp,
            flow_server: server,
            doors: web::Data::new(doors),
            runner,
            options,
            shutdown,
            hang_up,
        }
    }

    /// The application that a request came to.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Internal`] when the request came to another application.
    pub(crate) fn of(request: &HttpRequest) -> Result<&web::Data<Self>, ApiError> {
        request.app_data().ok_or_else(|| ApiError::internal("a handler without an application"))
    }

    /// Declares every address. Production and tests use this and nothing else.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.clone()))
            .app_data(self.doors.clone())
            .app_data(web::PathConfig::default().error_handler(|error, _| {
                ApiError::new(ErrorCode::NotFound, format!("there is nothing at this address: {error}"))
                    .into()
            }))
            .service(
                web::scope("")
                    // Addresses are compared in this order, and agents call more often than people.
                    .service(upstreams::scope())
                    .service(mcp::scope(self.mcp.clone()))
                    .configure(routes::configure)
                    .configure(ui::configure)
                    .configure(openapi::configure)
                    .configure(protected::configure)
                    .default_service(web::to(nothing_here))
                    .wrap(operate::cors(&self.options.allowed_origins))
                    .wrap(from_fn(operate::around)),
            );
    }

    /// The tracker that decides everything.
    #[must_use]
    pub fn tracker(&self) -> &Tracker {
        self.runner.tracker()
    }

    /// What runs flows.
    #[must_use]
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// What answers calls of tools.
    pub(crate) fn flow_server(&self) -> &FlowServer {
        &self.flow_server
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.around.metrics
    }

    pub(crate) fn upstreams(&self) -> &Arc<Upstreams> {
        &self.upstreams
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.around.answers
    }

    /// The check that the database answers.
    pub(crate) fn readiness(&self) -> &Readiness {
        &self.around.readiness
    }

    pub(crate) fn request_ids(&self) -> &RequestIds {
        &self.around.request_ids
    }

    /// Counts a request of somebody's.
    ///
    /// # Errors
    ///
    /// When they ask more often than they may.
    pub(crate) fn count(&self, principal: &Principal) -> Result<(), ApiError> {
        let Some(limits) = &self.around.limits else { return Ok(()) };
        limits.count(principal).map_err(|wait| {
            self.around.metrics.limited();
            ApiError::too_often(wait)
        })
    }

    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Turns for what blocks.
    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.around.turns
    }

    /// The memory budget of the process.
    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.around.memory
    }

    pub(crate) fn max_body(&self) -> usize {
        self.options.max_body
    }

    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    pub(crate) fn hang_up(&self) -> &CancellationToken {
        &self.hang_up
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("options", &self.options).finish_non_exhaustive()
    }
}

async fn nothing_here() -> HttpResponse {
    use actix_web::ResponseError;
    ApiError::new(ErrorCode::NotFound, "there is nothing at this address").error_response()
}
