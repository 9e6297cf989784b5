//! What callers get of a program: its output, its last words, and that nothing of it is left.

use std::{fs, time::Duration};

use super::*;

fn shell(script: &str) -> Command {
    Command::new("sh").arg("-c").arg(script)
}

#[tokio::test]
async fn output_comes_back() {
    assert_eq!(shell("echo out; echo err >&2").run().await.unwrap(), "out\n");
    assert_eq!(Command::new("cat").input("fed").run().await.unwrap(), "fed");
}

#[tokio::test]
async fn a_failure_shows_the_last_words_and_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    let error = shell("echo lost; exit 3").log(&log).run().await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("| lost"), "{error}");
    assert!(error.contains(&log.display().to_string()), "{error}");
    let error = Command::new("/no/such/program").input("").run().await.unwrap_err();
    assert!(matches!(error, CommandError::Start { .. }), "{error}");
}

#[tokio::test]
async fn the_limit_kills_children_too() {
    let folder = tempfile::tempdir().unwrap();
    let script = "sleep 60 & echo $! > pid; wait";
    let command = shell(script).current_dir(&folder).limit(Duration::from_millis(500));
    assert!(matches!(command.run().await.unwrap_err(), CommandError::Late { .. }));
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    assert!(gone(pid.trim()).await, "{pid} still runs");
}

#[tokio::test]
async fn a_leashed_program_ends_with_its_value() {
    let mut leashed = Command::new("sleep").arg("60").leashed().unwrap();
    assert!(leashed.alive());
    let group = leashed.group().unwrap().to_string();
    drop(leashed);
    assert!(gone(&group).await);
}

async fn gone(pid: &str) -> bool {
    for _ in 0..100 {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if status.is_empty() || status.contains(") Z ") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
