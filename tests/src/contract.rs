//! What the controller takes for granted of an API server, as cases that any of them can be shown: a real one, and
//! those in memory that the controller's simulator and the tests of its locks write to. All of them run this very file.

use serde_json::{Value, json};

/// An object as it then is, or the HTTP status of the refusal.
pub type Answered = Result<Value, u16>;

/// An API server that holds releases.
pub trait ApiServer {
    /// Creates a release of this name.
    fn create(&self, name: &str) -> impl Future<Output = Answered>;
    /// Reads it, past every cache.
    fn get(&self, name: &str) -> impl Future<Output = Answered>;
    /// Applies its status by force, always as the same writer; with the version it was decided on, or without one.
    fn apply_status(&self, name: &str, version: Option<&str>, status: &Value) -> impl Future<Output = Answered>;
    /// Changes other fields of it by a merge patch.
    fn merge(&self, name: &str, change: &Value) -> impl Future<Output = Answered>;
    /// Deletes it.
    fn delete(&self, name: &str) -> impl Future<Output = Answered>;
    /// The first `count` states that a watch from this version tells of it.
    fn watch(&self, name: &str, since: &str, count: usize) -> impl Future<Output = Result<Vec<Value>, u16>>;
}

/// Objects that are made once by their names: Jobs, and the Leases that are locks.
pub trait Named {
    /// Creates one.
    fn create(&self, name: &str) -> impl Future<Output = Answered>;
    /// Reads it.
    fn get(&self, name: &str) -> impl Future<Output = Answered>;
    /// Deletes it, whatever became of it since.
    fn delete(&self, name: &str) -> impl Future<Output = Answered>;
}

/// Leases that change hands.
pub trait Leases: Named {
    /// Puts the Lease of this holder in the place of the one that was read, over its uid and version.
    fn replace(&self, read: &Value, holder: &str) -> impl Future<Output = Answered>;
    /// Deletes the Lease that was read, in that version only.
    fn delete_read(&self, read: &Value) -> impl Future<Output = Answered>;
}

/// The cases of releases by name; each needs an object of its own.
pub const CASES: [&str; 10] = [
    "conflict on stale resourceVersion",
    "a forced apply without version wins",
    "a watch that lags",
    "status writes do not change the generation",
    "an equal status makes no new version",
    "what a writer leaves out is gone",
    "a label makes a new version",
    "a name is taken once",
    "what is gone is not found",
    "a finalizer keeps what is deleted",
];

/// The cases of objects that are made once by their names.
pub const NAMED: [&str; 2] = ["a name is taken once, and free again", "what is gone can't be deleted"];

/// The cases of Leases.
pub const LEASES: [&str; 3] = [
    "a Lease is replaced only over the version that was read",
    "a Lease that was deleted meanwhile is not made again by a replacement",
    "a Lease is deleted only in the version that was read",
];

/// Shows one case to an API server. `name` is the object's.
///
/// # Errors
/// What was answered otherwise than the controller takes for granted, in words.
pub async fn check(case: &str, name: &str, server: &impl ApiServer) -> Result<(), String> {
    match case {
        "conflict on stale resourceVersion" => stale(name, server).await,
        "a forced apply without version wins" => forced(name, server).await,
        "a watch that lags" => lagging(name, server).await,
        "status writes do not change the generation" => generations(name, server).await,
        "an equal status makes no new version" => equal(name, server).await,
        "what a writer leaves out is gone" => left_out(name, server).await,
        "a label makes a new version" => labelled(name, server).await,
        "a name is taken once" => taken(name, server).await,
        "what is gone is not found" => gone(name, server).await,
        "a finalizer keeps what is deleted" => kept(name, server).await,
        other => Err(format!("there is no case {other}")),
    }
}

/// Shows one of [`NAMED`] to an API server.
///
/// # Errors
/// As [`check`].
pub async fn check_named(case: &str, name: &str, server: &impl Named) -> Result<(), String> {
    match case {
        "a name is taken once, and free again" => once(name, server).await,
        "what is gone can't be deleted" => deleted_twice(name, server).await,
        other => Err(format!("there is no case {other}")),
    }
}

/// Shows one of [`LEASES`] to an API server.
///
/// # Errors
/// As [`check`].
pub async fn check_lease(case: &str, name: &str, server: &impl Leases) -> Result<(), String> {
    match case {
        "a Lease is replaced only over the version that was read" => replaced(name, server).await,
        "a Lease that was deleted meanwhile is not made again by a replacement" => not_made_again(name, server).await,
        "a Lease is deleted only in the version that was read" => deleted_as_read(name, server).await,
        other => Err(format!("there is no case {other}")),
    }
}

async fn once(name: &str, server: &impl Named) -> Result<(), String> {
    let first = granted("create", server.create(name).await)?;
    refused("the same name", 409, server.create(name).await)?;
    let stored = granted("get", server.get(name).await)?;
    same("uid", &stored["metadata"]["uid"], &first["metadata"]["uid"])?;
    granted("delete", server.delete(name).await)?;
    let second = granted("create anew", server.create(name).await)?;
    differs("uid", &second["metadata"]["uid"], &first["metadata"]["uid"])
}

async fn deleted_twice(name: &str, server: &impl Named) -> Result<(), String> {
    refused("delete", 404, server.delete(name).await)?;
    granted("create", server.create(name).await)?;
    granted("delete", server.delete(name).await)?;
    refused("get", 404, server.get(name).await)?;
    refused("delete", 404, server.delete(name).await)
}

async fn replaced(name: &str, server: &impl Leases) -> Result<(), String> {
    let read = granted("create", server.create(name).await)?;
    let taken = granted("take over", server.replace(&read, "two").await)?;
    same("uid", &taken["metadata"]["uid"], &read["metadata"]["uid"])?;
    differs("version", &json!(version(&taken)), &json!(version(&read)))?;
    refused("take over what has another holder", 409, server.replace(&read, "three").await)?;
    same("holder", &granted("get", server.get(name).await)?["spec"]["holderIdentity"], &json!("two"))
}

/// The API server makes Leases that are put where none is, but not those that name an object that is gone.
async fn not_made_again(name: &str, server: &impl Leases) -> Result<(), String> {
    let read = granted("create", server.create(name).await)?;
    granted("delete", server.delete(name).await)?;
    let late = server.replace(&read, "two").await;
    if !matches!(late, Err(404 | 409)) {
        return Err(format!("take over what is gone: {late:?}"));
    }
    let anew = granted("create anew", server.create(name).await)?;
    refused("take over the old one", 409, server.replace(&read, "two").await)?;
    same("version", &json!(version(&granted("get", server.get(name).await)?)), &json!(version(&anew)))
}

async fn deleted_as_read(name: &str, server: &impl Leases) -> Result<(), String> {
    let read = granted("create", server.create(name).await)?;
    let taken = granted("take over", server.replace(&read, "two").await)?;
    refused("delete what has another holder", 409, server.delete_read(&read).await)?;
    granted("delete", server.delete_read(&taken).await)?;
    refused("delete it again", 404, server.delete_read(&taken).await)
}

async fn stale(name: &str, server: &impl ApiServer) -> Result<(), String> {
    let read = granted("create", server.create(name).await)?;
    granted("a write", server.apply_status(name, Some(version(&read)), &status("Running")).await)?;
    refused("a stale write", 409, server.apply_status(name, Some(version(&read)), &status("Pending")).await)?;
    same("state", &granted("get", server.get(name).await)?["status"]["state"], &json!("Running"))
}

async fn forced(name: &str, server: &impl ApiServer) -> Result<(), String> {
    granted("create", server.create(name).await)?;
    let newer = json!({"state": "Running", "run": "20261121.1"});
    granted("a write", server.apply_status(name, None, &newer).await)?;
    granted("a late write", server.apply_status(name, None, &status("Pending")).await)?;
    let stored = granted("get", server.get(name).await)?;
    same("state", &stored["status"]["state"], &json!("Pending"))?;
    differs("run", &stored["status"]["run"], &json!("20261121.1"))
}

/// A reader that follows a watch sees every version in its order, and is behind until it has read the last one.
async fn lagging(name: &str, server: &impl ApiServer) -> Result<(), String> {
    let mut last = granted("create", server.create(name).await)?;
    let since = version(&last).to_owned();
    let mut written = Vec::new();
    for state in ["Running", "Finishing", "Finished"] {
        last = granted("a write", server.apply_status(name, Some(version(&last)), &status(state)).await)?;
        written.push(version(&last).to_owned());
    }
    let told = server.watch(name, &since, 3).await.map_err(|code| format!("watch: refused with {code}"))?;
    let told: Vec<&str> = told.iter().map(version).collect();
    same("the versions told", &json!(told), &json!(written))?;
    let behind = server.watch(name, &since, 1).await.map_err(|code| format!("watch: refused with {code}"))?;
    let behind = behind.first().ok_or("the watch told nothing")?;
    same("the state behind", &behind["status"]["state"], &json!("Running"))?;
    refused("a write from behind", 409, server.apply_status(name, Some(version(behind)), &status("Pending")).await)
}

async fn generations(name: &str, server: &impl ApiServer) -> Result<(), String> {
    let created = granted("create", server.create(name).await)?;
    same("the first generation", &created["metadata"]["generation"], &json!(1))?;
    let written = granted("a write", server.apply_status(name, None, &status("Running")).await)?;
    same("generation", &written["metadata"]["generation"], &json!(1))?;
    let canceled = granted("cancel", server.merge(name, &json!({"spec": {"cancel": true}})).await)?;
    same("generation", &canceled["metadata"]["generation"], &json!(2))?;
    same("state", &canceled["status"]["state"], &json!("Running"))?;
    refused("a write from before", 409, server.apply_status(name, Some(version(&written)), &status("Pending")).await)
}

async fn equal(name: &str, server: &impl ApiServer) -> Result<(), String> {
    granted("create", server.create(name).await)?;
    let first = granted("a write", server.apply_status(name, None, &status("Running")).await)?;
    let again = granted("it again", server.apply_status(name, Some(version(&first)), &status("Running")).await)?;
    same("version", &json!(version(&again)), &json!(version(&first)))
}

async fn left_out(name: &str, server: &impl ApiServer) -> Result<(), String> {
    let created = granted("create", server.create(name).await)?;
    let both = json!({"state": "Running", "reported": "pending"});
    let written = granted("a write", server.apply_status(name, Some(version(&created)), &both).await)?;
    let next = granted("a write", server.apply_status(name, Some(version(&written)), &status("Running")).await)?;
    same("what was left out", &next["status"]["reported"], &Value::Null)
}

async fn labelled(name: &str, server: &impl ApiServer) -> Result<(), String> {
    let created = granted("create", server.create(name).await)?;
    let change = json!({"metadata": {"labels": {"brickline.dev/result": "failed"}}});
    let labelled = granted("label", server.merge(name, &change).await)?;
    differs("version", &json!(version(&labelled)), &json!(version(&created)))?;
    same("generation", &labelled["metadata"]["generation"], &json!(1))?;
    refused("a write from before", 409, server.apply_status(name, Some(version(&created)), &status("Running")).await)?;
    let next = granted("a write", server.apply_status(name, Some(version(&labelled)), &status("Running")).await)?;
    same("label", &next["metadata"]["labels"]["brickline.dev/result"], &json!("failed"))
}

async fn taken(name: &str, server: &impl ApiServer) -> Result<(), String> {
    let first = granted("create", server.create(name).await)?;
    refused("the same name", 409, server.create(name).await)?;
    granted("delete", server.delete(name).await)?;
    let second = granted("create anew", server.create(name).await)?;
    differs("uid", &second["metadata"]["uid"], &first["metadata"]["uid"])?;
    refused("a write to the old one", 409, server.apply_status(name, Some(version(&first)), &status("Running")).await)
}

async fn gone(name: &str, server: &impl ApiServer) -> Result<(), String> {
    refused("get", 404, server.get(name).await)?;
    granted("create", server.create(name).await)?;
    granted("delete", server.delete(name).await)?;
    refused("get", 404, server.get(name).await)?;
    refused("a write", 404, server.apply_status(name, None, &status("Running")).await)?;
    refused("delete", 404, server.delete(name).await)
}

async fn kept(name: &str, server: &impl ApiServer) -> Result<(), String> {
    granted("create", server.create(name).await)?;
    let ours = json!({"metadata": {"finalizers": ["finalizers.brickline.dev/it"]}});
    same("generation", &granted("adopt", server.merge(name, &ours).await)?["metadata"]["generation"], &json!(1))?;
    granted("delete", server.delete(name).await)?;
    let marked = granted("get", server.get(name).await)?;
    differs("deletionTimestamp", &marked["metadata"]["deletionTimestamp"], &Value::Null)?;
    same("generation", &marked["metadata"]["generation"], &json!(2))?;
    granted("a write", server.apply_status(name, Some(version(&marked)), &status("Finishing")).await)?;
    granted("let go", server.merge(name, &json!({"metadata": {"finalizers": []}})).await)?;
    refused("get", 404, server.get(name).await)
}

fn status(state: &str) -> Value {
    json!({"state": state})
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

fn granted(what: &str, answer: Answered) -> Result<Value, String> {
    answer.map_err(|code| format!("{what}: refused with {code}"))
}

fn refused(what: &str, code: u16, answer: Answered) -> Result<(), String> {
    match answer {
        Err(other) if other == code => Ok(()),
        Err(other) => Err(format!("{what}: refused with {other} instead of {code}")),
        Ok(object) => Err(format!("{what}: granted: {object}")),
    }
}

fn same(what: &str, got: &Value, wanted: &Value) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got} instead of {wanted}")) }
}

fn differs(what: &str, got: &Value, unwanted: &Value) -> Result<(), String> {
    if got == unwanted { Err(format!("{what}: still {got}")) } else { Ok(()) }
}
