//! Installing: one task for each generation brings the cluster's libraries into its environment, one after another.

use crate::{
    driver::{Generation, environment::Request},
    state::{Cluster, Library, LibraryStatus, library::Step, lock},
    workspace::Workspace,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Works through the list whenever it changes, until the generation ends.
pub(crate) async fn tend(workspace: Arc<Workspace>, cluster: Arc<Cluster>, generation: Arc<Generation>) {
    let gone = generation.gone().clone();
    let mut bell = cluster.listen();
    let work = async {
        loop {
            while advance(&workspace, &cluster, &generation).await {}
            if bell.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = gone.cancelled() => {}
        () = work => {}
    }
}

/// Takes one step. False if there is nothing to do.
async fn advance(workspace: &Workspace, cluster: &Cluster, generation: &Generation) -> bool {
    let present = present(generation);
    // Looking first keeps an idle list from ringing its own bell.
    let Some(step) = cluster.read(|record| record.libraries.next(&present)) else { return false };
    match step {
        Step::Settle(place, reason) => cluster.change(|record| {
            let known = &mut record.libraries.0[place];
            known.status = LibraryStatus::Installed;
            known.messages = vec![reason.to_owned()];
        }),
        Step::Install(place) => {
            let (library, dbfs_is_off) = cluster.change(|record| {
                record.libraries.0[place].status = LibraryStatus::Installing;
                (record.libraries.0[place].library.clone(), record.refuses_dbfs())
            });
            let delay = lock(&workspace.work.delays).install_ms;
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let result = install(workspace, generation, &library, dbfs_is_off).await;
            settle(cluster, &library, result);
        }
    }
    true
}

fn present(generation: &Generation) -> BTreeSet<String> {
    generation.environment().distributions().unwrap_or_else(|error| {
        tracing::error!(%error, "the environment can't be read");
        BTreeSet::new()
    })
}

/// Notes the end of an installation, unless the library was marked for removal meanwhile.
fn settle(cluster: &Cluster, library: &Library, result: Result<(), String>) {
    cluster.change(|record| {
        let mut list = record.libraries.0.iter_mut();
        let Some(known) = list.find(|known| known.library == *library) else { return };
        if known.status != LibraryStatus::Installing {
            return;
        }
        match result {
            Ok(()) => known.status = LibraryStatus::Installed,
            Err(message) => {
                tracing::info!(library = library.label(), message, "a library could not be installed");
                known.status = LibraryStatus::Failed;
                known.messages = vec![message];
            }
        }
    });
}

async fn install(
    workspace: &Workspace,
    generation: &Generation,
    library: &Library,
    dbfs_is_off: bool,
) -> Result<(), String> {
    let file = match library {
        Library::Whl(path) | Library::Requirements(path) => {
            refuse_dbfs(path, dbfs_is_off)?;
            Some(workspace.locate(path).map_err(|refusal| refusal.to_string())?)
        }
        _ => None,
    };
    let mut translated = None;
    let file = match (library, file) {
        (Library::Requirements(_), Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
            Some(translated.insert(requirements(workspace, &text)?).path().to_owned())
        }
        (_, file) => file,
    };
    let request = Request::for_library(library, file)
        .ok_or("This emulator installs Python libraries only (whl, pypi, requirements).")?;
    let failure = "Library installation attempted on the driver node failed. pip said:";
    generation.environment().install(request).await.map_err(|complaint| format!("{failure} {complaint}"))
}

fn refuse_dbfs(path: &str, dbfs_is_off: bool) -> Result<(), String> {
    if dbfs_is_off && path.starts_with("dbfs:/") && !path.starts_with("dbfs:/Volumes/") {
        return Err("Libraries in the DBFS root are not supported by this runtime (15.1 or newer). \
                    Use workspace files or volumes."
            .to_owned());
    }
    Ok(())
}

/// Requirements may name wheels and other requirements by their workspace paths; pip needs the local ones.
pub(crate) fn requirements(workspace: &Workspace, text: &str) -> Result<tempfile::NamedTempFile, String> {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        let (option, path) = line.strip_prefix("-r ").map_or(("", line), |path| ("-r ", path.trim()));
        workspace.locate(path).map_or_else(|_| line.to_owned(), |local| format!("{option}{}", local.display()))
    });
    let translated = lines.collect::<Vec<_>>().join("\n");
    let copy = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(copy.path(), translated).map_err(|error| error.to_string())?;
    Ok(copy)
}
