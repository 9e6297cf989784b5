//! From the jobs there are to those that are asked for.

use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::super::{Changes, Found, Operated, View, Wanted};

fn wanted(name: &str) -> Wanted {
    Wanted { name: name.to_owned(), key: format!("key of {name}"), digest: "new".to_owned() }
}

fn found(id: i64, name: &str, digest: &str) -> Found {
    let (key, digest, creator) = (format!("key of {name}"), digest.to_owned(), "us".to_owned());
    Found { id, key, digest, creator, created: id }
}

fn by(creator: &str, found: Found) -> Found {
    Found { creator: creator.to_owned(), ..found }
}

fn view(found: &[Found], wanted: &[Wanted]) -> View {
    View { found: found.to_vec(), wanted: wanted.to_vec(), us: "us".to_owned() }
}

fn known(name: &str, id: i64) -> Operated {
    Operated { name: name.to_owned(), id }
}

#[rstest]
#[case::none_there(&[], Changes { create: vec!["a".to_owned()], ..Changes::default() })]
#[case::as_it_should_be(&[found(1, "a", "new")], Changes { keep: vec![known("a", 1)], ..Changes::default() })]
#[case::different(&[found(1, "a", "old")], Changes { reset: vec![known("a", 1)], ..Changes::default() })]
#[case::without_digest(&[found(1, "a", "")], Changes { reset: vec![known("a", 1)], ..Changes::default() })]
#[case::twice(
    &[found(3, "a", "new"), found(2, "a", "old")],
    Changes { reset: vec![known("a", 2)], delete: vec![3], ..Changes::default() },
)]
#[case::copied_by_somebody(
    &[found(1, "a", "new"), by("ana", found(2, "a", "new"))],
    Changes { keep: vec![known("a", 1)], ..Changes::default() },
)]
#[case::not_asked_for_and_copied_by_somebody(
    &[found(1, "a", "new"), found(2, "b", "new"), by("ana", found(3, "b", "new"))],
    Changes { keep: vec![known("a", 1)], delete: vec![2], ..Changes::default() },
)]
#[case::a_copy_whose_original_is_gone(
    &[found(1, "a", "new"), by("ana", found(3, "b", "new"))],
    Changes { keep: vec![known("a", 1)], ..Changes::default() },
)]
#[case::made_as_somebody_we_were_before(
    &[by("we before", found(1, "a", "new")), by("we before", found(2, "b", "new"))],
    Changes { keep: vec![known("a", 1)], delete: vec![2], ..Changes::default() },
)]
#[case::made_as_somebody_who_left(
    &[found(1, "a", "new"), by("", found(2, "b", "new"))],
    Changes { keep: vec![known("a", 1)], delete: vec![2], ..Changes::default() },
)]
#[case::not_asked_for(
    &[found(1, "a", "new"), found(2, "b", "new")],
    Changes { keep: vec![known("a", 1)], delete: vec![2], ..Changes::default() },
)]
fn jobs_become_what_is_asked_for(#[case] found: &[Found], #[case] expected: Changes) {
    assert_eq!(Changes::between(&view(found, &[wanted("a")]), true), expected);
}

#[test]
fn without_prune_other_jobs_stay() {
    let changes = Changes::between(&view(&[found(1, "b", "new")], &[wanted("a")]), false);
    assert_eq!((changes.create.as_slice(), changes.delete.as_slice()), (["a".to_owned()].as_slice(), [].as_slice()));
}

fn jobs() -> impl Strategy<Value = Vec<Found>> {
    let job = (0..9_i64, select(vec!["a", "b", "c"]), select(vec!["new", "old"]));
    proptest::collection::vec(job, 0..6).prop_map(|jobs| {
        let all = jobs.into_iter().enumerate();
        // Ids are never the same; times may be.
        all.map(|(at, (created, name, digest))| Found { created, ..found(i64::try_from(at).unwrap(), name, digest) })
            .collect()
    })
}

/// The jobs once the changes are carried out.
fn applied(found: &[Found], wanted: &[Wanted], changes: &Changes) -> Vec<Found> {
    let mut jobs: Vec<Found> = found.iter().filter(|job| !changes.delete.contains(&job.id)).cloned().collect();
    for job in jobs.iter_mut().filter(|job| changes.reset.iter().any(|reset| reset.id == job.id)) {
        job.digest = "new".to_owned();
    }
    let created = wanted.iter().filter(|job| changes.create.contains(&job.name));
    jobs.extend(
        created.enumerate().map(|(at, job)| Found {
            key: job.key.clone(),
            ..self::found(100 + i64::try_from(at).unwrap(), "", "new")
        }),
    );
    jobs
}

proptest! {
    /// Done once, nothing is left to do; and exactly one job is there for each that is asked for.
    #[test]
    fn changes_lead_to_the_goal(there in jobs(), prune in any::<bool>()) {
        let asked = [wanted("a"), wanted("b")];
        let changes = Changes::between(&view(&there, &asked), prune);
        let after = applied(&there, &asked, &changes);
        prop_assert!(Changes::between(&view(&after, &asked), prune).is_empty(), "{changes:?}");
        for job in &asked {
            prop_assert_eq!(after.iter().filter(|one| one.key == job.key && one.digest == job.digest).count(), 1);
        }
        let others = |jobs: &[Found]| jobs.iter().filter(|job| job.key == "key of c").count();
        prop_assert_eq!(others(&after), if prune { 0 } else { others(&there) });
    }
}
