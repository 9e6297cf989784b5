//! What a workspace's status says, whatever is wrong with its spec and at Databricks.

use brickline_crds::{Day, Window};
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::kstatus::samples::{Look, any_conditions, any_look};
use crate::kstatus::{self, Seen};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn workspace(token: &str) -> DatabricksWorkspace {
    serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksWorkspace",
        "metadata": {"name": "staging", "generation": 2, "annotations": {"brickline.dev/requestedAt": token}},
        "spec": {"host": "https://adb-1.2.azuredatabricks.net", "auth": {}},
    }))
    .unwrap()
}

fn unreachable(message: &str) -> Result<Identity, Trouble> {
    Err(Trouble::passing(Reason::WorkspaceUnreachable, message))
}

fn ready(status: &DatabricksWorkspaceStatus) -> (&str, &str, Timestamp) {
    let ready = condition::find(&status.conditions, READY).unwrap();
    (&ready.status, &ready.message, ready.last_transition_time.0)
}

#[test]
fn ready_says_since_when_it_is_so() {
    let mut workspace = workspace("1");
    let me = || Ok(Identity { user_name: "sp-release".into(), id: "1".into() });
    workspace.status = Some(next(&workspace, me(), at(0)));
    let later = next(&workspace, me(), at(60));
    assert_eq!(workspace.status.as_ref(), Some(&later), "an equal status is not written");
    assert_eq!(ready(&later), ("True", "reachable as sp-release", at(0)));
    let gone = next(&workspace, unreachable("no route"), at(120));
    assert_eq!(ready(&gone), ("False", "no route", at(120)));
    assert_eq!(gone.identity, None);
}

#[test]
fn a_new_token_is_echoed_and_brings_news() {
    let mut object = workspace("1");
    object.status = Some(next(&object, unreachable("first"), at(0)));
    let again = next(&object, unreachable("second"), at(10));
    assert_eq!(object.status.as_ref(), Some(&again), "the same trouble in other words is no news");
    object.metadata.annotations = workspace("2").metadata.annotations;
    let asked = next(&object, unreachable("third"), at(20));
    assert_eq!(asked.last_handled_requested_at.as_deref(), Some("2"));
    assert_eq!(ready(&asked), ("False", "third", at(0)));
}

#[rstest]
#[case::it_answers(None, true, 0, Some(600))]
#[case::the_secrets_watch_tells(Some(Reason::DependencyNotReady), true, 0, None)]
#[case::too_many_to_watch(Some(Reason::DependencyNotReady), false, 9_000, Some(300))]
#[case::the_user_must_change_it(Some(Reason::InvalidSpec), true, 0, None)]
#[case::just_gone(Some(Reason::WorkspaceUnreachable), true, 0, Some(15))]
#[case::gone_for_a_minute(Some(Reason::WorkspaceUnreachable), true, 60, Some(60))]
#[case::gone_for_hours(Some(Reason::WorkspaceUnreachable), true, 9_000, Some(300))]
#[case::a_clock_that_went_back(Some(Reason::AuthenticationFailed), true, -60, Some(15))]
fn looks_again(
    #[case] trouble: Option<Reason>,
    #[case] followed: bool,
    #[case] later: i64,
    #[case] expected: Option<u64>,
) {
    let status = next(&workspace("1"), unreachable("no route"), at(0));
    assert_eq!(pause(trouble, followed, &status, at(later)), expected.map(Duration::from_secs));
}
/// What a user may write that can't be checked, or not yet.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Suspended,
    Branch,
    Zone,
}

fn with(fault: Fault) -> DatabricksWorkspace {
    let mut workspace = workspace("1");
    let spec = &mut workspace.spec;
    match fault {
        Fault::None => {}
        Fault::Suspended => spec.suspend = true,
        Fault::Branch => spec.protection.allowed_branches = vec!["release/[".to_owned()],
        Fault::Zone => {
            let time = |text: &str| text.to_owned();
            let (from, to, time_zone) = (time("08:00"), time("16:00"), time("Europe/Nowhere"));
            spec.protection.windows = vec![Window { days: vec![Day::Mon], from, to, time_zone }];
        }
    }
    workspace
}

/// The status after a check, from the spec's own faults first.
fn checked(workspace: &DatabricksWorkspace, look: &Look) -> DatabricksWorkspaceStatus {
    let me = Identity { user_name: look.words.clone(), id: "1".to_owned() };
    let outside = look.trouble.clone().map_or(Ok(me), Err);
    let own = may_check(workspace).and_then(|()| protection::check(&workspace.spec.protection));
    next(workspace, own.and(outside), look.now)
}

#[rstest]
fn every_fault_of_a_spec_is_told(#[values(Fault::Branch, Fault::Zone)] fault: Fault) {
    let trouble = protection::check(&with(fault).spec.protection).unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::InvalidSpec, false), "{trouble:?}");
}

proptest! {
    /// kstatus' rules after each of several checks, whatever stood there before; and a check that finds the same as the
    /// one before writes nothing.
    #[test]
    fn a_status_keeps_the_rules_of_kstatus(
        before in proptest::option::of(any_conditions()),
        looks in proptest::collection::vec(
            (select(vec![Fault::None, Fault::Suspended, Fault::Branch, Fault::Zone]), any_look()), 1..6
        ),
    ) {
        let mut workspace = with(Fault::None);
        workspace.status =
            before.map(|conditions| DatabricksWorkspaceStatus { conditions, ..DatabricksWorkspaceStatus::default() });
        for (fault, look) in looks {
            workspace.spec = with(fault).spec;
            workspace.metadata.generation = Some(look.generation);
            workspace.metadata.annotations = look.annotations();
            let known = workspace.status.clone().unwrap_or_default();
            let status = checked(&workspace, &look);
            let (conditions, observed_generation) = (&status.conditions, status.observed_generation);
            let seen = Seen { conditions, observed_generation, generation: look.generation };
            prop_assert_eq!(kstatus::broken(&seen), Vec::<String>::new());
            prop_assert_eq!(kstatus::moved(&known.conditions, conditions), Vec::<String>::new());
            prop_assert!(!workspace.spec.suspend || kstatus::is_settled_as(conditions, "Suspended"), "{conditions:?}");
            workspace.status = Some(status.clone());
            prop_assert_eq!(checked(&workspace, &look.later()), status, "the same again is not written");
        }
    }
}
