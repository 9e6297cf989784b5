//! Which hosts a workspace or a release may name: pure. Credentials go there, and what answers is inside the platform's
//! network, so the platform's list decides, not the tenant.

use url::Url;

/// Whether a host is on the list. Plain HTTP only for an entry that says so with its port.
pub(crate) fn is_allowed(host: &Url, allowed: &[String]) -> bool {
    allowed.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()).any(|entry| matches(host, entry))
}

fn matches(host: &Url, entry: &str) -> bool {
    let (scheme, place) = entry.split_once("://").unwrap_or(("https", entry));
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok()),
        None => (place, default_port(scheme)),
    };
    host.scheme() == scheme && port.is_some() && host.port_or_known_default() == port && is_named(host, name)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

fn is_named(host: &Url, name: &str) -> bool {
    let host = host.host_str().unwrap_or_default();
    match name.strip_prefix("*.") {
        Some(suffix) => host.strip_suffix(suffix).is_some_and(|front| front.len() > 1 && front.ends_with('.')),
        None => host.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://adb-1.2.azuredatabricks.net", true)]
    #[case("https://azuredatabricks.net", false)]
    #[case("https://evilazuredatabricks.net", false)]
    #[case("https://adb-1.2.azuredatabricks.net.evil.example", false)]
    #[case("https://adb-1.2.azuredatabricks.net:8443", false)]
    #[case("http://adb-1.2.azuredatabricks.net", false)]
    #[case("https://one.example.com", true)]
    #[case("http://emulator.lab.svc:8080", true)]
    #[case("https://emulator.lab.svc:8080", false)]
    #[case("http://emulator.lab.svc:8081", false)]
    #[case("http://one.lab.svc.cluster.local:8080", true)]
    #[case("http://lab.svc.cluster.local.example:8080", false)]
    fn only_listed_hosts_get_credentials(#[case] host: &str, #[case] expected: bool) {
        let allowed = [
            "*.azuredatabricks.net",
            "one.example.com",
            "http://emulator.lab.svc:8080",
            "http://*.svc.cluster.local:8080",
        ]
        .map(str::to_owned);
        assert_eq!(is_allowed(&Url::parse(host).unwrap(), &allowed), expected);
    }
}
