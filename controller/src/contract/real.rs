//! A workspace behind HTTP, by the controller's own client and the phases' own calls. What it puts there goes into a
//! folder that nobody else has; all else that a case begins is ended by the case.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::Duration;

use brickline_crds::DatabricksWorkspace;
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::databricks::{Counts, Databricks, Duty};
use crate::artifact::samples::Shop;
use crate::databricks::clusters::ActiveRun;
use crate::databricks::compute::Place;
use crate::databricks::libraries::Library;
use crate::databricks::runs::Submit;
use crate::databricks::tasks::{NotebookTask, Origin, Task, Work};
use crate::databricks::workspace::{Format, Language};
use crate::databricks::{Auth, Client, ClientConfig, HttpConfig, Limits, Timings, Unobserved, Upload, connect};
use crate::phase::deploy;
use crate::phase::install::{Call, Cluster, real as install};
use crate::phase::operate::{Changes, Found, Operated, Wanted, real as operate};
use crate::phase::test::{Sight, real as test};
use crate::trouble::Trouble;
use crate::workspace::Connection;

/// Below it everything is put.
const ROOT: &str = "/Shared/brickline-contract";
/// Longer than any case.
const ENDLESS: &str = "import time\ntime.sleep(3600)\n";
const QUICK: &str = "print(1)\n";
const WHEEL: &str = "brickline_contract-0.1-py3-none-any.whl";

/// Where a workspace is.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) token: String,
    pub(super) cluster: String,
    /// How long a moment is.
    pub(super) moment: Duration,
}

/// One workspace, and a folder in it.
pub(super) struct Real {
    address: Address,
    client: Client,
    http: reqwest::Client,
    folder: String,
    jobs: operate::Jobs,
    site: deploy::real::Site,
}

impl Real {
    pub(super) async fn new(address: Address) -> Result<Self, Trouble> {
        let auth = Auth::Token(address.token.as_str().into());
        let http = connect(&HttpConfig::default()).unwrap();
        let config = ClientConfig {
            host: address.host.parse().unwrap(),
            auth,
            http: http.clone(),
            timings: Timings::default(),
            limits: Limits::default(),
            observer: Arc::new(Unobserved),
        };
        let client = Client::new(config)?;
        let name = format!("{:016x}", rand::random::<u64>());
        let folder = format!("{ROOT}/{name}");
        let jobs = operate::Jobs::of(&name, task(&folder, Duty::Quick, &address.cluster));
        let site = deploy::real::Site { shop: Shop::new(), folder: format!("{folder}/deployed"), pipeline: name };
        let real = Self { address, client, http, folder, jobs, site };
        for (duty, text) in [(Duty::Quick, QUICK), (Duty::Endless, ENDLESS)] {
            real.import(&notebook(&real.folder, duty), text).await?;
        }
        Ok(real)
    }

    /// Takes away what was put there.
    pub(super) async fn clear(&self) -> Result<(), Trouble> {
        Ok(self.client.delete_object(&self.folder, true).await?)
    }

    async fn import(&self, path: &str, text: &str) -> Result<(), Trouble> {
        let upload = Upload::of(text.to_owned());
        Ok(self.client.import(path, Format::Source, Some(Language::Python), &upload).await?)
    }

    fn deployed(&self, name: &str) -> String {
        format!("{}/{name}", self.site.folder)
    }

    fn connection(&self) -> Connection {
        let spec = json!({
            "host": self.address.host,
            "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
        });
        let workspace = DatabricksWorkspace::new("contract", serde_json::from_value(spec).unwrap());
        Connection { workspace: Arc::new(workspace), client: self.client.clone() }
    }
}

fn notebook(folder: &str, duty: Duty) -> String {
    format!("{folder}/{duty:?}.py").to_lowercase()
}

fn task(folder: &str, duty: Duty, cluster: &str) -> Task {
    let notebook_path = notebook(folder, duty);
    let work = NotebookTask { notebook_path, source: Origin::Workspace, base_parameters: [].into() };
    Task::new("contract", Work::NotebookTask(work), 0).at(&Place::Existing(cluster.to_owned()))
}

/// A wheel with one module.
fn wheel() -> Vec<u8> {
    let info = "brickline_contract-0.1.dist-info";
    let [metadata, tags, record] = ["METADATA", "WHEEL", "RECORD"].map(|name| format!("{info}/{name}"));
    let files = [
        ("brickline_contract.py", "ANSWER = 42\n".to_owned()),
        (&metadata, "Metadata-Version: 2.1\nName: brickline-contract\nVersion: 0.1\n".to_owned()),
        (&tags, "Wheel-Version: 1.0\nGenerator: contract\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        (&record, format!("brickline_contract.py,,\n{metadata},,\n{tags},,\n{record},,\n")),
    ];
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

impl Databricks for Real {
    async fn pause(&self) {
        tokio::time::sleep(self.address.moment).await;
    }

    async fn submit(&self, token: &str, duty: Duty) -> Result<i64, Trouble> {
        let submit = Submit {
            run_name: "brickline-contract".to_owned(),
            idempotency_token: token.to_owned(),
            tasks: vec![task(&self.folder, duty, &self.address.cluster)],
            ..Submit::default()
        };
        test::submit(&self.client, &submit).await
    }

    async fn sights(&self, runs: &[i64]) -> Result<Vec<Sight>, Trouble> {
        test::sights(&self.client, runs).await
    }

    async fn under_way(&self) -> Result<Vec<ActiveRun>, Trouble> {
        Ok(self.client.active_runs().await?)
    }

    async fn cancel(&self, run: i64) -> Result<(), Trouble> {
        test::cancel(&self.client, run).await
    }

    /// The controller deletes no runs: its client has no such call.
    async fn delete(&self, run: i64) -> bool {
        let url = format!("{}/api/2.2/jobs/runs/delete", self.address.host.trim_end_matches('/'));
        let request = self.http.post(url).bearer_auth(&self.address.token).json(&json!({"run_id": run}));
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }

    async fn cluster(&self) -> Result<Cluster, Trouble> {
        install::look(&self.client, &self.address.cluster).await
    }

    async fn call(&self, call: &Call) -> Result<(), Trouble> {
        install::carry_out(&self.client, call).await
    }

    async fn wheel(&self, is_there: bool) -> Result<Library, Trouble> {
        // One place for all cases: two wheels of one distribution would be in each other's way on the cluster.
        let location = format!("/Workspace{ROOT}/wheels/{WHEEL}");
        if is_there {
            self.client.upload(&location, &Upload::of(wheel())).await?;
        } else {
            self.client.remove(&location).await?;
        }
        Ok(Library::Whl(location))
    }

    fn wanted(&self, name: &str) -> Wanted {
        self.jobs.wanted(name)
    }

    async fn jobs(&self) -> Result<Vec<Found>, Trouble> {
        self.jobs.found(&self.client).await
    }

    async fn change(&self, changes: &Changes) -> Result<Vec<Operated>, Trouble> {
        self.jobs.change(&self.client, changes).await
    }

    async fn put_job(&self, name: &str, ours: bool) -> Result<i64, Trouble> {
        self.jobs.put(&self.client, name, ours).await
    }

    async fn deploy(&self, uid: &str, notebooks: &[(&str, &str)], tries: u32) -> Result<Counts, Trouble> {
        let changes = self.site.deploy(self.connection(), uid, notebooks, tries).await?;
        Ok((changes.added, changes.changed, changes.removed))
    }

    async fn notebooks(&self) -> Result<Vec<String>, Trouble> {
        let listed = self.client.list_folder(&self.site.folder).await?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> = listed.iter().map(|object| name(&object.path)).collect();
        names.sort();
        Ok(names)
    }

    async fn says(&self, notebook: &str, text: &str) -> Result<bool, Trouble> {
        let source = self.client.export_notebook(&self.deployed(notebook), Format::Source).await?;
        Ok(String::from_utf8_lossy(&source).trim_end().ends_with(text))
    }

    async fn edit(&self, notebook: &str, text: Option<&str>) -> Result<(), Trouble> {
        let path = self.deployed(notebook);
        match text {
            Some(text) => self.import(&path, text).await,
            None => Ok(self.client.delete_object(&path, false).await?),
        }
    }
}
