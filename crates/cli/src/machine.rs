//! What the machine, or the container on it, has to offer.

/// Half of this is a query's memory when nothing says otherwise and nothing can be found out.
const ASSUMED_MEMORY: u64 = 8 << 30;

/// Returns how many threads can run at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the memory in bytes that this process may have: the control group's limit, or what the
/// machine has, whichever is less.
pub fn memory_bytes() -> u64 {
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = limits.iter().filter_map(|path| read_number(path)).min();
    let machine = std::fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(mem_total);
    match (group, machine) {
        (Some(group), Some(machine)) => group.min(machine),
        (Some(bytes), None) | (None, Some(bytes)) => bytes,
        (None, None) => ASSUMED_MEMORY,
    }
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Returns the bytes in the line `MemTotal: … kB` of `/proc/meminfo`.
fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_memory_of_the_machine_is_read_in_bytes() {
        let meminfo = "MemTotal:       24689316 kB\nMemFree:         1 kB\n";
        assert_eq!(super::mem_total(meminfo), Some(24_689_316 * 1024));
        assert_eq!(super::mem_total("something else"), None);
    }
}
