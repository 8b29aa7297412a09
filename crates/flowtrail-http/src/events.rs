//! `GET /api/events`: what happens, as it happens, as Server-Sent Events.

use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_tracker::{Heard, Listener};
use futures_util::stream::{self, Stream};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::openapi::{Answer, Operation};
use crate::query::Query;
use crate::routes::Route;
use crate::{ApiError, App, Caller, ErrorCode, auth};

pub(crate) const ROUTES: &[Route] = &[Route::get("/api/events", || web::get().to(handle),
    Operation::new("listen", "What happens, as it happens, as Server-Sent Events")
        .details("`execution.started`, `execution.ended`, `execution.deleted`, `node.started`, `node.ended`, and `resync` for who must fetch again. The stream does not end by itself.")
        .takes(&[&["flowId", "Last-Event-ID"]])
        .gives(&[Answer::of(200, "text/event-stream", "", "Events, each with an id.")])
        .fails(&[ErrorCode::NotFound]))];

/// How often a line is sent when there is nothing to tell, so that whoever stands in between keeps the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
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
        hang_up: app.hang_up().clone(),
        heartbeat: every(HEARTBEAT),
        until: Box::pin(auth::until_refused(request)),
        is_new: true,
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
    listener: Listener,
    /// Done when it may not listen any more.
    until: Pin<Box<dyn Future<Output = ()>>>,
    hang_up: CancellationToken,
    heartbeat: Interval,
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
        tokio::select! {
            () = self.hang_up.cancelled() => None,
            () = &mut self.until => None,
            told = self.listener.next() => {
                let heard = told.ok()?;
                self.heartbeat.reset();
                Some(self.written(&heard))
            }
            _ = self.heartbeat.tick() => {
                Some(format!(": still here\nid: {}\n\n", self.listener.position()))
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
