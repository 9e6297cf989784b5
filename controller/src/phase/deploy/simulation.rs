//! A workspace in memory, for the simulator: deployed to with the real state and the real plan. It passes the same
//! contract as the emulator.

use std::collections::BTreeMap;

use brickline_artifact::Digest;
use brickline_crds::{Changes, DeployTicket, ItemKind, Reason};

use super::plan::{Plan, Seen, Wanted, plan};
use super::samples::{author, below, by_place};
use super::state::{Progress, State, short};
use super::target::Target;
use super::{Deployed, Effect, Planned, guard};
use crate::phase::Outcome;
use crate::trouble::Trouble;

/// What lies there, with its content's digest, and what the state file says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Simulated {
    state: State,
    pub(crate) files: BTreeMap<String, String>,
    /// How often a deployment still breaks off half-way, without a word.
    pub(crate) breaks: u32,
}

/// What is deployed. The library is there already.
const ARTIFACT: &str = "sha256:0123";
const FOLDER: &str = "/Shared/dbxdemo";

fn wanted() -> Vec<Target> {
    let files: Vec<(String, String)> = (0..4).map(|n| (format!("{n:02}.py"), format!("print({n})"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    below(FOLDER, ItemKind::Notebook, &files)
}

impl Simulated {
    /// What an earlier release has left: one notebook of today's with another content, one that is gone since, and one
    /// that somebody else put beside them.
    pub(crate) fn used() -> Self {
        let mut workspace = Self::default();
        let targets = below(FOLDER, ItemKind::Notebook, &[("00.py", "print('old')"), ("gone.py", "print('gone')")]);
        let places = by_place(&targets);
        let plan = workspace.compare(&places);
        let begun = workspace.state.begun(&plan, &author("another"));
        workspace.apply(&plan, usize::MAX);
        let progress = Progress { written: plan.write.keys().cloned().collect(), ..Progress::default() };
        workspace.state = begun.settled(&workspace.state, &plan, &progress).completed("sha256:old", &[]);
        workspace.files.insert(format!("{FOLDER}/theirs.py"), "theirs".into());
        workspace
    }

    /// Everything is there already.
    pub(crate) fn up_to_date() -> Self {
        let mut workspace = Self::default();
        let targets = wanted();
        let plan = workspace.compare(&by_place(&targets));
        let ticket = DeployTicket::default();
        workspace.write(ticket, &plan, "another").expect("nothing breaks");
        workspace
    }

    /// What a release leaves, wherever it begins: its own files, and what others put there.
    pub(crate) fn is_deployed(&self) -> bool {
        let targets = wanted();
        let (places, state) = (by_place(&targets), &self.state);
        let own = |place: &&String| !place.ends_with("theirs.py");
        let files: Vec<&String> = self.files.keys().filter(own).collect();
        state.is_complete() && self.compare(&places).is_empty() && files.into_iter().eq(places.keys())
    }

    /// Does what `decide` asked for.
    pub(crate) fn act(&mut self, effect: Effect, uid: &str) -> Result<Outcome, Trouble> {
        self.carry_out(effect, uid, &wanted())
    }

    /// All of the phase, of a release with these notebooks; of so many tries only the last one is heard of.
    pub(crate) fn deploy(&mut self, uid: &str, notebooks: &[(&str, &str)], tries: u32) -> Result<Changes, Trouble> {
        let targets = below(FOLDER, ItemKind::Notebook, notebooks);
        let done = match self.carry_out(Effect::Plan, uid, &targets)? {
            Outcome::Planned(planned) => {
                for _ in 1..tries {
                    self.carry_out(Effect::Write(planned.ticket), uid, &targets)?;
                }
                self.carry_out(Effect::Write(planned.ticket), uid, &targets)?
            }
            done => done,
        };
        match done {
            Outcome::Deployed(deployed) => Ok(deployed.changes),
            other => unreachable!("{other:?}"),
        }
    }

    /// The notebooks there are, in order.
    pub(crate) fn notebooks(&self) -> Vec<String> {
        let name = |place: &String| place.strip_prefix(FOLDER).unwrap_or(place).trim_start_matches('/').to_owned();
        self.files.keys().map(name).collect()
    }

    /// Whether this is what a notebook says.
    pub(crate) fn says(&self, notebook: &str, text: &str) -> bool {
        self.files.get(&format!("{FOLDER}/{notebook}")) == Some(&short(&Digest::of(text.as_bytes())))
    }

    /// Somebody else writes a notebook, or takes it away.
    pub(crate) fn edit(&mut self, notebook: &str, text: Option<&str>) {
        let place = format!("{FOLDER}/{notebook}");
        match text {
            Some(text) => self.files.insert(place, short(&Digest::of(text.as_bytes()))),
            None => self.files.remove(&place),
        };
    }

    fn carry_out(&mut self, effect: Effect, uid: &str, targets: &[Target]) -> Result<Outcome, Trouble> {
        let places = by_place(targets);
        let plan = self.compare(&places);
        match effect {
            Effect::Plan if plan.is_empty() => Ok(Outcome::Deployed(Deployed::default())),
            Effect::Plan => {
                let ticket = DeployTicket { sequence: self.state.sequence };
                Ok(Outcome::Planned(Planned { changes: plan.changes(), ticket }))
            }
            Effect::Write(ticket) => self.write(ticket, &plan, uid),
            Effect::Bundle(_) => unreachable!("a pod of its own does that"),
        }
    }

    fn write(&mut self, ticket: DeployTicket, plan: &Plan, uid: &str) -> Result<Outcome, Trouble> {
        let author = author(uid);
        guard::expected(&self.state, &author, ticket)?;
        if plan.is_empty() {
            return Ok(Outcome::Deployed(Deployed::default()));
        }
        let before = self.state.clone();
        let begun = before.begun(plan, &author);
        self.state = begun.clone();
        if self.breaks > 0 {
            self.breaks -= 1;
            self.apply(plan, plan.len() / 2);
            return Err(Trouble::passing(Reason::WorkspaceUnreachable, "the connection broke off"));
        }
        self.apply(plan, usize::MAX);
        let (written, removed) = (plan.write.keys().cloned().collect(), plan.remove.iter().cloned().collect());
        let progress = Progress { written, removed, ..Progress::default() };
        guard::still_ours(Some(&self.state), &begun)?;
        self.state = begun.settled(&before, plan, &progress).completed(ARTIFACT, &[]);
        Ok(Outcome::Deployed(Deployed { changes: plan.changes(), issues: Vec::new() }))
    }

    fn apply(&mut self, plan: &Plan, most: usize) {
        let (writes, removes) = (plan.write.iter(), plan.remove.iter());
        for (place, write) in writes.take(most) {
            self.files.insert(place.clone(), write.digest.clone());
        }
        for place in removes.take(most.saturating_sub(plan.write.len())) {
            self.files.remove(place);
        }
    }

    fn compare(&self, places: &BTreeMap<String, &Target>) -> Plan {
        let prune = [FOLDER.to_owned()];
        let wanted = Wanted { places, libraries: &[], prune: &prune, back_to: None };
        plan(&self.state, &wanted, &Seen::default())
    }
}
