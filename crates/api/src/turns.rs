//! Answers that may be long are made in turn: one at a time for each application, few in all, and off the
//! threads that serve everybody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use parking_lot::Mutex;
use ringbolt_gate::{Caller, Problem};
use ringbolt_model::AppId;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How many are made at once. The store has a thread more that reads, for everything else.
const AT_ONCE: usize = 2;
/// How many requests of one application may be there, waiting or being answered.
const PRESENT: usize = 256;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who stands in one line: the application that a token is limited to; for other tokens, the one in the path.
type Whose = (Option<AppId>, Option<String>);

/// Whose turn it is.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    lines: Mutex<HashMap<Whose, Line>>,
    patience: Duration,
}

struct Line {
    turn: Arc<Semaphore>,
    present: usize,
}

impl Default for Turns {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Turns {
    fn with_patience(patience: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            lines: Mutex::default(),
            patience,
        }
    }

    /// Waits for a turn. Of each application only the first in its line stands in the line of all, so that
    /// none is ahead of another by asking more often.
    async fn take(self: &Arc<Self>, whose: Whose) -> Result<Turn, Problem> {
        let (standing, turn) = self.stand(whose)?;
        let in_turn = async {
            let own = turn.acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some((own, of_all))
        };
        // Neither semaphore is ever closed.
        let Ok(Some((own, of_all))) = timeout(self.patience, in_turn).await else {
            let detail = "too many lists are being read; this one waited for its turn in vain";
            return Err(Problem::unavailable(detail));
        };
        Ok(Turn {
            _of_all: of_all,
            _own: own,
            _standing: standing,
        })
    }

    fn stand(self: &Arc<Self>, whose: Whose) -> Result<(Standing, Arc<Semaphore>), Problem> {
        let mut lines = self.lines.lock();
        let line = lines.entry(whose.clone()).or_insert_with(|| Line {
            turn: Arc::new(Semaphore::new(1)),
            present: 0,
        });
        if line.present >= PRESENT {
            let detail = "too many lists of this application are asked for at once";
            return Err(Problem::too_many(detail, Duration::from_secs(1)));
        }
        line.present += 1;
        let standing = Standing {
            turns: Arc::clone(self),
            whose,
        };
        Ok((standing, Arc::clone(&line.turn)))
    }
}

/// A turn that was taken; the next one's begins when it is dropped.
struct Turn {
    _of_all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _standing: Standing,
}

/// A place in a line; a line that nobody stands in is forgotten.
struct Standing {
    turns: Arc<Turns>,
    whose: Whose,
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut lines = self.turns.lines.lock();
        if let Some(line) = lines.get_mut(&self.whose) {
            line.present -= 1;
            if line.present == 0 {
                lines.remove(&self.whose);
            }
        }
    }
}

/// Lets a request whose answer may be long wait for its turn, and has it answered by a thread of its own: that
/// reads, shows and writes up to half a MiB in one go. The turn lasts until that has ended, even if the client
/// has gone.
pub(crate) async fn in_turn(
    State(turns): State<Arc<Turns>>,
    request: Request,
    next: Next,
) -> Response {
    if !may_be_long(&request) {
        return next.run(request).await;
    }
    let turn = match turns.take(whose(&request)).await {
        Ok(turn) => turn,
        Err(problem) => return problem.into_response(),
    };
    let answered = next.run(request);
    let made = tokio::task::spawn_blocking(move || {
        let answer = Handle::current().block_on(answered);
        drop(turn);
        answer
    });
    match made.await {
        Ok(answer) => answer,
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// Whether it asks for a list, or for one message, which may be as long as many.
fn may_be_long(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let route = request.extensions().get::<MatchedPath>();
    reads && route.is_some_and(|route| is_long(route.as_str()))
}

fn is_long(route: &str) -> bool {
    let shows_one = route.ends_with('}');
    !shows_one || route.contains("/attempt/") || route.ends_with("/msg/{msg_id}")
}

fn whose(request: &Request) -> Whose {
    let caller = request.extensions().get::<Caller>();
    if let Some(app) = caller.and_then(|caller| caller.app) {
        return (Some(app), None);
    }
    let rest = request.uri().path().strip_prefix("/api/v1/app/");
    let segment = rest.and_then(|rest| rest.split('/').next());
    (None, segment.map(str::to_owned))
}

#[cfg(test)]
mod tests;
