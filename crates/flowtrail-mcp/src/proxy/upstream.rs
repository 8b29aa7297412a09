//! Other MCP servers: their names, and how they are reached.

use std::path::{Path, PathBuf};

use url::Url;

/// Another MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name here: 1 to 50 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// By a process of its own, over standard input and output.
    Command(Command),
    /// Over streamable HTTP.
    Url(Target),
}

use super::web::Target;

/// A command to start a server by.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables beside those of this process. They may be secrets and are not printed.
    pub environment: Vec<(String, String)>,
    /// Where it is started; here when absent.
    pub folder: Option<PathBuf>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Why something is no upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpstream {
    /// Its name.
    #[error("expected a name of 1 to {MAX_NAME} of A-Z a-z 0-9 _ -, got {0:?}")]
    Name(String),
    /// Its address, which may hold a secret and is not shown.
    #[error("expected an address like https://mcp.example/mcp")]
    Url,
    /// A header of its requests; the value is not shown.
    #[error("{0:?} is no header, expected `Name: value`")]
    Header(String),
}

const MAX_NAME: usize = 50;

impl Upstream {
    /// A server of this name.
    ///
    /// # Errors
    ///
    /// When the name cannot be one.
    pub fn new(name: &str, reach: Reach) -> Result<Self, InvalidUpstream> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
            return Err(InvalidUpstream::Name(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), reach })
    }
}

impl Target {
    /// A server at an address, which is sent these headers with every request.
    ///
    /// # Errors
    ///
    /// When the address or a header cannot be one.
    pub fn new<'h>(
        url: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Result<Self, InvalidUpstream> {
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = parsed.filter(Url::has_host).ok_or(InvalidUpstream::Url)?;
        let mut own = http::HeaderMap::new();
        for (name, value) in headers {
            let refused = || InvalidUpstream::Header(name.to_owned());
            let header = name.trim().parse::<http::HeaderName>().map_err(|_| refused())?;
            let mut value: http::HeaderValue = value.trim().parse().map_err(|_| refused())?;
            value.set_sensitive(true);
            own.append(header, value);
        }
        Ok(Self { url, headers: own })
    }
}

/// Programs that start other programs: what they start gives the name.
const RUNNERS: &[&str] = &[
    "bunx", "cmd", "deno", "docker", "env", "node", "npx", "pipx", "pnpm", "podman", "python", "python3",
    "sh", "uv", "uvx", "yarn",
];
/// What may stand before what they start.
const VERBS: &[&str] = &["-m", "/c", "dlx", "exec", "run", "tool", "x"];

/// A name for a server that was given none, from how it is started: `server-time` of `npx -y @x/server-time@1 --utc`.
#[must_use]
pub fn derived_name(program: &str, arguments: &[String]) -> String {
    let mut words = std::iter::once(program).chain(arguments.iter().map(String::as_str));
    let is_passed_over = |word: &&str| {
        let program = stem(word).to_ascii_lowercase();
        RUNNERS.contains(&program.as_str()) || VERBS.contains(word) || word.starts_with('-')
    };
    let word = words.find(|word| !is_passed_over(word)).unwrap_or(program);
    let name: String = stem(word)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' })
        .take(MAX_NAME)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "upstream".to_owned() } else { name.to_owned() }
}

/// The last part of a path or package, without what is no name.
fn stem(word: &str) -> &str {
    let last = Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or(word);
    // A scope begins with @, a version after it.
    let plain = last.rsplit_once('@').map_or(last, |(name, _)| if name.is_empty() { last } else { name });
    let endings = [".js", ".mjs", ".cjs", ".ts", ".py", ".exe", ".cmd", ".sh"];
    endings.iter().find_map(|ending| plain.strip_suffix(ending)).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_a_command() {
        let cases: [(&str, &[&str], &str); 8] = [
            ("npx", &["-y", "@modelcontextprotocol/server-filesystem@1.2", "/tmp"], "server-filesystem"),
            ("uvx", &["mcp-server-time"], "mcp-server-time"),
            ("/usr/bin/python3", &["-m", "my_server"], "my_server"),
            ("node", &["/opt/x/dist/index.mjs"], "index"),
            ("C:/tools/server.exe", &[], "server"),
            ("docker", &["run", "--rm", "-i", "mcp/git"], "git"),
            ("npx", &[], "npx"),
            ("wörld", &[], "w-rld"),
        ];
        for (program, arguments, name) in cases {
            let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(derived_name(program, &arguments), name);
        }
    }

    #[test]
    fn what_is_no_upstream_is_refused() {
        let reach = || Reach::Url(Target::new("https://a.example/mcp", []).unwrap());
        for name in ["", "a b", "a.b", "a/b", "é", &"a".repeat(51)] {
            assert!(Upstream::new(name, reach()).is_err(), "{name}");
        }
        for url in ["a.example", "ftp://a.example", "http://", "", "file:///etc/passwd"] {
            assert!(Target::new(url, []).is_err(), "{url}");
        }
        let refused = Target::new("https://a.example", [("X Y", "hunter2")]).unwrap_err().to_string();
        assert!(refused.contains("X Y") && !refused.contains("hunter2"), "{refused}");
    }
}
