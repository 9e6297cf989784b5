//! Whether a state file may be written over: pure. A foreign writer is told of, not fought.

use brickline_crds::annotations::TAKE_OVER_FROM;
use brickline_crds::{DeployTicket, Reason};

use super::state::{Author, State};
use crate::trouble::Trouble;

/// The state is ours, or may be taken over. `allowed` is the workspace's annotation, `place` that of the state file.
///
/// # Errors
/// `TargetTaken` if another installation of the controller deployed there last.
pub(super) fn admit(state: &State, author: &Author, allowed: Option<&str>, place: &str) -> Result<(), Trouble> {
    let theirs = &state.installation;
    if *theirs == author.installation || allowed == Some(theirs) {
        return Ok(());
    }
    let message = format!(
        "another installation of Brickline ({theirs}, with release {}) deploys for {} too, as {place} says. If it no \
         longer does, let this one take over: annotate the workspace with {TAKE_OVER_FROM}={theirs}",
        state.release, author.owner,
    );
    Err(Trouble::lasting(Reason::TargetTaken, message))
}

/// The state is the one that was planned on, or what this very release has made of it since.
///
/// # Errors
/// `TargetTaken` if another release wrote in between.
pub(super) fn expected(state: &State, author: &Author, ticket: DeployTicket) -> Result<(), Trouble> {
    let own = state.uid == author.uid && state.sequence == ticket.sequence + 1;
    if state.sequence == ticket.sequence || own { Ok(()) } else { Err(overtaken(state)) }
}

/// The state is still the one that this deployment began with.
///
/// # Errors
/// `TargetTaken` if another release wrote since.
pub(super) fn still_ours(state: Option<&State>, begun: &State) -> Result<(), Trouble> {
    match state {
        Some(state) if state.uid == begun.uid && state.sequence == begun.sequence => Ok(()),
        Some(state) => Err(overtaken(state)),
        None => Err(Trouble::lasting(Reason::TargetTaken, "somebody deleted the state file during the deployment")),
    }
}

fn overtaken(state: &State) -> Trouble {
    let message = format!(
        "release {} deployed to the same place at the same time (deployment {}): what lies there now is not certain. \
         See that only one of them does, and release again",
        state.release, state.sequence
    );
    Trouble::lasting(Reason::TargetTaken, message)
}

#[cfg(test)]
mod tests {
    use super::super::samples::author;
    use super::*;
    use rstest::rstest;

    fn state(installation: &str, uid: &str, sequence: u64) -> State {
        let mut state = State::default();
        (state.installation, state.uid, state.release) = (installation.into(), uid.into(), "data/one".into());
        state.sequence = sequence;
        state
    }

    #[rstest]
    #[case("installation", None, true)]
    #[case("there", None, false)]
    #[case("there", Some("there"), true)]
    #[case("there", Some("elsewhere"), false)]
    fn another_installation_is_a_condition_that_says_how_to_take_over(
        #[case] wrote: &str,
        #[case] allowed: Option<&str>,
        #[case] admitted: bool,
    ) {
        let answer = admit(&state(wrote, "one", 3), &author("two"), allowed, "/Workspace/state");
        assert_eq!(answer.is_ok(), admitted);
        if let Err(trouble) = answer {
            assert_eq!((trouble.reason, trouble.transient), (Reason::TargetTaken, false));
            assert!(trouble.message.contains("brickline.dev/takeOverFrom=there"), "{}", trouble.message);
        }
    }

    #[rstest]
    // Nobody wrote since, another did, and this very release did before a crash.
    #[case("one", 3, true)]
    #[case("one", 4, false)]
    #[case("two", 4, true)]
    #[case("two", 5, false)]
    fn an_unexpected_sequence_is_a_condition(#[case] uid: &str, #[case] sequence: u64, #[case] taken: bool) {
        let ticket = DeployTicket { sequence: 3 };
        let answer = expected(&state("here", uid, sequence), &author("two"), ticket);
        assert_eq!(answer.is_ok(), taken);
    }

    #[test]
    fn a_writer_in_between_is_found_out() {
        let begun = state("here", "two", 4);
        assert!(still_ours(Some(&begun), &begun).is_ok());
        assert!(still_ours(Some(&state("here", "one", 4)), &begun).is_err());
        assert!(still_ours(Some(&state("here", "two", 5)), &begun).is_err());
        assert!(still_ours(None, &begun).is_err());
    }
}
