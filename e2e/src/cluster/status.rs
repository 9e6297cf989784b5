//! The status of the local cluster as a table for people.

use std::{fs, time::Duration};

use comfy_table::{Table, presets::NOTHING};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use tokio::time::timeout;

use super::{ClusterError, KUBERNETES_VERSION, address, client, process, state::State};
use crate::command::tail;

/// See [`super::Cluster::status`].
pub(crate) async fn status(state: &State) -> Result<String, ClusterError> {
    let running = process::marked(state.folder());
    if running.is_empty() {
        return Ok("The local cluster is down. Bring it up with: cargo e2e up".to_owned());
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["COMPONENT", "STATE", "PID"]);
    for name in components(state) {
        let first = running.iter().find(|process| process.component == name).cloned();
        let found = if name == process::NODE { process::node(state.folder()) } else { first };
        let id = found.as_ref().map_or_else(String::new, |process| process.id.to_string());
        table.add_row([name, if found.is_some() { "running".into() } else { "stopped".into() }, id]);
    }
    let kubeconfig = state.control_plane().kubeconfig();
    let facts = [
        ("node", node(state).await),
        ("Kubernetes", KUBERNETES_VERSION.to_owned()),
        ("API server", state.control_plane().server()),
        ("host, as pods see it", address::HOST.to_string()),
        ("pods", address::PODS.to_owned()),
        ("Services", format!("{} (reachable from this host)", address::SERVICES)),
        ("kubectl", format!("export KUBECONFIG={}", kubeconfig.display())),
        ("logs", state.text("logs")),
    ];
    let mut about = Table::new();
    about.load_style(NOTHING);
    about.add_rows(facts.map(|(name, value)| [name.to_owned(), value]));
    Ok(format!("{table}\n\n{about}"))
}

async fn node(state: &State) -> String {
    let ask = async {
        let nodes: Api<Node> = Api::all(client(&state.control_plane().kubeconfig()).await?);
        Ok::<_, ClusterError>(nodes.get(address::NODE_NAME).await?)
    };
    match timeout(Duration::from_secs(5), ask).await {
        Ok(Ok(node)) => describe(&node),
        Ok(Err(ClusterError::Kube(error))) => match *error {
            kube::Error::Api(answer) => answer.message,
            other => other.to_string(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the API server does not answer".to_owned(),
    }
}

fn describe(node: &Node) -> String {
    let status = node.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let ready = ready.is_some_and(|condition| condition.status == "True");
    let info = status.node_info.unwrap_or_default();
    let state = if ready { "ready" } else { "not ready" };
    let name = address::NODE_NAME;
    format!(
        "{name}, {state}, kubelet {}, {}, kernel {}",
        info.kubelet_version, info.container_runtime_version, info.kernel_version
    )
}

/// The names of the components, by their logs: the node's own is the first.
fn components(state: &State) -> Vec<String> {
    let folder = state.file("logs");
    let logs = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        logs.filter_map(|log| log.file_name().to_str()?.strip_suffix(".log").map(str::to_owned)).collect();
    names.sort_by_key(|name| (name != process::NODE, name.clone()));
    names
}

/// See [`super::Cluster::logs`].
pub(crate) fn logs(state: &State, component: Option<&str>, lines: usize) -> Result<String, ClusterError> {
    let known = components(state);
    let wanted: Vec<&String> = known.iter().filter(|name| component.is_none_or(|wanted| wanted == *name)).collect();
    if let (Some(name), true) = (component, wanted.is_empty()) {
        return Err(ClusterError::NoComponent { name: name.to_owned(), known: known.join(", ") });
    }
    let tails: Result<Vec<String>, std::io::Error> =
        wanted.iter().map(|name| Ok(format!("--- {name}\n{}\n", tail(&state.log(name), lines)?))).collect();
    Ok(tails?.concat())
}
