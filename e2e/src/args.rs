//! Arguments: what the command line can be asked for.

use clap::{Parser, Subcommand};

use crate::load::Benchmark;

/// Brickline's local cluster, demo and tests.
#[derive(Debug, Parser)]
#[command(name = "cargo e2e", bin_name = "cargo e2e", version, disable_help_subcommand = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Play the main story: merges become tested releases on a real cluster.
    Demo {
        /// Leave the cluster running at the end, and say what to try next.
        #[arg(long)]
        keep: bool,
        /// Which cluster to work on.
        #[command(flatten)]
        target: Target,
    },
    /// Run every check and every scenario, and print the verdict and the time of each part.
    Verify,
    /// Bring the local cluster up; quick when it is up already.
    Up {
        /// Which cluster to work on.
        #[command(flatten)]
        target: Target,
    },
    /// Take the local cluster down, and check that nothing of it is left.
    Down,
    /// Show the cluster's parts, node and addresses.
    Status,
    /// List the scenarios.
    List,
    /// Run one scenario.
    Run {
        /// The scenario's name, as `list` shows it.
        name: String,
        /// Which cluster to work on.
        #[command(flatten)]
        target: Target,
    },
    /// Show the last lines of the cluster's logs.
    Logs {
        /// One component, as `status` shows it; all of them without it.
        component: Option<String>,
        /// How many lines of each.
        #[arg(long, default_value_t = 40)]
        lines: usize,
    },
    /// Run kubectl against the cluster.
    #[command(trailing_var_arg = true)]
    Kubectl {
        /// kubectl's own arguments.
        #[arg(allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run helm against the cluster.
    #[command(trailing_var_arg = true)]
    Helm {
        /// helm's own arguments.
        #[arg(allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure something, and print what came out.
    Load {
        /// What to measure.
        #[command(subcommand)]
        benchmark: Benchmark,
    },
    /// Be the node: the first process inside the cluster's namespaces. Started by `up`, of no use by hand.
    #[command(hide = true)]
    Node {
        /// The cluster's state folder.
        state: std::path::PathBuf,
    },
}

/// Which cluster to work on.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// Use this context of your own kubeconfig instead of the local cluster.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
