//! The Jobs of asset bundles: as any, but that of one which is taken away the pod goes on for a moment.

use std::collections::BTreeMap;

use brickline_artifact::layout::FETCH_REFUSED;
use brickline_crds::DatabricksRelease;
use jiff::{Timestamp, ToSpan};

use crate::phase::deploy::bundle::{Ended, Pod, View, ticket_of};
use crate::phase::job::State;

/// How long a bundle takes, in seconds.
const TAKES: i64 = 5;
/// How long a pod takes to go.
const LINGERS: i64 = 8;

/// How bundles end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Bundle {
    #[default]
    Succeeds,
    /// The CLI ends with 1.
    Fails,
    /// The artifact is refused.
    HasNoArtifact,
    /// The pods of this many attempts are evicted.
    IsEvicted(usize),
    /// It never ends.
    Hangs,
    /// The same, and it does not stop when it is asked to.
    IsDeaf,
}

/// Every Job that ever was.
#[derive(Clone, Default)]
pub(crate) struct Bundles {
    /// When those that exist were created.
    alive: BTreeMap<String, Timestamp>,
    /// Until when the pods of those that were taken away go on.
    lingering: BTreeMap<String, Timestamp>,
    /// How often each name was created.
    pub(crate) created: BTreeMap<String, usize>,
    /// How often each log was read.
    pub(crate) read: BTreeMap<String, usize>,
    /// How often one began while another could still deploy.
    pub(crate) together: usize,
    /// How often somebody else deleted one.
    pub(crate) taken_away: usize,
}

impl Bundles {
    /// Creating one that exists is a conflict, and no second Job: the HTTP status of the refusal.
    pub(super) fn create(&mut self, name: &str, bundle: Bundle, now: Timestamp) -> Result<(), u16> {
        if self.alive.contains_key(name) {
            return Err(409);
        }
        let others = self.alive.keys().filter(|other| !self.is_over(other, bundle, now)).count();
        self.together += others + self.lingering.values().filter(|until| **until > now).count();
        self.alive.insert(name.to_owned(), now);
        *self.created.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    pub(super) fn read(&mut self, name: &str) {
        *self.read.entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn view(&self, release: &DatabricksRelease, bundle: Bundle, now: Timestamp) -> Option<View> {
        let name = ticket_of(release)?.job;
        let evicted = matches!(bundle, Bundle::IsEvicted(attempts) if self.attempt(&name) < attempts);
        let (job, pod) = match bundle {
            _ if !self.alive.contains_key(&name) => {
                let alive = self.lingering.get(&name).is_some_and(|until| *until > now);
                (State::Missing, Pod { alive, ..Pod::default() })
            }
            _ if !self.is_over(&name, bundle, now) => (State::Active, Pod { alive: true, ..Pod::default() }),
            Bundle::Fails => (failed(), Pod { bundle: Some(ended(1, "Error: no such job")), ..Pod::default() }),
            Bundle::HasNoArtifact => {
                let fetch = Some(ended(FETCH_REFUSED.into(), "the artifact is another one"));
                (failed(), Pod { fetch, ..Pod::default() })
            }
            _ if evicted => {
                let bundle = Some(ended(137, ""));
                (failed(), Pod { bundle, disrupted: Some("evicted".to_owned()), ..Pod::default() })
            }
            _ => (State::Complete, Pod::default()),
        };
        Some(View { job, pod: Some(pod) })
    }

    /// The controller asks it to stop.
    pub(super) fn delete(&mut self, name: &str, bundle: Bundle) -> Result<(), u16> {
        if !self.alive.contains_key(name) {
            return Err(404);
        }
        if bundle != Bundle::IsDeaf {
            self.alive.remove(name);
        }
        Ok(())
    }

    /// Somebody else deletes what is there.
    pub(crate) fn take_away(&mut self, now: Timestamp) {
        self.taken_away += self.alive.len();
        let going = std::mem::take(&mut self.alive);
        self.lingering.extend(going.into_keys().map(|name| (name, now + LINGERS.seconds())));
    }

    /// Whether the Job is still there.
    pub(super) fn exists(&self, name: &str) -> bool {
        self.alive.contains_key(name)
    }

    /// Those that are not over.
    pub(super) fn active(&self, bundle: Bundle, now: Timestamp) -> Vec<&str> {
        self.alive.keys().filter(|name| !self.is_over(name, bundle, now)).map(String::as_str).collect()
    }

    fn is_over(&self, name: &str, bundle: Bundle, now: Timestamp) -> bool {
        let hangs = matches!(bundle, Bundle::Hangs | Bundle::IsDeaf);
        !hangs && self.alive.get(name).is_some_and(|created| now >= *created + TAKES.seconds())
    }

    /// The order of its first creation, from 0.
    fn attempt(&self, name: &str) -> usize {
        self.created.keys().position(|known| known == name).unwrap_or(0)
    }
}

fn failed() -> State {
    State::Failed { reason: "BackoffLimitExceeded".to_owned(), message: "the pod failed".to_owned() }
}

fn ended(exit_code: i32, said: &str) -> Ended {
    Ended { exit_code, why: "Error".to_owned(), said: said.to_owned() }
}
