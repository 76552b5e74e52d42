//! Which ports may be reached outside the allowed networks.

/// Ports from 1024 up on which something other than a web server is usually found, and where a
/// request that we are talked into sending does harm: databases, caches, queues, mail, consoles
/// of container hosts, and what browsers refuse (the Fetch standard's list of bad ports).
const NOT_HTTP: &[u16] = &[
    1025, 1099, 1433, 1434, 1521, 1719, 1720, 1723, 1883, 2049, 2181, 2375, 2376, 2377, 2379, 2380,
    2525, 3260, 3306, 3389, 3659, 4045, 4190, 4222, 4369, 5060, 5061, 5432, 5433, 5671, 5672, 5900,
    5984, 5985, 5986, 6000, 6379, 6380, 6432, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
    7000, 7001, 7077, 7199, 7687, 8009, 8086, 8125, 8200, 8300, 8301, 8500, 8600, 8883, 9042, 9092,
    9100, 9160, 9200, 9300, 10080, 10250, 10255, 10256, 11211, 11300, 16379, 25672, 26257, 26379,
    27017, 27018, 27019, 28015, 33060, 50000, 50070, 61613, 61614, 61616,
];

/// Below 1024 only the two ports of the web are open; above, all that are not in the list.
pub(super) fn is_open(port: u16) -> bool {
    match port {
        80 | 443 => true,
        0..1024 => false,
        _ => NOT_HTTP.binary_search(&port).is_err(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_it_can_be_searched() {
        assert!(NOT_HTTP.is_sorted());
    }

    #[test]
    fn only_the_web_is_open_below_1024_and_known_services_are_closed_above() {
        for port in [80, 443, 1024, 3000, 8080, 8443, 65535] {
            assert!(is_open(port), "{port}");
        }
        for port in [
            0, 22, 25, 81, 465, 587, 1023, 1883, 2375, 4222, 6379, 9200, 11211, 16379,
        ] {
            assert!(!is_open(port), "{port}");
        }
    }
}
