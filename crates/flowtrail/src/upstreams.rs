//! Other MCP servers, as the configuration names them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flowtrail_mcp::proxy::{Command, Reach, Target, Upstream};
use serde::Deserialize;

/// A table `[upstreams.NAME]`: a command to start the server by, or the address at which it is.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSettings {
    /// The program with its arguments, as a list or in one text with spaces between them; or the program alone, with
    /// `args` beside it.
    command: Option<Words>,
    /// The program's arguments.
    args: Option<Vec<String>>,
    /// Variables for it, beside those of Flowtrail itself.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The folder in which it is started.
    cwd: Option<PathBuf>,
    /// The address.
    url: Option<String>,
    /// Headers for each request.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl std::fmt::Debug for UpstreamSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments, variables, headers and addresses may be secrets.
        f.debug_struct("UpstreamSettings").finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum Words {
    One(String),
    Several(Vec<String>),
}

impl UpstreamSettings {
    /// The server that this names. Secrets stand for themselves in arguments, variables, headers and addresses.
    ///
    /// # Errors
    ///
    /// What is wrong, naming the field.
    pub(crate) fn decide(self, name: &str, secrets: &BTreeMap<String, String>) -> Result<Upstream, String> {
        let wrong = |field: &str, what: String| format!("upstreams.{name}.{field}: {what}");
        let filled = |field: &str, text: &str| filled(text, secrets).map_err(|what| wrong(field, what));
        let reach = match (self.command, self.url) {
            (Some(_), Some(_)) => return Err(format!("upstreams.{name}: expected command or url, got both")),
            (None, None) => return Err(format!("upstreams.{name}: expected command or url, got neither")),
            (Some(command), None) => {
                if !self.headers.is_empty() {
                    return Err(wrong("headers", "a command has no headers; use env".to_owned()));
                }
                let mut words = match (command, &self.args) {
                    (Words::Several(words), _) => words,
                    (Words::One(program), Some(_)) => vec![program],
                    (Words::One(line), None) => {
                        split(&line).ok_or_else(|| wrong("command", "a quote is not closed".to_owned()))?
                    }
                };
                words.extend(self.args.unwrap_or_default());
                let words = words.iter().map(|word| filled("command", word));
                let mut words = words.collect::<Result<Vec<_>, _>>()?.into_iter();
                let program = words.next().filter(|program| !program.trim().is_empty());
                let environment =
                    self.env.iter().map(|(name, value)| Ok((name.clone(), filled("env", value)?)));
                Reach::Command(Command {
                    program: program.ok_or_else(|| wrong("command", "names no program".to_owned()))?,
                    arguments: words.collect(),
                    environment: environment.collect::<Result<_, String>>()?,
                    folder: self.cwd,
                })
            }
            (None, Some(url)) => {
                for (field, is_there) in [
                    ("args", self.args.is_some()),
                    ("env", !self.env.is_empty()),
                    ("cwd", self.cwd.is_some()),
                ] {
                    if is_there {
                        return Err(wrong(field, "belongs to command, not to url".to_owned()));
                    }
                }
                let headers = self.headers.iter().map(|(name, value)| Ok((name, filled("headers", value)?)));
                let headers = headers.collect::<Result<Vec<_>, String>>()?;
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let url = filled("url", &url)?;
                Reach::Url(Target::new(&url, headers).map_err(|error| wrong("url", error.to_string()))?)
            }
        };
        Upstream::new(name, reach).map_err(|error| format!("upstreams.{name}: {error}"))
    }
}

/// The text with secrets in the place of `{{ secrets.NAME }}`.
fn filled(text: &str, secrets: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (template, after) = after.split_once("}}").ok_or("a {{ is not closed")?;
        let name = template.trim().strip_prefix("secrets.");
        let name = name.ok_or_else(|| format!("expected {{{{ secrets.NAME }}}}, got {{{{{template}}}}}"))?;
        let secret = secrets.get(name).ok_or_else(|| {
            format!("there is no secret {name}; set FLOWTRAIL_SECRET_{name}, or {name} in [secrets]")
        })?;
        filled.push_str(before);
        filled.push_str(secret);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The words of a line, as a shell tells them apart: by spaces, but for what stands in quotes.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if matches!(c, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(text: &str) -> Result<Upstream, String> {
        let settings: UpstreamSettings = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let secrets = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        settings.decide("files", &secrets)
    }

    fn words(text: &str) -> Vec<String> {
        let Reach::Command(command) = decide(text).unwrap().reach else { panic!("a command: {text}") };
        std::iter::once(command.program).chain(command.arguments).collect()
    }

    #[test]
    fn a_command_can_be_written_in_three_ways() {
        let expected = ["npx", "-y", "a server", "/tmp"];
        assert_eq!(words(r#"command = "npx -y 'a server' /tmp""#), expected);
        assert_eq!(words(r#"command = ["npx", "-y", "a server", "/tmp"]"#), expected);
        assert_eq!(words("command = \"npx\"\nargs = [\"-y\", \"a server\", \"/tmp\"]"), expected);
        assert_eq!(words("command = \"/a folder/npx\"\nargs = []"), ["/a folder/npx"]);
    }

    #[test]
    fn secrets_stand_in_what_is_started_and_sent() {
        let text = "command = \"x\"\nenv = {KEY = \"Bearer {{ secrets.TOKEN }}!\"}";
        let Reach::Command(command) = decide(text).unwrap().reach else { panic!("a command") };
        assert_eq!(command.environment, [("KEY".to_owned(), "Bearer hunter2!".to_owned())]);
        let shown = format!("{command:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("", "upstreams.files: expected command or url"),
            ("command = \"x\"\nurl = \"http://a\"", "got both"),
            ("url = \"a.example\"", "upstreams.files.url"),
            ("url = \"http://a\"\nargs = [\"x\"]", "upstreams.files.args"),
            ("command = \"x\"\nheaders = {A = \"b\"}", "upstreams.files.headers"),
            ("command = \"'x\"", "a quote is not closed"),
            ("command = []", "names no program"),
            ("command = \"x\"\nenv = {A = \"{{ secrets.NO }}\"}", "FLOWTRAIL_SECRET_NO"),
            ("command = \"x\"\nenv = {A = \"{{ other }}\"}", "expected {{ secrets.NAME }}"),
            ("commmand = \"x\"", "unknown field"),
            ("command = 1", "expected a text or a list of texts"),
        ] {
            let refused = decide(text).unwrap_err();
            assert!(refused.contains(named) && !refused.contains("hunter2"), "{text}: {refused}");
        }
    }
}
