//! The layout of a build pod: its containers, folders, environment and the names inside an artifact.

/// The init container that copies the runner's binary to where the others find it.
pub const CONTAINER_RUNNER: &str = "runner";
/// The init container that checks the commit out; the only one with the git credential.
pub const CONTAINER_CHECKOUT: &str = "checkout";
/// The native sidecar that streams logs and uploads what the build leaves; the only one with the token.
pub const CONTAINER_COLLECT: &str = "collect";
/// The main container: the user's image, whose exit is the verdict.
pub const CONTAINER_STEPS: &str = "steps";

/// The init container of a bundle's pod that fetches the artifact; the only one with the token.
pub const CONTAINER_FETCH: &str = "fetch";
/// The main container of a bundle's pod: the Databricks CLI, the only one with the workspace's credentials.
pub const CONTAINER_BUNDLE: &str = "bundle";

/// The binary's name in [`BIN_DIR`].
pub const RUNNER_BINARY: &str = "brickline-runner";
/// Shared folder with the runner's binary; written by `runner` or `fetch`, read-only elsewhere. Not below `/brickline`, which is
/// the controller's binary in its own image.
pub const BIN_DIR: &str = "/opt/brickline/bin";
/// The pristine tree at the commit; written by `checkout`, read-only elsewhere.
pub const SOURCE_DIR: &str = "/source";
/// What `checkout` says about the tree and itself; read-only elsewhere.
pub const META_DIR: &str = "/meta";
/// Where `steps` works; everything in it is the repository's doing and trusted by nobody.
pub const WORK_DIR: &str = "/work";
/// Folder that only `collect` mounts, for the artifact while it grows; needs room for `limits.artifactBytes` and more.
pub const COLLECT_DIR: &str = "/collect";
/// Folder with the projected token; only `collect` mounts it.
pub const TOKEN_DIR: &str = "/var/run/secrets/brickline";
/// The token's file name in [`TOKEN_DIR`].
pub const TOKEN_FILE: &str = "token";
/// Folder with the git credential's keys as files; only `checkout` mounts it.
pub const CREDENTIALS_DIR: &str = "/var/run/secrets/brickline-git";
/// A Python environment that a build image may bring with pytest, build and setuptools.
pub const BASE_PYTHON_DIR: &str = "/opt/brickline/python";
/// Where Kubernetes reads a container's last words: a [`crate::result::Outcome`] as JSON, at most
/// [`MAX_TERMINATION_BYTES`].
pub const TERMINATION_LOG: &str = "/dev/termination-log";
/// The longest termination message that Kubernetes keeps, in bytes.
pub const MAX_TERMINATION_BYTES: usize = 4096;

/// Where a bundle's pod has the artifact's files; written by `fetch`, then by the Databricks CLI.
pub const BUNDLE_DIR: &str = "/bundle";
/// The folder below the bundle's own in which the build's wheels lie.
pub const BUNDLE_WHEELS: &str = "dist";
/// The Databricks CLI, in the PATH of its image.
pub const BUNDLE_PROGRAM: &str = "databricks";
/// What comes from Secrets in the environment of Databricks' own clients: of the CLI, and of the steps of a build with
/// Databricks Connect.
pub const WORKSPACE_SECRETS: [&str; 3] = ["DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "ARM_CLIENT_SECRET"];
/// What `fetch` ends with if another try would end alike.
pub const FETCH_REFUSED: u8 = 3;

/// The environment variable with the [`crate::FetchPlan`] as JSON, in `fetch`.
pub const FETCH_ENV: &str = "BRICKLINE_FETCH";
/// Overrides [`BIN_DIR`].
pub const BIN_ENV: &str = "BRICKLINE_BIN";
/// Overrides [`BUNDLE_DIR`].
pub const BUNDLE_ENV: &str = "BRICKLINE_BUNDLE";
/// The environment variable with the [`crate::BuildPlan`] as JSON, in every container of the pod.
pub const PLAN_ENV: &str = "BRICKLINE_PLAN";
/// Overrides [`SOURCE_DIR`].
pub const SOURCE_ENV: &str = "BRICKLINE_SOURCE";
/// Overrides [`META_DIR`].
pub const META_ENV: &str = "BRICKLINE_META";
/// Overrides [`WORK_DIR`].
pub const WORK_ENV: &str = "BRICKLINE_WORK";
/// Overrides [`COLLECT_DIR`].
pub const COLLECT_ENV: &str = "BRICKLINE_COLLECT";
/// Overrides the path of the token's file.
pub const TOKEN_ENV: &str = "BRICKLINE_TOKEN_FILE";
/// Overrides [`CREDENTIALS_DIR`].
pub const CREDENTIALS_ENV: &str = "BRICKLINE_CREDENTIALS";
/// Overrides [`BASE_PYTHON_DIR`].
pub const BASE_PYTHON_ENV: &str = "BRICKLINE_BASE_PYTHON";
/// Overrides [`TERMINATION_LOG`].
pub const TERMINATION_ENV: &str = "BRICKLINE_TERMINATION_LOG";

/// Names in the folder of the git credential; all are optional.
pub mod credential {
    /// User name for https; a token goes with a neutral one if it's missing.
    pub const USERNAME: &str = "username";
    /// Password for https.
    pub const PASSWORD: &str = "password";
    /// Token for https, instead of a password.
    pub const TOKEN: &str = "token";
    /// Private key for ssh.
    pub const IDENTITY: &str = "identity";
    /// Private key for ssh, as secrets of type `kubernetes.io/ssh-auth` name it.
    pub const SSH_PRIVATE_KEY: &str = "ssh-privatekey";
    /// The host keys that ssh accepts; required for ssh.
    pub const KNOWN_HOSTS: &str = "known_hosts";
    /// Certificate authority of the git server, in PEM.
    pub const CA: &str = "ca.crt";
}

/// The artifact's first entry: the manifest. First, so that whoever streams the zip has it before any content.
pub const MANIFEST_ENTRY: &str = "manifest.json";
/// The artifact's folder with the selected files at their paths.
pub const FILES_PREFIX: &str = "files/";
/// The artifact's folder with the wheels.
pub const WHEELS_PREFIX: &str = "wheels/";
