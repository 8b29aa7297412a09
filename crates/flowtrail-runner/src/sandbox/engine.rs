//! The engine: runs one script, where it stands.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use flowtrail_types::ErrorKind;
use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::{Context, Ctx, Error, Exception, Function, Runtime, Value as Js};

use super::source::{FILE, FUNCTION, Script};
use super::{MAX_RESULT, MEMORY, STACK, ScriptError, failure};

/// Everything that a script can use: the language, and nothing that reaches outside. Proxies, weak references and a
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
pub(super) struct Task {
    pub(super) script: Script,
    /// Its input, as JSON.
    pub(super) input: String,
    /// The ids of the nodes before, of which it may ask for the outputs.
    pub(super) nodes: Vec<String>,
    /// Its time limit.
    pub(super) time: Duration,
}

/// The output of a node before, for the script that asks for it.
pub(super) enum NodeOutput {
    /// It is this JSON.
    Json(String),
    /// It cannot be given: it holds a number that no script can hold.
    Refused,
}

/// Runs a script, and returns its result as JSON. `is_stopped` is asked often; `read` gives the outputs that the script
/// asks for.
pub(super) fn run(
    task: &Task,
    is_stopped: impl Fn() -> bool + 'static,
    read: impl Fn(&str) -> NodeOutput + 'static,
) -> Result<String, ScriptError> {
    let engine = Runtime::new().map_err(|error| ScriptError::engine(&error))?;
    engine.set_memory_limit(MEMORY);
    engine.set_max_stack_size(STACK);
    let deadline = Instant::now() + task.time;
    let interrupted = Rc::new(Cell::new(false));
    engine.set_interrupt_handler(Some(Box::new({
        let interrupted = interrupted.clone();
        move || {
            let now = is_stopped() || Instant::now() >= deadline;
            interrupted.set(interrupted.get() || now);
            now
        }
    })));
    let context = Context::custom::<Intrinsics>(&engine).map_err(|error| ScriptError::engine(&error))?;
    context.with(|ctx| {
        call(&ctx, task, read).map_err(|stopped| match stopped {
            _ if interrupted.get() => ScriptError::too_slow(task.time),
            Stopped::Engine(error) => failure::of(&ctx, &error, task.script.throws()),
            Stopped::Refused(error) => error,
        })
    })
}

/// Makes the engine look up once what it would ask the system for later, such as the time zone.
pub(super) fn warm_up() {
    let script = Script::Body("return new Date().getHours()".to_owned());
    let task = Task { script, input: "null".to_owned(), nodes: Vec::new(), time: Duration::from_secs(1) };
    // There is nothing that could be done about a failure here that the first script does not tell.
    let _ = run(&task, || false, |_| NodeOutput::Refused);
}

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
fn call(ctx: &Ctx<'_>, task: &Task, read: impl Fn(&str) -> NodeOutput + 'static) -> Result<String, Stopped> {
    let nodes = lazy_nodes(ctx, task.nodes.clone(), read)?;
    let mut options = EvalOptions::default();
    options.filename = Some(FILE.to_owned());
    ctx.eval_with_options::<(), _>(task.script.source(), options)?;
    let function: Function<'_> = ctx.globals().get(FUNCTION)?;
    let input = ctx.json_parse(task.input.as_str())?;
    let result: Js<'_> = function.call((input, nodes))?;
    if let Script::Condition(_) = task.script {
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
    ids: Vec<String>,
    read: impl Fn(&str) -> NodeOutput + 'static,
) -> rquickjs::Result<Js<'js>> {
    let read = Function::new(ctx.clone(), move |ctx: Ctx<'js>, id: String| match read(&id) {
        NodeOutput::Json(json) => ctx.json_parse(json),
        NodeOutput::Refused => Err(Exception::throw_range(&ctx, "a number is too large")),
    })?;
    let make: Function<'js> = ctx.eval(LAZY_NODES)?;
    make.call((ids, read))
}
