//! The worker: a process that runs one script after another until its owner is gone.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::rc::Rc;

use super::engine::{self, NodeOutput};
use super::frame::{self, Mark};
use super::task::{Asked, Failed, What};
use super::{ScriptError, confine};

/// The stack of the thread that runs scripts: theirs, and as much again for what Rust and C need around it.
const THREAD_STACK: usize = 2 * 1024 * 1024;

/// Runs scripts for the process that started this one, as a [`WorkerProgram`](crate::WorkerProgram), until that ends it.
///
/// First of all it gives up what it does not need: it can open no file, make no connection and start no process from then on.
#[must_use]
pub fn run_script_worker() -> ExitCode {
    // A panic would be written between the answers.
    std::panic::set_hook(Box::new(|_| {}));
    confine::name_this_process();
    // A thread whose stack does not depend on the limits that the owner happens to have.
    let thread = std::thread::Builder::new().stack_size(THREAD_STACK).spawn(|| {
        engine::warm_up();
        confine::this_process().map_err(io::Error::other)?;
        serve(io::stdin().lock(), io::stdout().lock())
    });
    match thread.map(std::thread::JoinHandle::join) {
        // The owner has closed the pipe.
        Ok(Ok(Err(error))) if error.kind() == io::ErrorKind::UnexpectedEof => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Answers questions until there are no more.
fn serve(from: impl Read + 'static, to: impl Write + 'static) -> io::Result<()> {
    let pipes = Rc::new(RefCell::new((from, to)));
    loop {
        let asked = frame::expect(&mut pipes.borrow_mut().0, Mark::Task)?;
        let asked: Asked = serde_json::from_str(&asked)?;
        confine::next_script(&asked)?;
        let result = match asked.what {
            What::Check => asked.script.check().map(|()| "null".to_owned()),
            What::Returns => Ok(asked.script.returns().to_string()),
            What::Run => {
                let input = frame::expect(&mut pipes.borrow_mut().0, Mark::Input)?;
                let pipes = Rc::clone(&pipes);
                engine::run(&asked.into_task(input), || false, move |id| ask(&mut pipes.borrow_mut(), id))
            }
        };
        answer(&mut pipes.borrow_mut().1, result)?;
    }
}

/// The output of a node, from the owner.
fn ask(pipes: &mut (impl Read, impl Write), id: &str) -> NodeOutput {
    let answered =
        frame::write(&mut pipes.1, Mark::Ask, id.as_bytes()).and_then(|()| frame::read(&mut pipes.0));
    match answered {
        Ok((Mark::Output, json)) => frame::text(json).map_or(NodeOutput::Refused, NodeOutput::Json),
        // Without its owner it finds that out when it answers.
        Ok(_) | Err(_) => NodeOutput::Refused,
    }
}

fn answer(to: &mut impl Write, result: Result<String, ScriptError>) -> io::Result<()> {
    match result {
        Ok(json) => frame::write(to, Mark::Result, json.as_bytes()),
        Err(ScriptError { kind, message }) => {
            let failed = Failed { kind: kind.as_str().to_owned(), message };
            frame::write(to, Mark::Error, &serde_json::to_vec(&failed)?)
        }
    }
}
