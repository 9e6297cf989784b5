//! What releases get that share the runs of one workspace.

use proptest::prelude::*;

use super::*;

const HOST: &str = "https://adb-1.2.azuredatabricks.net";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).expect("a time")
}

fn member(uid: &str, runs: u32, since: Option<i64>) -> Member {
    let reference = ObjectRef::new(uid).within("data");
    Member { uid: uid.to_owned(), reference, tests: true, runs, since: since.map(at) }
}

fn wants(keeps: u32) -> Wish {
    Wish { keeps, wants: true }
}

/// Releases at one address, of which each has a `limits.runs` of three.
#[derive(Default)]
struct Line {
    places: Places,
    second: i64,
}

impl Line {
    fn ask(&mut self, uid: &str, wish: Wish) -> (bool, Vec<String>) {
        let ask = Ask { host: HOST.to_owned(), limit: 3, wish, is_newest: true, now: at(self.second) };
        let (granted, woken) = self.places.ask(&member(uid, 0, None), &ask);
        (granted, names(woken))
    }

    fn gets(&mut self, uid: &str, keeps: u32) -> bool {
        self.ask(uid, wants(keeps)).0
    }

    /// It takes all places, and its status says so.
    fn takes_all(&mut self, uid: &str) {
        assert!((0..3).all(|keeps| self.gets(uid, keeps)));
        self.places.wrote(&member(uid, 3, None), at(self.second));
    }
}

fn names(woken: Vec<ObjectRef<DatabricksRelease>>) -> Vec<String> {
    woken.into_iter().map(|release| release.name).collect()
}

#[test]
fn the_limit_holds_over_all_releases_at_an_address() {
    let mut line = Line::default();
    assert!(line.gets("a", 0) && line.gets("a", 1) && line.gets("b", 0));
    assert!(!line.gets("b", 1) && !line.gets("a", 2) && !line.gets("c", 0));
    let elsewhere = Ask {
        host: "https://adb-2.2.azuredatabricks.net".to_owned(),
        limit: 3,
        wish: wants(0),
        is_newest: true,
        now: at(0),
    };
    assert!(line.places.ask(&member("d", 0, None), &elsewhere).0, "another workspace has its own");
}

#[test]
fn a_place_that_is_free_goes_to_who_waited_longest() {
    let mut line = Line::default();
    line.takes_all("a");
    assert!(!line.gets("b", 0) && !line.gets("c", 0));
    // One of its runs is over; its next notebook comes after those that wait.
    let (granted, woken) = line.ask("a", wants(2));
    assert!(!granted);
    assert_eq!(woken, ["b"], "and no other");
    assert!(!line.gets("c", 0), "it came later");
    assert!(line.gets("b", 0));
    assert_eq!(names(line.places.ended("b", at(0))), ["c"]);
    assert!(line.gets("c", 0) && !line.gets("a", 2));
}

#[test]
fn a_new_leader_counts_what_the_statuses_say_and_keeps_the_line() {
    let mut line = Line::default();
    let known =
        vec![member("a", 2, None), member("late", 0, Some(9)), member("early", 0, Some(3)), member("b", 1, None)];
    line.places.meet(HOST, known, at(10));
    assert!(line.places.knows(HOST, "early") && !line.places.knows(HOST, "new"));
    assert!(!line.gets("new", 0), "whoever looks first");
    assert_eq!(line.ask("b", Wish::default()).1, ["early"]);
    assert!(!line.gets("late", 0) && line.gets("early", 0));
}

#[test]
fn who_does_not_ask_any_more_is_in_nobodys_way_and_keeps_its_place() {
    let mut line = Line::default();
    line.takes_all("a");
    assert!(!line.gets("silent", 0) && !line.gets("b", 0));
    line.second = 31;
    assert!(!line.gets("b", 0));
    assert_eq!(names(line.places.ended("a", at(31))), ["b"]);
    line.takes_all("b");
    assert!(!line.gets("c", 0) && !line.gets("silent", 0));
    assert_eq!(line.ask("b", Wish { keeps: 2, wants: false }).1, ["silent"], "it came before c");
}

#[test]
fn a_place_that_was_given_and_is_not_written_yet_is_not_given_twice() {
    let mut line = Line::default();
    assert!(line.gets("a", 0) && line.gets("a", 0), "the write failed, and the same wish comes again");
    assert!(line.gets("b", 0) && line.gets("b", 1) && !line.gets("b", 2));
    let old = Ask { host: HOST.to_owned(), limit: 3, wish: Wish::default(), is_newest: false, now: at(0) };
    assert_eq!(line.places.ask(&member("b", 0, None), &old).1, [], "an old version of b knows of no run");
    assert!(!line.gets("c", 0));
    assert_eq!(names(line.places.wrote(&member("b", 1, None), at(0))), ["c"], "what was written counts");
}

#[test]
fn what_is_not_shown_any_more_needs_no_memory() {
    let mut line = Line::default();
    assert!(line.gets("a", 0));
    line.places.ended("a", at(0));
    assert!(line.places.knows(HOST, "a"), "the watch may still show it with its runs");
    line.places.forget(&HashSet::new());
    assert!(line.places.hosts.is_empty() && line.places.ended.is_empty());
    line.places.ended("never met", at(0));
    assert!(line.places.ended.is_empty());
}

proptest! {
    /// Releases with several notebooks, of which each runs as many at once as it may; runs end in any order.
    #[test]
    fn never_more_than_the_limit_and_everybody_comes_through(
        notebooks in proptest::collection::vec(1..9_u32, 1..6),
        order in proptest::collection::vec(any::<proptest::sample::Index>(), 300),
    ) {
        let mut line = Line::default();
        let mut left: Vec<(u32, u32)> = notebooks.iter().map(|all| (*all, 0)).collect();
        for one in order {
            line.second += 1;
            let who = one.index(left.len());
            let (open, runs) = left[who];
            // Every look finds one of its runs over.
            let keeps = runs.saturating_sub(1);
            let wish = Wish { keeps, wants: open > 0 };
            let (granted, _) = line.ask(&who.to_string(), wish);
            left[who] = (open - u32::from(granted), keeps + u32::from(granted));
            line.places.wrote(&member(&who.to_string(), left[who].1, None), at(line.second));
            let all: u32 = left.iter().map(|(_, runs)| runs).sum();
            prop_assert!(all <= 3, "{all} runs");
        }
        // From now on in turns: within a round for each notebook everybody is through.
        for _ in 0..=notebooks.iter().sum::<u32>() {
            for (who, one) in left.iter_mut().enumerate() {
                line.second += 1;
                let keeps = one.1.saturating_sub(1);
                let granted = line.ask(&who.to_string(), Wish { keeps, wants: one.0 > 0 }).0;
                *one = (one.0 - u32::from(granted), keeps + u32::from(granted));
                line.places.wrote(&member(&who.to_string(), one.1, None), at(line.second));
            }
        }
        prop_assert!(left.iter().all(|(open, _)| *open == 0), "{left:?}");
    }
}
