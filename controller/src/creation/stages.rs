//! The stages of a pipeline as a graph: where a release begins, and whether every stage can be reached. Pure.

use brickline_crds::{PipelineStage, ReleasePipeline};

use crate::graph;

/// The stages that depend on no other.
pub(crate) fn roots(pipeline: &ReleasePipeline) -> impl Iterator<Item = &PipelineStage> {
    pipeline.spec.stages.iter().filter(|stage| stage.depends_on.is_empty())
}

/// The stage that a merge is built and released in: the only one to begin with, if it has no condition. None: the
/// artifact is built on its own and promoted from there, as it is if there are no stages.
pub(crate) fn entry(pipeline: &ReleasePipeline) -> Option<&PipelineStage> {
    let mut roots = roots(pipeline);
    let first = roots.next().filter(|stage| stage.condition.is_none())?;
    roots.next().is_none().then_some(first)
}

/// The stage called `name`.
pub(crate) fn stage<'a>(pipeline: &'a ReleasePipeline, name: &str) -> Option<&'a PipelineStage> {
    pipeline.spec.stages.iter().find(|stage| stage.name == name)
}

/// Stages that wait for each other, as `staging -> production -> staging`; none if every stage can begin.
pub(crate) fn cycle(stages: &[PipelineStage]) -> Option<String> {
    let stages: Vec<_> = stages.iter().map(|stage| (stage.name.as_str(), stage.depends_on.as_slice())).collect();
    graph::cycle(&stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::samples;
    use proptest::prelude::*;
    use rstest::rstest;

    fn pipeline(stages: &[(&str, &[&str])]) -> ReleasePipeline {
        let mut pipeline = samples::pipeline();
        let stage = |(name, after): &(&str, &[&str])| PipelineStage {
            name: (*name).to_owned(),
            depends_on: after.iter().map(|name| (*name).to_owned()).collect(),
            ..PipelineStage::default()
        };
        pipeline.spec.stages = stages.iter().map(stage).collect();
        pipeline
    }

    #[rstest]
    #[case::no_stages(&[], None)]
    #[case::one(&[("a", &[][..])], Some("a"))]
    #[case::a_chain(&[("b", &["a"][..]), ("a", &[])], Some("a"))]
    #[case::two_to_begin_with(&[("a", &[][..]), ("b", &[])], None)]
    #[case::a_cycle(&[("a", &["b"][..]), ("b", &["a"])], None)]
    fn a_merge_is_built_where_one_stage_begins(#[case] stages: &[(&str, &[&str])], #[case] expected: Option<&str>) {
        assert_eq!(entry(&pipeline(stages)).map(|stage| stage.name.as_str()), expected);
    }

    #[test]
    fn a_stage_with_a_condition_is_promoted_to() {
        let mut pipeline = pipeline(&[("a", &[])]);
        pipeline.spec.stages[0].condition = Some("release.branch == 'release'".to_owned());
        assert_eq!(entry(&pipeline), None);
    }

    #[rstest]
    #[case::none(&[("a", &[][..]), ("b", &["a"]), ("c", &["a", "b"])], None)]
    #[case::itself(&[("a", &["a"][..])], Some("a -> a"))]
    #[case::two(&[("a", &["b"][..]), ("b", &["a"])], Some("a -> b -> a"))]
    #[case::behind(&[("x", &["a"][..]), ("a", &["c"]), ("b", &["a"]), ("c", &["b"])], Some("a -> c -> b -> a"))]
    #[case::unknown(&[("a", &["gone"][..])], None)]
    fn a_cycle_is_named(#[case] stages: &[(&str, &[&str])], #[case] expected: Option<&str>) {
        assert_eq!(cycle(&pipeline(stages).spec.stages).as_deref(), expected);
    }

    proptest! {
        #[test]
        fn stages_that_wait_for_earlier_ones_only_have_no_cycle(
            edges in proptest::collection::vec((0usize..16, 0usize..16), 0..40),
            back in any::<bool>(),
        ) {
            let mut stages: Vec<PipelineStage> =
                (0..16).map(|n| PipelineStage { name: n.to_string(), ..PipelineStage::default() }).collect();
            for (one, other) in edges.into_iter().filter(|(one, other)| one != other) {
                stages[one.max(other)].depends_on.push(one.min(other).to_string());
            }
            prop_assert_eq!(cycle(&stages), None);
            if back {
                stages[0].depends_on.push("15".to_owned());
                stages[15].depends_on.push("0".to_owned());
                prop_assert!(cycle(&stages).is_some());
            }
        }
    }
}
