//! Processes of other servers behind `/mcp/NAME`: how many a user has, and when they end.

use std::path::Path;
use std::time::Duration;

use flowtrail_testkit::{Rest, TestProcess, http_client};
use serde_json::{Value, json};

use super::binary;

/// A server before a command, of which each user may have two processes. The command is Flowtrail itself.
fn start(folder: &Path) -> TestProcess {
    let behind = folder.join("behind");
    let settings = format!(
        "[upstreams.behind]\ncommand = {:?}\nargs = [\"--data-dir\", {:?}, \"mcp\"]\n",
        binary(),
        behind.to_str().unwrap()
    );
    std::fs::write(folder.join("flowtrail.toml"), settings).unwrap();
    TestProcess::start(binary(), folder, &["--max-upstream-processes", "2"])
}

/// A client of that server.
struct Client<'a> {
    server: &'a TestProcess,
    key: String,
}

impl Client<'_> {
    fn request(&self, method: reqwest::Method, session: Option<&str>) -> reqwest::RequestBuilder {
        let request = http_client().request(method, format!("{}/mcp/behind", self.server.base()));
        let request = request.bearer_auth(&self.key).header("accept", "application/json, text/event-stream");
        match session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    async fn begin(&self) -> (u16, Option<String>, String) {
        let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}});
        let answer = self.request(reqwest::Method::POST, None).json(&initialize).send().await.unwrap();
        let session = answer.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        (answer.status().as_u16(), session, answer.text().await.unwrap())
    }

    async fn session(&self) -> String {
        let (status, session, said) = self.begin().await;
        assert_eq!(status, 200, "{said}");
        session.expect("a session")
    }

    async fn ping(&self, session: &str) -> u16 {
        let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
        let answer = self.request(reqwest::Method::POST, Some(session)).json(&ping).send().await.unwrap();
        answer.status().as_u16()
    }

    async fn listen(&self, session: &str) -> reqwest::Response {
        let answer = self.request(reqwest::Method::GET, Some(session)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer
    }
}

async fn user(admin: &Rest, name: &str) -> Value {
    let user = admin.post("/api/users", &json!({"name": name})).await.expect(201);
    admin.post("/api/keys", &json!({"name": "theirs", "userId": user["id"]})).await.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_processes_and_they_end_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let admin = server.rest();
    let key = user(&admin, "Ann").await;
    let ann = Client { server: &server, key: key["key"].as_str().unwrap().to_owned() };

    // The one that was not used for longest makes room.
    let (first, second) = (ann.session().await, ann.session().await);
    assert_eq!(ann.ping(&first).await, 200);
    let third = ann.session().await;
    assert_eq!((ann.ping(&first).await, ann.ping(&second).await), (200, 404));

    // Those that somebody listens to do not.
    let _listening = [ann.listen(&first).await, ann.listen(&third).await];
    let (status, _, said) = ann.begin().await;
    assert_eq!(status, 503, "{said}");
    assert!(said.contains("busy: 2 processes of other servers run for you"), "{said}");
    // Others have their own.
    let bob = user(&admin, "Bob").await;
    let bob = Client { server: &server, key: bob["key"].as_str().unwrap().to_owned() };
    let his = bob.session().await;

    // Without the key nothing of it is left.
    let mut processes = mcp_processes(&server);
    assert!(processes >= 3, "{processes} run");
    admin.delete(&format!("/api/keys/{}", key["id"].as_str().unwrap())).await.expect(204);
    let gone = async {
        while processes > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            processes = mcp_processes(&server);
        }
    };
    tokio::time::timeout(Duration::from_secs(15), gone).await.expect("they end with the key");
    assert_eq!(bob.ping(&his).await, 200);
}

/// Number of processes of the command below a server.
fn mcp_processes(server: &TestProcess) -> usize {
    let parent = server.id().to_string();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let is_child = |path: &std::path::PathBuf| {
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { return false };
        let of_parent =
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.split_whitespace().nth(1) == Some(&parent));
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        of_parent && line.split(|byte| *byte == 0).any(|argument| argument == b"mcp")
    };
    all.filter(is_child).count()
}
