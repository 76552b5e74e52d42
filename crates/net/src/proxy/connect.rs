//! The HTTP CONNECT method (RFC 9110 §9.3.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Credentials;
use crate::failure::ProxyFailure;
use crate::target::{Host, Target};

/// A proxy's answer is no longer than this.
const MAX_ANSWER: usize = 8 << 10;

pub(super) async fn ask(
    stream: &mut TcpStream,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyFailure> {
    let question = question(target, credentials);
    let sent = stream.write_all(question.as_bytes()).await;
    sent.map_err(|_error| ProxyFailure::Unreachable)?;
    match read_status(stream).await? {
        200..300 => Ok(()),
        407 => Err(ProxyFailure::Credentials),
        status => Err(ProxyFailure::Denied(status)),
    }
}

fn question(target: &Target, credentials: Option<&Credentials>) -> String {
    let authority = authority(target);
    let authorization = credentials.map_or_else(String::new, |Credentials { user, password }| {
        let basic = STANDARD.encode(format!("{user}:{password}"));
        format!("proxy-authorization: Basic {basic}\r\n")
    });
    format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{authorization}\r\n")
}

/// Unlike in a request's target, the port is always named.
fn authority(target: &Target) -> String {
    match target.host() {
        Host::Ip(std::net::IpAddr::V6(ip)) => format!("[{ip}]:{}", target.port()),
        Host::Ip(ip) => format!("{ip}:{}", target.port()),
        Host::Name(name) => format!("{name}:{}", target.port()),
    }
}

/// The peer behind the proxy speaks only when spoken to, so nothing may follow the answer.
async fn read_status(stream: &mut TcpStream) -> Result<u16, ProxyFailure> {
    let mut answer = Vec::with_capacity(512);
    loop {
        let read = stream.read_buf(&mut answer).await.unwrap_or(0);
        if read == 0 || answer.len() > MAX_ANSWER {
            return Err(ProxyFailure::Protocol);
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(&answer) {
            Ok(httparse::Status::Complete(length)) => {
                let status = response.code.unwrap_or_default();
                let surplus = (200..300).contains(&status) && length < answer.len();
                return if surplus {
                    Err(ProxyFailure::Protocol)
                } else {
                    Ok(status)
                };
            }
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Err(ProxyFailure::Protocol),
        }
    }
}
