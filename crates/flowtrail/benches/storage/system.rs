//! What processes take, from Linux's `/proc`.

use std::fs::read_to_string;

/// Clock ticks a second: 100 wherever Linux runs (`sysconf(_SC_CLK_TCK)`).
const TICKS: f64 = 100.0;

/// The columns of `/proc/PID/stat` behind the name (`man 5 proc`), from the state on.
fn stat(pid: &str) -> Option<Vec<i64>> {
    let text = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, columns) = text.rsplit_once(") ")?;
    // The state is a letter.
    Some(columns.split(' ').map(|column| column.trim().parse().unwrap_or(0)).collect())
}

const PARENT: usize = 1;
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const ENDED_USER_TIME: usize = 13;
const ENDED_SYSTEM_TIME: usize = 14;

#[expect(clippy::cast_precision_loss, reason = "ticks of a process")]
fn seconds(columns: &[i64], which: &[usize]) -> f64 {
    which.iter().filter_map(|column| columns.get(*column)).sum::<i64>() as f64 / TICKS
}

/// Seconds that this process has computed.
pub(crate) fn cpu_seconds() -> Option<f64> {
    Some(seconds(&stat("self")?, &[USER_TIME, SYSTEM_TIME]))
}

/// Seconds that a process and its children have computed, those that ended too.
pub(crate) fn family_cpu_seconds(parent: u32) -> Option<f64> {
    let own = stat(&parent.to_string())?;
    let mut sum = seconds(&own, &[USER_TIME, SYSTEM_TIME, ENDED_USER_TIME, ENDED_SYSTEM_TIME]);
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        // It may have ended since it was listed; then its parent has its time.
        let Some(columns) = stat(pid) else { continue };
        if columns.get(PARENT) == Some(&i64::from(parent)) {
            sum += seconds(&columns, &[USER_TIME, SYSTEM_TIME]);
        }
    }
    Some(sum)
}

/// The resident memory of this process in MiB.
pub(crate) fn resident_mib() -> Option<f64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
