//! The scenario `forge`: a merged pull request's signed webhook reaches a pod, and so does the same one sent again.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{api::LogParams, runtime::wait::await_condition};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::{Instant, sleep, timeout};

use super::Stage;
use crate::{
    cache::Cache,
    forge::{Change, Forge, Merged, Repository, Webhook},
    images::{self, Image},
    progress::Progress,
};

/// A web server that answers 202 to everything and prints each request as a line of JSON.
const RECEIVER: &str = r#"
import base64, http.server, json

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        print(json.dumps({"path": self.path, "headers": headers, "body": base64.b64encode(body).decode()}), flush=True)
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", 8080), Receiver).serve_forever()
"#;
/// Where the controller's receiver will listen for this pipeline.
const PATH: &str = "/hooks/data/dbxdemo";
const POD_PATIENCE: Duration = Duration::from_mins(3);
const WEBHOOK_PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(200);

/// A request as the receiver printed it.
#[derive(Debug, Deserialize)]
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Tells it.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    let (cache, progress) = (Cache::open()?, Progress::default());
    let built = images::build(&cache, &progress, &[Image::Build]).await?;
    images::load(&stage.cluster, &progress, &built).await?;
    let image = built.first().context("no image")?.reference();
    let forge = Forge::up(&cache, &progress, stage.cluster.gateway_ip()).await?;

    let receiver = receive(&stage, &image).await.context("receiver")?;
    let secret = SecretString::from(HEXLOWER.encode(&rand::random::<[u8; 20]>()));
    let repository = forge.repository(&stage.namespace).await?;
    let webhook = repository.add_webhook(&format!("http://{receiver}:8080{PATH}"), &secret).await?;
    let merged = repository.merge(&Change::Behaviour).await?;

    let first = wait_for_push(&stage, &merged, None).await?;
    ensure!(first.path == PATH, "the webhook came to {}", first.path);
    verify(&first, &secret)?;
    ensure!(verify(&first, &"another secret".into()).is_err(), "any secret verifies the signature");
    send_again(&stage, &repository, webhook, &merged, &first).await
}

/// Sends the webhook once more, and expects the same bytes under another id.
async fn send_again(
    stage: &Stage,
    repository: &Repository,
    webhook: Webhook,
    merged: &Merged,
    first: &Request,
) -> anyhow::Result<()> {
    let id = first.header("x-gitea-delivery")?;
    let deliveries = repository.deliveries(webhook).await?;
    let delivery =
        deliveries.iter().find(|delivery| delivery.id == id).context("the forge doesn't list the delivery")?;
    repository.redeliver(webhook, delivery).await?;
    let again = wait_for_push(stage, merged, Some(id)).await?;
    ensure!(again.body == first.body, "the delivery that was sent again has another body");
    Ok(())
}

/// Starts the receiver and a Service before it, and returns the Service's address: the forge doesn't use the cluster's DNS.
async fn receive(stage: &Stage, image: &str) -> anyhow::Result<String> {
    stage.create::<Pod>(receiver_pod(image)).await?;
    let service = json!({
        "metadata": { "name": "receiver" },
        "spec": { "selector": { "app": "receiver" }, "ports": [{ "port": 8080 }] },
    });
    let service: Service = stage.create(service).await?;
    let ready = await_condition(stage.api::<Pod>(), "receiver", is_ready);
    timeout(POD_PATIENCE, Box::pin(ready)).await.context("not ready")??;
    service.spec.and_then(|spec| spec.cluster_ip).context("a Service without an address")
}

/// A pod under the strictest of Kubernetes' pod security rules.
fn receiver_pod(image: &str) -> Value {
    json!({
        "metadata": { "name": "receiver", "labels": { "app": "receiver" } },
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "receiver",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-c", RECEIVER],
                "ports": [{ "containerPort": 8080 }],
                "readinessProbe": { "tcpSocket": { "port": 8080 }, "periodSeconds": 1 },
                "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "128Mi" } },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    })
}

fn is_ready(pod: Option<&Pod>) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// Waits for the push that the merge made, under any delivery id but `not`.
async fn wait_for_push(stage: &Stage, merged: &Merged, not: Option<&str>) -> anyhow::Result<Request> {
    let deadline = Instant::now() + WEBHOOK_PATIENCE;
    while Instant::now() < deadline {
        let log = stage.api::<Pod>().logs("receiver", &LogParams::default()).await?;
        let requests = log.lines().map(serde_json::from_str).collect::<Result<Vec<Request>, _>>()?;
        for request in requests {
            if request.is_push_of(merged)? && Some(request.header("x-gitea-delivery")?) != not {
                return Ok(request);
            }
        }
        sleep(GLANCE).await;
    }
    bail!("the push of {} did not come in {} s", merged.commit, WEBHOOK_PATIENCE.as_secs())
}

impl Request {
    fn header(&self, name: &str) -> anyhow::Result<&str> {
        self.headers.get(name).map(String::as_str).with_context(|| format!("no header {name}"))
    }

    fn content(&self) -> anyhow::Result<Vec<u8>> {
        Ok(BASE64.decode(self.body.as_bytes())?)
    }

    fn is_push_of(&self, merged: &Merged) -> anyhow::Result<bool> {
        let push: Value = serde_json::from_slice(&self.content()?)?;
        Ok(push["ref"] == "refs/heads/release" && push["after"] == merged.commit.as_str())
    }
}

/// Checks the signature as a receiver must: over the very bytes, with the shared secret.
fn verify(request: &Request, secret: &SecretString) -> anyhow::Result<()> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())?;
    mac.update(&request.content()?);
    let signature = HEXLOWER.decode(request.header("x-gitea-signature")?.as_bytes())?;
    mac.verify_slice(&signature).context("the signature does not verify")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_with_its_secret_only() {
        // The second test case of RFC 4231.
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let request = Request {
            path: "/".to_owned(),
            headers: [("x-gitea-signature".to_owned(), signature.to_owned())].into(),
            body: BASE64.encode(b"what do ya want for nothing?"),
        };
        verify(&request, &"Jefe".into()).unwrap();
        verify(&request, &"jefe".into()).unwrap_err();
    }
}
