//! Which installation of Brickline this is: what it leaves in a workspace carries its id, so that two installations that
//! deploy to the same place find out.

use brickline_crds::Reason;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use tokio::sync::OnceCell;

use crate::context::Context;
use crate::trouble::Trouble;

/// The id, once it is known.
pub(crate) type Id = OnceCell<String>;

/// The id that the chart gives, or the uid of the controller's namespace: asked for once.
pub(crate) async fn id(context: &Context) -> Result<String, Trouble> {
    let args = &context.settings.args;
    if let Some(given) = &args.installation {
        return Ok(given.clone());
    }
    let uid = context.installation.get_or_try_init(|| async {
        let namespaces: Api<Namespace> = Api::all(context.kube.clone());
        match namespaces.get(&args.namespace).await {
            Ok(namespace) => Ok(namespace.uid().unwrap_or_default()),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Err(unknown(&args.namespace)),
            Err(error) => Err(error.into()),
        }
    });
    uid.await.cloned()
}

fn unknown(namespace: &str) -> Trouble {
    let message = format!(
        "the controller may not read its own namespace {namespace}, whose uid is its id: grant it that with the chart's \
         Role, or give an id with the chart's installation"
    );
    Trouble::lasting(Reason::NotAuthorized, message)
}
