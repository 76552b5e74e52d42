//! A name server that answers every question for addresses as it is told.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use parking_lot::Mutex;

/// What to answer.
pub(crate) enum Answer {
    Addresses(Vec<Ipv4Addr>, u32),
    NoSuchName,
    Silence,
}

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// Starts one; the function gets the number of the question among those for IPv4 addresses.
    pub(crate) fn start(answer: impl Fn(usize) -> Answer + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || serve(&socket, &log, answer));
        Self { address, asked }
    }

    /// The names for which IPv4 addresses were asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

fn serve(socket: &UdpSocket, log: &Mutex<Vec<String>>, answer: impl Fn(usize) -> Answer) {
    let mut query = [0; 512];
    while let Ok((length, peer)) = socket.recv_from(&mut query) {
        let (name, end) = read_name(&query[..length]);
        let for_ipv4 = query[end..end + 2] == [0, 1];
        let answer = if for_ipv4 {
            let mut asked = log.lock();
            asked.push(name);
            answer(asked.len() - 1)
        } else {
            Answer::Addresses(Vec::new(), 0)
        };
        let (code, addresses, ttl) = match answer {
            Answer::Addresses(addresses, ttl) => (0, addresses, ttl),
            Answer::NoSuchName => (3, Vec::new(), 0),
            Answer::Silence => continue,
        };
        let reply = reply(&query[..end + 4], code, &addresses, ttl);
        socket.send_to(&reply, peer).unwrap();
    }
}

/// The question's name and where it ends.
fn read_name(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += 1 + label.len();
    }
    (labels.join("."), at + 1)
}

fn reply(question: &[u8], code: u8, addresses: &[Ipv4Addr], ttl: u32) -> Vec<u8> {
    let mut reply = question.to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    reply[6..12].copy_from_slice(&[0, addresses.len() as u8, 0, 0, 0, 0]);
    for address in addresses {
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        reply.extend_from_slice(&ttl.to_be_bytes());
        reply.extend_from_slice(&[0, 4]);
        reply.extend_from_slice(&address.octets());
    }
    reply
}
