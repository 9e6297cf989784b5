//! What a pipeline may say of what starts its releases.

use brickline_tests::Table;
use serde_json::{Value, json};

use crate::{pipeline::OBJECT, plan::GLOBS};

/// What is said of branches that are none.
pub const BRANCHES: &str = "branches are names or globs such as release, release/* or release-[0-9], without refs/heads/, spaces, '..' \
                        or any of ~ ^ : \\; each [ and { needs its end";
const PROVIDER: &str =
    "trigger.webhook needs repository.provider, such as gitea or github: it says how deliveries prove themselves";
const HTTPS: &str = "trigger.poll and trigger.schedules need a repository.url with https://: the controller asks it for the \
                     newest commit";
const ITSELF: &str = "trigger.artifacts names other pipelines: this one's own releases would start it for ever";
const TARGET: &str = "pullRequests.target is an absolute folder below /Shared, /Workspace, /Users or /Repos, without trailing \
                      slash, '..' or '$'";
const OWN_WORKSPACE: &str = "trigger.pullRequests.workspaceRef is a workspace of its own, and none of a stage: what nobody has \
                             merged stays away from what is released";
const TOLD: &str = "trigger.pullRequests needs trigger.webhook: only the forge tells of pull requests";
const INTERVAL: &str = "poll.interval is at least 30s";
/// What is said of a schedule that is none.
pub const CRON: &str = "cron is five fields such as '0 3 * * 1-5' (minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or \
                        JAN-DEC, day of the week 0-7 or SUN-SAT), or @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually";
const ZONE: &str = "timeZone is a name of the IANA time zone database, such as Europe/Lisbon or UTC";
const BRANCH: &str = "branch is the name of one branch such as release, without refs/heads/, spaces or patterns";

/// Examples of `spec.trigger`.
pub fn examples(table: &mut Table) {
    branches(table);
    forges(table);
    polls(table);
    schedules(table);
    artifacts(table);
    pull_requests(table);
    paths(table);
}

fn branches(table: &mut Table) {
    let many = |count: u32| (0..count).map(|number| format!("b{number}")).collect::<Vec<_>>();
    let good = [
        json!(["release"]),
        json!(["release", "release/*"]),
        json!(["**", "v[0-9]", "[!a]", "{main,release/{a,[bc]}}"]),
        json!(many(50)),
    ];
    let bad = [
        "refs/heads/release",
        "/release",
        "a..b",
        "my branch",
        "a\tb",
        "a~b",
        "a^b",
        "^a",
        "a:b",
        "a\\b",
        "[release",
        "{a,b",
        "a}",
        "{a,[b}",
    ];
    table
        .field("spec.trigger.branches")
        .takes(good)
        .refuses(BRANCHES, bad.map(|branch| json!(["release", branch])))
        .refuses("Duplicate value", [json!(["release", "release"])])
        .refuses("should have at least 1 items", [json!([])])
        .refuses("must have at most 50 items", [json!(many(51))])
        .refuses("should be at least 1 chars long", [json!([""])])
        .refuses("must be of type array", [json!("release")]);
}

/// A webhook is known by its forge, so these vary the whole spec.
fn forges(table: &mut Table) {
    let spec = |provider: &str| {
        json!({
            "repository": {"url": "https://git.example.com/data/dbxdemo.git", "provider": provider},
            "trigger": {"webhook": {"secretRef": {"name": "hook"}}},
        })
    };
    let unsaid = json!({"repository": {"url": "https://git.example.com/a"}, "trigger": spec("gitea")["trigger"]});
    table.field("spec").takes(["gitea", "github"].map(spec)).refuses(PROVIDER, [spec("generic"), unsaid]);
    table
        .field("spec.trigger.webhook")
        .refuses("Required value", [json!({})])
        .refuses(OBJECT, [json!({"secretRef": {"name": "Hook"}})]);
}

fn polls(table: &mut Table) {
    table
        .field("spec.trigger.poll")
        .takes([json!({}), json!({"interval": "30s"}), json!({"interval": "24h"})])
        .refuses(INTERVAL, [json!({"interval": "29s"})])
        .refuses("write a duration such as 90s", [json!({"interval": "1d"})]);
    let spec = |url: &str, trigger: &Value| json!({"repository": {"url": url}, "trigger": trigger});
    let (poll, schedule) = (json!({"poll": {}}), json!({"schedules": [{"cron": "@daily"}]}));
    let (https, http) = ("https://git.example.com/data/dbxdemo.git", "http://forge.lab.svc:3000/data/dbxdemo.git");
    let (ssh, short) = ("ssh://git@git.example.com/data/dbxdemo.git", "git@git.example.com:data/dbxdemo.git");
    table
        .field("spec")
        .takes([spec(https, &poll), spec(http, &schedule), spec(ssh, &json!({}))])
        .refuses(HTTPS, [spec(ssh, &poll), spec(short, &poll), spec(ssh, &schedule)]);
}

fn schedules(table: &mut Table) {
    let cron = |cron: &str| json!([{"cron": cron}]);
    let zone = |zone: &str| json!([{"cron": "@daily", "timeZone": zone}]);
    let branch = |branch: &str| json!([{"cron": "@daily", "branch": branch}]);
    let bad = [
        "0 3 * *",
        "0 0 3 * * 1-5",
        "tomorrow",
        "@every 1h",
        "TZ=UTC 0 3 * * *",
        "0 3 L * *",
        "0 3- * * *",
        "60 3 * * *",
        "0 24 * * *",
        "0 3 0 * *",
        "0 3 32 * *",
        "0 3 * 13 *",
        "0 3 * * 8",
        "0 3 * FOO *",
        "*/0 * * * *",
    ];
    table
        .field("spec.trigger.schedules")
        .takes([json!([]), json!([{"cron": "@daily", "suspend": true}]), json!(vec![json!({"cron": "@daily"}); 8])])
        .takes(["0 3 * * 1-5", "*/15 * * * *", "0 8-18/2 1,15 JAN-MAR Mon-Fri", "@midnight", "@yearly"].map(cron))
        .takes(["UTC", "Europe/Lisbon", "America/Argentina/Buenos_Aires", "Etc/GMT+5"].map(zone))
        .takes(["release", "release/1.2"].map(branch))
        .refuses(CRON, bad.map(cron))
        .refuses(ZONE, ["Local", "+02:00", "Europe/", "../UTC"].map(zone))
        .refuses(BRANCH, ["release/*", "refs/heads/release", "a..b", "a b"].map(branch))
        .refuses("Required value", [json!([{}])])
        .refuses("must have at most 8 items", [json!(vec![json!({"cron": "@daily"}); 9])]);
}

fn artifacts(table: &mut Table) {
    let from = |pipeline: &str| json!([{"pipeline": pipeline}]);
    let many = |count: u32| (0..count).map(|number| json!({"pipeline": format!("p{number}")})).collect::<Vec<_>>();
    table
        .field("spec.trigger.artifacts")
        .takes([json!([]), from("libs"), json!([{"pipeline": "libs", "branches": ["release/*"]}]), json!(many(8))])
        .refuses(ITSELF, [from("example")])
        .refuses(OBJECT, ["Libs", "data/libs"].map(from))
        .refuses(BRANCHES, [json!([{"pipeline": "libs", "branches": ["refs/heads/a"]}])])
        .refuses("Duplicate value", [json!([{"pipeline": "libs"}, {"pipeline": "libs"}])])
        .refuses("must have at most 8 items", [json!(many(9))]);
}

fn pull_requests(table: &mut Table) {
    let target = |target: &str| json!({"target": target});
    table
        .field("spec.trigger.pullRequests")
        .takes([json!({}), json!({"workspaceRef": {"name": "sandbox"}, "forks": "Never"})])
        .takes(["/Shared/.pull-requests", "/Users/ana@example.com/pulls", "/Workspace/Shared/a"].map(target))
        .refuses(TARGET, ["/Shared", "/Volumes/a/b/c", "/Shared/a/", "/Shared/../a", "/Shared/$(params.a)"].map(target))
        .refuses("may not be more than 200", [target(&format!("/Shared/{}", "a".repeat(200)))])
        .refuses("supported values: \"Never\"", [json!({"forks": "Always"})])
        .refuses(OWN_WORKSPACE, [json!({"workspaceRef": {"name": "staging"}})])
        .refuses(OBJECT, [json!({"workspaceRef": {"name": "Sandbox"}})]);
    let spec = |trigger: &Value| {
        let repository = json!({"url": "https://git.example.com/a", "provider": "gitea"});
        json!({"repository": repository, "trigger": trigger})
    };
    let (webhook, enabled) = (json!({"secretRef": {"name": "hook"}}), json!({"enabled": true}));
    table
        .field("spec")
        .takes([spec(&json!({"webhook": webhook, "pullRequests": enabled}))])
        .refuses(TOLD, [spec(&json!({"poll": {}, "pullRequests": enabled}))]);
}

fn paths(table: &mut Table) {
    for list in ["include", "exclude"] {
        table
            .field(format!("spec.trigger.paths.{list}"))
            .takes([json!([]), json!(["libraries/**", "**/*.md"])])
            .refuses(GLOBS, ["/libraries", "../x"].map(|path| json!([path])))
            .refuses("must have at most 50 items", [json!(vec!["a"; 51])]);
    }
    table.field("spec.trigger.mergesOnly").takes([json!(true)]).refuses("must be of type boolean", [json!("yes")]);
}
