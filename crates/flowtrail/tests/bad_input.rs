//! Whatever comes in wrong gets a clear error, in the right form for its transport, and leaves nothing half done.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use flowtrail_testkit::{Era, TestServer, flow};
use serde_json::{Value, json};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

/// A flow file with these nodes and connections.
fn graph(nodes: &Value, connections: &Value) -> Value {
    json!({"name": "Bad", "toolName": "bad", "nodes": nodes, "connections": connections})
}

fn trigger() -> Value {
    json!({"id": "ask", "type": "UserIntent", "parameters": {"parameters": []}})
}

fn say(id: &str) -> Value {
    json!({"id": id, "type": "Return", "parameters": {"text": "x"}})
}

#[tokio::test]
async fn unsound_flows_are_refused_with_every_problem() {
    let server = TestServer::start().await;
    let link = |source: &str, target: &str| json!({"sourceNodeId": source, "targetNodeId": target});
    let cases = [
        (
            "a cycle",
            graph(
                &json!([trigger(), say("a"), say("b")]),
                &json!([link("ask", "a"), link("a", "b"), link("b", "a")]),
            ),
            "a → b → a",
        ),
        ("no trigger", graph(&json!([say("a")]), &json!([])), "UserIntent"),
        ("one id twice", graph(&json!([trigger(), say("a"), say("a")]), &json!([])), "a"),
        ("a connection to nowhere", graph(&json!([trigger()]), &json!([link("ask", "ghost")])), "ghost"),
        (
            "an unknown node type",
            graph(&json!([trigger(), {"id": "x", "type": "Teleport", "parameters": {}}]), &json!([])),
            "Teleport",
        ),
        ("an unknown field", json!({"name": "Bad", "colour": "red", "nodes": [trigger()]}), "colour"),
        ("no name", json!({"nodes": [trigger()]}), "name"),
        ("a bad tool name", json!({"name": "Bad", "toolName": "a b", "nodes": [trigger()]}), "toolName"),
        (
            "a script that is none",
            graph(
                &json!([trigger(), {"id": "x", "type": "Transform", "parameters": {"code": "return ]"}}]),
                &json!([]),
            ),
            "code",
        ),
    ];
    for (what, file, expected) in cases {
        let answer = server.rest().post("/api/flows", &file).await;
        let problems = answer.body["problems"].clone();
        let message = answer.expect_error(400, "invalid_flow");
        assert!(message.contains(expected), "{what}: {message}");
        assert!(problems.as_array().is_some_and(|problems| !problems.is_empty()), "{what}: {problems}");
    }
    // Two flows of one file with one tool name, and a good one beside them: all or nothing.
    let twice = json!([
        flow("One").field("toolName", json!("same")).build(),
        flow("Good").build(),
        flow("Two").field("toolName", json!("same")).build()
    ]);
    let answer = server.rest().post("/api/flows/import", &twice).await;
    assert!(matches!(answer.status, 400 | 409), "{answer:?}");
    let flows = server.rest().get("/api/flows").await.expect(200);
    assert_eq!(flows["total"], 0, "nothing is half done");

    server.create(&flow("First")).await;
    server.rest().post("/api/flows", &flow("First").build()).await.expect_error(409, "taken");
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for (what, body) in [
        ("half a body", b"{\"name\": ".to_vec()),
        ("invalid UTF-8", b"{\"name\": \"\xff\xfe\"}".to_vec()),
        ("1,000 levels", deep.into_bytes()),
    ] {
        let answer = rest.post_bytes("/api/flows", body.clone()).await;
        let message = answer.expect_error(400, "invalid_json");
        assert!(message.contains("JSON"), "{what}: {message}");
    }
    rest.post("/api/flows", &json!([1])).await.expect(400);
    rest.post_bytes("/api/flows", vec![b' '; (16 << 20) + 1]).await.expect_error(413, "too_large");
}

#[tokio::test]
async fn parameters_out_of_range_are_named() {
    let server = TestServer::start().await;
    let made = server.create(&flow("Greet").text("name").returns("hi")).await;
    let list = format!("/api/flows/{}/executions", made["id"].as_str().unwrap());
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=many", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("status=done", "status"),
        ("source=telepathy", "source"),
        ("from=yesterday", "from"),
        ("user=me", "user"),
        ("after=xyz", "after"),
        ("sort=colour", "sort"),
        ("minDuration=1.5", "minDuration"),
        ("maxDuration=1s", "maxDuration"),
        ("tag=shop", "tag"),
        ("colour=red", "colour"),
        ("page=1&page=2", "page"),
    ] {
        for path in [list.as_str(), "/api/executions"] {
            let message = server.rest().get(&format!("{path}?{query}")).await.expect_error(400, "invalid");
            assert!(message.starts_with(&format!("{field}:")), "{query}: {message}");
        }
    }
    server.rest().get(&format!("{list}?page=1&limit=20&status=")).await.expect(200);
    server.rest().get("/api/flows/no-id/executions").await.expect_error(404, "not_found");
    server.rest().get("/api/executions/no-id").await.expect_error(404, "not_found");
    server.rest().delete("/api/executions").await.expect_error(405, "method_not_allowed");
    server.rest().get("/api/nothing").await.expect_error(404, "not_found");
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    let message = server.rest().patch(&path, &json!({"colour": "red"})).await.expect_error(400, "invalid");
    assert!(message.starts_with("colour:"), "{message}");
    let run = format!("{path}/run");
    let message =
        server.rest().post(&run, &json!({"params": {}})).await.expect_error(400, "invalid_arguments");
    assert!(message.contains("name"), "{message}");
    server.rest().post(&run, &json!({"params": [1]})).await.expect_error(400, "invalid");
    let none = server.rest().get(&list).await.expect(200);
    assert_eq!(none["total"], 0, "what was refused left no record");
}

#[tokio::test]
async fn without_a_good_key_nothing_is_shown_at_any_address() {
    let server = TestServer::start().await;
    let made = server.create(&flow("Greet").returns("hi")).await;
    let flow = format!("/api/flows/{}", made["id"].as_str().unwrap());
    let run = server.rest().post(&format!("{flow}/run"), &json!({})).await.expect(200);
    let execution = format!("/api/executions/{}", run["id"].as_str().unwrap());
    let of_flow = format!("{flow}/executions/{}", run["id"].as_str().unwrap());
    let executions = format!("{flow}/executions");
    let (export, running, cancel) =
        (format!("{flow}/export"), format!("{flow}/run"), format!("{execution}/cancel"));
    for key in [None, Some("ft_wrong"), Some("")] {
        let stranger = server.rest().with_key(key);
        let read = [
            "/api/flows",
            &flow,
            &export,
            &executions,
            &of_flow,
            "/api/executions",
            &execution,
            "/api/me",
            "/mcp",
        ];
        for path in read {
            stranger.get(path).await.expect_error(401, "unauthenticated");
        }
        for path in ["/api/flows", "/api/flows/import", &running, &cancel, "/mcp"] {
            stranger.post(path, &json!({})).await.expect_error(401, "unauthenticated");
        }
        stranger.patch(&flow, &json!({"name": "Mine"})).await.expect_error(401, "unauthenticated");
        stranger.delete(&flow).await.expect_error(401, "unauthenticated");
        stranger.get("/healthz").await.expect(200);
        stranger.get("/readyz").await.expect(200);
    }
    let unchanged = server.rest().get(&flow).await.expect(200);
    assert_eq!(unchanged["name"], "Greet");
}

#[tokio::test]
async fn a_user_sees_what_is_theirs_over_rest_and_mcp() {
    let server = TestServer::start().await;
    let theirs = server.create(&flow("Secret plan").returns("done")).await;
    let admin = server.tracker().local_administrator().unwrap();
    let user = server.tracker().create_user(&admin, "ben", flowtrail_types::Role::User).unwrap();
    let key = server.tracker().create_key(&admin, "ben's", Some(user.id), None).unwrap().secret;
    let ben = server.rest().with_key(Some(&key));
    let run =
        server.rest().post(&format!("/api/flows/{}/run", theirs["id"].as_str().unwrap()), &json!({})).await;
    let id = run.expect(200)["id"].as_str().unwrap().to_owned();

    assert_eq!(ben.get("/api/flows").await.expect(200)["total"], 0);
    assert_eq!(ben.get("/api/executions").await.expect(200)["total"], 0);
    let flow_path = format!("/api/flows/{}", theirs["id"].as_str().unwrap());
    for path in [flow_path.clone(), format!("{flow_path}/executions"), format!("/api/executions/{id}")] {
        ben.get(&path).await.expect_error(404, "not_found");
    }
    ben.delete(&flow_path).await.expect_error(404, "not_found");
    let client = flowtrail_testkit::McpClient::over_http(server.base(), &key, Era::Stateless).await;
    assert_eq!(client.tool_names().await, Vec::<String>::new());
    let unknown = client.try_call("secret_plan", json!({})).await.unwrap_err().to_string();
    assert!(unknown.contains("Unknown tool"), "{unknown}");

    // Shared for reading: seen and called, not changed.
    let access = json!({"access": {"read": [user.id.to_string()]}});
    server.rest().patch(&flow_path, &access).await.expect(200);
    assert_eq!(client.tool_names().await, ["secret_plan"]);
    ben.get(&format!("/api/executions/{id}")).await.expect(200);
    ben.patch(&flow_path, &json!({"active": false})).await.expect_error(403, "forbidden");
}

#[tokio::test]
async fn what_is_null_in_a_change_is_refused_and_what_is_left_out_stays() {
    let server = TestServer::start().await;
    let made = server.create(&flow("Greet").field("capture", json!("metadata")).returns("hi")).await;
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    for field in ["name", "toolName", "active", "access", "capture", "nodes", "description"] {
        let mut change = json!({});
        change[field] = Value::Null;
        let message = server.rest().patch(&path, &change).await.expect_error(400, "invalid");
        assert!(message.starts_with(&format!("{field}:")), "{message}");
    }
    server.rest().patch(&path, &json!({"timeout": "9s"})).await.expect(200);
    let changed = server.rest().patch(&path, &json!({"timeout": null, "active": false})).await.expect(200);
    assert_eq!((&changed["timeout"], &changed["active"]), (&Value::Null, &json!(false)));
    assert_eq!((&changed["capture"], &changed["version"]), (&json!("metadata"), &json!(1)));
    assert_eq!(changed["nodes"], made["nodes"]);
    let renamed = json!({"nodes": [trigger(), say("bye")], "connections": [{"sourceNodeId": "ask", "targetNodeId": "bye"}]});
    assert_eq!(server.rest().patch(&path, &renamed).await.expect(200)["version"], 2);
}

#[tokio::test]
async fn pages_have_every_execution_once_while_new_ones_arrive() {
    let server = TestServer::start().await;
    let made = server.create(&flow("Greet").returns("hi")).await;
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    let run = async || {
        server.rest().post(&format!("{path}/run"), &json!({})).await.expect(200)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut expected = Vec::new();
    for _ in 0..23 {
        expected.insert(0, run().await);
    }
    let first = server.rest().get(&format!("{path}/executions?limit=5")).await.expect(200);
    let as_of = first["asOf"].as_str().unwrap();
    let (mut by_number, mut by_cursor) = (Vec::new(), Vec::new());
    let mut after = String::new();
    for page in 1..=5 {
        run().await;
        let numbered = format!("{path}/executions?limit=5&page={page}&asOf={as_of}");
        let numbered = server.rest().get(&numbered).await.expect(200);
        assert_eq!((&numbered["total"], &numbered["totalPages"]), (&json!(23), &json!(5)), "{numbered:#}");
        by_number.extend(ids(&numbered));
        let cursor = format!("{path}/executions?limit=5&asOf={as_of}{after}");
        let cursor = server.rest().get(&cursor).await.expect(200);
        by_cursor.extend(ids(&cursor));
        assert_eq!(cursor["after"].is_null(), page == 5, "the last page has no next one");
        after = format!("&after={}", cursor["after"].as_str().unwrap_or_default());
    }
    assert_eq!(by_number, expected);
    assert_eq!(by_cursor, expected);
    // A cursor belongs to its list.
    let other = format!("{path}/executions?status=error&after={}", first["after"].as_str().unwrap());
    server.rest().get(&other).await.expect_error(400, "invalid");
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_argument_of_ten_megabytes_is_taken_and_its_record_is_cut() {
    let server = TestServer::start().await;
    server
        .create(
            &flow("Length")
                .text("text")
                .transform("count", "return input.text.length;")
                .returns("{{ count }}"),
        )
        .await;
    let text = "x".repeat(10 << 20);
    for era in Era::BOTH {
        let client = server.mcp(era).await;
        let answer = client.call("length", json!({"text": text})).await;
        assert_eq!(answer.text(), (10 << 20).to_string());
        let execution = server.execution(answer.execution_id()).await;
        let mark = &execution["capture"]["initialParams"];
        assert_eq!((&mark["truncated"], &mark["captured"]), (&json!(true), &json!(true)), "{mark}");
        assert!(mark["size"].as_u64() > Some(10 << 20), "{mark}");
        let kept = execution["initialParams"].to_string().len();
        assert!((1 << 19..=1 << 20).contains(&kept), "{kept} bytes are kept");
    }
}

#[tokio::test]
async fn mcp_calls_that_are_wrong_are_answered_as_the_protocol_wants() {
    let server = TestServer::start().await;
    let amount = json!({"name": "amount", "type": "number", "required": true});
    server.create(&flow("Pay").parameter(amount).returns("paid {{ ask.amount }}")).await;
    for era in Era::BOTH {
        let client = server.mcp(era).await;
        let unknown = client.try_call("fly", json!({})).await.unwrap_err().to_string();
        assert!(unknown.contains("Unknown tool: fly"), "{unknown}");
        for (arguments, expected) in [
            (json!({}), "amount"),
            (json!({"amount": "much"}), "amount"),
            (json!({"amount": 1, "amuont": 2}), "amuont"),
        ] {
            let answer = client.call("pay", arguments).await;
            assert!(answer.is_error() && answer.text().contains(expected), "{answer:?}");
        }
        assert_eq!(client.call("pay", json!({"amount": 2.5})).await.text(), "paid 2.5");
    }
    let rest = server.rest();
    for body in [b"{\"jsonrpc\"".to_vec(), format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)).into_bytes()]
    {
        let answer = rest.post_bytes("/mcp", body).await.expect(400);
        assert_eq!(answer["error"]["code"], -32700, "{answer}");
    }
    let runs = rest.get("/api/executions").await.expect(200);
    assert_eq!(runs["total"], 2, "only the good calls left a record");
}

#[tokio::test]
async fn other_hosts_and_origins_are_refused() {
    let server = TestServer::start().await;
    let address = server.base().strip_prefix("http://").unwrap();
    let ask = |host: &str, origin: &str| {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        let origin = if origin.is_empty() { String::new() } else { format!("origin: {origin}\r\n") };
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {host}\r\n{origin}authorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: 2\r\n\r\n{{}}",
            server.key()
        );
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut connection, &mut answer).unwrap();
        answer.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(ask("evil.example", ""), "403");
    assert_eq!(ask(address, "http://evil.example"), "403");
    assert_eq!(ask(address, "null"), "403");
    assert_ne!(ask(address, ""), "403");
    assert_ne!(ask(address, server.base()), "403", "a page of this server itself");
}

fn run(arguments: &[&str], data_dir: &Path) -> Output {
    Command::new(binary())
        .args(arguments)
        .env("FLOWTRAIL_DATA_DIR", data_dir)
        .env("RUST_LOG", "off")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

#[track_caller]
fn fails(output: &Output, code: i32, reason: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(reason), "{stderr:?} does not say {reason:?}");
    if code == 1 {
        assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
    }
}

#[test]
fn the_process_says_in_one_line_why_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let below_a_file = folder.path().join("file/data");
    std::fs::write(folder.path().join("file"), "").unwrap();
    fails(&run(&["serve", "--listen", "127.0.0.1:0"], &below_a_file), 1, "cannot open");

    let not_one = folder.path().join("letter.db");
    std::fs::write(&not_one, "Dear Sir, this is no database. ".repeat(50)).unwrap();
    let url = format!("sqlite://{}", not_one.display());
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--database-url", &url], folder.path());
    fails(&output, 1, "not a SQLite database");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&run(&["serve", "--listen", &address], folder.path()), 1, "--listen");

    std::fs::write(folder.path().join("flowtrail.toml"), "colour = \"red\"").unwrap();
    fails(&run(&["serve"], folder.path()), 1, "colour");
    std::fs::remove_file(folder.path().join("flowtrail.toml")).unwrap();

    fails(&run(&["serve", "--max-body", "much"], folder.path()), 2, "16MiB");
    fails(&run(&["dance"], folder.path()), 2, "dance");
    fails(&run(&["serve", "--database-url", "postgres://h/d"], folder.path()), 1, "PostgreSQL");
    fails(&run(&["migrate", "status"], folder.path()), 1, "there is no database");
    assert!(!folder.path().join("flowtrail.db").exists(), "looking makes nothing");
    assert!(run(&["migrate", "up"], folder.path()).status.success());
    fails(&run(&["migrate", "down"], folder.path()), 1, "--yes");
    fails(&run(&["flow", "import", "/no/such/file"], folder.path()), 1, "/no/such/file");
}

#[test]
fn over_stdio_rubbish_is_answered_and_the_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(binary())
        .arg("mcp")
        .env("FLOWTRAIL_DATA_DIR", folder.path())
        .env("RUST_LOG", "off")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    stdin.write_all(b"rubbish\n\xff\xfe\n").unwrap();
    writeln!(stdin, "{initialize}\n{deep}\n{list}").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .expect("nothing but text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("nothing but JSON"))
        .collect();
    let parse_errors = lines.iter().filter(|line| line["error"]["code"] == -32700).count();
    assert_eq!(parse_errors, 3, "{lines:#?}");
    assert!(lines.iter().any(|line| line["id"] == 1 && line["result"].is_object()), "{lines:#?}");
    assert!(lines.iter().any(|line| line["id"] == 2 && line["result"]["tools"].is_array()), "{lines:#?}");
}
