//! Settings: Prometheus' configuration, with a short pace since somebody waits for the answer.

use std::{net::SocketAddr, path::Path};

use serde_json::json;

/// The configuration, as JSON, which is YAML as well.
pub(super) fn render(target: SocketAddr, rules: &Path) -> String {
    let settings = json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
        "rule_files": [rules],
        "scrape_configs": [{
            "job_name": "brickline",
            // `namespace` and `pipeline` are the release's.
            "honor_labels": true,
            "static_configs": [{ "targets": [target.to_string()] }],
        }],
    });
    settings.to_string()
}
