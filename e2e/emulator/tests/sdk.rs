//! Databricks' own SDK plays stories against the emulator; they are the Python files in `sdk`.

mod support;

use rstest::rstest;
use std::{path::Path, process::Command, time::Instant};
use support::{Emulator, TOKEN, python};

#[rstest]
#[case::of_a_release("story.py")]
#[case::of_every_kind_of_task("tasks.py")]
fn the_sdk_plays_the_story(#[case] file: &str) {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let path = python.display().to_string();
    let more = [
        "--python",
        &path,
        "--cluster",
        "0101-000000-main=main",
        "--cluster",
        "new=new=15.4.x-scala2.12",
        "--max-runs",
        "4",
    ];
    let emulator = Emulator::start(folder.path(), &more);
    let begun = Instant::now();
    let status = Command::new(&python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(file))
        .current_dir(folder.path())
        .env("DATABRICKS_HOST", &emulator.url)
        .env("DATABRICKS_TOKEN", TOKEN)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .unwrap();
    println!("the story took {:?}", begun.elapsed());
    assert!(status.success(), "the story failed; its output says where");
    assert!(emulator.terminate(), "the emulator did not leave cleanly");
}
