//! Bodies and paths of requests: read within bounds, and refused by the name of the field.

use std::error::Error;
use std::fmt::{self, Display};

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use utoipa::ToSchema;

use crate::arriving::{self, Share};
use crate::mend::{Mended, mend, no_json, stop};
use crate::problem::{Fault, Problem, VALUE};
use crate::shape::Shape;
use crate::{Caller, Faults, depth};

/// The most bytes that a body may have, unless a route says otherwise.
pub const MOST: usize = 1024 * 1024;
/// How much of a body that is too large is still read, so that its sender comes to read the answer.
const DRAINED: usize = 64 * 1024 * 1024;

/// With this a server ends a body that takes too long to arrive; how long that is, it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the request took too long to arrive")
    }
}

impl Error for TooSlow {}

/// What a body can fail with.
type Failure = Box<dyn Error + Send + Sync>;

/// The JSON body of a request. The content type is not asked for: what is JSON is JSON.
#[derive(Debug)]
pub struct Input<T> {
    value: T,
    faults: Faults,
}

impl<T> Input<T> {
    /// What could be read, and what could not: fields of a wrong type are absent from the value, and
    /// end the request as soon as the other faults are known, too.
    pub fn open(self) -> (T, Faults) {
        (self.value, self.faults)
    }
}

impl<T: DeserializeOwned + ToSchema, S: Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let bytes = read(body, &parts.headers, MOST, &caller).await?;
        if bytes.is_empty() {
            return read_all(b"{}");
        }
        read_all(&bytes)
    }
}

/// The variable parts of a path.
#[derive(Debug)]
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments))
            .map_err(|_| Problem::no_such_path())
    }
}

/// Reads a whole body of at most `limit` bytes, which counts as this caller's while it arrives.
///
/// # Errors
/// 413 if it is larger, 408 if the server says [`TooSlow`], 400 if it breaks off, 429 if too much is on
/// its way.
pub async fn read<B>(
    body: B,
    headers: &HeaderMap,
    limit: usize,
    caller: &Caller,
) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Failure>,
{
    // Whoever waits for leave to send is told before it has sent anything.
    if body.size_hint().lower() > limit as u64 && headers.contains_key(EXPECT) {
        return Err(Problem::too_large(limit));
    }
    collect(body, limit, arriving::ALL.share(caller)).await
}

async fn collect<B>(mut body: B, limit: usize, mut share: Share<'_>) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Failure>,
{
    let mut all = Bytes::new();
    let mut more = BytesMut::new();
    let mut size = 0;
    loop {
        let frame = tokio::select! {
            biased;
            problem = share.told_to_leave() => return Err(problem),
            frame = body.frame() => frame,
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|why| broken(why.into().as_ref()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size > limit {
            (all, more) = Default::default();
            share.give_back();
            if size > DRAINED {
                break;
            }
            continue;
        }
        // The last piece is not waited for, so a body that comes in one is never one too many.
        if !body.is_end_stream() {
            share.grow(data.len())?;
        }
        if all.is_empty() {
            // A body that comes in one piece is not copied.
            all = data;
        } else {
            if more.is_empty() {
                let expected = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
                more.reserve((size + expected).min(limit));
                more.extend_from_slice(&all);
            }
            more.extend_from_slice(&data);
        }
    }
    match size {
        size if size > limit => Err(Problem::too_large(limit)),
        _ if more.is_empty() => Ok(all),
        _ => Ok(more.freeze()),
    }
}

fn broken(why: &(dyn Error + 'static)) -> Problem {
    let mut causes = std::iter::successors(Some(why), |&cause| cause.source());
    if causes.any(|cause| cause.is::<TooSlow>()) {
        return Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", TooSlow.to_string());
    }
    Problem::bad_request("bad_body", "the body broke off")
}

/// Reads a JSON object.
///
/// # Errors
/// 422 that names every field that is wrong: for what is no JSON, no object, nested too deep, or not of
/// `T`'s shape.
pub fn parse<T: DeserializeOwned + ToSchema>(json: &[u8]) -> Result<T, Problem> {
    let (value, faults) = read_all(json)?.open();
    faults.end().map(|()| value)
}

/// Reads a JSON object, and takes out of it what has a wrong type, so that the rest can be checked too.
fn read_all<T: DeserializeOwned + ToSchema>(json: &[u8]) -> Result<Input<T>, Problem> {
    object(json)?;
    if let Ok(value) = serde_json::from_slice(json) {
        return Ok(Input {
            value,
            faults: Faults::default(),
        });
    }
    let Mended { text, faults } = mend(json, &Shape::of::<T>(), |text| stop::<T>(text))?;
    match serde_json::from_slice(&text) {
        Ok(value) => Ok(Input { value, faults }),
        Err(_) => Err(faults.into_problem()),
    }
}

/// Passes what may be an object within the bounds; it need not be valid yet.
///
/// # Errors
/// 422 otherwise.
pub fn object(json: &[u8]) -> Result<(), Problem> {
    // The payload of a message is one level down.
    if !depth::within(json, depth::MOST + 1) {
        let what = format!("is nested deeper than {} levels", depth::MOST);
        return Err(at_body(what));
    }
    if json.trim_ascii_start().starts_with(b"{") {
        return Ok(());
    }
    match serde_json::from_slice::<IgnoredAny>(json) {
        Ok(_) => Err(at_body("expected a JSON object")),
        Err(error) => Err(no_json(&error)),
    }
}

fn at_body(what: impl Display) -> Problem {
    Problem::invalid(vec![Fault {
        loc: vec!["body".to_owned()],
        msg: what.to_string(),
        kind: VALUE,
    }])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::StreamExt as _;
    use http_body_util::Full;
    use serde::Deserialize;

    use super::*;
    use crate::arriving::Arriving;
    use crate::problem::NO_JSON;

    #[derive(Debug, Deserialize, ToSchema)]
    struct Body {
        #[serde(default)]
        #[schema(value_type = Option<u16>)]
        rate: Option<std::num::NonZeroU16>,
        #[serde(default)]
        names: BTreeMap<String, String>,
    }

    fn fault(json: &[u8]) -> Fault {
        let problem = parse::<Body>(json).unwrap_err();
        assert_eq!(problem.status(), 422);
        problem.faults()[0].clone()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        assert_eq!(fault(br#"{"rate":0}"#).loc, ["body", "rate"]);
        assert_eq!(fault(br#"{"names":{"a":1}}"#).loc, ["body", "names", "a"]);
        assert_eq!(fault(br#"{"rate":0}"#).kind, VALUE);
    }

    #[test]
    fn what_is_no_json_is_told_from_what_is_no_object() {
        for broken in ["", "{", "\u{fffe}", r#"{"rate":}"#, r#"{"rate":1} x"#] {
            assert_eq!(fault(broken.as_bytes()).kind, NO_JSON, "{broken}");
        }
        for other in ["[]", "null", r#""text""#, "1"] {
            assert_eq!(fault(other.as_bytes()).kind, VALUE, "{other}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_deep_ones_are_not() {
        let shape = parse::<Body>(br#" {"rate":3,"new":[{}],"names":{"a":"b"}}"#).unwrap();
        assert_eq!((shape.rate.unwrap().get(), shape.names.len()), (3, 1));
        let deep = format!(r#"{{"new":{}}}"#, "[".repeat(100_000));
        assert!(fault(deep.as_bytes()).msg.contains("deeper"));
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let body = |n| Full::new(Bytes::from(vec![b'x'; n]));
        let none = HeaderMap::new();
        assert_eq!(
            read(body(10), &none, 10, &Caller::ADMIN)
                .await
                .unwrap()
                .len(),
            10
        );
        assert_eq!(
            read(body(11), &none, 10, &Caller::ADMIN)
                .await
                .unwrap_err()
                .status(),
            413
        );
    }

    #[tokio::test]
    async fn a_body_that_was_too_slow_is_told_from_one_that_broke_off() {
        type Frames = Vec<Result<http_body::Frame<Bytes>, Failure>>;
        let failing = |frames: Frames| {
            axum::body::Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(
                frames,
            )))
        };
        let read_all = async |why: Failure| {
            let frames = vec![Ok(http_body::Frame::data(Bytes::from("{"))), Err(why)];
            let problem = read(failing(frames), &HeaderMap::new(), 10, &Caller::ADMIN)
                .await
                .unwrap_err();
            (problem.status().as_u16(), problem.code())
        };
        assert_eq!(read_all(Box::new(TooSlow)).await, (408, "timeout"));
        assert_eq!(read_all("reset".into()).await, (400, "bad_body"));
    }

    /// A body of which these pieces come, and then nothing.
    fn held(pieces: Vec<&'static str>) -> axum::body::Body {
        let pieces = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, Failure>));
        axum::body::Body::from_stream(pieces.chain(futures_util::stream::pending()))
    }

    #[tokio::test]
    async fn a_body_that_makes_room_is_not_waited_for_and_one_piece_needs_none() {
        let of = |app: u64| Caller {
            app: Some(app.into()),
            ..Caller::ADMIN
        };
        let room = Arriving::new(8192, 8192);
        let waits = async || {
            let body = held(vec!["all but the last"]);
            collect(body, 100, room.share(&of(1))).await.unwrap_err()
        };
        let others = async {
            // The second of one that has its share; a third has room at once.
            let refused = collect(held(vec!["more"]), 100, room.share(&of(1))).await;
            assert_eq!(refused.unwrap_err().status(), 429);
            let whole = Full::new(Bytes::from("whole"));
            let whole = collect(whole, 100, room.share(&of(1))).await;
            assert_eq!(whole.unwrap(), "whole");
            let mut shares: Vec<_> = (2..20).map(|app| room.share(&of(app))).collect();
            assert!(
                shares
                    .iter_mut()
                    .filter_map(|share| share.grow(1).ok())
                    .count()
                    > 1
            );
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            problem = waits() => assert_eq!(problem.status(), 429),
            () = others => {}
        }
    }
}
