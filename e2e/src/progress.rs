//! Progress: what is being done, step by step, with the time each took; a spinner on a terminal, plain lines elsewhere.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often a long step says in a plain log that it is still at work.
const SIGN_OF_LIFE: Duration = Duration::from_mins(1);

/// Reports steps to the user. Cheap to clone; clones share the terminal and the list of times.
#[derive(Clone, Debug)]
pub struct Progress {
    bars: MultiProgress,
    terminal: bool,
    times: Arc<Mutex<Vec<(String, Duration)>>>,
}

impl Default for Progress {
    fn default() -> Self {
        let terminal = console::user_attended_stderr() && std::env::var_os("CI").is_none();
        Self { bars: MultiProgress::new(), terminal, times: Arc::default() }
    }
}

impl Progress {
    /// Runs one step under its name, and reports how it ended and how long it took.
    pub async fn step<T, E: Display>(&self, name: &str, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let started = Instant::now();
        let bar = self.begin(name);
        let result = self.watch(name, started, work).await;
        let took = started.elapsed();
        bar.finish_and_clear();
        match &result {
            Ok(_) => self.note(&format!("{} {name} {}", style("✔").green(), style(human(took)).dim())),
            Err(_) => self.note(&format!("{} {name} {}", style("✘").red(), style(human(took)).dim())),
        }
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), took));
        result
    }

    /// Prints a line between the steps, to standard error like all progress: standard output is for results.
    pub fn note(&self, line: &str) {
        if self.terminal {
            // The only failure is a terminal that is gone, which there is nobody left to tell.
            let _ = self.bars.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    /// The steps that ended so far, in the order of their ends, with the time each took.
    #[must_use]
    pub fn times(&self) -> Vec<(String, Duration)> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin(&self, name: &str) -> ProgressBar {
        if !self.terminal {
            eprintln!("  {name} ...");
            return ProgressBar::hidden();
        }
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(template) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            bar.set_style(template);
        }
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    async fn watch<T>(&self, name: &str, started: Instant, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut alive = interval_at(started + SIGN_OF_LIFE, SIGN_OF_LIFE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = alive.tick(), if !self.terminal => {
                    self.note(&format!("  {name} ... {} so far", human(started.elapsed())));
                }
            }
        }
    }
}

/// A duration as people write it: `0.4 s`, `12 s`, `4 min 05 s`.
#[must_use]
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(human(Duration::from_millis(420)), "0.4 s");
        assert_eq!(human(Duration::from_secs(59)), "59 s");
        assert_eq!(human(Duration::from_secs(245)), "4 min 05 s");
    }

    #[tokio::test]
    async fn a_step_keeps_its_result_and_its_time() {
        let progress = Progress::default();
        let result: Result<u8, String> = progress.step("count", async { Ok(1) }).await;
        assert_eq!(result, Ok(1));
        let failed: Result<u8, String> = progress.step("fail", async { Err("no".to_owned()) }).await;
        failed.unwrap_err();
        let names: Vec<_> = progress.times().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["count", "fail"]);
    }
}
