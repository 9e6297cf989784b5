//! What users get of logs: every act once, in order, within bounds, and only for who may read them.

mod book;
mod reading;
mod storing;
mod telling;

use brickline_crds::{DatabricksRelease, Phase};
use serde_json::json;

use super::Logs;
use crate::artifact::Artifacts;

/// A release that an API server has seen.
fn release() -> DatabricksRelease {
    let mut release = DatabricksRelease::new("dbxdemo", serde_json::from_value(json!({"source": {}})).unwrap());
    release.metadata.namespace = Some("data".to_owned());
    release.metadata.uid = Some("uid".to_owned());
    release
}

fn folder() -> object_store::path::Path {
    crate::artifact::place::of_log("data", "uid", Phase::Install)
}

/// The stored log of Install, without the times before its lines.
async fn stored(artifacts: &Artifacts) -> Vec<String> {
    let (text, length) = artifacts.part(&folder(), 0, usize::MAX).await.unwrap();
    assert_eq!(text.len() as u64, length);
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

fn write(logs: &Logs, line: &str) {
    logs.line(&release(), Phase::Install, format_args!("{line}"));
}
