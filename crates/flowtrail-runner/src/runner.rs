//! The runner: the door through which flows are run.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use flowtrail_tracker::{RejectedCall, RejectedTool, Sent, StartExecution, Tracker, TrackerError};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind, ExecutionId, Flow, FlowDraft, FlowKind, Principal, SavedBy};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::arguments::{check_arguments, first_parameter};
use crate::call::Call;
use crate::execution;
use crate::finished::{Finished, RunError};
use crate::http::{HttpClient, anywhere, public_only};
use crate::places::{Full, Place, Places};
use crate::plan::Plan;
use crate::sandbox::{Compiler, Sandbox, WorkerProgram};
use crate::secret_rules::{self, FlowNames};
use crate::{Imported, MAX_DEPTH, Problems, Secrets, Upstreams, flow_file};

/// How a runner works. The default is right for most.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// What templates know as `secrets`. None by default.
    pub secrets: Secrets,
    /// Whether flows may call private and loopback addresses. They may not by default.
    pub allow_private_addresses: bool,
    /// The most bytes of a response that an `ApiCall` reads. 4 MiB by default.
    pub max_response_bytes: usize,
    /// How long an execution may take when its flow does not say. 5 minutes by default.
    pub default_timeout: Duration,
    /// How long a script may run. 5 seconds by default.
    pub script_timeout: Duration,
    /// How many calls may run at the same time; a call beyond that is refused as busy. The flows that they call
    /// are not counted. 1,024 by default.
    pub max_running: usize,
    /// The MCP servers whose tools `McpTool` nodes call. None by default.
    pub upstreams: Option<Arc<dyn Upstreams>>,
    /// How long the stream of a `Model` may say nothing. 30 seconds by default.
    pub stream_idle_timeout: Duration,
    /// The part of what can run at the same time, calls and scripts, that a user may take, in percent. 50 by default.
    pub user_share: u8,
    /// The program whose processes run scripts. Where there is none, as by default, they run in this process, in which a
    /// few loops cannot be stopped.
    pub script_worker: Option<WorkerProgram>,
    /// On which tokio runtime flows run. By default on that of whoever starts them; a server whose workers have
    /// runtimes of their own wants one that outlives them.
    pub runtime: Option<Handle>,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            secrets: Secrets::default(),
            allow_private_addresses: false,
            max_response_bytes: 4 * 1024 * 1024,
            default_timeout: Duration::from_mins(5),
            script_timeout: Duration::from_secs(5),
            max_running: 1_024,
            upstreams: None,
            stream_idle_timeout: Duration::from_secs(30),
            user_share: 50,
            script_worker: None,
            runtime: None,
        }
    }
}

/// Runs flows, recording them through the tracker. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Runner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tracker: Tracker,
    options: RunnerOptions,
    sandbox: Sandbox,
    http: HttpClient,
    /// One place for every call that may run, but for those made by flows: a flow that waited for a place
    /// while it holds one could wait for ever.
    places: Places,
}

impl Runner {
    /// A runner that records through this tracker.
    #[must_use]
    pub fn new(tracker: Tracker, options: RunnerOptions) -> Self {
        let sandbox = Sandbox::new(options.script_timeout, options.user_share, options.script_worker.clone());
        let policy = if options.allow_private_addresses { anywhere } else { public_only };
        let http = HttpClient::new(policy, options.max_response_bytes);
        let share = crate::places::share(options.max_running, options.user_share);
        let places = Places::new(options.max_running, share);
        Self(Arc::new(Inner { tracker, options, sandbox, http, places }))
    }

    /// The tracker.
    #[must_use]
    pub fn tracker(&self) -> &Tracker {
        &self.0.tracker
    }

    /// The same as [`parse_flow`](crate::parse_flow), but compiles the code where this user's scripts run. Blocks.
    ///
    /// # Errors
    ///
    /// Every problem, by node and field.
    pub fn parse_flow(&self, principal: &Principal, value: Value) -> Result<FlowDraft, Problems> {
        let draft = flow_file::parse_flow_with(value, Compiler::of(&self.0.sandbox, principal.id))?;
        self.check_secrets(principal, &draft)?;
        Ok(draft)
    }

    /// The wrong uses of secrets in a stored flow: these nodes fail.
    #[must_use]
    pub fn misused_secrets(&self, flow: &Flow) -> Problems {
        let id = flow.id.to_string();
        let names = secret_rules::names_of(flow, &id);
        let mut problems = Problems::default();
        for node in &flow.definition.nodes {
            let checked = secret_rules::check(node, names, self.secrets());
            let checked =
                checked.and_then(|used| secret_rules::check_saver(&used, &flow.saved_by, self.secrets()));
            if let Err(misuse) = checked {
                problems.add_at(&node.id, misuse.field, misuse.message);
            }
        }
        problems
    }

    /// Refuses a draft that uses secrets where they may not stand, or that are not for the principal.
    ///
    /// # Errors
    ///
    /// Every problem, by node and field.
    pub fn check_secrets(&self, principal: &Principal, draft: &FlowDraft) -> Result<(), Problems> {
        let id = draft.id.map(|id| id.to_string());
        let tool_name = draft.tool_name.as_ref().map(|name| name.as_str());
        let flow = FlowNames { id: id.as_deref(), name: &draft.name, tool_name };
        let saved_by = SavedBy::from(principal);
        let mut problems = Problems::default();
        for node in &draft.definition.nodes {
            let checked = secret_rules::check(node, flow, self.secrets());
            let checked =
                checked.and_then(|used| secret_rules::check_saver(&used, &saved_by, self.secrets()));
            if let Err(misuse) = checked {
                problems.add_at(&node.id, misuse.field, misuse.message);
            }
        }
        problems.or(())
    }

    /// The same as [`import_flow_file`](crate::import_flow_file), but compiles the code where this user's scripts run. Blocks.
    ///
    /// # Errors
    ///
    /// Every problem, by node and field.
    pub fn import_flow_file(&self, principal: &Principal, bytes: &[u8]) -> Result<Imported, Problems> {
        let imported = flow_file::import_with(bytes, Compiler::of(&self.0.sandbox, principal.id))?;
        imported.drafts.iter().try_for_each(|draft| self.check_secrets(principal, draft))?;
        Ok(imported)
    }

    /// Begins to run a flow. When this returns, the execution is pending and durable, and goes on by itself
    /// in a task of the runtime that the options name, or else of the current one.
    ///
    /// # Errors
    ///
    /// When the call is refused. Then nothing was recorded but, when the tracker's options ask for it, that it was rejected.
    pub async fn start(&self, mut call: Call) -> Result<Running, RunError> {
        let admitted = self.admit_or_reject(&mut call).await?;
        self.begin(call, admitted).await
    }

    async fn begin(&self, call: Call, admitted: Admitted) -> Result<Running, RunError> {
        let Admitted { place, timeout, .. } = admitted;
        let params = Value::Object(call.arguments.clone());
        let start = start_of(&call, &params, timeout);
        let handle = self.0.tracker.start(&call.principal, start)?.await?;
        let id = handle.id();
        let execution = execution::run(self.clone(), call, handle);
        let task = self.spawn(async move {
            let _place = place;
            execution.await
        });
        Ok(Running { id, task })
    }

    /// Runs a flow to its end. When this future is dropped, the flow goes on.
    ///
    /// A flow that is over in a moment and leaves no trace outside of this process is written when it has ended, all at
    /// once: half as many words with the disk. Until it has ended it is not there to others.
    ///
    /// # Errors
    ///
    /// When the call is refused, as [`start`](Self::start). [`RunError::Tracker`] also when a flow that is written once could
    /// not be. A flow that fails is no error here: its outcome says so.
    pub async fn run(&self, mut call: Call) -> Result<Finished, RunError> {
        let admitted = self.admit_or_reject(&mut call).await?;
        // Who is told of nodes while they run is told of something that is there.
        if !admitted.is_brief || call.observer.is_some() {
            let runner = self.clone();
            // Elsewhere from the beginning: whoever drops this while the start is written has called it all the same.
            let task = self.spawn(async move { Ok(runner.begin(call, admitted).await?.finish().await) });
            return task.await.unwrap_or_else(|error| {
                log::error!("a call broke off: {error}");
                Err(RunError::Tracker(TrackerError::Closed))
            });
        }
        let Admitted { place, timeout, .. } = admitted;
        let params = Value::Object(call.arguments.clone());
        let handle = self.0.tracker.hold(&call.principal, start_of(&call, &params, timeout))?;
        let id = handle.id();
        let mut execution = Box::pin(execution::run_held(self.clone(), call, handle));
        // Most have ended when they were looked at once. What has not goes on elsewhere, whoever drops this.
        let looked_at = poll_fn(|context| {
            let _entered = self.0.options.runtime.as_ref().map(Handle::enter);
            // As a task would be, it is apart from whoever waits for it.
            Poll::Ready(catch_unwind(AssertUnwindSafe(|| execution.as_mut().poll(context))))
        });
        let ended = match looked_at.await {
            Ok(Poll::Ready(ended)) => ended?.recorded().await,
            Ok(Poll::Pending) => {
                let task = self.spawn(async move {
                    let _place = place;
                    execution.await?.recorded().await
                });
                task.await.unwrap_or_else(|error| Ok(broken_off(id, &error)))
            }
            Err(_) => Ok(broken_off(id, &"it panicked")),
        };
        Ok(ended?)
    }

    fn spawn<T: Send + 'static>(&self, run: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        match &self.0.options.runtime {
            Some(runtime) => runtime.spawn(run),
            None => tokio::spawn(run),
        }
    }

    /// Whether a call may run, with its arguments made whole. A call that may not because of what it is, and which no flow
    /// made, is recorded as rejected.
    async fn admit_or_reject(&self, call: &mut Call) -> Result<Admitted, RunError> {
        let is_told = self.0.tracker.records_rejected() && call.is_root() && !call.is_first_try;
        // Checking takes the arguments apart.
        let arguments = is_told.then(|| Value::Object(call.arguments.clone()));
        let error = match self.admit(call) {
            Ok(admitted) => return Ok(admitted),
            Err(error) => error,
        };
        if let Some(arguments) = arguments
            && let Some(problems) = error.rejection()
        {
            self.reject(call, &arguments, problems).await;
        }
        Err(error)
    }

    /// Records that a call was rejected. Whoever called is answered in any case.
    async fn reject(&self, call: &Call, arguments: &Value, problems: Vec<(Option<&str>, String)>) {
        let first_param = first_parameter(&call.flow.definition);
        let rejected = RejectedCall {
            tool: RejectedTool::Flow { flow: &call.flow, first_param, problems },
            source: call.source,
            params: Sent { value: arguments, replaced: call.arguments_replaced },
            meta: call.meta.as_ref(),
            replay_of: call.replay_of,
        };
        let written = match self.0.tracker.reject(&call.principal, &rejected) {
            Ok(Some(written)) => written.await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            log::warn!("a rejected call is not recorded: {error}");
        }
    }

    /// Whether a call may run, with its arguments made whole.
    fn admit(&self, call: &mut Call) -> Result<Admitted, RunError> {
        let flow = &call.flow;
        if flow.kind != FlowKind::Runnable {
            return Err(RunError::NotRunnable);
        }
        if !flow.active {
            return Err(RunError::Inactive);
        }
        if call.depth() > MAX_DEPTH {
            return Err(RunError::TooDeep);
        }
        let is_brief = Plan::of(&flow.definition).map_err(RunError::Invalid)?.is_brief();
        call.arguments = check_arguments(&flow.definition, std::mem::take(&mut call.arguments))
            .map_err(RunError::Arguments)?;
        let timeout = flow.timeout.unwrap_or(self.0.options.default_timeout);
        let place = self.place_for(call)?;
        Ok(Admitted { place, timeout, is_brief })
    }

    /// A place for a call, if it needs one.
    fn place_for(&self, call: &mut Call) -> Result<Option<Place>, RunError> {
        if !call.is_root() {
            return Ok(None);
        }
        call.count_anew();
        self.0.places.try_take(call.principal.id).map(Some).map_err(|full| match full {
            Full::All => RunError::Tracker(TrackerError::Busy),
            Full::Share { of } => RunError::ShareUsed(of),
        })
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.options.secrets
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    pub(crate) fn stream_idle_timeout(&self) -> Duration {
        self.0.options.stream_idle_timeout
    }

    pub(crate) fn max_response_bytes(&self) -> usize {
        self.0.options.max_response_bytes
    }

    pub(crate) fn upstreams(&self) -> Option<&dyn Upstreams> {
        self.0.options.upstreams.as_deref()
    }

    pub(crate) fn http(&self) -> &HttpClient {
        &self.0.http
    }
}

/// A call that may run.
struct Admitted {
    place: Option<Place>,
    timeout: Duration,
    /// Whether all of the flow is done in a moment and leaves no trace outside of this process.
    is_brief: bool,
}

/// The start of a call's execution.
fn start_of<'a>(call: &'a Call, params: &'a Value, timeout: Duration) -> StartExecution<'a> {
    let flow = &call.flow;
    let mut start = StartExecution::of(flow, call.source)
        .params(Sent { value: params, replaced: call.arguments_replaced })
        .first_param(first_parameter(&flow.definition))
        .timeout(timeout);
    if let Some(meta) = &call.meta {
        start = start.meta(meta);
    }
    if let Some(parent) = call.parent {
        start = start.parent(parent);
    }
    if let Some(original) = call.replay_of {
        start = start.replay_of(original);
    }
    start
}

/// An execution that runs. Dropping this lets it go on.
#[derive(Debug)]
pub struct Running {
    /// Its id.
    pub id: ExecutionId,
    task: JoinHandle<Finished>,
}

impl Running {
    /// Waits for its end.
    pub async fn finish(self) -> Finished {
        self.task.await.unwrap_or_else(|error| broken_off(self.id, &error))
    }
}

/// What is known of an execution that has not come to its end: the runtime shuts down, or there is a mistake in the loop
/// itself. The tracker's handle, dropped, has recorded the end.
fn broken_off(id: ExecutionId, error: &dyn Display) -> Finished {
    log::error!("execution {id} broke off: {error}");
    let reason = ErrorInfo::new(ErrorKind::Dropped, "the execution broke off");
    Finished { id, outcome: Outcome::Aborted(Some(reason)), returns: Vec::new(), outputs: Value::Null }
}
