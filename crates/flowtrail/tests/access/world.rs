//! What is asked for, and those who ask.

use flowtrail_testkit::{Rest, TestServer, flow};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::kind::Kind;
use crate::table::Row;

/// A flow with its history, and everybody who wants something of it.
pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) client: reqwest::Client,
    pub(crate) callers: Vec<(Kind, Caller)>,
    pub(crate) people: Vec<(Kind, String)>,
    pub(crate) flow: String,
    pub(crate) public_flow: String,
    pub(crate) execution: String,
    pub(crate) public_execution: String,
}

pub(crate) enum Caller {
    Key(Option<String>),
    Cookie(String),
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = TestServer::start().await;
        let rest = server.rest().clone();
        let mut callers = vec![
            (Kind::Nobody, Caller::Key(None)),
            (Kind::BadKey, Caller::Key(Some("ft_nobodys".to_owned()))),
            (Kind::Administrator, Caller::Key(Some(server.key().to_owned()))),
        ];
        let mut people = Vec::new();
        let mut owners_key = String::new();
        for kind in [
            Kind::Stranger,
            Kind::Public,
            Kind::Reader,
            Kind::Writer,
            Kind::Owner,
            Kind::ExpiredKey,
            Kind::RevokedKey,
        ] {
            let user = rest.post("/api/users", &json!({"name": format!("{kind:?}")})).await.expect(201);
            let id = user["id"].as_str().unwrap().to_owned();
            let made = rest.post("/api/keys", &json!({"name": "k", "userId": id})).await.expect(201);
            let key = made["key"].as_str().unwrap().to_owned();
            match kind {
                Kind::Owner => owners_key.clone_from(&key),
                Kind::RevokedKey => {
                    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
                    rest.delete(&path).await.expect(204);
                }
                Kind::ExpiredKey => expire(&server, made["prefix"].as_str().unwrap()),
                _ => {}
            }
            callers.push((kind, Caller::Key(Some(key))));
            people.push((kind, id));
        }
        let mut world = Self {
            callers,
            people,
            flow: String::new(),
            public_flow: String::new(),
            execution: String::new(),
            public_execution: String::new(),
            client: flowtrail_testkit::http_client(),
            server,
        };
        world.flow = world.make_flow("hello", false).await;
        world.public_flow = world.make_flow("hello_all", true).await;
        world.execution = world.run(&world.flow, &owners_key).await;
        world.public_execution = world.run(&world.public_flow, &owners_key).await;

        let owner = world.server.rest().with_key(Some(&owners_key));
        let flows = json!({"flowIds": [world.flow, world.public_flow]});
        let token = owner.post("/api/embed-tokens", &flows).await.expect(201);
        world.callers.push((Kind::Page, Caller::Key(token["token"].as_str().map(str::to_owned))));
        let answer = world
            .client
            .post(format!("{}/api/session", world.server.base()))
            .body(json!({"key": owners_key}).to_string())
            .send()
            .await
            .unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let pair = cookie.split(';').next().unwrap().to_owned();
        world.callers.push((Kind::Cookie, Caller::Cookie(pair)));
        world
    }

    pub(crate) fn key(&self, kind: Kind) -> Option<&str> {
        match &self.callers.iter().find(|(other, _)| *other == kind)?.1 {
            Caller::Key(key) => key.as_deref(),
            Caller::Cookie(_) => None,
        }
    }

    pub(crate) fn owner(&self) -> Rest {
        self.server.rest().with_key(self.key(Kind::Owner))
    }

    pub(crate) fn person(&self, kind: Kind) -> &str {
        &self.people.iter().find(|(other, _)| *other == kind).unwrap().1
    }

    /// A flow of the owner's, shared with the reader and the writer, and with everybody if it is public.
    pub(crate) async fn make_flow(&self, tool_name: &str, public: bool) -> String {
        let access = json!({
            "read": [self.person(Kind::Reader)],
            "write": [self.person(Kind::Writer)],
            "public": public,
        });
        let made = flow(tool_name).text("name").returns("{{ ask.name }}").field("access", access).build();
        let flow = self.owner().post("/api/flows", &made).await.expect(201);
        flow["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn run(&self, flow: &str, key: &str) -> String {
        let rest = self.server.rest().with_key(Some(key));
        let body = json!({"params": {"name": "x"}});
        let execution = rest.post(&format!("/api/flows/{flow}/run"), &body).await.expect(200);
        execution["id"].as_str().unwrap().to_owned()
    }

    /// The address for one caller: with things of its own where it takes something away.
    pub(crate) async fn address(&self, row: &Row, kind: Kind, number: usize) -> String {
        let is_public = kind == Kind::Public;
        let (mut flow, mut execution) = if is_public {
            (self.public_flow.clone(), self.public_execution.clone())
        } else {
            (self.flow.clone(), self.execution.clone())
        };
        let mut path = row.path.to_owned();
        if row.method == "DELETE" || path.contains("prune") {
            // The token of a page is for the flows that were there when it was made.
            if path.contains("{flow_id}") && kind != Kind::Page {
                flow = self.make_flow(&format!("gone_{number}"), is_public).await;
                execution = self.run(&flow, self.key(Kind::Owner).unwrap()).await;
            }
            if path.contains("{user_id}") {
                let body = json!({"name": "Leaving"});
                let user = self.server.rest().post("/api/users", &body).await.expect(201);
                path = path.replace("{user_id}", user["id"].as_str().unwrap());
            }
            if path.contains("{key_id}") {
                let body = json!({"name": "leaving", "userId": self.person(Kind::RevokedKey)});
                let key = self.server.rest().post("/api/keys", &body).await.expect(201);
                path = path.replace("{key_id}", key["id"].as_str().unwrap());
            }
        }
        if path.contains("{pending_id}") {
            let body = json!({});
            let started =
                self.owner().post(&format!("/api/flows/{flow}/executions"), &body).await.expect(201);
            path = path.replace("{pending_id}", started["id"].as_str().unwrap());
        }
        path.replace("{flow_id}", &flow).replace("{execution_id}", &execution).replace("{seq}", "1")
    }

    /// A request with what a caller proves themselves by.
    pub(crate) fn proven(&self, kind: Kind, request: RequestBuilder) -> RequestBuilder {
        match &self.callers.iter().find(|(other, _)| *other == kind).unwrap().1 {
            Caller::Key(None) => request,
            Caller::Key(Some(key)) => request.bearer_auth(key),
            Caller::Cookie(pair) => request.header("cookie", pair),
        }
    }

    /// A request to a route, without a body.
    pub(crate) fn request(&self, row: &Row, kind: Kind, address: &str) -> RequestBuilder {
        let method: Method = row.method.parse().unwrap();
        self.proven(kind, self.client.request(method, format!("{}{address}", self.server.base())))
    }

    pub(crate) async fn send(&self, row: &Row, kind: Kind, address: &str) -> (u16, String) {
        let mut request = self.request(row, kind, address);
        let body = (row.body)();
        if !body.is_null() {
            let flow = if kind == Kind::Public { &self.public_flow } else { &self.flow };
            request = request.body(body.to_string().replace("{flow_id}", flow));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        // A stream of events has no end.
        let is_stream = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
        (status, if is_stream { String::new() } else { answer.text().await.unwrap() })
    }
}

/// Lets a key expire, which over HTTP it may only do in the future.
pub(crate) fn expire(server: &TestServer, prefix: &str) {
    let database = rusqlite::Connection::open(server.data_dir().join("flowtrail.db")).unwrap();
    let changed = database.execute("UPDATE api_keys SET expires_at = 1 WHERE prefix = ?1", [prefix]).unwrap();
    assert_eq!(changed, 1);
}
