//! Databricks' own clients play stories against the emulator; they are the Python files in `sdk`.

mod support;

use rstest::rstest;
use std::{path::Path, process::Command, time::Instant};
use support::{Emulator, TOKEN, legacy_cli, python};

/// Papers for the forge that the stories start: signed by themselves, so that they are their own authority.
fn write_certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("forge.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("forge.key"), made.signing_key.serialize_pem()).unwrap();
}

#[rstest]
#[case::sdk_releases("story.py", true)]
#[case::sdk_runs_every_kind_of_task("tasks.py", true)]
#[case::sdk_calls_every_method("methods.py", true)]
#[case::sdk_deploys_an_asset_bundle("bundles.py", false)]
#[case::legacy_cli_knows_the_documents_commands("cli.py", false)]
fn official_clients_play_their_story(#[case] file: &str, #[case] with_drivers: bool) {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let path = python.display().to_string();
    let drivers: &[&str] = if with_drivers { &["--python", &path, "--max-runs", "4"] } else { &["--no-drivers"] };
    let clusters = ["--cluster", "0101-000000-main=main", "--cluster", "new=new=15.4.x-scala2.12"];
    write_certificate(folder.path());
    let bundle = folder.path().join("forge.pem").display().to_string();
    let emulator = Emulator::start(folder.path(), &[drivers, &clusters, &["--git-ca-bundle", &bundle]].concat());
    let begun = Instant::now();
    let status = Command::new(&python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(file))
        .current_dir(folder.path())
        .env("DATABRICKS_HOST", &emulator.url)
        .env("DATABRICKS_TOKEN", TOKEN)
        .env("DATABRICKS_LEGACY_CLI", legacy_cli(&python))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .unwrap();
    println!("{file} took {:?}", begun.elapsed());
    assert!(status.success(), "{file} failed; its output says where");
    assert!(emulator.terminate(), "the emulator did not leave cleanly");
}
