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

#[test]
fn what_is_unset_is_not_sent() {
    let notebook_task = Some(NotebookTask { notebook_path: "/n".into(), ..NotebookTask::default() });
    let task = SubmitTask { task_key: "t".into(), notebook_task, ..SubmitTask::default() };
    let submit = Submit { run_name: "r".into(), idempotency_token: "x".into(), tasks: vec![task], ..Submit::default() };
    let sent = serde_json::to_value(&submit).expect("JSON");
    let expected = serde_json::json!({"run_name": "r", "idempotency_token": "x", "timeout_seconds": 0,
        "tasks": [{"task_key": "t", "notebook_task": {"notebook_path": "/n"}, "timeout_seconds": 0}]});
    assert_eq!(sent, expected);
}

#[test]
fn a_run_prints_no_value_of_its_parameters() {
    let base_parameters = [("key".to_owned(), "canary".to_owned())].into();
    let notebook_task = Some(NotebookTask { notebook_path: "/n".into(), base_parameters });
    let task = SubmitTask { notebook_task, ..SubmitTask::default() };
    let submit = Submit { tasks: vec![task], secrets: vec!["canary".into()], ..Submit::default() };
    let printed = format!("{submit:?} {submit:#?}");
    assert!(printed.contains("key") && !printed.contains("canary"), "{printed}");
    let sent = serde_json::to_string(&submit).expect("JSON");
    assert_eq!(sent.matches("canary").count(), 1, "only as the parameter: {sent}");
}
