//! Commit statuses on Gitea and Forgejo.

use http::header::AUTHORIZATION;
use reqwest::RequestBuilder;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::credentials::Proof;
use super::fault::Fault;
use super::notice::Notice;

/// What Gitea's API takes.
#[derive(Serialize)]
struct Status<'a> {
    state: &'static str,
    context: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
}

/// Sends the notice once. Harmless when repeated: the newest status of a context counts, and both say the same.
pub(super) async fn send(http: &reqwest::Client, notice: &Notice, proof: &Proof) -> Result<(), Fault> {
    let host = notice.address.host();
    let status = Status {
        state: notice.state.into(),
        context: &notice.context,
        description: &notice.description,
        target_url: notice.link.as_deref(),
    };
    let request = authenticate(http.post(endpoint(notice)?).json(&status), proof)?;
    let response = request.send().await.map_err(|error| Fault::unreachable(host, error))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(Fault::of(host, response.status(), response.headers()))
}

/// `<forge>/api/v1/repos/<owner>/<name>/statuses/<commit>`.
fn endpoint(notice: &Notice) -> Result<String, Fault> {
    let (prefix, owner, name) = notice.owner_and_name()?;
    let root = match prefix {
        "" => notice.address.origin(),
        prefix => format!("{}/{prefix}", notice.address.origin()),
    };
    Ok(format!("{root}/api/v1/repos/{owner}/{name}/statuses/{}", notice.commit))
}

fn authenticate(request: RequestBuilder, proof: &Proof) -> Result<RequestBuilder, Fault> {
    Ok(match proof {
        Proof::Password { username, password } => request.basic_auth(username, Some(password.expose_secret())),
        Proof::Token(_) => request.header(AUTHORIZATION, proof.bearer("token")?),
    })
}
