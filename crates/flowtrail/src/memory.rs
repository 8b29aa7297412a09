//! The machine's memory.

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};

/// Maximum default budget, in bytes.
const MAX_DEFAULT: u64 = 512 << 20;

/// The default memory budget in bytes: a quarter of the machine's memory, 512 MiB at most. The machine's memory is the smaller
/// of the physical memory and the limit of the control group.
pub(crate) fn default_budget() -> usize {
    // Without a system to ask, the budget is the default's maximum.
    let Ok(mut system) = System::new() else { return budget_of(0, None) };
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    // In a container its group is the root, under a service manager it is the process's own.
    let root = system.cgroup_limits();
    let own = get_current_pid().ok().and_then(|pid| {
        let only = ProcessesToUpdate::Some(&[pid]);
        system.refresh_processes_specifics(only, false, ProcessRefreshKind::nothing());
        system.process(pid)?.cgroup_limits()
    });
    let group = [root, own].into_iter().flatten().map(|limits| limits.total_memory).min();
    budget_of(system.total_memory(), group)
}

fn budget_of(physical: u64, group: Option<u64>) -> usize {
    let machine = group.map_or(physical, |group| group.min(physical));
    // A system that does not report its memory gives 0.
    let quarter = if machine == 0 { MAX_DEFAULT } else { machine / 4 };
    usize::try_from(quarter.min(MAX_DEFAULT)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_quarter_of_the_smaller_limit() {
        assert_eq!(budget_of(24 << 30, None), 512 << 20);
        assert_eq!(budget_of(24 << 30, Some(1 << 30)), 256 << 20);
        assert_eq!(budget_of(1 << 30, Some(u64::MAX)), 256 << 20);
        assert_eq!(budget_of(0, None), 512 << 20);
        assert!(default_budget() > 0);
    }
}
