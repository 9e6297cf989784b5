//! What must hold for every text.

use std::time::Duration;

use proptest::prelude::*;

use super::super::export::{self, Export};
use super::super::judge::{Cells, Demand, RunView, Verdict, judge};
use super::super::{exit_json, junit, nutter, pytest, unittest};
use super::printed;
use crate::databricks::runs::{LifeCycle, Output, RunResult, RunState};
use brickline_crds::Framework;

const LINE: &str = "----------------------------------------------------------------------\n";
const DOUBLE: &str = "======================================================================\n";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Ok,
    Fail,
    Error,
    Skip,
}

/// What unittest prints for tests with these endings.
fn unittest_text(endings: &[Ending], verbose: bool, noise: &str) -> String {
    let of = |kind: Ending| endings.iter().filter(move |ending| **ending == kind).count();
    let progress: String =
        endings.iter().enumerate().map(|(at, ending)| progress(at, *ending, verbose, noise)).collect();
    let blocks: String = endings.iter().enumerate().map(|(at, ending)| block(at, *ending)).collect();
    let numbers = [("failures", of(Ending::Fail)), ("errors", of(Ending::Error)), ("skipped", of(Ending::Skip))];
    let numbers: Vec<_> = numbers.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{word}={n}")).collect();
    let verdict = if of(Ending::Fail) + of(Ending::Error) > 0 { "FAILED" } else { "OK" };
    let numbers = if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
    let ran = endings.len();
    format!(
        "{progress}\n{blocks}{LINE}Ran {ran} test{} in 0.123s\n\n{verdict}{numbers}\n{noise}",
        if ran == 1 { "" } else { "s" }
    )
}

fn progress(at: usize, ending: Ending, verbose: bool, noise: &str) -> String {
    let (short, long) = match ending {
        Ending::Ok => (".", "ok"),
        Ending::Fail => ("F", "FAIL"),
        Ending::Error => ("E", "ERROR"),
        Ending::Skip => ("s", "skipped 'why'"),
    };
    let between = if noise.is_empty() { String::new() } else { format!("{noise}\n") };
    if verbose {
        format!("test_{at} (__main__.T.test_{at}) ... {between}{long}\n")
    } else {
        format!("{between}{short}")
    }
}

fn block(at: usize, ending: Ending) -> String {
    let kind = match ending {
        Ending::Fail => "FAIL",
        Ending::Error => "ERROR",
        Ending::Ok | Ending::Skip => return String::new(),
    };
    let trace = "Traceback (most recent call last):\n  File \"<command-1>\", line 1, in f\nAssertionError: 1 != 2\n\n";
    format!("{DOUBLE}{kind}: test_{at} (__main__.T.test_{at})\n{LINE}{trace}")
}

fn passes(export: &Export) -> bool {
    let state = RunState {
        life_cycle_state: LifeCycle::Terminated,
        result_state: Some(RunResult::Success),
        ..RunState::default()
    };
    let view = RunView { notebook: "n.py".into(), state, execution: Duration::ZERO };
    let demand = Demand { limit: None, require_tests: true, frameworks: Framework::ALL.to_vec(), baseline: None };
    judge(&view, &Output::default(), Cells::Read(export), &demand).verdict == Verdict::Passed
}

fn endings() -> impl Strategy<Value = Vec<Ending>> {
    let ending =
        prop_oneof![4 => Just(Ending::Ok), 1 => Just(Ending::Fail), 1 => Just(Ending::Error), 1 => Just(Ending::Skip)];
    proptest::collection::vec(ending, 1..12)
}

proptest! {
    #[test]
    fn unittest_with_failures_fails_and_without_passes(endings in endings(), verbose: bool, noise in "[a-z0-9 :.(){}=-]{0,30}") {
        let export = export::read(&printed(&unittest_text(&endings, verbose, &noise))).expect("an export");
        let failing = endings.iter().filter(|ending| matches!(ending, Ending::Fail | Ending::Error)).count();
        prop_assert_eq!(passes(&export), failing == 0);
        let findings = unittest::read(&export.cells[0].text).expect("findings");
        prop_assert_eq!(findings.cases.iter().filter(|case| case.outcome.is_failure()).count(), failing);
        prop_assert_eq!(findings.cases.len(), endings.len());
    }

    #[test]
    fn a_failed_verdict_is_never_lost_in_noise(before in "\\PC{0,80}", after in "\\PC{0,80}", failures in 1..9u32) {
        let text = format!("{before}FAILED (failures={failures}){after}");
        prop_assert!(unittest::read(&text).is_some_and(|findings| findings.cases.iter().any(|case| case.outcome.is_failure())));
        let text = format!("{before}\n{failures} failed, 2 passed in 0.10s {after}");
        prop_assert!(pytest::read(&text).is_some_and(|findings| findings.cases.iter().any(|case| case.outcome.is_failure())));
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (unittest::read(&text), pytest::read(&text), nutter::read(&text), exit_json::read(&text));
        let _ = (export::read(&text), export::read(&format!("__DATABRICKS_NOTEBOOK_MODEL = '{text}'")));
        let _ = junit::read(&bytes, 5);
    }

    #[test]
    fn any_mixture_of_known_words_is_read(words in proptest::collection::vec(prop_oneof![
        Just(LINE.to_owned()), Just(DOUBLE.to_owned()), Just("Ran 3 tests in 0.100s\n".to_owned()), Just("FAILED (failures=1)\n".into()),
        Just("OK (skipped=9)\n".into()), Just("ERROR: x (__main__.T.x)\n".into()), Just("test_x (__main__.T.test_x) ... ".into()),
        Just("ok\n".into()), Just("\n".into()), Just("FAILING TESTS\n".into()), Just("___ T.x ___\n".into()), Just("E   x\n".into()),
        Just("FAILED a.py::x - y\n".into()), Just("1 failed in 0.1s\n".into()), "\\PC{0,20}\n?",
    ], 0..40)) {
        let text = words.concat();
        let _ = (unittest::read(&text), pytest::read(&text), nutter::read(&text));
        if text.contains("FAILED (failures=1)") {
            prop_assert!(!passes(&export::read(&printed(&text)).expect("an export")));
        }
    }

    #[test]
    fn any_results_are_read(kind in "(listResults|ansi|text|html|table|error|mimeBundle|[a-z]{1,5})", data in "\\PC{0,60}", position in any::<f64>()) {
        let results = serde_json::json!({"type": kind, "data": data, "summary": data});
        let commands = serde_json::json!([{"position": position, "results": results}, {"position": data, "results": [results]}]);
        prop_assert_eq!(export::read(&super::page(&commands)).expect("an export").cells.len(), 2);
    }
}
