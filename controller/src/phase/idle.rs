//! The time that a phase under way waits for what others have: it is written down, and none of it counts as active.

use std::time::Duration;

use brickline_crds::Ticket;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How long the phase has waited, this time.
pub(crate) fn waited(ticket: &Ticket, now: Timestamp) -> Duration {
    let since = ticket.idle_since.as_ref().map_or(now, |since| since.0);
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// How long it has waited, all together.
pub(crate) fn all(ticket: &Ticket, now: Timestamp) -> Duration {
    Duration::from_secs(ticket.idle_seconds.into()) + waited(ticket, now)
}

/// Begins a wait, or ends it.
pub(crate) fn keep(ticket: &mut Ticket, waits: bool, now: Timestamp) {
    match (waits, &ticket.idle_since) {
        (true, None) => ticket.idle_since = Some(Time(now)),
        (false, Some(_)) => {
            let seconds = u32::try_from(waited(ticket, now).as_secs()).unwrap_or(u32::MAX);
            ticket.idle_seconds = ticket.idle_seconds.saturating_add(seconds);
            ticket.idle_since = None;
        }
        _ => {}
    }
}
