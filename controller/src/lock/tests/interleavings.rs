//! Releases that want the same locks, stopped before and after any request: never two at work on one thing, and all of
//! them come to their end.

use std::collections::BTreeSet;
use std::io;

use http::{Method, Request, Uri};
use kube::client::Body;
use proptest::prelude::*;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::super::{Leftovers, Lock, Locks, Taken, Witness, Work};
use super::fake::{NAMESPACE, State, response};
use super::{clusters, holder, work};
use crate::trouble::Trouble;

/// How far a release is, as its status says: what survives a crash.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Waiting,
    Working,
    Ending,
    Over,
    Deleted,
}

/// Something a release does outside itself.
enum Call {
    Kubernetes(Method, Uri, Vec<u8>),
    /// Asks whether work is alive.
    Witness(Work),
    /// Writes its next stage down.
    Write(Stage),
    /// Waits for its turn.
    Pause,
}

enum Answer {
    Kubernetes(u16, Value),
    Alive(Vec<String>),
    Done,
}

/// A call and where its answer is waited for.
type Asked = (Call, oneshot::Sender<Answer>);

/// The road to the world, one call at a time.
#[derive(Clone)]
struct Road(mpsc::UnboundedSender<Asked>);

impl Road {
    /// None if the answer was lost.
    async fn call(&self, call: Call) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        self.0.send((call, reply)).ok()?;
        answer.await.ok()
    }

    fn locks(&self) -> Locks {
        let road = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let road = road.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap().to_vec();
                match road.call(Call::Kubernetes(parts.method, parts.uri, body)).await {
                    Some(Answer::Kubernetes(code, answer)) => Ok(response(code, &answer)),
                    _ => Err(io::Error::other("the answer was lost")),
                }
            }
        });
        Locks {
            kube: kube::Client::new(service, "default"),
            namespace: NAMESPACE.to_owned(),
            leftovers: Leftovers::default(),
        }
    }
}

impl Witness for Road {
    async fn still_alive(&self, _namespace: &str, work: &Work) -> Result<Vec<String>, Trouble> {
        match self.call(Call::Witness(work.clone())).await {
            Some(Answer::Alive(alive)) => Ok(alive),
            _ => Err(Trouble::passing(brickline_crds::Reason::WorkspaceUnreachable, "the answer was lost")),
        }
    }
}

/// What a release is and does, from the stage that its status says.
async fn live(mut stage: Stage, number: usize, wanted: BTreeSet<Lock>, leaves_run: bool, road: Road) {
    let (locks, me) = (road.locks(), holder(&number.to_string()));
    while stage != Stage::Over {
        let (done, next) = match stage {
            Stage::Waiting => (locks.take(&wanted, &me, &road).await == Ok(Taken::All), Stage::Working),
            // After a crash its locks are still its own.
            Stage::Working => match locks.take(&wanted, &me, &road).await {
                Ok(taken) => {
                    assert_eq!(taken, Taken::All, "it lost a lock while it was at work");
                    (true, Stage::Ending)
                }
                Err(_) => (false, Stage::Ending),
            },
            _ if leaves_run => (locks.keep(&me.uid, &work(&[&number.to_string()], None)).await.is_ok(), Stage::Over),
            _ => (locks.release(&me.uid).await.is_ok(), Stage::Over),
        };
        let call = if done { Call::Write(next) } else { Call::Pause };
        // A status write whose answer was lost is made again: it is the same write.
        if road.call(call).await.is_some() && done {
            stage = next;
        }
    }
}

struct Release {
    stage: Stage,
    wanted: BTreeSet<Lock>,
    /// Whether its run goes on after it has ended.
    leaves_run: bool,
    run_alive: bool,
    /// The process at work on it, if one is.
    life: Option<(JoinHandle<()>, mpsc::UnboundedReceiver<Asked>)>,
}

impl Release {
    /// Whether it, or what it started, changes what it locked.
    fn is_at_work(&self) -> bool {
        self.stage == Stage::Working || self.run_alive
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The next call is made and answered.
    Go,
    /// The process ends before the next call.
    CrashBefore,
    /// The process ends after the next call, without its answer.
    CrashAfter,
    /// The next call is made, and its answer lost.
    LoseAnswer,
    /// Its run ends.
    RunEnds,
    /// A user deletes it; its run is stopped first. Perhaps makes one with the same name.
    Delete { again: bool },
}

struct World {
    api: State,
    releases: Vec<Release>,
}

impl World {
    fn new(wants: &[(Vec<usize>, bool)]) -> Self {
        let mut api = State::default();
        let release = |(number, (wanted, leaves_run)): (usize, &(Vec<usize>, bool))| {
            api.put_release(&number.to_string(), &format!("uid-{number}"), "", &[]);
            let ids: Vec<&str> = wanted.iter().map(|id| ["a", "b", "c"][*id]).collect();
            let (wanted, leaves_run) = (clusters(&ids), *leaves_run);
            Release { stage: Stage::Waiting, wanted, leaves_run, run_alive: false, life: None }
        };
        let releases = wants.iter().enumerate().map(release).collect();
        Self { api, releases }
    }

    async fn happens(&mut self, number: usize, event: Event) {
        match event {
            Event::RunEnds => self.releases[number].run_alive &= self.releases[number].stage == Stage::Working,
            Event::Delete { again } => self.delete(number, again).await,
            Event::CrashBefore => self.crash(number).await,
            Event::Go | Event::CrashAfter | Event::LoseAnswer => {
                let Some((call, reply)) = self.next_call(number).await else { return };
                let answer = self.answer(number, call);
                match event {
                    Event::Go => drop(reply.send(answer)),
                    Event::CrashAfter => self.crash(number).await,
                    _ => drop(reply),
                }
            }
        }
        self.check();
    }

    async fn next_call(&mut self, number: usize) -> Option<Asked> {
        let release = &mut self.releases[number];
        if matches!(release.stage, Stage::Over | Stage::Deleted) {
            return None;
        }
        let life = release.life.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let life = live(release.stage, number, release.wanted.clone(), release.leaves_run, Road(sender));
            (tokio::spawn(life), receiver)
        });
        let call = life.1.recv().await;
        if call.is_none() {
            let (life, _) = release.life.take().unwrap();
            life.await.unwrap();
        }
        call
    }

    async fn crash(&mut self, number: usize) {
        if let Some((life, _)) = self.releases[number].life.take() {
            life.abort();
            drop(life.await);
        }
    }

    async fn delete(&mut self, number: usize, again: bool) {
        self.crash(number).await;
        let release = &mut self.releases[number];
        if release.stage == Stage::Deleted {
            return;
        }
        (release.stage, release.run_alive) = (Stage::Deleted, false);
        self.api.remove_release(&number.to_string());
        if again {
            self.api.put_release(&number.to_string(), &format!("uid-{number}-again"), "", &[]);
        }
    }

    fn answer(&mut self, number: usize, call: Call) -> Answer {
        match call {
            Call::Kubernetes(method, uri, body) => {
                let (code, answer) = self.api.answer(&method, &uri, &body);
                Answer::Kubernetes(code, answer)
            }
            Call::Witness(work) => {
                let alive = |run: &&String| self.releases[run.parse::<usize>().unwrap()].run_alive;
                Answer::Alive(work.runs.iter().filter(alive).cloned().collect())
            }
            Call::Write(stage) => {
                let release = &mut self.releases[number];
                release.stage = stage;
                release.run_alive = stage == Stage::Working || release.run_alive && release.leaves_run;
                if stage == Stage::Over {
                    self.api.put_release(&number.to_string(), &format!("uid-{number}"), "Failed", &[]);
                }
                Answer::Done
            }
            Call::Pause => Answer::Done,
        }
    }

    /// Whoever is at work has all of its locks, so that no two are at work on one thing.
    fn check(&self) {
        let holders = self.api.holders();
        for (number, release) in self.releases.iter().enumerate().filter(|(_, release)| release.is_at_work()) {
            let uid = format!("uid-{number}");
            let lost = release.wanted.iter().find(|lock| holders.get(lock.name()) != Some(&uid.as_str()));
            assert_eq!(lost, None, "release {number} is at work without its lock");
        }
    }

    /// Nothing more goes wrong: every release must end.
    async fn settle(&mut self) {
        for round in 0.. {
            let open = |release: &Release| !matches!(release.stage, Stage::Over | Stage::Deleted);
            if !self.releases.iter().any(open) {
                break;
            }
            assert!(round < 500, "they wait for each other");
            for number in 0..self.releases.len() {
                self.happens(number, Event::RunEnds).await;
                self.happens(number, Event::Go).await;
            }
        }
        let left: BTreeSet<&str> = self.api.holders().into_values().collect();
        for (number, release) in self.releases.iter().enumerate() {
            let gave_back = release.stage == Stage::Over && !release.leaves_run;
            assert!(!gave_back || !left.contains(&*format!("uid-{number}")), "release {number} left a lock behind");
        }
    }
}

/// What each release wants, and whether its run goes on after it.
fn wants() -> impl Strategy<Value = Vec<(Vec<usize>, bool)>> {
    let wanted = prop::sample::subsequence(vec![0, 1, 2], 1..=3);
    prop::collection::vec((wanted, prop::bool::weighted(0.3)), 2..=3)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => Just(Event::Go),
        2 => Just(Event::CrashBefore),
        3 => Just(Event::CrashAfter),
        2 => Just(Event::LoseAnswer),
        1 => Just(Event::RunEnds),
        1 => prop::bool::ANY.prop_map(|again| Event::Delete { again }),
    ]
}

proptest! {
    #[test]
    fn never_two_at_work_on_one_thing_and_all_come_to_their_end(
        wants in wants(),
        events in prop::collection::vec((any::<prop::sample::Index>(), event()), 0..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(&wants);
            for (who, event) in events {
                world.happens(who.index(wants.len()), event).await;
            }
            world.settle().await;
        });
    }
}
