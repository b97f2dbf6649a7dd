//! What the tests share.

use portolan_machine::{KvmConfig, KvmMachine};
use std::io::Write;

/// A guest, or `None` and one line that says why. Past the test harness, which hides what a passing test prints.
#[expect(
    clippy::explicit_write,
    reason = "what `eprintln` prints is hidden when a test passes"
)]
pub fn guest(config: KvmConfig) -> Option<KvmMachine> {
    KvmMachine::new(config)
        .inspect_err(|error| {
            writeln!(std::io::stderr(), "test on a guest skipped: {error}").unwrap()
        })
        .ok()
}
