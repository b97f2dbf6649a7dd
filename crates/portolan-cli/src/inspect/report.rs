//! What was found, as data: text and JSON are made from it.

use super::findings::Finding;
use super::runs::Run;
use crate::tour::record::Hex;
use serde::Serialize;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where.
    pub image: ImageReport,
    /// The architecture's name.
    pub arch: &'static str,
    /// Of an architecture with two roots, whose addresses these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<&'static str>,
    /// The physical address of the root.
    pub root: Hex,
    /// Whether the image says so.
    pub root_from_core: bool,
    /// How wide physical addresses are taken to be.
    pub phys_bits: u8,
    /// How many tables there are.
    pub tables: usize,
    /// How many pages there are.
    pub pages: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many runs there are.
    pub run_count: u64,
    /// The first of them.
    pub runs: Vec<Run>,
    /// How many runs are left out.
    pub runs_left_out: u64,
    /// What to look at.
    pub findings: Vec<Finding>,
}

/// An image.
#[derive(Debug, Serialize)]
pub struct ImageReport {
    /// The file's name.
    pub file: String,
    /// `raw` or `elf core`.
    pub form: &'static str,
    /// How much memory it has.
    pub bytes: u64,
}
