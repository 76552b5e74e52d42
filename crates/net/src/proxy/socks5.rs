//! SOCKS5 (RFC 1928) with or without a user name and password (RFC 1929).

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Credentials;
use crate::failure::ProxyFailure;
use crate::target::{Host, Target};

const VERSION: u8 = 5;
const OPEN: u8 = 0;
const BY_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;

pub(super) async fn ask(
    stream: &mut TcpStream,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyFailure> {
    agree(stream, credentials).await?;
    stream.write_all(&request(target)).await.map_err(broken)?;
    let [version, reply, _reserved, kind] = read(stream).await?;
    if version != VERSION {
        return Err(ProxyFailure::Protocol);
    }
    if reply != 0 {
        return Err(ProxyFailure::Denied(reply.into()));
    }
    skip_bound_address(stream, kind).await
}

/// Offers no authentication or a password, whichever we have, and does as the proxy chooses.
async fn agree(
    stream: &mut TcpStream,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyFailure> {
    let method = if credentials.is_some() {
        BY_PASSWORD
    } else {
        OPEN
    };
    stream
        .write_all(&[VERSION, 1, method])
        .await
        .map_err(broken)?;
    let [version, chosen] = read(stream).await?;
    match (version, chosen, credentials) {
        (VERSION, OPEN, None) => Ok(()),
        (VERSION, BY_PASSWORD, Some(credentials)) => log_in(stream, credentials).await,
        (VERSION, NONE_ACCEPTABLE, _) => Err(ProxyFailure::Credentials),
        _ => Err(ProxyFailure::Protocol),
    }
}

async fn log_in(stream: &mut TcpStream, credentials: &Credentials) -> Result<(), ProxyFailure> {
    let mut message = vec![1];
    for part in [&credentials.user, &credentials.password] {
        message.push(part.len() as u8);
        message.extend_from_slice(part.as_bytes());
    }
    stream.write_all(&message).await.map_err(broken)?;
    match read(stream).await? {
        [_, 0] => Ok(()),
        _ => Err(ProxyFailure::Credentials),
    }
}

fn request(target: &Target) -> Vec<u8> {
    let mut message = vec![VERSION, 1, 0];
    match target.host() {
        Host::Ip(IpAddr::V4(ip)) => {
            message.push(1);
            message.extend_from_slice(&ip.octets());
        }
        Host::Ip(IpAddr::V6(ip)) => {
            message.push(4);
            message.extend_from_slice(&ip.octets());
        }
        Host::Name(name) => {
            message.extend_from_slice(&[3, name.len() as u8]);
            message.extend_from_slice(name.as_bytes());
        }
    }
    message.extend_from_slice(&target.port().to_be_bytes());
    message
}

async fn skip_bound_address(stream: &mut TcpStream, kind: u8) -> Result<(), ProxyFailure> {
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => {
            let [length] = read(stream).await?;
            usize::from(length)
        }
        _ => return Err(ProxyFailure::Protocol),
    };
    let mut rest = [0; 255 + 2];
    stream
        .read_exact(&mut rest[..length + 2])
        .await
        .map_err(broken)?;
    Ok(())
}

async fn read<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N], ProxyFailure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

fn broken(error: io::Error) -> ProxyFailure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ProxyFailure::Protocol,
        _ => ProxyFailure::Unreachable,
    }
}
