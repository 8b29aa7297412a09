//! Answers that are given again as long as nothing has been written: dashboards ask for the same pages and figures again and
//! again, and many of them at once. When something has been written, the first who asks anew looks it up for all who ask
//! the same meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use flowtrail_tracker::{Mark, RulesMark, Tracker, TrackerError};
use flowtrail_types::{FlowId, Principal, Role, UserId};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::blocking::{Pace, blocking_at};
use crate::{ApiError, App};

/// How many bytes of answers are kept at most.
const MOST_BYTES: usize = 4 << 20;
/// How many answers are kept at most.
const MOST: usize = 1_000;

/// What an answer depends on, beside what there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    user: UserId,
    role: Role,
    only: Option<Arc<[FlowId]>>,
    /// With the query.
    address: String,
}

/// An answer that is being made, or was: none when it failed.
type Cell = Arc<OnceCell<Option<Bytes>>>;

/// The answers that were given under one mark.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    under: Option<(Mark, Instant)>,
    cells: HashMap<Question, Cell>,
    bytes: usize,
}

impl Answers {
    /// Where the answer to a question stands, or will.
    fn cell(&self, mark: Mark, question: &Question) -> Cell {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds =
            |(under, since): &(Mark, Instant)| *under == mark && since.elapsed() < Tracker::MARK_LASTS;
        if !shelf.under.as_ref().is_some_and(holds) || shelf.bytes > MOST_BYTES || shelf.cells.len() >= MOST {
            *shelf = Shelf { under: Some((mark, Instant::now())), ..Shelf::default() };
        }
        if let Some(cell) = shelf.cells.get(question) {
            return Arc::clone(cell);
        }
        Arc::clone(shelf.cells.entry(question.clone()).or_default())
    }

    /// Counts an answer that was made, or forgets one that failed.
    fn made(&self, mark: Mark, question: &Question, cell: &Cell) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_here = shelf.cells.get(question).is_some_and(|here| Arc::ptr_eq(here, cell));
        if !is_here || shelf.under.is_none_or(|(under, _)| under != mark) {
            return;
        }
        match cell.get() {
            Some(Some(answer)) => shelf.bytes += answer.len() + question.address.len(),
            _ => drop(shelf.cells.remove(question)),
        }
    }
}

/// Answers with what `work` finds, as JSON, or with what it found before if nothing has been written since.
pub(crate) async fn answer<T, W>(
    app: &App,
    request: &HttpRequest,
    principal: Principal,
    pace: Pace,
    work: W,
) -> Result<HttpResponse, ApiError>
where
    T: Serialize,
    W: FnOnce(&Tracker, &Principal) -> Result<T, TrackerError> + Send + 'static,
{
    // Who asks was looked for a moment ago.
    let rules = request.extensions().get::<RulesMark>().copied().or_else(|| app.tracker().rules_mark());
    let mark = rules.and_then(|rules| app.tracker().mark(rules));
    let address = request.uri().path_and_query().map(|address| address.as_str().to_owned());
    let question = address.map(|address| Question {
        user: principal.id,
        role: principal.role,
        only: principal.only.clone(),
        address,
    });
    let tracker = app.tracker().clone();
    let look = blocking_at(pace, move || -> Result<Bytes, ApiError> {
        let found = work(&tracker, &principal)?;
        Ok(serde_json::to_vec(&found).map_err(ApiError::internal)?.into())
    });
    let body = match mark.zip(question) {
        Some((mark, question)) => first_or_same(app.answers(), mark, question, look).await?,
        None => look.await?,
    };
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

/// The answer that is there already, or is being made for somebody else, or else the one that is looked up now.
async fn first_or_same(
    answers: &Answers,
    mark: Mark,
    question: Question,
    look: impl Future<Output = Result<Bytes, ApiError>>,
) -> Result<Bytes, ApiError> {
    let cell = answers.cell(mark, &question);
    let mut look = Some(look);
    let mut failed = None;
    let first = async || {
        let found = look.take()?.await;
        found.map_err(|error| failed = Some(error)).ok()
    };
    let answer = cell.get_or_init(first).await.clone();
    let is_mine = look.is_none();
    if is_mine {
        answers.made(mark, &question, &cell);
    }
    match (answer, failed, look) {
        (Some(answer), ..) => Ok(answer),
        (None, Some(error), _) => Err(error),
        // Another one's look failed, perhaps for a reason of the moment.
        (None, None, Some(look)) => look.await,
        (None, None, None) => Err(ApiError::internal("a look that neither found nor failed")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ErrorCode;

    fn mark(content: u64) -> Mark {
        Mark::of(1, content)
    }

    fn question(address: &str) -> Question {
        let user = UserId::from_uuid(uuid::Uuid::nil());
        Question { user, role: Role::User, only: None, address: address.to_owned() }
    }

    async fn ask(answers: &Answers, mark: Mark, address: &str, answer: &'static str) -> Bytes {
        let look = async { Ok(Bytes::from_static(answer.as_bytes())) };
        first_or_same(answers, mark, question(address), look).await.unwrap()
    }

    #[actix_web::test]
    async fn an_answer_is_given_again_to_the_same_question_under_the_same_mark() {
        let answers = Answers::default();
        assert_eq!(ask(&answers, mark(1), "/a", "first").await, "first");
        assert_eq!(ask(&answers, mark(1), "/a", "not looked up").await, "first");
        assert_eq!(ask(&answers, mark(1), "/b", "another address").await, "another address");
        assert_eq!(ask(&answers, Mark::of(2, 1), "/a", "other rules").await, "other rules");
        assert_eq!(ask(&answers, mark(2), "/a", "something was written").await, "something was written");
        for other in [
            Question { user: UserId::from_uuid(uuid::Uuid::max()), ..question("/a") },
            Question { role: Role::Admin, ..question("/a") },
            Question { only: Some([].into()), ..question("/a") },
        ] {
            let look = async { Ok(Bytes::from_static(b"theirs")) };
            assert_eq!(first_or_same(&answers, mark(2), other, look).await.unwrap(), "theirs");
        }
    }

    #[actix_web::test]
    async fn who_asks_the_same_meanwhile_waits_for_the_first_look() {
        let (answers, looks) = (Answers::default(), AtomicUsize::new(0));
        let ask = || {
            first_or_same(&answers, mark(1), question("/a"), async {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                looks.fetch_add(1, Ordering::Relaxed);
                Ok(Bytes::from_static(b"one"))
            })
        };
        let all = futures_util::future::join_all((0..50).map(|_| ask())).await;
        assert!(all.into_iter().all(|answer| answer.unwrap() == "one"));
        assert_eq!(looks.load(Ordering::Relaxed), 1);
    }

    #[actix_web::test]
    async fn a_look_that_failed_is_nobody_else_s() {
        let answers = Answers::default();
        let look = |fails: bool| {
            first_or_same(&answers, mark(1), question("/a"), async move {
                tokio::task::yield_now().await;
                if fails {
                    Err(ApiError::new(ErrorCode::Busy, "busy"))
                } else {
                    Ok(Bytes::from_static(b"one"))
                }
            })
        };
        let (first, second) = futures_util::future::join(look(true), look(false)).await;
        assert_eq!(first.unwrap_err().code(), ErrorCode::Busy);
        assert_eq!(second.unwrap(), "one");
        assert_eq!(look(true).await.unwrap_err().code(), ErrorCode::Busy, "failures are not remembered");
        assert_eq!(look(false).await.unwrap(), "one");
        assert_eq!(look(true).await.unwrap(), "one");
    }

    #[actix_web::test]
    async fn no_more_is_kept_than_fits() {
        let answers = Answers::default();
        for number in 0..=MOST {
            ask(&answers, mark(1), &format!("/{number}"), "short").await;
        }
        assert!(answers.0.lock().unwrap().cells.len() <= MOST);
        let long = || async { Ok(Bytes::from(vec![b'x'; MOST_BYTES])) };
        first_or_same(&answers, mark(1), question("/long"), long()).await.unwrap();
        first_or_same(&answers, mark(1), question("/longer"), long()).await.unwrap();
        assert!(answers.0.lock().unwrap().cells.len() <= 1);
    }
}
