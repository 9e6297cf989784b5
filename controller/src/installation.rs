//! Which installation of Brickline this is: what it leaves in a workspace carries its id, so that two installations that
//! deploy to the same place find out.

use brickline_crds::Reason;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use tokio::sync::OnceCell;

use crate::args::Args;
use crate::trouble::Trouble;

/// One installation.
pub(crate) struct Installation {
    /// The id that the chart gives.
    given: Option<String>,
    /// The controller's namespace, and its uid once it is known.
    namespace: String,
    uid: OnceCell<String>,
    kube: Client,
}

impl Installation {
    /// As the command line says.
    pub(crate) fn of(args: &Args, kube: Client) -> Self {
        Self { given: args.installation.clone(), namespace: args.namespace.clone(), uid: OnceCell::new(), kube }
    }

    /// The id that the chart gives, or the uid of the controller's namespace: asked for once.
    pub(crate) async fn id(&self) -> Result<String, Trouble> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let uid = self.uid.get_or_try_init(|| async {
            let namespaces: Api<Namespace> = Api::all(self.kube.clone());
            match namespaces.get(&self.namespace).await {
                Ok(namespace) => Ok(namespace.uid().unwrap_or_default()),
                Err(kube::Error::Api(status)) if status.is_forbidden() => Err(unknown(&self.namespace)),
                Err(error) => Err(error.into()),
            }
        });
        uid.await.cloned()
    }
}

fn unknown(namespace: &str) -> Trouble {
    let message = format!(
        "the controller may not read its own namespace {namespace}, whose uid is its id: grant it that with the chart's \
         Role, or give an id with the chart's installation"
    );
    Trouble::lasting(Reason::NotAuthorized, message)
}
