//! Requirements: programs of the machine that this crate runs but does not build, found or installed from Debian's packages.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::sync::Mutex;

use crate::{
    cache::{Cache, CacheError},
    command::{Command, CommandError},
    progress::Progress,
};

/// Folders with programs that an ordinary user's PATH leaves out.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
/// Debian's switch that keeps a package from starting its service when it is installed.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// A program and the Debian package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The program's name, or the path of a file when it is in no folder for programs.
    pub program: &'static str,
    /// The Debian package.
    pub package: &'static str,
}

/// What the local cluster runs besides the parts built here.
pub const CLUSTER: [Need; 8] = [
    Need { program: "containerd", package: "containerd" },
    Need { program: "ctr", package: "containerd" },
    Need { program: "runc", package: "runc" },
    Need { program: "/usr/lib/cni/ptp", package: "containernetworking-plugins" },
    Need { program: "iptables", package: "iptables" },
    Need { program: "nft", package: "nftables" },
    Need { program: "conntrack", package: "conntrack" },
    Need { program: "ip", package: "iproute2" },
];

/// A language that must be there already, because a distribution's package would be too old.
#[derive(Clone, Copy, Debug)]
pub enum Toolchain {
    /// Builds Kubernetes, etcd, CoreDNS, Helm and the forge.
    Go,
    /// Runs Spark in the workspace emulator.
    Java,
    /// Runs notebooks in the workspace emulator, and the clients that judge it.
    Python,
}

/// Why the machine can't do what is asked.
#[derive(Debug, Error)]
pub enum RequirementError {
    /// Programs are missing and we may not install them.
    #[error("missing: {}. Install them (apt-get install {}) or run this as root on Debian, which does it by itself", list(.programs), list(.packages))]
    Missing {
        /// The missing programs.
        programs: Vec<String>,
        /// The packages that have them.
        packages: Vec<String>,
    },
    /// A language's toolchain is missing or too old.
    #[error("{what} is needed: {reason}")]
    Toolchain {
        /// The toolchain and its least version.
        what: &'static str,
        /// What was found instead.
        reason: String,
    },
    /// Only root may make namespaces, mounts and network links.
    #[error("the local cluster needs root; run this as root, or use a cluster of your own with --context NAME")]
    NotRoot,
    /// Installing failed.
    #[error(transparent)]
    Install(#[from] CommandError),
    /// The log of the installation could not be made.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

fn list(words: &[String]) -> String {
    words.join(" ")
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The path of a program, looked for in PATH and in the system's folders.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = SYSTEM_FOLDERS.iter().map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Makes sure that all these programs are there, installing their packages when we are root on Debian.
pub async fn ensure(cache: &Cache, progress: &Progress, needs: &[Need]) -> Result<(), RequirementError> {
    let missing: Vec<&Need> = needs.iter().filter(|need| find(need.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<&str> = missing.iter().map(|need| need.package).collect();
    let packages: Vec<String> = packages.into_iter().map(str::to_owned).collect();
    if !is_root() || find("apt-get").is_none() {
        let programs = missing.iter().map(|need| need.program.to_owned()).collect();
        return Err(RequirementError::Missing { programs, packages });
    }
    let name = format!("Install Debian packages: {}", packages.join(", "));
    progress.step(&name, install(cache, &packages)).await
}

async fn install(cache: &Cache, packages: &[String]) -> Result<(), RequirementError> {
    /// Whether the package lists were refreshed by this process; the lock also keeps two installations apart.
    static UPDATED: Mutex<bool> = Mutex::const_new(false);
    let mut updated = UPDATED.lock().await;
    let apt = |words: &[&str]| {
        let waiting = ["-o", "DPkg::Lock::Timeout=300", "-y", "--no-install-recommends"];
        let apt = Command::new("apt-get").args(words).args(waiting);
        apt.env("DEBIAN_FRONTEND", "noninteractive").limit(Duration::from_mins(20))
    };
    if !*updated {
        apt(&["update"]).log(cache.log("apt-update")?).run().await?;
        *updated = true;
    }
    let _quiet = ServicesStayOff::begin();
    apt(&["install"]).args(packages).log(cache.log("apt-install")?).run().await?;
    Ok(())
}

/// While this value lives, installed packages don't start their services: we only want their programs.
struct ServicesStayOff {
    ours: bool,
}

impl ServicesStayOff {
    fn begin() -> Self {
        let policy = Path::new(SERVICE_POLICY);
        let ours = !policy.exists()
            && fs::write(policy, "#!/bin/sh\nexit 101\n").is_ok()
            && fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).is_ok();
        Self { ours }
    }
}

impl Drop for ServicesStayOff {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(SERVICE_POLICY);
        }
    }
}

/// Makes sure that a language's toolchain is there and new enough.
pub async fn toolchain(toolchain: Toolchain) -> Result<(), RequirementError> {
    let (what, program, argument, least) = match toolchain {
        Toolchain::Go => ("Go 1.21 or newer", "go", "version", (1, 21)),
        Toolchain::Java => ("Java 17 or newer", "java", "--version", (17, 0)),
        Toolchain::Python => ("Python 3.10 or newer", "python3", "--version", (3, 10)),
    };
    let said = Command::new(program).arg(argument).run().await;
    let said = said.map_err(|error| RequirementError::Toolchain { what, reason: error.to_string() })?;
    match version(&said) {
        Some(found) if found >= least => Ok(()),
        _ => Err(RequirementError::Toolchain { what, reason: format!("found {}", said.lines().next().unwrap_or("")) }),
    }
}

/// The first `major.minor` (or lone `major`) number in what a program says of itself.
fn version(said: &str) -> Option<(u32, u32)> {
    let start = said.find(|letter: char| letter.is_ascii_digit())?;
    let number = said[start..].split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
    let mut numbers = number.split('.').map_while(|part| part.parse().ok());
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version("openjdk 17 2026-01-01"), Some((17, 0)));
        assert_eq!(version("Python 3.12.1"), Some((3, 12)));
        assert_eq!(version("none"), None);
    }

    #[test]
    fn programs_are_found() {
        assert!(find("sh").is_some());
        assert!(find("/bin/sh").is_some());
        assert!(find("no-such-program").is_none());
    }
}
