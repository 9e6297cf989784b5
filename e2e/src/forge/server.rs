//! The server: Gitea as a process of this machine, without root's rights and without an account of its own.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{ForgeError, account::Account, program::Program, settings};
use crate::{
    cache::remove,
    command::{Command, tail},
};

/// The user id that the server runs under: in the range that systemd gives to short-lived services, and in no account file.
/// Gitea refuses to be root, and an id without an account leaves no account behind.
const USER: u32 = 61_234;
/// Shows the program and the data at fixed places, in a mount namespace that only the server has: the cache may lie in a
/// folder that only root may enter. Then gives up root's rights for good, and becomes the server, keeping the process id.
const ENTER: &str = r#"
set -e
program=$1 read=$2 data=$3 user=$4
shift 4
mount -t tmpfs -o mode=755,size=64k none /mnt
mkdir /mnt/program /mnt/read /mnt/data
mount --bind "$program" /mnt/program
mount --bind "$read" /mnt/read
mount --bind "$data" /mnt/data
cd /mnt/data
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
    env -i PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 USER=forge HOME=/mnt/data GITEA_WORK_DIR=/mnt/data \
    /mnt/program/gitea --config /mnt/data/app.ini "$@"
"#;
const START_PATIENCE: Duration = Duration::from_mins(2);
const STOP_PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(50);

/// The server's folder and program.
#[derive(Clone, Debug)]
pub(super) struct Server {
    folder: PathBuf,
    program: Program,
}

/// A server that was started, as the next process finds it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Running {
    pid: u32,
    /// The kernel's start time of the process, so that a reused id is never taken for ours.
    started: u64,
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) fn new(folder: PathBuf, program: Program) -> Self {
        Self { folder, program }
    }

    /// Starts a new server without any content, on a free port of `ip`, and makes its first account.
    pub(super) async fn start(&self, ip: IpAddr) -> Result<(Running, Account), ForgeError> {
        stop(&self.folder).await?;
        let address = free_address(ip)?;
        self.lay_out(address)?;
        self.command(["migrate"]).limit(START_PATIENCE).run().await?;
        let account = Account::administrator(&self.command(Account::CREATE).run().await?)?;
        let pid = self.command(["web"]).log(self.log()).daemon()?;
        let running = Running { pid, started: started(pid).unwrap_or_default(), address };
        write_private(&self.folder.join("running.json"), &serde_json::to_string(&running).unwrap_or_default())?;
        write_private(&self.folder.join("account.json"), account.to_json().expose_secret())?;
        self.wait_until_ready(running).await?;
        Ok((running, account))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("gitea.log")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// An empty data folder with the settings, readable by the server alone.
    fn lay_out(&self, address: SocketAddr) -> Result<(), ForgeError> {
        let data = self.data();
        remove(&data)?;
        remove(&self.log())?;
        fs::create_dir_all(&data).map_err(ForgeError::io(&data))?;
        let settings = data.join("app.ini");
        write_private(&settings, settings::render(address).expose_secret())?;
        for path in [&settings, &data] {
            chown(path, Some(USER), Some(USER)).map_err(ForgeError::io(path))?;
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).map_err(ForgeError::io(&data))
    }

    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"])
            .arg(&self.program.folder)
            .arg(&self.program.read)
            .arg(self.data())
            .arg(USER.to_string())
            .args(arguments)
    }

    async fn wait_until_ready(&self, running: Running) -> Result<(), ForgeError> {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline && running.alive() {
            if running.answers().await {
                return Ok(());
            }
            sleep(GLANCE).await;
        }
        Err(ForgeError::NotReady { tail: tail(&self.log(), 25).unwrap_or_default() })
    }
}

impl Running {
    /// What an earlier process noted in `folder`, if that server is still there.
    pub(super) fn find(folder: &Path) -> Option<Self> {
        let noted = fs::read_to_string(folder.join("running.json")).ok()?;
        serde_json::from_str::<Self>(&noted).ok().filter(|running| running.alive())
    }

    pub(super) async fn answers(self) -> bool {
        let Ok(client) = super::api::client() else { return false };
        let url = format!("http://{}/api/healthz", self.address);
        client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    fn alive(self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Signals the server with the Git processes that it started.
    fn signal(self, signal: Signal) {
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
            && self.alive()
        {
            // It may end between the look and the signal, which is what we want.
            let _ = kill_process_group(group, signal);
        }
    }

    async fn wait_until_gone(self) -> bool {
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline && self.alive() {
            sleep(GLANCE).await;
        }
        !self.alive()
    }
}

/// Stops the server that was started with `folder`, if it still runs, and removes its content.
pub(super) async fn stop(folder: &Path) -> Result<(), ForgeError> {
    if let Some(running) = Running::find(folder) {
        running.signal(Signal::TERM);
        if !running.wait_until_gone().await {
            running.signal(Signal::KILL);
            running.wait_until_gone().await;
        }
    }
    for name in ["running.json", "account.json", "data"] {
        remove(&folder.join(name))?;
    }
    Ok(())
}

/// When a process started, in the kernel's ticks since boot; nothing for one that is gone or only waits to be reaped.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name, which may hold spaces; the rest comes after its closing parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (state, started) = (fields.first()?, fields.get(19)?);
    if *state == "Z" { None } else { started.parse().ok() }
}

/// A free port: the kernel chooses one, and it is given back just before the server takes it.
fn free_address(ip: IpAddr) -> Result<SocketAddr, ForgeError> {
    TcpListener::bind((ip, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|source| ForgeError::Address { ip, source })
}

fn write_private(path: &Path, content: &str) -> Result<(), ForgeError> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    remove(path)?;
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    open.and_then(|mut file| file.write_all(content.as_bytes())).map_err(ForgeError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = started(std::process::id()).unwrap();
        assert!(own > 0);
        assert_eq!(started(u32::MAX), None);
    }
}
