//! The addresses of this machine, as its network interfaces have them.

use std::io;
use std::net::IpAddr;

/// Every address of every interface, in the form in which a look-up would give it.
///
/// # Errors
/// If the operating system does not tell.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(interfaces.iter().map(if_addrs::Interface::ip).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_one_of_them() {
        assert!(own_addresses().unwrap().iter().any(IpAddr::is_loopback));
    }
}
