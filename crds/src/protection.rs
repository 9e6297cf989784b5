//! What a workspace asks of every release to it, however that was made.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoEnumIterator};

use crate::{GoDuration, pattern};

/// Who may release to the workspace, from where, where to, and when. Holds for every release, however it was made.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Protection {
    /// Pipelines whose releases are taken, as `namespace/name`; `*` is any part of one of the two. Empty: those of this
    /// namespace. Example: `["data/dbxdemo", "data/team-*"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 3, max = 127)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
        "rule": "self.all(p, p.matches('^[a-z0-9*]([a-z0-9*.-]*[a-z0-9*])?/[a-z0-9*]([a-z0-9*.-]*[a-z0-9*])?$'))",
        "message": "allowedPipelines are namespace/name, such as data/dbxdemo, data/team-* or */dbxdemo",
    }]))]
    pub allowed_pipelines: Vec<String>,
    /// Namespaces whose releases are taken. Empty: this one alone. Releases name workspaces of their own namespace, so a list
    /// without this one closes the workspace; another team's namespace gets a workspace object, and rules, of its own.
    /// Example: `["data"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
        "rule": "self.all(n, n.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'))",
        "message": "allowedNamespaces are whole names of namespaces, such as data",
    }]))]
    pub allowed_namespaces: Vec<String>,
    /// Branches whose commits are taken, as names or globs, in which `*` stops at a slash and `**` doesn't. Empty: every
    /// branch and tag; otherwise no tag. Example: `["release", "release/*"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 255)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
        "rule": pattern::BRANCHES,
        "message": pattern::BRANCHES_MESSAGE,
    }]))]
    pub allowed_branches: Vec<String>,
    /// Whether releases of `source.artifact` are taken although `allowedBranches` names some: what such an artifact says of
    /// its own branch is believed by nobody. Default: false.
    pub allow_artifact_urls: bool,
    /// Folders that releases may write to, with all that is below them; `/Shared` and `/Workspace/Shared` are the same.
    /// Empty: everywhere. Example: `["/Shared/dbxdemo", "/Volumes/main/release"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 2, max = 512)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
        "rule": "self.all(p, p.matches('^(/(Shared|Workspace|Users|Repos|Volumes)|dbfs:)(/[^/]+)*$') && !p.matches('/[.][.]?(/|$)'))",
        "message": "allowedPaths are absolute folders below /Shared, /Workspace, /Users, /Repos, /Volumes or dbfs:, without trailing slash or '..'",
    }]))]
    pub allowed_paths: Vec<String>,
    /// Whether releases that a person made (by hand, as a retry or as a rollback) are taken too, and not only those that
    /// pipelines make by themselves. Default: true.
    pub allow_manual: bool,
    /// Approvals that a release waits for between Build and Deploy. None: it doesn't wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// When Deploy may begin; a release waits for the next window, and one that has begun goes on after its end. None:
    /// always. Example: `[{days: [Mon, Tue, Wed, Thu], from: "08:00", to: "16:00", timeZone: Europe/Lisbon}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub windows: Vec<Window>,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            allowed_pipelines: Vec::new(),
            allowed_namespaces: Vec::new(),
            allowed_branches: Vec::new(),
            allow_artifact_urls: false,
            allowed_paths: Vec::new(),
            allow_manual: true,
            approvals: None,
            windows: Vec::new(),
        }
    }
}

/// How many people must approve a release, and how long it waits for them.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Approvals {
    /// How many different people must approve. The first rejection ends the release. Default: 1.
    #[schemars(range(min = 1, max = 10))]
    pub required: u32,
    /// How long a release waits for them before it ends `TimedOut`. Default: `72h`.
    pub timeout: GoDuration,
    /// Whether the approvals of those who asked for the release, or for one that led to it (`requestedBy` and `requestedFor`),
    /// don't count. Their rejection always does. Default: true.
    pub not_requester: bool,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { required: 1, timeout: GoDuration::from_secs(72 * 3600), not_requester: true }
    }
}

/// A time of the week. A window that begins late and ends early (`22:00` to `04:00`) goes on into the next day.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from != self.to").message("from and to are the same: a whole day is from 00:00 to 24:00"))]
pub struct Window {
    /// The days on which it begins. Default: every day. Example: `[Mon, Tue, Wed, Thu]`.
    #[serde(default = "every_day")]
    #[schemars(length(min = 1, max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub days: Vec<Day>,
    /// When it begins, in hours and minutes of the time zone. Example: `"08:00"`.
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("from is a time of day in quotes, from \"00:00\" to \"23:59\""))]
    pub from: String,
    /// When it ends: that minute is outside. Before `from`: on the next day. Example: `"16:00"`.
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$')").message("to is a time of day in quotes, from \"00:00\" to \"24:00\""))]
    pub to: String,
    /// A name of the IANA time zone database. Default: `UTC`. Example: `Europe/Lisbon`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(pattern::ZONE).message(pattern::ZONE_MESSAGE))]
    pub time_zone: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Display, EnumIter)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

fn every_day() -> Vec<Day> {
    Day::iter().collect()
}

fn utc() -> String {
    "UTC".to_owned()
}
