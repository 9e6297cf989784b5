//! A delivery: one request of a forge, on its road find → authenticate → parse → match → create.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickline_crds::{Forks, Provider, PullRequests, ReleasePipeline};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use http::HeaderMap;
use jiff::Timestamp;
use kube::{ResourceExt, runtime::reflector::Store};

use super::answer::Answer;
use super::push::{Event, Malformed};
use super::token::{self, Tokens};
use super::{Receiver, gitea, github, pull_releases};
use crate::creation::{Creation, Draft, Occasion, create};
use crate::forge::address::Address;
use crate::forge::branch::is_wanted;
use crate::forge::event::{Action, PullRequest, Push};

/// Secrets loaded at the same time for one delivery.
const LOADS: usize = 8;
/// The longest word from outside in a log line or an answer.
const PRINTABLE: usize = 64;

/// One request of a forge, its body complete.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) namespace: String,
    /// None: every pipeline of the namespace.
    pub(super) pipeline: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When it began to arrive.
    pub(super) arrived: Timestamp,
}

/// Pipelines that share a kind of forge and a Secret: authenticated together.
type Group = (Provider, String, Vec<Arc<ReleasePipeline>>);

/// Walks the whole road.
pub(super) async fn deliver(receiver: &Receiver, delivery: &Delivery) -> Answer {
    let pipelines = match find(&receiver.pipelines, delivery) {
        Ok(pipelines) => pipelines,
        Err(answer) => return answer,
    };
    let groups = group(pipelines);
    let verdicts = authenticate_all(receiver, delivery, &groups).await;
    let untold = verdicts.contains(&Verdict::Untold);
    let mut answers = Vec::new();
    for ((provider, _, pipelines), _) in groups.iter().zip(&verdicts).filter(|(_, v)| **v == Verdict::Authentic) {
        answers.push(offer(receiver, delivery, *provider, pipelines).await);
    }
    match answers.into_iter().reduce(Answer::and) {
        // The pipeline that wants the push may be the one whose Secret could not be loaded.
        None | Some(Answer::Ignored(_)) if untold => Answer::Failed,
        None => Answer::Unauthenticated,
        Some(answer) => answer,
    }
}

async fn authenticate_all(receiver: &Receiver, delivery: &Delivery, groups: &[Group]) -> Vec<Verdict> {
    let checks: Vec<_> = groups.iter().map(|group| authenticate(receiver, delivery, group)).collect();
    stream::iter(checks).buffered(LOADS).collect().await
}

/// The pipelines of the delivery's path that take webhooks.
fn find(store: &Store<ReleasePipeline>, delivery: &Delivery) -> Result<Vec<Arc<ReleasePipeline>>, Answer> {
    if !matches!(store.wait_until_ready().now_or_never(), Some(Ok(()))) {
        tracing::warn!("a webhook came before the pipelines were listed");
        return Err(Answer::Failed);
    }
    let found = store.state_filter(|pipeline| {
        pipeline.metadata.namespace.as_deref() == Some(&delivery.namespace)
            && delivery.pipeline.as_ref().is_none_or(|name| pipeline.metadata.name.as_ref() == Some(name))
            && pipeline.metadata.deletion_timestamp.is_none()
            && pipeline.spec.trigger.webhook.is_some()
            && pipeline.spec.repository.provider != Provider::Generic
    });
    match found.as_slice() {
        [] => Err(Answer::Unknown),
        all if all.iter().all(|pipeline| pipeline.spec.suspend) => Err(Answer::Suspended),
        _ => Ok(found),
    }
}

/// Sorted by kind of forge and Secret, so that answers don't depend on the order of the store.
fn group(mut pipelines: Vec<Arc<ReleasePipeline>>) -> Vec<Group> {
    pipelines.sort_by_key(|pipeline| pipeline.name_any());
    let mut groups: BTreeMap<(&'static str, String), Group> = BTreeMap::new();
    for pipeline in pipelines {
        let provider = pipeline.spec.repository.provider;
        let secret = pipeline.spec.trigger.webhook.as_ref().map(|webhook| webhook.secret_ref.name.clone());
        let secret = secret.unwrap_or_default();
        let group = groups.entry((provider.into(), secret.clone())).or_insert_with(|| (provider, secret, Vec::new()));
        group.2.push(pipeline);
    }
    groups.into_values().collect()
}

/// What is known of a delivery's sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Signed with the group's token.
    Authentic,
    /// Not signed, or with something else.
    Forged,
    /// The token could not be loaded.
    Untold,
}

async fn authenticate(receiver: &Receiver, delivery: &Delivery, (provider, secret, _): &Group) -> Verdict {
    let Delivery { namespace, headers, body, .. } = delivery;
    // What carries no signature costs the API server nothing.
    let signed = match provider {
        Provider::Gitea => gitea::is_signed(headers),
        Provider::Github => github::is_signed(headers),
        Provider::Generic => false,
    };
    if !signed {
        return Verdict::Forged;
    }
    match token::load(&receiver.kube, namespace, secret).await {
        Ok(tokens) if is_authentic(*provider, headers, body, &tokens) => Verdict::Authentic,
        Ok(_) => Verdict::Forged,
        Err(error) => {
            tracing::error!(namespace, secret, %error, "a webhook can't be authenticated");
            Verdict::Untold
        }
    }
}

fn is_authentic(provider: Provider, headers: &HeaderMap, body: &[u8], tokens: &Tokens) -> bool {
    tokens.any(|token| match provider {
        Provider::Gitea => gitea::authenticate(headers, body, token),
        Provider::Github => github::authenticate(headers, body, token),
        Provider::Generic => false,
    })
}

/// Parses the authentic delivery and offers it to each pipeline.
async fn offer(
    receiver: &Receiver,
    delivery: &Delivery,
    provider: Provider,
    pipelines: &[Arc<ReleasePipeline>],
) -> Answer {
    let event = match parse(provider, &delivery.headers, &delivery.body) {
        Ok(event) => event,
        Err(malformed) => return Answer::Invalid(malformed),
    };
    let mut answers = Vec::new();
    for pipeline in pipelines {
        answers.push(match &event {
            Event::Push(push) => take(receiver, pipeline, push, delivery.arrived).await,
            Event::PullRequest(request) => take_request(receiver, pipeline, request, delivery.arrived).await,
            Event::Ignored(why) => Answer::Ignored(why.clone()),
        });
    }
    answers.into_iter().reduce(Answer::and).unwrap_or(Answer::Unknown)
}

fn parse(provider: Provider, headers: &HeaderMap, body: &[u8]) -> Result<Event, Malformed> {
    match provider {
        Provider::Gitea => gitea::parse(headers, body),
        Provider::Github => github::parse(headers, body),
        Provider::Generic => Err(Malformed::NoKind),
    }
}

/// Creates the pipeline's release if it wants the push.
async fn take(receiver: &Receiver, pipeline: &ReleasePipeline, push: &Push, arrived: Timestamp) -> Answer {
    if let Some(why) = unwanted(pipeline, push) {
        return Answer::Ignored(why);
    }
    let occasion = Occasion::push(pipeline, push).told(push.before.as_ref(), arrived);
    make(receiver, pipeline, Draft::building(pipeline, occasion)).await
}

/// Creates the release of a pull request, or cancels what is to come of it.
async fn take_request(
    receiver: &Receiver,
    pipeline: &ReleasePipeline,
    request: &PullRequest,
    arrived: Timestamp,
) -> Answer {
    if let Some(why) = unwanted_request(pipeline, request) {
        return Answer::Ignored(why);
    }
    match request.action {
        Action::Build => build(receiver, pipeline, request, arrived).await,
        Action::Close => match pull_releases::cancel(&receiver.kube, pipeline, request).await {
            Ok(canceled) if canceled.is_empty() => Answer::Ignored("closed pull request".to_owned()),
            Ok(canceled) => Answer::Canceled(canceled),
            Err(error) => failed(pipeline, &error),
        },
    }
}

async fn build(receiver: &Receiver, pipeline: &ReleasePipeline, request: &PullRequest, arrived: Timestamp) -> Answer {
    if request.again.is_some() {
        match pull_releases::under_way(&receiver.kube, pipeline, request).await {
            Ok(None) => {}
            Ok(Some(name)) => return Creation::Duplicate(name).into(),
            Err(error) => return failed(pipeline, &error),
        }
    }
    let occasion = Occasion::pull_request(pipeline, request).told(request.before.as_ref(), arrived);
    make(receiver, pipeline, Draft { stage: None, occasion }).await
}

async fn make(receiver: &Receiver, pipeline: &ReleasePipeline, draft: Draft) -> Answer {
    if pipeline.spec.suspend {
        return Answer::Suspended;
    }
    match create(&receiver.kube, pipeline, &draft).await {
        Ok(creation) => creation.into(),
        Err(error) => failed(pipeline, &error),
    }
}

fn failed(pipeline: &ReleasePipeline, error: &dyn std::error::Error) -> Answer {
    tracing::error!(namespace = pipeline.namespace(), pipeline = pipeline.name_any(), %error, "a webhook led to nothing");
    Answer::Failed
}

/// Why the pipeline doesn't want the push; none if it does.
fn unwanted(pipeline: &ReleasePipeline, push: &Push) -> Option<String> {
    if !is_own(pipeline, &push.repository_urls) {
        return Some("repository".to_owned());
    }
    unwanted_branch(pipeline, push.branch())
}

/// Why the pipeline doesn't want to know of the pull request; none if it does. One that is closed may have been wanted
/// before.
fn unwanted_request(pipeline: &ReleasePipeline, request: &PullRequest) -> Option<String> {
    if !is_own(pipeline, &request.repository_urls) {
        return Some("repository".to_owned());
    }
    if request.action == Action::Close {
        return None;
    }
    let settings = pipeline.spec.trigger.pull_requests.as_ref().filter(|settings| settings.enabled);
    let Some(PullRequests { forks, .. }) = settings else {
        return Some("pull requests are not built: trigger.pullRequests.enabled".to_owned());
    };
    if let Some(why) = unwanted_branch(pipeline, request.branch()) {
        return Some(why);
    }
    match forks {
        Forks::Never if request.is_fork => {
            Some("pull request from another repository: trigger.pullRequests.forks".to_owned())
        }
        Forks::Never => None,
    }
}

/// Whether the event is of the pipeline's repository.
fn is_own(pipeline: &ReleasePipeline, urls: &[String]) -> bool {
    let own = Address::parse(&pipeline.spec.repository.url);
    urls.iter().any(|url| own.as_ref().zip(Address::parse(url)).is_some_and(|(own, other)| own.is(&other)))
}

fn unwanted_branch(pipeline: &ReleasePipeline, branch: &str) -> Option<String> {
    let wanted = is_wanted(&pipeline.spec.trigger.branches, branch);
    (!wanted).then(|| format!("branch {}", printable(branch)))
}

/// A header's value, if it is one line of visible characters.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A word from outside, fit for a log line: bounded, and without characters that could forge one.
pub(super) fn printable(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    word.chars().take(PRINTABLE).map(|c| if plain(c) { c } else { '?' }).collect()
}
