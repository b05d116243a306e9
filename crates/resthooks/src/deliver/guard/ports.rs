//! Ports where no receiver of webhooks listens, but a service that a request might talk into something.
//!
//! The Fetch standard's list of ports that a browser refuses, with databases, caches, brokers, directories and the
//! control of machines and clusters beside it. None is above 32,767: from there on systems give ports away by chance.

/// In ascending order.
const REFUSED: [u16; 146] = [
    // The Fetch standard's "bad ports" below 1024, with rpc, smb, rsync, kerberos, snmp traps, bgp, lpd and the like.
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 49, 53, 67, 68, 69, 77, 79, 87, 88, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 162, 179, 389, 427,
    445, 464, 465, 500, 502, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 593, 601,
    623, 631, 636, 666, 749, 860, 873, 902, 989, 990, 992, 993, 994, 995,
    // SQL Server, Oracle, PPTP, H.323, MQTT, NFS, ZooKeeper.
    1433, 1434, 1521, 1719, 1720, 1723, 1883, 2049, 2181,
    // Docker, etcd, iSCSI, MySQL, LDAP's global catalogue, RDP, SVN, apcupsd, managesieve, NATS, epmd.
    2375, 2376, 2377, 2379, 2380, 3260, 3268, 3269, 3306, 3389, 3659, 3690, 4045, 4190, 4222, 4369,
    // SIP, PostgreSQL, AMQP, VNC, CouchDB, WinRM, X11, Redis, Kubernetes, SANE, IRC.
    5060, 5061, 5432, 5433, 5671, 5672, 5900, 5984, 5985, 5986, 6000, 6379, 6380, 6443, 6566, 6665, 6666,
    6667, 6668, 6669, 6679, 6697,
    // Cassandra, Consul, Kafka, Elasticsearch, Amanda, the kubelet, Memcached, MongoDB.
    7000, 7001, 8500, 9042, 9092, 9200, 9300, 10080, 10250, 10255, 11211, 26379, 27017, 27018, 27019, 28017,
];

/// Whether a port is refused unless something allows it.
pub(super) fn is_refused(port: u16) -> bool {
    REFUSED.binary_search(&port).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Fetch standard, "port blocking".
    const FETCH: [u16; 83] = [
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
        103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512,
        513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719,
        1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
        10080,
    ];

    #[test]
    fn holds_what_browsers_refuse() {
        // Port 0 is no port that a target can have.
        for port in FETCH.into_iter().filter(|port| *port != 0) {
            assert!(is_refused(port), "{port}");
        }
    }

    #[test]
    fn is_in_order_and_leaves_the_ports_of_the_web_alone() {
        assert!(REFUSED.is_sorted_by(|a, b| a < b));
        assert!(REFUSED.iter().all(|port| *port < 32_768));
        for port in
            [80, 81, 443, 591, 3000, 4000, 4443, 5000, 7443, 8000, 8008, 8080, 8081, 8443, 8888, 9000, 9443]
        {
            assert!(!is_refused(port), "{port}");
        }
    }
}
