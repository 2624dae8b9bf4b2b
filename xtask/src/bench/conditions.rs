//! What the figures depend on: the machine and how busy it is.

use anyhow::Context;

/// What the machine does besides, by its own account: the load of the last minute.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Waits until nothing is left to be written to the disk: what one measurement left must not be paid for by the next.
pub async fn settle_disk() -> anyhow::Result<()> {
    let status = tokio::process::Command::new("sync").status().await.context("run `sync`")?;
    anyhow::ensure!(status.success(), "`sync` ended with {status}");
    Ok(())
}

/// `2 cores of …, 24 GiB memory, load 0.4 before`, as far as the system tells.
pub fn machine() -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    describe(std::thread::available_parallelism().map_or(0, usize::from), &read("cpuinfo"), &read("meminfo"), &read("loadavg"))
}

fn describe(cores: usize, cpuinfo: &str, meminfo: &str, loadavg: &str) -> String {
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    let mut parts = vec![format!("{cores} cores")];
    if let Some(model) = value(cpuinfo, "model name") {
        parts[0].push_str(&format!(" of {model}"));
    }
    if let Some(kilobytes) = value(meminfo, "MemTotal").and_then(|text| text.strip_suffix(" kB")?.parse::<f64>().ok()) {
        parts.push(format!("{:.0} GiB memory", kilobytes / f64::from(1 << 20)));
    }
    if let Some(load) = loadavg.split_whitespace().next() {
        parts.push(format!("load of other work {load} before"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described_as_far_as_it_is_known() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.5GHz\n";
        let meminfo = "MemTotal:       25165824 kB\nMemFree: 1 kB\n";
        let all = describe(2, cpuinfo, meminfo, "0.40 0.50 0.60 1/200 999\n");
        assert_eq!(all, "2 cores of Some CPU @ 2.5GHz, 24 GiB memory, load of other work 0.40 before");
        assert_eq!(describe(8, "", "", ""), "8 cores");
    }
}
