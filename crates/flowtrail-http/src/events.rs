//! `GET /api/events`: what happens, as it happens, as Server-Sent Events.

use std::fmt::Write;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_tracker::{Heard, Listener};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::query::Query;
use crate::routes::Route;
use crate::{ApiError, App, Caller, auth};

pub(crate) const ROUTES: &[Route] = &[Route::get("/api/events", || web::get().to(handle))];

/// How often a line is sent when there is nothing to tell, so that whoever stands in between keeps the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether the key is still good, which another process may have revoked.
const LOOK: Duration = Duration::from_secs(2);
/// After how many milliseconds a client that lost the connection comes back.
const RETRY_MS: u32 = 1_000;

async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["flowId"])?;
    let flow = query.parsed("flowId")?;
    // What is no text is none of ours, and answered like any other that is not known.
    let text = |value: &header::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let after = request.headers().get("Last-Event-ID").map(text);
    let tracker = app.tracker().clone();
    let listener = blocking(move || tracker.listen(&principal, flow, after.as_deref())).await?;
    let channel = Channel {
        revocations: app.tracker().revocations(),
        hang_up: app.hang_up().clone(),
        heartbeat: every(HEARTBEAT),
        look: every(LOOK),
        is_new: true,
        app,
        request,
        listener,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that gather what they pass on are asked not to.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(channel.parts()))
}

/// A timer whose first tick is a period away.
fn every(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.reset();
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// One client that listens.
struct Channel {
    app: web::Data<App>,
    /// By which it proved who it is; asked again as long as it listens.
    request: HttpRequest,
    listener: Listener,
    revocations: watch::Receiver<u64>,
    hang_up: CancellationToken,
    heartbeat: Interval,
    look: Interval,
    is_new: bool,
}

impl Channel {
    /// What is sent, part by part, until the client is too slow, its key is revoked, or the server stops.
    fn parts(self) -> impl Stream<Item = Result<Bytes, ApiError>> {
        stream::unfold(self, |mut channel| async move {
            channel.next().await.map(|part| (Ok(Bytes::from(part)), channel))
        })
    }

    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.is_new) {
            // Known from the beginning, the place can be come back to before anything has happened.
            return Some(format!("retry: {RETRY_MS}\nid: {}\n\n", self.listener.position()));
        }
        loop {
            tokio::select! {
                () = self.hang_up.cancelled() => return None,
                told = self.listener.next() => {
                    let heard = told.ok()?;
                    self.heartbeat.reset();
                    return Some(self.written(&heard));
                }
                _ = self.heartbeat.tick() => {
                    return Some(format!(": still here\nid: {}\n\n", self.listener.position()));
                }
                _ = self.look.tick() => {}
                Ok(()) = self.revocations.changed() => {}
            }
            // Only a credential that is good no longer ends it: a database that is away for a moment does not.
            match auth::recognise(&self.app, &self.request).await {
                Err(error) if error.code().status() == actix_web::http::StatusCode::UNAUTHORIZED => {
                    return None;
                }
                _ => self.look.reset(),
            }
        }
    }

    fn written(&self, heard: &[Heard]) -> String {
        let mut text = String::new();
        for one in heard {
            let (kind, data) = (one.event.kind.as_str(), &one.event.data);
            // JSON as it is written here has no line breaks.
            let _ =
                write!(text, "id: {}\nevent: {kind}\ndata: {data}\n\n", self.listener.position_after(one));
        }
        text
    }
}
