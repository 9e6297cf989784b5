//! What is sent for a run, and what is read of one.

use super::*;

/// Other people's runs are on the page too.
#[test]
fn an_odd_run_hides_no_other_one() {
    let page = r#"{"runs":[{"run_id":1,"start_time":null,"end_time":"1700000000000","execution_duration":{}},
        {"run_id":"none","state":7},{"run_id":3,"tasks":[{"run_id":4,"setup_duration":null,"execution_duration":"1500"}]}]}"#;
    let runs = serde_json::from_str::<Runs>(page).expect("a page").readable();
    assert_eq!(runs.iter().map(|run| run.run_id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((runs[0].start_time, runs[0].end_time, runs[0].execution_duration), (0, 1_700_000_000_000, 0));
    assert_eq!(runs[1].tasks[0].execution_duration, 1500);
}

#[test]
fn a_run_with_unknown_words_is_neither_over_nor_a_success() {
    let run: Run = serde_json::from_str(
        r#"{"run_id":"9007199254740993","state":{"life_cycle_state":"HIBERNATING","result_state":"FINE","state_message":null},
            "tasks":[{"run_id":2,"task_key":"t","execution_duration":1500,"state":{"life_cycle_state":"TERMINATED","result_state":"TIMEDOUT"}}]}"#,
    )
    .expect("a run");
    assert_eq!(run.run_id, 9_007_199_254_740_993);
    assert!(!run.state.is_over());
    assert_eq!(run.state.result_state, Some(RunResult::Unknown));
    assert_eq!(run.tasks[0].state.result_state, Some(RunResult::TimedOut));
    assert_eq!(run.tasks[0].execution(), Duration::from_millis(1500));
    assert_eq!(<&str>::from(RunResult::TimedOut), "TIMEDOUT");
}
