//! An environment is a Python virtual environment with the libraries of one cluster, made anew at each of its starts:
//! that makes a removal at restart real. It sees the packages beneath it, as a cluster's libraries lie over its runtime.

use crate::{
    driver::{DriverError, Program},
    state::{Library, library::normalise},
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{io::AsyncReadExt, process::Command};

const CREATE_TIMEOUT: Duration = Duration::from_mins(1);
const INSTALL_TIMEOUT: Duration = Duration::from_mins(15);
/// How much of pip's complaints a library's message holds.
const MAX_MESSAGE: usize = 4000;

/// What to give to pip for one library; paths are local.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    arguments: Vec<OsString>,
}

impl Request {
    /// The request for a library whose file, if it has one, lies at `file`. None if pip can't install such a thing.
    pub(crate) fn for_library(library: &Library, file: Option<PathBuf>) -> Option<Self> {
        let arguments = match library {
            Library::Whl(_) => vec![file?.into()],
            Library::Requirements(_) => vec!["-r".into(), file?.into()],
            Library::Pypi(pypi) => {
                let repo = pypi.repo.iter().flat_map(|repo| ["--index-url".into(), repo.into()]);
                repo.chain(["--".into(), OsString::from(&pypi.package)]).collect()
            }
            _ => return None,
        };
        Some(Self { arguments })
    }
}

/// One virtual environment on the disk, removed when dropped.
pub(crate) struct Environment {
    folder: tempfile::TempDir,
    program: Arc<Program>,
    site: PathBuf,
}

impl Environment {
    /// Creates an empty environment below `home`.
    pub(crate) async fn create(program: &Arc<Program>, home: &Path, number: u64) -> Result<Self, DriverError> {
        let folder = tempfile::Builder::new().prefix(&format!("environment-{number}-")).tempdir_in(home)?;
        let mut command = Command::new(program.python());
        command.args(["-m", "venv", "--without-pip"]).arg(folder.path());
        let (code, complaint) = finish(program, command, CREATE_TIMEOUT).await?;
        if !code {
            return Err(DriverError::Environment(complaint));
        }
        let site = find_site(folder.path())?;
        let beneath: Vec<_> = program.sites().iter().map(|path| path.display().to_string()).collect();
        fs::write(site.join("_runtime.pth"), beneath.join("\n") + "\n")?;
        Ok(Self { folder, program: Arc::clone(program), site })
    }

    /// Its Python.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.path().join("bin/python")
    }

    /// The folder that holds its packages.
    pub(crate) fn site(&self) -> &Path {
        &self.site
    }

    /// A folder for what belongs to it and goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command line that is pip for whoever has a `--python` to install into.
    pub(crate) fn pip(&self) -> [OsString; 3] {
        [self.program.python().into(), "-m".into(), "pip".into()]
    }

    /// Installs; the error is what pip had to say.
    pub(crate) async fn install(&self, request: Request) -> Result<(), String> {
        let [python, dash, pip] = self.pip();
        let mut command = Command::new(python);
        command.args([dash, pip]).arg("--python").arg(self.python());
        command.args(["install", "--no-input", "--disable-pip-version-check", "--quiet"]).args(request.arguments);
        match finish(&self.program, command, INSTALL_TIMEOUT).await {
            Ok((true, _)) => Ok(()),
            Ok((false, complaint)) => Err(complaint),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The normalised names of the distributions in it, not of those beneath.
    pub(crate) fn distributions(&self) -> io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.site)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some((distribution, _)) = name.strip_suffix(".dist-info").and_then(|stem| stem.rsplit_once('-')) {
                names.insert(normalise(distribution));
            }
        }
        Ok(names)
    }
}

/// `lib/pythonX.Y/site-packages`, whatever X.Y is.
fn find_site(folder: &Path) -> io::Result<PathBuf> {
    let mut versions = fs::read_dir(folder.join("lib"))?;
    let version = versions.next().ok_or(io::ErrorKind::NotFound)??;
    Ok(version.path().join("site-packages"))
}

/// Runs a command to its end: whether it succeeded, and the end of what it complained about.
async fn finish(program: &Program, command: Command, limit: Duration) -> Result<(bool, String), DriverError> {
    let (mut child, _group) = program.spawn(command, Stdio::piped())?;
    drop(child.stdin.take());
    let mut complaint = Vec::new();
    let mut stderr = child.stderr.take().ok_or(DriverError::Mute)?;
    let work = async {
        // Its output is of no interest, but a full pipe would stop it.
        let mut stdout = child.stdout.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        let mut sink = tokio::io::sink();
        let (read, _) = tokio::try_join!(stderr.read_to_end(&mut complaint), tokio::io::copy(&mut stdout, &mut sink))?;
        tracing::trace!(bytes = read, "a command ended");
        child.wait().await
    };
    let status = tokio::time::timeout(limit, work).await.map_err(|_| DriverError::Late(limit))??;
    let text = String::from_utf8_lossy(&complaint);
    let start = text.len().saturating_sub(MAX_MESSAGE);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    Ok((status.success(), text[start..].trim().to_owned()))
}
