//! The addresses of this machine, as its network interfaces have them now.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

/// For how long what the system told is believed.
const BELIEVED: Duration = Duration::from_secs(10);

/// Every address of every interface, in the form in which a look-up would give it. Interfaces come and
/// go, so the client that a guard serves has them read again. Clones share what is known.
#[derive(Debug, Clone)]
pub struct OwnAddresses(Arc<Known>);

#[derive(Debug)]
struct Known {
    addresses: RwLock<Vec<IpAddr>>,
    read_at: Mutex<Option<Instant>>,
}

impl OwnAddresses {
    /// These for now.
    pub fn beginning_with(addresses: Vec<IpAddr>) -> Self {
        Self(Arc::new(Known {
            addresses: RwLock::new(addresses),
            read_at: Mutex::new(None),
        }))
    }

    /// Asks the operating system.
    ///
    /// # Errors
    /// If it does not tell; then what was known stays.
    pub fn read(&self) -> io::Result<()> {
        let interfaces = if_addrs::get_if_addrs()?;
        *self.0.addresses.write() = interfaces.iter().map(if_addrs::Interface::ip).collect();
        Ok(())
    }

    /// Asks again if the last time was a while ago.
    pub(crate) fn keep_current(&self, now: Instant) {
        let mut read_at = self.0.read_at.lock();
        if read_at.is_none_or(|at| now.saturating_duration_since(at) >= BELIEVED) {
            *read_at = Some(now);
            // A system that does not tell now told before, or said so at the start.
            let _kept = self.read();
        }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.addresses.read().contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALE: &str = "93.184.215.14";

    fn knows(own: &OwnAddresses, address: &str) -> bool {
        own.contains(address.parse().unwrap())
    }

    #[test]
    fn the_loopback_address_is_one_of_them() {
        let own = OwnAddresses::beginning_with(Vec::new());
        own.read().unwrap();
        assert!(knows(&own, "127.0.0.1"));
    }

    #[test]
    fn they_are_read_again_when_they_have_been_believed_long_enough() {
        let own = OwnAddresses::beginning_with(Vec::new());
        let shared = own.clone();
        let now = Instant::now();
        own.keep_current(now);
        *own.0.addresses.write() = vec![STALE.parse().unwrap()];
        own.keep_current(now + BELIEVED / 2);
        assert!(knows(&shared, STALE) && !knows(&shared, "127.0.0.1"));
        own.keep_current(now + BELIEVED);
        assert!(!knows(&shared, STALE) && knows(&shared, "127.0.0.1"));
    }
}
