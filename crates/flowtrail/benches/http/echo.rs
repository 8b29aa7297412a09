//! The bound: the same HTTP stack with nothing behind it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};

/// Answers every POST with its body, and every GET with what a file has, by two workers, until it is killed.
pub(crate) fn serve(answer: Option<&Path>) -> Result<(), String> {
    let answer =
        answer.map(std::fs::read).transpose().map_err(|error| error.to_string())?.unwrap_or_default();
    let answer = Bytes::from(answer);
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let answer = answer.clone();
            let same = move || {
                let answer = answer.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(answer) }
            };
            let limit = web::PayloadConfig::new(64 << 20);
            App::new()
                .app_data(limit)
                .default_service(web::get().to(same))
                .route("/echo", web::post().to(echo))
        });
        let server = server.workers(2).bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        for address in server.addrs() {
            println!("listening on http://{address}");
        }
        server.run().await.map_err(|error| error.to_string())
    })
}

async fn echo(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}

/// The echo as a process of its own, which is killed when it is dropped.
pub(crate) struct Echo {
    child: Child,
    pub(crate) base: String,
}

impl Echo {
    pub(crate) fn start(answer: Option<&Path>) -> Result<Self, String> {
        let binary = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(binary)
            .arg("echo")
            .args(answer)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the echo cannot be started: {error}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the echo has no output")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let base = line.trim().strip_prefix("listening on ").ok_or("the echo does not listen")?.to_owned();
        Ok(Self { child, base })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
