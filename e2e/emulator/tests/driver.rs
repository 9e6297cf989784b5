//! The Python half's own tests; any Python will do.

use std::{path::Path, process::Command};

#[test]
fn the_python_half_passes_its_tests() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(crate_folder.join("src/driver/python"), folder.path().join("brickline_driver")).unwrap();
    let output = Command::new("python3")
        .arg(crate_folder.join("tests/driver_test.py"))
        .env("PYTHONPATH", folder.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\nOK"), "no test ran");
}
