//! What a pipeline's status says, whatever is wrong with its spec and outside.

use brickline_crds::{ArtifactTrigger, Schedule};
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::*;
use crate::kstatus::samples::{Look, any_conditions, any_look};
use crate::kstatus::{self, Seen};
use crate::pipeline::tests::two_stages;

/// What a user may write that can't be carried out, or not yet.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Suspended,
    Branch,
    Cycle,
    Condition,
    Itself,
    Cron,
}

const FAULTS: [Fault; 7] =
    [Fault::None, Fault::Suspended, Fault::Branch, Fault::Cycle, Fault::Condition, Fault::Itself, Fault::Cron];

fn with(fault: Fault) -> ReleasePipeline {
    let mut pipeline = two_stages();
    let spec = &mut pipeline.spec;
    match fault {
        Fault::None => {}
        Fault::Suspended => spec.suspend = true,
        Fault::Branch => spec.trigger.branches = vec!["release/[".to_owned()],
        Fault::Cycle => spec.stages[0].depends_on = vec!["production".to_owned()],
        Fault::Condition => spec.stages[1].condition = Some("what is this".to_owned()),
        Fault::Itself => {
            spec.trigger.artifacts =
                vec![ArtifactTrigger { pipeline: "dbxdemo".to_owned(), ..ArtifactTrigger::default() }];
        }
        Fault::Cron => {
            let never = serde_json::json!({"cron": "0 0 30 2 *"});
            spec.trigger.schedules = vec![serde_json::from_value::<Schedule>(never).unwrap()];
        }
    }
    pipeline
}

/// The status after a look, from the spec's own faults first.
fn described(pipeline: &ReleasePipeline, look: &Look) -> ReleasePipelineStatus {
    let mut status = pipeline.status.clone().unwrap_or_default();
    let outside = look.trouble.clone().map_or_else(|| Ok(look.words.clone()), Err);
    let checked = may_start(pipeline).and(outside);
    describe(pipeline, &mut status, &checked, look.now);
    status
}

#[rstest]
fn every_fault_of_a_spec_is_told(
    #[values(Fault::Branch, Fault::Cycle, Fault::Condition, Fault::Itself, Fault::Cron)] fault: Fault,
) {
    let trouble = may_start(&with(fault)).unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::InvalidSpec, false), "{trouble:?}");
}

proptest! {
    /// kstatus' rules after each of several looks, whatever stood there before; and a look that sees the same as the
    /// one before writes nothing.
    #[test]
    fn a_status_keeps_the_rules_of_kstatus(
        before in proptest::option::of(any_conditions()),
        looks in proptest::collection::vec((select(FAULTS.to_vec()), any_look()), 1..6),
    ) {
        let mut pipeline = with(Fault::None);
        pipeline.status =
            before.map(|conditions| ReleasePipelineStatus { conditions, ..ReleasePipelineStatus::default() });
        for (fault, look) in looks {
            pipeline.spec = with(fault).spec;
            pipeline.metadata.generation = Some(look.generation);
            pipeline.metadata.annotations = look.annotations();
            let known = pipeline.status.clone().unwrap_or_default();
            let status = described(&pipeline, &look);
            let (conditions, observed_generation) = (&status.conditions, status.observed_generation);
            let seen = Seen { conditions, observed_generation, generation: look.generation };
            prop_assert_eq!(kstatus::broken(&seen), Vec::<String>::new());
            prop_assert_eq!(kstatus::moved(&known.conditions, conditions), Vec::<String>::new());
            prop_assert!(!pipeline.spec.suspend || kstatus::is_settled_as(conditions, "Suspended"), "{conditions:?}");
            pipeline.status = Some(status.clone());
            prop_assert_eq!(described(&pipeline, &look.later()), status, "the same again is not written");
        }
    }
}
