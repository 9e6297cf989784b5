//! A stop is the kubelet's TERM, as a flag: set once, seen by every loop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

/// How often loops look at the flag.
pub const TICK: Duration = Duration::from_millis(100);

/// Whether the container was told to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Takes TERM and interrupts over from their default, which would be to die (or, as process 1, to ignore them).
    pub fn listen() -> io::Result<Self> {
        let stop = Self::default();
        signal_hook::flag::register(SIGTERM, Arc::clone(&stop.0))?;
        signal_hook::flag::register(SIGINT, Arc::clone(&stop.0))?;
        Ok(stop)
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
