//! Leadership by Lease: one replica reconciles, all receive webhooks and uploads.
//!
//! kube-lease-manager takes and renews the Lease, but its `is_holder` ignores expiry and its channel stays true when
//! renewals fail. So the Lease is read as well, and without a renewal seen until shortly before expiry leadership is
//! over: the process leaves, and all its effects with it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::{LeaseCreateMode, LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The Lease's name.
pub(crate) const LEASE: &str = "brickline";
/// How long a Lease holds without renewal. API servers hiccup; shorter ones made peers restart.
const DURATION: Duration = Duration::from_secs(35);
/// How long before its end it is renewed.
const GRACE: Duration = Duration::from_secs(25);
/// How long before its end leadership counts as lost.
const MARGIN: Duration = Duration::from_secs(7);
/// How often the Lease is read, and how long that may take.
const LOOK: Duration = Duration::from_secs(5);

/// Held while this replica leads.
pub(crate) struct Leadership {
    /// Canceled when leadership is lost.
    pub(crate) lost: CancellationToken,
    channel: Receiver<bool>,
    guard: JoinHandle<()>,
    renewals: JoinHandle<Result<LeaseManager, kube_lease_manager::LeaseManagerError>>,
}

impl Leadership {
    /// Gives the Lease back, so that the next leader need not wait for it to expire.
    pub(crate) async fn release(self) {
        // The Lease is given back when nobody listens to the channel any more, so its guard must go too.
        self.guard.abort();
        drop((self.channel, self.guard.await));
        if !matches!(tokio::time::timeout(LOOK, self.renewals).await, Ok(Ok(Ok(_)))) {
            tracing::warn!("the Lease was not given back: the next leader waits until it expires");
        }
    }
}

/// Waits until this replica leads. None if `shutdown` comes first.
pub(crate) async fn lead(
    kube: &Client,
    namespace: &str,
    identity: &str,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Leadership>> {
    let manager = LeaseManagerBuilder::new(kube.clone(), LEASE)
        .with_namespace(namespace)
        .with_identity(identity)
        .with_duration(DURATION.as_secs())
        .with_grace(GRACE.as_secs())
        .with_create_mode(LeaseCreateMode::AutoCreate)
        .build()
        .await?;
    let (mut channel, renewals) = manager.watch().await;
    let led = tokio::select! {
        led = channel.wait_for(|leads| *leads) => led.is_ok(),
        () = shutdown.cancelled() => false,
    };
    if !led {
        drop(channel);
        return if shutdown.is_cancelled() { Ok(None) } else { Err(anyhow::anyhow!("leader election ended")) };
    }
    let lost = CancellationToken::new();
    let leases = Api::namespaced(kube.clone(), namespace);
    let guard = tokio::spawn(guard(leases, identity.to_owned(), channel.clone(), lost.clone()));
    Ok(Some(Leadership { lost, channel, guard, renewals }))
}

/// Watches over the Lease itself; cancels `lost` when it is no longer surely ours.
async fn guard(leases: Api<Lease>, identity: String, mut channel: Receiver<bool>, lost: CancellationToken) {
    let mut renewed = Timestamp::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            changed = channel.changed() => if changed.is_err() || !*channel.borrow() { break },
        }
        if let Ok(Ok(lease)) = tokio::time::timeout(LOOK, leases.get(LEASE)).await {
            let spec = lease.spec.unwrap_or_default();
            if spec.holder_identity.as_deref() != Some(&identity) {
                break;
            }
            renewed = spec.renew_time.map_or(renewed, |time| time.0);
        }
        if is_over(renewed, Timestamp::now()) {
            break;
        }
    }
    lost.cancel();
}

fn is_over(renewed: Timestamp, now: Timestamp) -> bool {
    let silent = Duration::try_from(now.duration_since(renewed)).unwrap_or_default();
    silent + MARGIN > DURATION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leadership_is_over_before_the_lease_expires() {
        let renewed = Timestamp::from_second(1_000).unwrap();
        assert!(!is_over(renewed, Timestamp::from_second(1_028).unwrap()));
        assert!(is_over(renewed, Timestamp::from_second(1_029).unwrap()), "six seconds before another may take it");
    }
}
