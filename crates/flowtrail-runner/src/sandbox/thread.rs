//! The thread in which one script runs.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flowtrail_types::{ErrorKind, Json, read_json};
use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::{Context, Ctx, Error, Exception, Function, Runtime, Value as Js};
use tokio::sync::oneshot;

use super::source::{FILE, FUNCTION, Script};
use super::{Counted, MAX_RESULT, MEMORY, STACK, ScriptError, check_doubles, failure};
use crate::template::Shared;

/// The thread's own stack: the script's, and as much again for what Rust and C need around it.
const THREAD_STACK: usize = 2 * 1024 * 1024;

/// What a script can use: the language, and nothing that reaches outside. Proxies, weak references and a
/// fine clock are of no use to a transformation and of some to an attack.
type Intrinsics = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// Makes `nodes`: an object whose properties are read when they are first asked for, so that outputs that a
/// script does not use take none of its memory.
const LAZY_NODES: &str = "(ids, read) => {
    const nodes = {};
    for (const id of ids) {
        const keep = (value) =>
            Object.defineProperty(nodes, id, { value, enumerable: true, configurable: true, writable: true });
        const get = () => keep(read(id))[id];
        Object.defineProperty(nodes, id, { get, set: keep, enumerable: true, configurable: true });
    }
    return nodes;
}";

/// One script with what it is run on.
pub(super) struct Job {
    pub(super) script: Script,
    pub(super) input: Shared,
    pub(super) nodes: Arc<BTreeMap<String, Shared>>,
    pub(super) time: Duration,
    pub(super) stop: Arc<AtomicBool>,
}

/// Starts a thread for a job, which sends the answer when it has one.
pub(super) fn start(
    job: Job,
    counted: Counted,
    answer: oneshot::Sender<Result<Json, ScriptError>>,
) -> Result<(), ScriptError> {
    let body = move || {
        let _counted = counted;
        // Whoever asked may have given up; then nobody is there to be told.
        drop(answer.send(run(&job)));
    };
    std::thread::Builder::new()
        .name("flowtrail-script".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(body)
        .map(drop)
        .map_err(|error| ScriptError::new(ErrorKind::Internal, format!("no thread for the script: {error}")))
}

fn run(job: &Job) -> Result<Json, ScriptError> {
    let engine = Runtime::new().map_err(|error| ScriptError::engine(&error))?;
    engine.set_memory_limit(MEMORY);
    engine.set_max_stack_size(STACK);
    let deadline = Instant::now() + job.time;
    let interrupted = Rc::new(Cell::new(false));
    engine.set_interrupt_handler(Some(Box::new({
        let (interrupted, stop) = (interrupted.clone(), job.stop.clone());
        move || {
            let now = stop.load(Ordering::Relaxed) || Instant::now() >= deadline;
            interrupted.set(interrupted.get() || now);
            now
        }
    })));
    let refused = Refused::default();
    let context = Context::custom::<Intrinsics>(&engine).map_err(|error| ScriptError::engine(&error))?;
    let result = context.with(|ctx| {
        let result = call(&ctx, job, &refused);
        // However the script went on after that.
        if let Some(error) = refused.take() {
            return Err(error);
        }
        result.map_err(|stopped| match stopped {
            _ if interrupted.get() => ScriptError::too_slow(job.time),
            Stopped::Engine(error) => failure::of(&ctx, &error, job.script.throws()),
            Stopped::Refused(error) => error,
        })
    })?;
    // A string may have half of a surrogate pair, which the engine writes as an escape.
    read_json(result.as_bytes()).map_err(|error| {
        let message = if error.to_string().contains("recursion limit") {
            "the result is nested deeper than 128 levels".to_owned()
        } else {
            format!("the result has text that is not valid Unicode: {error}")
        };
        ScriptError::new(ErrorKind::Failed, message)
    })
}

/// Why an output that the script asked for was not given to it.
type Refused = Rc<Cell<Option<ScriptError>>>;

/// Why a call gave no result.
enum Stopped {
    Engine(Error),
    Refused(ScriptError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// Calls the user's function, and returns its result as JSON text.
fn call(ctx: &Ctx<'_>, job: &Job, refused: &Refused) -> Result<String, Stopped> {
    let nodes = lazy_nodes(ctx, &job.nodes, refused)?;
    let mut options = EvalOptions::default();
    options.filename = Some(FILE.to_owned());
    ctx.eval_with_options::<(), _>(job.script.source(), options)?;
    let function: Function<'_> = ctx.globals().get(FUNCTION)?;
    let input = ctx.json_parse(job.input.json().to_string())?;
    let result: Js<'_> = function.call((input, nodes))?;
    if let Script::Condition(_) = job.script {
        let truthy: Function<'_> = ctx.eval("(value) => !!value")?;
        let truth: bool = truthy.call((result,))?;
        return Ok(truth.to_string());
    }
    let refuse = |message: String| Err(Stopped::Refused(ScriptError::new(ErrorKind::Failed, message)));
    if result.is_promise() {
        return refuse("the code must not be asynchronous, and it returned a promise".to_owned());
    }
    if result.is_undefined() {
        return Ok("null".to_owned());
    }
    let kind = result.type_name();
    let Some(json) = ctx.json_stringify(result)? else {
        return refuse(format!("the code returned a {kind}, which has no JSON form"));
    };
    let json = json.to_string()?;
    if json.len() > MAX_RESULT {
        let message = format!("the result has {} bytes as JSON, more than 16 MiB", json.len());
        return Err(Stopped::Refused(ScriptError::new(ErrorKind::Limit, message)));
    }
    Ok(json)
}

fn lazy_nodes<'js>(
    ctx: &Ctx<'js>,
    nodes: &Arc<BTreeMap<String, Shared>>,
    refused: &Refused,
) -> rquickjs::Result<Js<'js>> {
    let ids: Vec<String> = nodes.keys().cloned().collect();
    let (nodes, refused) = (Arc::clone(nodes), Rc::clone(refused));
    let read = Function::new(ctx.clone(), move |ctx: Ctx<'js>, id: String| {
        let Some(output) = nodes.get(&id) else { return ctx.json_parse("null") };
        if let Err(error) = check_doubles(&format!("nodes.{id}"), output.json()) {
            refused.set(Some(error));
            return Err(Exception::throw_range(&ctx, "a number is too large"));
        }
        ctx.json_parse(output.json().to_string())
    })?;
    let make: Function<'js> = ctx.eval(LAZY_NODES)?;
    make.call((ids, read))
}
