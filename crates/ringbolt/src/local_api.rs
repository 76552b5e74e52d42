//! Asks the API of a server on this machine, as its operator.

mod pinned;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::config::value::Secret;
use crate::welcome::reachable;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to do if the one that is asked is not the one that was meant.
const ELSEWHERE: &str = "if the server listens elsewhere, say where with --listen";

/// A server on this machine.
pub(crate) struct LocalApi {
    address: SocketAddr,
    token: Secret,
    /// If it speaks TLS: what accepts its certificate and no other.
    tls: Option<tokio_rustls::TlsConnector>,
}

impl LocalApi {
    /// The server of this configuration.
    ///
    /// # Errors
    /// If it speaks TLS and its certificate cannot be read.
    pub(crate) fn new(config: &Config, token: Secret) -> anyhow::Result<Self> {
        let tls = config
            .tls
            .certificate
            .as_deref()
            .map(pinned::connector)
            .transpose()?;
        Ok(Self {
            address: reachable(config.general.listen),
            token,
            tls,
        })
    }

    /// The same server at the port that it really has.
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// A request that must be answered with success; gives the answer's JSON, or null.
    ///
    /// # Errors
    /// If there is no answer, or it is an error; its detail is repeated.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let asked = timeout(PATIENCE, self.exchange(&method, path, body)).await;
        let (status, bytes) = asked
            .context("no answer in time")
            .flatten()
            .with_context(|| format!("asking the server on {} ({ELSEWHERE})", self.address))?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "the server on {} does not know the admin token ({ELSEWHERE})",
                self.address
            );
        }
        if !status.is_success() {
            bail!(
                "the server answered {status} to {method} {path}: {}",
                detail(&answer)
            );
        }
        Ok(answer)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the address is that of our own server, and an operator's"
    )]
    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        match &self.tls {
            None => self.over(stream, method, path, body).await,
            Some(tls) => {
                let name = self.address.ip().into();
                self.over(tls.connect(name, stream).await?, method, path, body)
                    .await
            }
        }
    }

    async fn over<S>(
        &self,
        stream: S,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Bytes)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let tasks = TaskTracker::new();
        tasks.spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token.reveal()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?;
        Ok((
            answer.status(),
            answer.into_body().collect().await?.to_bytes(),
        ))
    }
}

/// What an error says, in either of the two forms that the API has.
fn detail(answer: &Value) -> String {
    match &answer["detail"] {
        Value::String(text) => text.clone(),
        Value::Array(faults) => {
            let each = faults
                .iter()
                .map(|fault| format!("{} {}", fault["loc"], fault["msg"]));
            each.collect::<Vec<_>>().join("; ")
        }
        _ => answer.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::config::value::Value as _;
    use crate::server::{Certificates, Door, Front, Limits, Peer, RequestBody};

    /// Says who asked for what.
    struct Mirror;

    impl Front for Mirror {
        type Body = Full<Bytes>;

        async fn answer(&self, request: Request<RequestBody>, _: Peer) -> Response<Self::Body> {
            let token = request.headers()[AUTHORIZATION]
                .to_str()
                .unwrap_or_default();
            let answer = serde_json::json!({"path": request.uri().path(), "token": token});
            Response::new(Full::new(answer.to_string().into()))
        }
    }

    /// A certificate for a name, in files.
    fn certificate(folder: &std::path::Path) -> [std::path::PathBuf; 2] {
        let files = [folder.join("cert.pem"), folder.join("key.pem")];
        let made = rcgen::generate_simple_self_signed(vec!["hooks.example.com".into()]).unwrap();
        std::fs::write(&files[0], made.cert.pem()).unwrap();
        std::fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[tokio::test]
    async fn a_server_with_tls_is_known_by_its_certificate_and_not_by_a_name() {
        let [ours, others] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let [cert, key] = certificate(ours.path());
        let [another, _] = certificate(others.path());
        let limits = Limits {
            connections: 9,
            head: PATIENCE,
            body: PATIENCE,
            idle: PATIENCE,
            answer: PATIENCE,
            unread: 1 << 20,
        };
        let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = door.address();
        let certificates = Certificates::read(&cert, &key).unwrap();
        let _serving = door.serve(Mirror, limits, Some(certificates.into()));

        let api = |certificate| LocalApi {
            address,
            token: Secret::parse("correct-horse-battery").unwrap(),
            tls: Some(pinned::connector(certificate).unwrap()),
        };
        let answer = api(&cert)
            .call(Method::GET, "/api/v1/key", None)
            .await
            .unwrap();
        assert_eq!(answer["path"], "/api/v1/key");
        assert_eq!(answer["token"], "Bearer correct-horse-battery");
        assert!(api(&another).call(Method::GET, "/", None).await.is_err());
    }

    #[test]
    fn an_error_says_what_its_answer_said() {
        let plain = serde_json::json!({"code": "not_found", "detail": "there is no such key"});
        assert_eq!(detail(&plain), "there is no such key");
        let form = serde_json::json!({"detail": [{"loc": ["body", "name"], "msg": "is missing"}]});
        assert_eq!(detail(&form), r#"["body","name"] "is missing""#);
    }
}
