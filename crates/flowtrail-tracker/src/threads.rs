//! Threads of ours that may wait for a database that does not answer.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time without progress after which threads that were told to end are given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Interval of looking at their progress.
const LOOK: Duration = Duration::from_millis(100);

/// Waits for threads to end as long as they get on, which `progress` tells by another number. False when they do not: they
/// end with the process.
pub(crate) fn join(threads: Vec<JoinHandle<()>>, what: &'static str, progress: impl Fn() -> u64) -> bool {
    let (ended, all_ended) = mpsc::channel();
    let join_all = move || {
        for thread in threads {
            if thread.join().is_err() {
                log::error!("{what} panicked");
            }
        }
        // Whoever waited for this may have given up.
        let _ = ended.send(());
    };
    if let Err(error) = std::thread::Builder::new().name("flowtrail-end".to_owned()).spawn(join_all) {
        log::error!("{what} is not waited for: {error}");
        return false;
    }
    let (mut seen, mut since) = (progress(), Instant::now());
    while let Err(RecvTimeoutError::Timeout) = all_ended.recv_timeout(LOOK) {
        let now = progress();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            log::error!("{what} does not end: the database does not answer");
            return false;
        }
    }
    true
}
