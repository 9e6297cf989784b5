//! The demo: the main story on the local cluster, told aloud.

use anyhow::Context as _;

use crate::{
    cluster::Cluster,
    progress::Progress,
    scenario::{Stage, Story},
    system::{self, System, Team},
};

/// Plays the story; an error means that something in it went wrong. With `keep` everything stays up.
pub(crate) async fn play(progress: &Progress, context: Option<&str>, keep: bool) -> anyhow::Result<()> {
    let cluster = Cluster::reach(progress, context).await?;
    // On the heap: it holds several versions of the release.
    let told = Box::pin(tell(progress, &cluster)).await;
    match (&told, keep) {
        (Ok(namespace), true) => println!("{}", next_steps(namespace, cluster.is_local())),
        (Err(_), true) => println!("Everything stays up: `cargo e2e kubectl get dbrel -A`, `cargo e2e logs`."),
        (_, false) if cluster.is_local() => {
            system::down(progress).await?;
        }
        (_, false) => println!("Your cluster keeps namespace {} and the demo's.", system::NAMESPACE),
    }
    told.map(|_| println!("\ndemo: every merge did what it should."))
}

/// Tells the story in a namespace that stays, and returns its name.
async fn tell(progress: &Progress, cluster: &Cluster) -> anyhow::Result<String> {
    let system = System::up(cluster, progress).await?;
    let stage = Stage::set(cluster, "demo").await?;
    let settle = Team::settle(&stage, &system);
    let team = progress.step("Set a team up: repository, workspace, pipeline, webhook", settle).await?;
    let story = Story { team, progress: progress.clone(), aloud: true };
    let told = Box::pin(story.play()).await;
    if told.is_err() {
        return Err(told.err().context("no error")?.context(stage.picture().await));
    }
    Ok(stage.namespace)
}

fn next_steps(namespace: &str, local: bool) -> String {
    let kubectl = if local { "cargo e2e kubectl" } else { "kubectl" };
    let down = if local {
        "\n  cargo e2e down                                            # take everything down again"
    } else {
        ""
    };
    format!(
        "\nEverything stays up. Try next:\n\
         \x20 {kubectl} get dbrel -n {namespace}                     # every release of the story\n\
         \x20 {kubectl} get dbrel -n {namespace} -o wide             # with branch, result and message\n\
         \x20 {kubectl} describe dbrel -n {namespace}                # conditions, phases, events\n\
         \x20 {kubectl} get dbws,dbpipe -n {namespace}               # the workspace and the pipeline\n\
         \x20 {kubectl} get pods -n {namespace}                      # build pods and the workspace emulator{down}"
    )
}
