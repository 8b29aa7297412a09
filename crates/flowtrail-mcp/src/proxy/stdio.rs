//! Standard input and output on this side, a process on the other.
//!
//! Two threads each copy what comes to where it goes, byte for byte and at once: nothing is parsed, waited for or held
//! back. What the recording sees is a copy that was made afterwards.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::child::{self, ChildError, Ended};
use super::journal::Tap;
use super::message::Lines;
use super::moment::Moment;
use super::upstream::Command;

/// How much is read at once.
const PIECE: usize = 64 << 10;
/// How long what a server has said last may take to be passed on.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Starts a server and relays between it and this process's standard input and output, until either ends or `stop` is
/// done.
///
/// # Errors
///
/// When the server cannot be started.
pub async fn relay_command(
    command: &Command,
    tap: Tap,
    stop: impl Future<Output = ()>,
) -> Result<Ended, ChildError> {
    let pipe = |made: std::io::Result<_>| made.map_err(|source| ChildError::new(command, source));
    let (their_input, our_output) = pipe(std::io::pipe())?;
    let (our_input, their_output) = pipe(std::io::pipe())?;
    let mut server = child::start_group(command, Stdio::from(their_input), Stdio::from(their_output))?;
    let tap = Arc::new(tap);
    let (client_left, client_is_gone) = oneshot::channel();
    let (server_left, mut server_is_gone) = oneshot::channel();
    let (client_tap, server_tap) = (Arc::clone(&tap), Arc::clone(&tap));
    std::thread::spawn(move || {
        // Seen before it is written: the answer must not be seen first.
        let mut lines = Lines::default();
        copy(std::io::stdin(), our_output, |piece, to| {
            let at = Moment::now();
            lines.feed(piece, |line| client_tap.client_passed(line, at));
            to.write_all(piece)
        });
        if let Some(line) = lines.end() {
            client_tap.client_passed(line, Moment::now());
        }
        // Nobody may wait for it any more.
        let _ = client_left.send(());
    });
    std::thread::spawn(move || {
        let mut lines = Lines::default();
        copy(our_input, std::io::stdout(), |piece, to| {
            let at = Moment::now();
            to.write_all(piece)?;
            to.flush()?;
            lines.feed(piece, |line| server_tap.server_passed(line, at));
            Ok(())
        });
        if let Some(line) = lines.end() {
            server_tap.server_passed(line, Moment::now());
        }
        let _ = server_left.send(());
    });
    let ended = tokio::select! {
        // The server has closed its end: whether it has ended or only fallen silent, there is nothing more to relay.
        _ = &mut server_is_gone => {
            let ended = child::end(&mut server).await;
            tap.server_left(&ended.to_string());
            return Ok(ended);
        }
        // Its standard input is closed with ours: it says what it has to say, and ends.
        _ = client_is_gone => child::end(&mut server).await,
        () = stop => child::stop(&mut server).await,
    };
    // What it has said last is passed on.
    let _ = tokio::time::timeout(LAST_WORDS, server_is_gone).await;
    tap.client_left();
    Ok(ended)
}

/// Copies pieces as they come, until either side ends.
fn copy<W: Write>(
    mut from: impl Read,
    mut to: W,
    mut pass: impl FnMut(&[u8], &mut W) -> std::io::Result<()>,
) {
    let mut piece = vec![0; PIECE];
    loop {
        let length = match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return log::debug!("reading ended: {error}"),
        };
        if let Err(error) = pass(&piece[..length], &mut to) {
            return log::debug!("writing ended: {error}");
        }
    }
}
