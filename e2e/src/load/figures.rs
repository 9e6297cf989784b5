//! Figures: many measurements as the few numbers that people compare.

use std::fs;

use anyhow::Context as _;
use comfy_table::{Table, presets::ASCII_MARKDOWN};

/// Measurements of one thing, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures(Vec<i64>);

impl Figures {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Half of them are at most this; 0 if there is none.
    pub(super) fn median(&self) -> i64 {
        let upper = self.0.len() / 2;
        let lower = upper.saturating_sub(usize::from(self.0.len().is_multiple_of(2)));
        let at = |index: usize| self.0.get(index).copied().unwrap_or(0);
        i64::midpoint(at(lower), at(upper))
    }

    /// Nine of ten are at most this, by the nearest rank.
    pub(super) fn p90(&self) -> i64 {
        let rank = (self.0.len() * 9).div_ceil(10);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// The largest.
    pub(super) fn max(&self) -> i64 {
        self.0.last().copied().unwrap_or(0)
    }
}

impl FromIterator<i64> for Figures {
    fn from_iter<T: IntoIterator<Item = i64>>(measurements: T) -> Self {
        let mut sorted: Vec<i64> = measurements.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

/// A table as it can stand in a document.
pub(super) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head);
    table
}

/// The machine, in the words of `docs/benchmarks.md`.
pub(super) fn machine() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let total: u64 = total.context("/proc/meminfo has no MemTotal")?.parse()?;
    Ok(format!("{cores} cores, {} GiB, {}", (total + (1 << 19)) >> 20, std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_by_rank() {
        let figures: Figures = (1..=20).rev().collect();
        assert_eq!((figures.count(), figures.median(), figures.p90(), figures.max()), (20, 10, 18, 20));
        let odd: Figures = [30, 10, 20].into_iter().collect();
        assert_eq!((odd.median(), odd.p90(), odd.max()), (20, 30, 30));
        let none = Figures::default();
        assert_eq!((none.count(), none.median(), none.p90(), none.max()), (0, 0, 0, 0));
    }
}
