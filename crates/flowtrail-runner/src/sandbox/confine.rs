//! Confinement: a worker gives up its rights before it runs a script.

use std::io;

use super::task::Asked;

#[cfg(unix)]
mod limits {
    use std::io;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// The most address space of a worker: the script's memory, its input and its result, and what the program itself
    /// reserves without using it.
    const ADDRESSES: u64 = 2 << 30;

    /// Seconds of processor time beyond its limit that a script may take before the system ends the process:
    /// its owner does so earlier, unless it is gone.
    const SPARE_SECONDS: u64 = 3;

    pub(super) fn set() -> io::Result<()> {
        for (resource, most) in [
            (Resource::Core, 0),
            (Resource::Fsize, 0),
            (Resource::Nofile, 0),
            (Resource::Nproc, 0),
            (Resource::As, ADDRESSES),
        ] {
            let most = Some(getrlimit(resource).maximum.map_or(most, |allowed| allowed.min(most)));
            setrlimit(resource, Rlimit { current: most, maximum: most })?;
        }
        Ok(())
    }

    /// Lets the system end this process when the next script takes much more processor time than this.
    pub(super) fn limit_time(seconds: u64) -> io::Result<()> {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
        let maximum = getrlimit(Resource::Cpu).maximum;
        let until =
            u64::try_from(used).unwrap_or_default().saturating_add(seconds).saturating_add(SPARE_SECONDS);
        let current = Some(maximum.map_or(until, |maximum| maximum.min(until)));
        Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
    }
}

#[cfg(target_os = "linux")]
mod filter {
    use std::collections::BTreeMap;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    /// Ends with its owner, whatever happens to that.
    pub(super) fn end_with_owner() -> std::io::Result<()> {
        let signal = rustix::process::Signal::KILL;
        Ok(rustix::process::set_parent_process_death_signal(Some(signal))?)
    }

    /// Closes whatever was passed on by who started the owner: all but the pipes.
    pub(super) fn close_others() -> std::io::Result<()> {
        const PIPES: i32 = 2;
        let entries = std::fs::read_dir("/proc/self/fd")?;
        let files: Vec<i32> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        for file in files.into_iter().filter(|file| *file > PIPES) {
            // One of them is the folder that was read, which is closed by now.
            let _ = nix::unistd::close(file);
        }
        Ok(())
    }

    /// The calls of the engine and its allocator to the system; everything else is refused.
    const ALLOWED: [libc::c_long; 31] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_prlimit64,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_tgkill,
        libc::SYS_restart_syscall,
        libc::SYS_fstat,
        libc::SYS_getcpu,
        libc::SYS_rseq,
    ];

    pub(super) fn apply() -> Result<(), String> {
        let told = |error: &dyn std::fmt::Display| format!("no filter for system calls: {error}");
        let rules: BTreeMap<i64, _> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        let architecture = std::env::consts::ARCH.try_into().map_err(|error| told(&error))?;
        let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture);
        let program: BpfProgram = filter.and_then(BpfProgram::try_from).map_err(|error| told(&error))?;
        seccompiler::apply_filter_all_threads(&program).map_err(|error| told(&error))
    }
}

/// Gives this process a name: started as an open file it has that file's number.
pub(super) fn name_this_process() {
    #[cfg(target_os = "linux")]
    // A name is a help to whoever looks, and nothing depends on it.
    let _ = rustix::thread::set_name(c"flowtrail-js");
}

/// Gives up what a script has no use for.
///
/// # Errors
///
/// When the system refuses it; no script must be run then.
pub(super) fn this_process() -> Result<(), String> {
    #[cfg(target_os = "linux")]
    filter::end_with_owner().and_then(|()| filter::close_others()).map_err(|error| error.to_string())?;
    #[cfg(unix)]
    limits::set().map_err(|error| format!("no limits: {error}"))?;
    #[cfg(target_os = "linux")]
    filter::apply()?;
    Ok(())
}

/// Limits the time of the script that comes.
pub(super) fn next_script(asked: &Asked) -> io::Result<()> {
    #[cfg(unix)]
    limits::limit_time(asked.seconds().saturating_add(1))?;
    #[cfg(not(unix))]
    let _ = asked;
    Ok(())
}
