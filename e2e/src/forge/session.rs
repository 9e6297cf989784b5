//! A session: signed in to the forge's pages, for what its API of version 1.23 lacks, the deliveries of a webhook.

use std::collections::BTreeMap;

use regex::Regex;
use reqwest::{Client, RequestBuilder, Response, header};
use secrecy::ExposeSecret as _;

use super::{Account, ForgeError, api::client};

/// One delivery of a webhook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivery {
    /// The id that the receiver sees as `X-Gitea-Delivery`.
    pub id: String,
    /// The receiver's HTTP status; nothing as long as there is no answer.
    pub answer: Option<u16>,
}

/// A browser's part in a conversation: its cookies.
pub(super) struct Session {
    client: Client,
    base: String,
    cookies: BTreeMap<String, String>,
}

impl Session {
    /// Signs in as the pages ask for it: a form with a token against forged requests.
    pub(super) async fn sign_in(base: &str, account: &Account) -> Result<Self, ForgeError> {
        let mut session = Self { client: client()?, base: base.to_owned(), cookies: BTreeMap::new() };
        let page = session.read("/user/login").await?;
        let form = [
            ("_csrf", forgery_token(&page)?),
            ("user_name", account.name.clone()),
            ("password", account.password.expose_secret().to_owned()),
        ];
        session.submit("/user/login", &form).await?;
        Ok(session)
    }

    /// The last deliveries of the webhook whose settings are at `page`, newest first.
    pub(super) async fn deliveries(&mut self, page: &str) -> Result<Vec<Delivery>, ForgeError> {
        deliveries(&self.read(page).await?)
    }

    /// Sends a delivery once more: the same body and signature under a new id.
    pub(super) async fn redeliver(&mut self, page: &str, delivery: &str) -> Result<(), ForgeError> {
        let token = forgery_token(&self.read(page).await?)?;
        self.submit(&format!("{page}/replay/{delivery}"), &[("_csrf", token)]).await
    }

    async fn read(&mut self, path: &str) -> Result<String, ForgeError> {
        let answer = self.send(self.client.get(self.url(path))).await?;
        if !answer.status().is_success() {
            return Err(refused(path, &answer));
        }
        Ok(answer.text().await?)
    }

    /// Submits a form; the pages answer a success with a redirect.
    async fn submit(&mut self, path: &str, form: &[(&str, String)]) -> Result<(), ForgeError> {
        let answer = self.send(self.client.post(self.url(path)).form(form)).await?;
        if answer.status().is_redirection() { Ok(()) } else { Err(refused(path, &answer)) }
    }

    async fn send(&mut self, request: RequestBuilder) -> Result<Response, ForgeError> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(header::COOKIE, cookies.join("; ")).send().await?;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = cookie.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn refused(path: &str, answer: &Response) -> ForgeError {
    let status = answer.status().as_u16();
    ForgeError::Refused { call: format!("page {path}"), status, message: String::new() }
}

fn forgery_token(page: &str) -> Result<String, ForgeError> {
    let regex = Regex::new(r#"name="_csrf" value="([^"]+)""#).ok();
    let token = regex.and_then(|regex| Some(regex.captures(page)?[1].to_owned()));
    token.ok_or(ForgeError::Unexpected("a page without a form"))
}

/// Reads the list of deliveries: for each, the receiver's status stands before the form that sends it again.
fn deliveries(page: &str) -> Result<Vec<Delivery>, ForgeError> {
    let marks = r#"<span class="ui (?:green |red )?label">([^<]*)</span>|/replay/([0-9a-f-]{36})""#;
    let marks = Regex::new(marks).map_err(|_| ForgeError::Unexpected("a page of deliveries"))?;
    let mut answer = None;
    let mut found = Vec::new();
    for mark in marks.captures_iter(page) {
        match (mark.get(1), mark.get(2)) {
            (Some(status), _) => answer = status.as_str().parse().ok(),
            (_, Some(id)) => found.push(Delivery { id: id.as_str().to_owned(), answer: answer.take() }),
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_read_from_their_page() {
        let item = |label: &str, id: &str| {
            format!(
                r#"<a>Response <span class="ui {label}</span></a>
                <form class="tw-py-2" action="/a/b/settings/hooks/1/replay/{id}" method="post">"#
            )
        };
        let ids = ["0febdaeb-d48c-410b-b000-2a7a4e5d0196", "9873ec5d-f278-4ab7-9885-c8c7ee5f6105"];
        let page = [item("green label\">202", ids[0]), item("label\">-", ids[1])].concat();
        let expected = [(ids[0], Some(202)), (ids[1], None)].map(|(id, answer)| Delivery { id: id.to_owned(), answer });
        assert_eq!(deliveries(&page).unwrap(), expected);
    }
}
