//! The process itself, by the names that every Prometheus client library gives to it.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads `/proc` when it is asked; where there is none, only the start is known.
#[derive(Debug)]
pub struct Process {
    /// Seconds since 1970.
    started: f64,
}

impl Process {
    /// Of a process that starts now.
    pub fn starting() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: started.as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", self.started)?;
        if let Some(bytes) = resident() {
            gauge("process_resident_memory_bytes", "Memory that the process holds.", bytes)?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            #[expect(clippy::cast_precision_loss, reason = "files, not stars")]
            gauge("process_open_fds", "Open files and connections of the process.", files.count() as f64)?;
        }
        if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            #[expect(clippy::cast_precision_loss, reason = "files, not stars")]
            gauge("process_max_fds", "How many files and connections the process may open.", most as f64)?;
        }
        if let Some(seconds) = cpu() {
            let counter = ConstCounter::new(seconds);
            let help = "CPU time that the process used.";
            counter.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0)
}

/// Seconds in user and system mode.
fn cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in brackets, may hold anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some((f64::from(user) + f64::from(system)) / f64::from(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_measured() {
        let spin = std::time::Instant::now();
        while spin.elapsed() < std::time::Duration::from_millis(30) {}
        assert!(cpu().expect("CPU time") > 0.0);
        assert!(resident().expect("memory") > 1024.0 * 1024.0);
    }
}
