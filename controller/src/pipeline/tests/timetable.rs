//! What schedules ask for.

use brickline_crds::{ReleasePipeline, Schedule};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;

use super::super::timetable::{branch, due, next};
use super::{at, two_stages};

fn schedule(cron: &str, branch: Option<&str>) -> Schedule {
    let branch = branch.map(str::to_owned);
    Schedule { cron: cron.to_owned(), time_zone: "UTC".to_owned(), branch, suspend: false }
}

/// Created at 10:00; the next time was planned in that minute.
fn pipeline(schedules: Vec<Schedule>, planned: Option<i64>) -> ReleasePipeline {
    let mut pipeline = two_stages();
    pipeline.spec.trigger.schedules = schedules;
    pipeline.status.get_or_insert_default().next_schedule_time = planned.map(|minute| Time(at(minute)));
    pipeline
}

fn times(pipeline: &ReleasePipeline, now: Timestamp) -> Vec<(String, Timestamp)> {
    due(pipeline, now).into_iter().map(|due| (due.branch, due.at)).collect()
}

#[test]
fn it_comes_at_its_time_and_for_an_hour() {
    let pipeline = pipeline(vec![schedule("30 10 * * *", None)], Some(30));
    assert_eq!(times(&pipeline, at(29)), []);
    for minute in [30, 31, 89] {
        assert_eq!(times(&pipeline, at(minute)), [("release".to_owned(), at(30))], "{minute}");
    }
    assert_eq!(times(&pipeline, at(90)), []);
    assert_eq!(next(&pipeline, at(29)), Some(at(30)));
    assert_eq!(next(&pipeline, at(30)), Some(at(30 + 24 * 60)));
}

#[test]
fn what_was_not_planned_is_not_made_up_for() {
    let mut pipeline = pipeline(vec![schedule("30 10 * * *", None)], None);
    assert_eq!(times(&pipeline, at(31)), [], "the schedule was added at 10:31");
    pipeline.status.as_mut().unwrap().next_schedule_time = Some(Time(at(120)));
    assert_eq!(times(&pipeline, at(31)), [], "or was at another time before");
}

#[test]
fn two_at_the_same_time_are_two() {
    let both =
        vec![schedule("30 10 * * *", None), schedule("30 10 * * *", Some("hotfix")), schedule("0 12 * * *", None)];
    let names: Vec<String> = times(&pipeline(both, Some(30)), at(30)).into_iter().map(|(branch, _)| branch).collect();
    assert_eq!(names, ["release", "hotfix"]);
}

#[test]
fn a_suspended_one_never_comes() {
    let suspended = Schedule { suspend: true, ..schedule("30 10 * * *", None) };
    let pipeline = pipeline(vec![suspended], Some(30));
    assert_eq!((times(&pipeline, at(31)), next(&pipeline, at(0))), (vec![], None));
}

#[rstest]
#[case(&["release/*", "release"], None, Some("release"))]
#[case(&["release/*"], None, None)]
#[case(&["release/*"], Some("release/1"), Some("release/1"))]
fn it_releases_the_first_branch_that_is_no_pattern(
    #[case] branches: &[&str],
    #[case] named: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let planned = schedule("@daily", named);
    let mut pipeline = pipeline(vec![], None);
    pipeline.spec.trigger.branches = branches.iter().map(|branch| (*branch).to_owned()).collect();
    assert_eq!(branch(&pipeline, &planned), expected);
}
