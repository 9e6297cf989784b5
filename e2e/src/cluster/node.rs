//! The node: the first process inside the cluster's own namespaces. It starts every component, starts again what ends, and
//! takes everything with it when it is killed: processes, mounts, and the network with its rules.

use std::{
    fs, io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change},
    process::{WaitOptions, wait},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    address,
    component::Component,
    process::COMPONENT,
    state::{MARK, State},
};

/// How long the host may take to give the node its network.
const LINK_PATIENCE: Duration = Duration::from_secs(30);
/// How often the node looks after its components.
const TICK: Duration = Duration::from_millis(100);
/// The pause before a component is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// What the node runs, as `up` wrote it into the state folder.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Plan {
    /// The components, in the order of their start.
    pub components: Vec<Component>,
    /// The largest packet the host's own way out carries.
    pub mtu: u32,
}

/// The plan's place in the state folder.
pub(crate) const PLAN: &str = "node.json";

/// Why the node could not begin.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A file, a mount or a program failed.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The plan is not readable.
    #[error("plan: {0}")]
    Plan(#[from] serde_json::Error),
    /// The host did not give the node its link.
    #[error("the host gave no network link within {} s", LINK_PATIENCE.as_secs())]
    NoLink,
    /// It was started by hand.
    #[error("this is started by `up`, inside namespaces of its own")]
    NotFirst,
}

fn io(what: &str) -> impl FnOnce(io::Error) -> NodeError {
    let what = what.to_owned();
    move |error| NodeError::Io(what, error)
}

/// Is the node until it is killed.
pub(crate) fn run(folder: &Path) -> Result<(), NodeError> {
    if std::process::id() != 1 {
        return Err(NodeError::NotFirst);
    }
    let state = State::at(folder);
    let plan: Plan = serde_json::from_slice(&fs::read(state.file(PLAN)).map_err(io("plan"))?)?;
    mount_own_folders(&state)?;
    set_up_network(plan.mtu)?;
    let mut places: Vec<Place> = plan.components.into_iter().map(Place::new).collect();
    loop {
        for place in &mut places {
            place.keep_running(&state);
        }
        collect_ended(&mut places);
        sleep(TICK);
    }
}

/// Covers the host's folders that containerd, the kubelet and the network plugins would write to, in our mounts only.
fn mount_own_folders(state: &State) -> Result<(), NodeError> {
    let all = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    for folder in ["/run", "/var/log", super::host::PLUGIN_FOLDER] {
        mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID, None).map_err(|error| io(folder)(error.into()))?;
    }
    for (folder, place) in [(state.file("kubelet"), "/run/kubelet"), (state.file("pods"), "/var/log/pods")] {
        fs::create_dir_all(&folder).and_then(|()| fs::create_dir_all(place)).map_err(io(place))?;
        mount_bind(&folder, place).map_err(|error| io(place)(error.into()))?;
    }
    // Volumes that the kubelet mounts must appear in running containers.
    mount_change("/", all).map_err(|error| io("/")(error.into()))
}

/// Waits for the link that the host moves in here, and gives it the node's address.
fn set_up_network(mtu: u32) -> Result<(), NodeError> {
    let deadline = Instant::now() + LINK_PATIENCE;
    while !fs::read_to_string("/proc/net/dev").is_ok_and(|links| links.contains(address::NODE_LINK)) {
        if Instant::now() > deadline {
            return Err(NodeError::NoLink);
        }
        sleep(Duration::from_millis(20));
    }
    let (own, host, mtu) = (format!("{}/30", address::NODE), address::HOST.to_string(), mtu.to_string());
    let link = address::NODE_LINK;
    ip(&["link", "set", "lo", "up"])?;
    ip(&["address", "add", &own, "dev", link])?;
    ip(&["link", "set", link, "mtu", &mtu, "up"])?;
    ip(&["route", "add", "default", "via", &host])?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(io("ip_forward"))
}

fn ip(arguments: &[&str]) -> Result<(), NodeError> {
    let output = Command::new("ip").args(arguments).output().map_err(io("ip"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(io(&arguments.join(" "))(io::Error::other(said))) }
}

/// A component's place on the node: running, or to be started.
struct Place {
    component: Component,
    process: Option<i32>,
    not_before: Instant,
}

impl Place {
    fn new(component: Component) -> Self {
        Self { component, process: None, not_before: Instant::now() }
    }

    /// Starts the component if it doesn't run and what it waits for is there.
    fn keep_running(&mut self, state: &State) {
        let waits = self.component.after.as_ref().is_some_and(|door| !door.is_open());
        if self.process.is_some() || Instant::now() < self.not_before || waits {
            return;
        }
        match self.start(state) {
            Ok(id) => {
                println!("{} started as {id}", self.component.name);
                self.process = Some(id);
            }
            Err(error) => {
                println!("{} could not be started: {error}", self.component.name);
                self.not_before = Instant::now() + PAUSE;
            }
        }
    }

    fn start(&self, state: &State) -> io::Result<i32> {
        let log = fs::File::options().create(true).append(true).open(state.log(&self.component.name))?;
        let child = Command::new(&self.component.program)
            .args(&self.component.arguments)
            .envs(&self.component.variables)
            .env(MARK, state.folder())
            .env(COMPONENT, &self.component.name)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        // The child is not waited for by this handle: `collect_ended` waits for all, orphans included.
        i32::try_from(child.id()).map_err(io::Error::other)
    }
}

/// Collects every process that ended. As the first process we also inherit what containers leave behind.
fn collect_ended(places: &mut [Place]) {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        let id = pid.as_raw_nonzero().get();
        if let Some(place) = places.iter_mut().find(|place| place.process == Some(id)) {
            let status = std::process::ExitStatus::from_raw(status.as_raw());
            println!("{} ended: {status}", place.component.name);
            place.process = None;
            place.not_before = Instant::now() + PAUSE;
        }
    }
}
