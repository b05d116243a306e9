//! Names that stand for nothing public: the machine itself, its network, its cloud's metadata, its cluster.
//!
//! A name may be private without being here: whatever it resolves to is judged too. What is here is refused earlier,
//! with a message for whoever writes the subscription, and although it should resolve to something public.
//! `test`, `example` and `invalid` are not here: nothing answers to them, and documents and tests live by them.

/// Each with everything below it.
const PRIVATE: [&str; 19] = [
    // This machine, and the names that resolvers add: RFC 6761 and custom.
    "localhost",
    "localdomain",
    // The local network: multicast DNS (and Kubernetes' `cluster.local`), what ICANN keeps for private use (and the
    // clouds use for their machines and metadata), what RFC 6762 found in use.
    "local",
    "internal",
    "lan",
    "home",
    "corp",
    "intranet",
    "private",
    // Infrastructure: reverse lookups, `home.arpa`, `service.arpa`; no host answers there.
    "arpa",
    // Kubernetes' short names (`kubernetes.default.svc`), Consul's.
    "svc",
    "consul",
    // No names of the DNS at all: RFC 7686, RFC 9476.
    "onion",
    "alt",
    // Metadata of clouds whose names the public DNS knows.
    "metadata.goog",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
    "metadata.packet.net",
    "api.metadata.cloud.ibm.com",
];

/// Whether a name, in lower case and without the root's dot, stands for something private. One without any dot does:
/// it is a machine's name in one's own network, or a search list leads there.
pub(super) fn is_private(name: &str) -> bool {
    !name.contains('.') || PRIVATE.iter().any(|private| is_at_or_below(name, private))
}

fn is_at_or_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_private_with_everything_below_it() {
        for name in PRIVATE {
            for name in [name.to_owned(), format!("x.{name}"), format!("a.b.{name}")] {
                assert!(is_private(&name), "{name}");
            }
            assert!(!is_private(&format!("{name}.example.com")), "{name}");
            assert!(!is_private(&format!("a.x{name}")), "{name}");
        }
        for name in ["intranet", "redis", "metadata", "instance-data", "kubernetes.default.svc.cluster.local"]
        {
            assert!(is_private(name), "{name}");
        }
        for name in ["example.com", "hooks.test", "a.example", "metadata.example.com", "packet.net"] {
            assert!(!is_private(name), "{name}");
        }
    }
}
