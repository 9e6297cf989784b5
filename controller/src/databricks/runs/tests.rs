//! What is sent for a run, and what is read of one.

use super::*;

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
