//! The most requests a second that a server answers, as `wrk` finds.

use std::path::Path;
use std::process::Command;

/// What is asked for again and again.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: String,
    pub(crate) key: &'a str,
    pub(crate) body: &'a str,
    /// Headers beside the key and the kind of the body.
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

/// Requests a second with so many connections for so long. All must be answered well.
pub(crate) fn rate(
    asked: &Asked<'_>,
    connections: usize,
    seconds: u32,
    folder: &Path,
) -> Result<f64, String> {
    let (body, script) = (folder.join("wrk.body"), folder.join("wrk.lua"));
    let kind = if asked.url.ends_with("/batch") { "application/x-ndjson" } else { "application/json" };
    let headers: String = asked
        .headers
        .iter()
        .map(|(name, value)| format!("wrk.headers[\"{name}\"] = \"{value}\"\n"))
        .collect();
    let lines = headers
        + &format!(
            "wrk.method = \"{}\"\nwrk.headers[\"Authorization\"] = \"Bearer {}\"\nlocal file = io.open(\"{}\", \"rb\")\n\
         local body = file:read(\"*a\")\nif #body > 0 then\n  wrk.body = body\n  wrk.headers[\"Content-Type\"] = \"{kind}\"\nend\n",
            asked.method,
            asked.key,
            body.display(),
        );
    std::fs::write(&body, asked.body).map_err(|error| error.to_string())?;
    std::fs::write(&script, lines).map_err(|error| error.to_string())?;
    let output = Command::new("wrk")
        .args(["--threads", "2", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--timeout", "30s", "--script"])
        .arg(&script)
        .arg(&asked.url)
        .output()
        .map_err(|error| {
            format!("wrk cannot be started ({error}): install it, for example by apt-get install wrk")
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(format!("{}: {}", asked.url, line.trim()));
    }
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.and_then(|rate| rate.trim().parse().ok()).ok_or_else(|| format!("wrk said\n{text}"))
}
