//! What the controller takes for granted of the systems around it, as cases that a fake and the real thing are both
//! shown. A fake that passes them can stand for the real thing in the simulator.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `kubernetes` | cases for API servers; the tests of the real one run this very file |
//! | `databricks` | cases for workspaces |
//! | `real.rs` | a workspace behind HTTP, by the controller's own client |
//! | `emulator.rs` | the emulator, in this process or wherever it was started |
//! | `python.sh` | stands for the emulator's Python, so that its clusters come up without Spark |

pub(crate) mod databricks;
mod emulator;
#[path = "../../../tests/src/contract.rs"]
pub(crate) mod kubernetes;
mod real;
