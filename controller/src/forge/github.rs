//! Commit statuses on GitHub and GitHub Enterprise, through octocrab.

use octocrab::{Octocrab, models::StatusState};
use secrecy::ExposeSecret;

use super::address::Address;
use super::credentials::Proof;
use super::fault::Fault;
use super::notice::Notice;
use crate::forge::ReportState;

/// Sends the notice once. Harmless when repeated: the newest status of a context counts, and both say the same.
pub(super) async fn send(http: &reqwest::Client, notice: &Notice, proof: &Proof) -> Result<(), Fault> {
    let (_, owner, name) = notice.owner_and_name()?;
    let octocrab = connect(http, &notice.address, proof)?;
    let repository = octocrab.repos(owner, name);
    let mut status = repository
        .create_status(notice.commit.clone(), state(notice.state))
        .context(notice.context.clone())
        .description(notice.description.clone());
    if let Some(link) = &notice.link {
        status = status.target(link.clone());
    }
    let sent = status.send().await;
    sent.map(drop).map_err(|error| fault(notice.address.host(), error))
}

/// GitHub takes a token as a password too, so both forms of credentials are sent as a token.
fn connect(http: &reqwest::Client, address: &Address, proof: &Proof) -> Result<Octocrab, Fault> {
    // Octocrab panics at a token that can't stand in a header.
    proof.bearer("Bearer")?;
    let builder = Octocrab::builder().base_uri(api(address)).map_err(|_| Fault::NotAnAddress)?;
    let connected = builder.personal_token(proof.secret().expose_secret()).build_with_reqwest(http.clone());
    connected.map_err(|error| fault(address.host(), error))
}

/// The API of github.com, of a GitHub Enterprise Cloud with data residency, or of a GitHub Enterprise Server.
fn api(address: &Address) -> String {
    match address.host() {
        "github.com" | "www.github.com" | "ssh.github.com" => "https://api.github.com".to_owned(),
        host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
        _ => format!("{}/api/v3", address.origin()),
    }
}

fn state(state: ReportState) -> StatusState {
    match state {
        ReportState::Pending => StatusState::Pending,
        ReportState::Success => StatusState::Success,
        ReportState::Failure => StatusState::Failure,
    }
}

fn fault(host: &str, error: octocrab::Error) -> Fault {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            Fault::of(host, source.status_code, &source.headers.clone().unwrap_or_default())
        }
        octocrab::Error::Reqwest { source, .. } => Fault::unreachable(host, source),
        octocrab::Error::Service { source, .. } => match source.downcast::<octocrab::Error>() {
            Ok(inner) => fault(host, *inner),
            Err(_) => Fault::Unreachable { host: host.to_owned(), cause: "the connection broke".to_owned() },
        },
        octocrab::Error::Http { .. } | octocrab::Error::Uri { .. } | octocrab::Error::UriParse { .. } => {
            Fault::NotAnAddress
        }
        _ => Fault::Foreign { host: host.to_owned(), kind: "GitHub forge" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://github.com/o/r.git", "https://api.github.com")]
    #[case("git@github.com:o/r.git", "https://api.github.com")]
    #[case("ssh://git@ssh.github.com:443/o/r.git", "https://api.github.com")]
    #[case("https://acme.ghe.com/o/r", "https://api.acme.ghe.com")]
    #[case("https://github.example.com:8443/o/r", "https://github.example.com:8443/api/v3")]
    #[case("git@github.example.com:o/r", "https://github.example.com/api/v3")]
    fn finds_the_api(#[case] url: &str, #[case] expected: &str) {
        assert_eq!(api(&Address::parse(url).unwrap()), expected);
    }
}
