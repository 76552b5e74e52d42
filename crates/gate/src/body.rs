//! Bodies and paths of requests: read within bounds, and refused by the name of the field.

use std::error::Error;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use utoipa::ToSchema;

use crate::mend::{Mended, mend, no_json, stop};
use crate::problem::{Fault, Problem, VALUE};
use crate::shape::Shape;
use crate::{Faults, depth};

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

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, &parts.headers, MOST).await?;
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

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// 413 if it is larger, 408 if the server says [`TooSlow`], 400 if it breaks off, 429 if too much is on
/// its way.
pub async fn read<B>(body: B, headers: &HeaderMap, limit: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Failure>,
{
    // Whoever waits for leave to send is told before it has sent anything.
    if body.size_hint().lower() > limit as u64 && headers.contains_key(EXPECT) {
        return Err(Problem::too_large(limit));
    }
    collect(body, limit).await
}

async fn collect<B>(mut body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Failure>,
{
    let mut all = Bytes::new();
    let mut more = BytesMut::new();
    let mut size = 0;
    let mut share = Share(0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|why| broken(why.into().as_ref()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size <= limit {
            share.grow(data.len())?;
        }
        if size > limit {
            (all, more) = Default::default();
            if size > DRAINED {
                break;
            }
        } else if all.is_empty() {
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

/// The most bytes of bodies that are on their way, of all requests together.
const MOST_IN_ALL: usize = 128 * 1024 * 1024;
/// How many there are.
static IN_ALL: AtomicUsize = AtomicUsize::new(0);

/// What one body takes of [`MOST_IN_ALL`] while it arrives.
struct Share(usize);

impl Share {
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.0 += bytes;
        if IN_ALL.fetch_add(bytes, Relaxed) + bytes > MOST_IN_ALL {
            let detail = "too many large requests arrive at once";
            return Err(Problem::too_many(detail, Duration::from_secs(1)));
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        IN_ALL.fetch_sub(self.0, Relaxed);
    }
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

    use http_body_util::Full;
    use serde::Deserialize;

    use super::*;
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
        assert_eq!(read(body(10), &none, 10).await.unwrap().len(), 10);
        assert_eq!(read(body(11), &none, 10).await.unwrap_err().status(), 413);
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
            let problem = read(failing(frames), &HeaderMap::new(), 10)
                .await
                .unwrap_err();
            (problem.status().as_u16(), problem.code())
        };
        assert_eq!(read_all(Box::new(TooSlow)).await, (408, "timeout"));
        assert_eq!(read_all("reset".into()).await, (400, "bad_body"));
    }
}
