//! The gate that each request passes: it is recorded, may meet a fault, and must bring a valid token.

use crate::{
    api::Context,
    fault::{Action, Faults},
    journal::Note,
    limits::{Pass, Throttled},
    listen::Plug,
    state::{Refusal, objects::now},
    token::{Caller, Credential, Standing},
};
use axum::{
    Extension,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use base64::Engine;
use futures::StreamExt;
use rustix::process::{Signal, getpid, kill_process};
use secrecy::SecretString;
use serde_json::json;
use std::time::{Duration, Instant};

/// Records the request, with whatever fault it meets. The emulator's own endpoints meet none and are not recorded.
pub(crate) async fn record(State(context): State<Context>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/healthz" || path.starts_with("/emulator/") {
        return next.run(request).await;
    }
    let (method, query) = (request.method().to_string(), request.uri().query().map(str::to_owned));
    let (time, begun) = (now(), Instant::now());
    let admitted = context.workspace.limits.admit(&method, &path, begun);
    let fault = context.faults.strike(&method, &path).filter(|_| admitted.is_ok());
    let word = if admitted.is_err() { Some("limit") } else { fault.as_ref().map(Action::name) };
    // Noted before the answer: a request that hangs is in the log too.
    let place = context.journal.add(Note::new(time, method, path, query, word));
    tokio::time::sleep(context.workspace.limits.latency()).await;
    let streams = *request.method() == Method::GET;
    let response = match (admitted, fault) {
        (Err(throttled), _) => throttle(throttled),
        (Ok(pass), Some(action)) => until_sent(pass, streams, suffer(&context, action, request, next).await),
        (Ok(pass), None) => until_sent(pass, streams, carry_out(&context, request, next).await),
    };
    context.journal.complete(place, response.status().as_u16(), begun.elapsed());
    let mut response = response;
    response.headers_mut().insert("x-databricks-org-id", HeaderValue::from(context.id));
    response
}

fn throttle(Throttled { code, retry_after }: Throttled) -> Response {
    let message = "Too many requests: the rate limit of this workspace is exceeded.".to_owned();
    unavailable(429, retry_after, Some(code.to_owned()), Some(message))
}

/// A call is under way until its answer is sent; a download takes its time for that.
fn until_sent(pass: Option<Pass>, streams: bool, response: Response) -> Response {
    let Some(pass) = pass.filter(|_| streams) else { return response };
    response.map(|body| {
        let held = move |part| {
            let _ = &pass;
            part
        };
        Body::from_stream(body.into_data_stream().map(held))
    })
}

/// Does what is asked. Reads are kept while a fault wants to know what they answered once.
async fn carry_out(context: &Context, request: Request, next: Next) -> Response {
    if *request.method() != Method::GET {
        let response = next.run(request).await;
        if response.status().is_success() {
            context.past.wrote();
        }
        return response;
    }
    if !context.faults.has_stale() {
        return next.run(request).await;
    }
    let (key, writes) = (request.uri().to_string(), context.past.writes());
    let response = next.run(request).await;
    context.past.keep(&key, writes, response).await
}

fn reset(plug: Option<Plug>) -> Response {
    if let Some(plug) = plug {
        plug.pull();
    }
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Ends the process as a crash would: nothing is tidied, nothing more is written.
async fn die() -> Response {
    tracing::warn!("an ordered fault ends the emulator");
    let _ = kill_process(getpid(), Signal::KILL);
    std::future::pending().await
}

async fn suffer(context: &Context, action: Action, request: Request, next: Next) -> Response {
    let plug = request.extensions().get::<ConnectInfo<Plug>>().map(|ConnectInfo(plug)| plug.clone());
    match action {
        Action::Status { status, retry_after, error_code, message } => {
            unavailable(status, retry_after, error_code, message)
        }
        Action::Hang { seconds } => {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Action::Html200 => Html(Faults::LOGIN_PAGE).into_response(),
        Action::Xml200 => ([(header::CONTENT_TYPE, "application/xml")], Faults::XML_PAGE).into_response(),
        Action::Reset => reset(plug),
        Action::AfterReset => {
            carry_out(context, request, next).await;
            reset(plug)
        }
        Action::Stale => context.past.recall(&request.uri().to_string()),
        Action::Expire { status } => {
            if let Some(Credential::Token(token)) = credential(request.headers()) {
                context.tokens.expire(&token, status);
            }
            carry_out(context, request, next).await
        }
        Action::Kill { done } => {
            if done {
                carry_out(context, request, next).await;
            }
            die().await
        }
        Action::After { status } => {
            let done = carry_out(context, request, next).await;
            tracing::debug!(status = %done.status(), "done, but answered as if it were not");
            unavailable(status, None, None, None)
        }
        Action::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            carry_out(context, request, next).await
        }
    }
}

fn unavailable(status: u16, retry_after: Option<u64>, code: Option<String>, message: Option<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let code = code.unwrap_or_else(|| {
        let usual = match status.as_u16() {
            429 => "REQUEST_LIMIT_EXCEEDED",
            503 => "TEMPORARILY_UNAVAILABLE",
            _ => "INTERNAL_ERROR",
        };
        usual.to_owned()
    });
    let message = message.unwrap_or_else(|| "An injected fault.".to_owned());
    let body = axum::Json(json!({ "error_code": code, "message": message }));
    let mut response = (status, body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Lets only those pass who bring a valid token, and tells the handlers who they are.
pub(crate) async fn authenticate(State(context): State<Context>, mut request: Request, next: Next) -> Response {
    let caller = match credential(request.headers()) {
        Some(Credential::Token(token)) => match context.tokens.is_expired(&token) {
            Some(401) => Err(Refusal::Expired),
            Some(_) => Err(Refusal::BadCredential),
            None => admit(&context, &token, request.headers()),
        },
        Some(Credential::Client { .. }) => Err(Refusal::BadCredential),
        None => Err(Refusal::NoCredential),
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => {
            let (_, body) = request.into_parts();
            drain(body).await;
            refusal.into_response()
        }
    }
}

/// Who has this token, if it opens the workspace. A guest from Azure shows a token for Azure's management beside it, and
/// says which workspace it means.
fn admit(context: &Context, token: &SecretString, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let caller = context.tokens.recognise(token).ok_or(Refusal::BadCredential)?;
    match caller.standing {
        Standing::Member => return Ok(caller),
        Standing::Management => return Err(Refusal::BadCredential),
        Standing::Guest => {}
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let resource = header("x-databricks-azure-workspace-resource-id");
    let management = SecretString::from(header("x-databricks-azure-sp-management-token"));
    let same = context.tokens.recognise(&management);
    let same = same.is_some_and(|other| other.standing == Standing::Management && other.name == caller.name);
    let named = resource.starts_with("/subscriptions/") && resource.contains("/Microsoft.Databricks/workspaces/");
    if same && named { Ok(caller) } else { Err(Refusal::NotMember) }
}

/// Reads a little of a refused upload, so that a client still sending sees the answer and not a broken pipe.
async fn drain(body: Body) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let _ = tokio::time::timeout(PATIENCE, crate::api::arguments::read(body, 1024 * 1024)).await;
}

/// `Bearer TOKEN`, `Basic token:TOKEN`, or for the token endpoint `Basic CLIENT:SECRET`.
pub(crate) fn credential(headers: &HeaderMap) -> Option<Credential> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credential::Token(SecretString::from(rest.trim())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
    let (user, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let secret = SecretString::from(secret);
    Some(match user {
        "token" => Credential::Token(secret),
        _ => Credential::Client { id: user.to_owned(), secret },
    })
}

/// Who sent the request.
pub(crate) type Who = Extension<Caller>;
