//! What an auditor should look at.

use super::aliases::Alias;
use super::image::Lack;
use super::runs::Run;
use crate::tour::record::{Hex, cache_name};
use serde::Serialize;
use std::collections::BTreeMap;

/// Kinds of findings, those that matter most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A mode can both write and execute.
    WritableExecutable,
    /// Programs can use what is on the kernel's side.
    UserInKernelHalf,
    /// One piece of memory is cached in two ways.
    UnlikeCachePolicies,
    /// An entry has no meaning.
    ReservedBits,
    /// A table refers to itself.
    OwnTable,
    /// A table is used at several levels, as those of a loop are.
    ManyLevels,
    /// A table is not in the image.
    OutsideImage,
    /// The file is shorter than it says.
    TruncatedImage,
    /// There was too much.
    NotExamined,
}

impl Kind {
    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::WritableExecutable => "writable-executable",
            Kind::UserInKernelHalf => "user-in-kernel-half",
            Kind::UnlikeCachePolicies => "unlike-cache-policies",
            Kind::ReservedBits => "reserved-bits",
            Kind::OwnTable => "own-table",
            Kind::ManyLevels => "many-levels",
            Kind::OutsideImage => "outside-image",
            Kind::TruncatedImage => "truncated-image",
            Kind::NotExamined => "not-examined",
        }
    }

    /// What there is a number of.
    pub fn about(self) -> &'static str {
        match self {
            Kind::WritableExecutable => "pages that are both writable and executable",
            Kind::UserInKernelHalf => "pages on the kernel's side that programs can use",
            Kind::UnlikeCachePolicies => "memory mapped with unlike cache policies",
            Kind::ReservedBits => "entries with reserved bits or encodings",
            Kind::OwnTable => "entries that refer to the table they are in",
            Kind::ManyLevels => "tables used at more than one level",
            Kind::OutsideImage => "tables that are not, or not wholly, in the image",
            Kind::TruncatedImage => "memory that the file is too short for",
            Kind::NotExamined => "left out, since there is too much",
        }
    }
}

/// All findings of one kind.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// Their kind.
    pub kind: Kind,
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// One of them.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Example {
    /// Pages.
    Run(Run),
    /// A piece of memory and two ways to it.
    Alias {
        /// Its physical address.
        frame: Hex,
        /// Its size.
        bytes: u64,
        /// A virtual address that leads to it.
        va: Hex,
        /// How it is cached there.
        cache: &'static str,
        /// Another one.
        other_va: Hex,
        /// How it is cached there.
        other_cache: &'static str,
    },
    /// An entry.
    Entry {
        /// Its physical address.
        entry: Hex,
        /// The level of its table.
        level: u8,
        /// The first virtual address that it serves.
        va: Hex,
        /// The entry.
        word: Hex,
        /// The bits that must not be set; 0 if it is the encoding.
        #[serde(skip_serializing_if = "Option::is_none")]
        bits: Option<Hex>,
    },
    /// A table.
    Table {
        /// Its physical address.
        table: Hex,
        /// Where it is used.
        levels: Vec<u8>,
        /// The first virtual address for which it is, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        va: Option<Hex>,
    },
    /// Memory.
    Memory {
        /// Its physical address.
        start: Hex,
        /// Its size.
        bytes: u64,
    },
    /// Something else.
    Other {
        /// What it is.
        what: &'static str,
    },
}

/// How many examples there are of a kind.
pub const EXAMPLES: usize = 8;

/// Findings by kind.
#[derive(Debug, Default)]
pub struct Findings(BTreeMap<Kind, Finding>);

impl Findings {
    /// Notes one more.
    pub fn add(&mut self, kind: Kind, example: impl FnOnce() -> Example) {
        let finding = self.of(kind);
        finding.count += 1;
        if finding.examples.len() < EXAMPLES {
            finding.examples.push(example());
        }
    }

    /// Notes pages, if there are any.
    pub fn add_pages(&mut self, kind: Kind, count: u64, runs: Vec<Run>) {
        if count > 0 {
            let finding = self.of(kind);
            finding.count += count;
            finding.examples.extend(runs.into_iter().map(Example::Run));
        }
    }

    /// Notes that something was too much to be examined.
    pub fn leave_out(&mut self, what: &'static str) {
        let finding = self.of(Kind::NotExamined);
        finding.count += 1;
        let other = Example::Other { what };
        if !finding.examples.contains(&other) {
            finding.examples.push(other);
        }
    }

    fn of(&mut self, kind: Kind) -> &mut Finding {
        self.0.entry(kind).or_insert_with(|| Finding {
            kind,
            count: 0,
            examples: Vec::new(),
        })
    }

    /// All of them.
    pub fn list(self) -> Vec<Finding> {
        self.0.into_values().collect()
    }
}

impl From<Alias> for Example {
    fn from(alias: Alias) -> Self {
        Example::Alias {
            frame: Hex(alias.start),
            bytes: alias.bytes,
            va: Hex(alias.one.va_of(alias.start)),
            cache: cache_name(alias.one.cache),
            other_va: Hex(alias.other.va_of(alias.start)),
            other_cache: cache_name(alias.other.cache),
        }
    }
}

impl From<Lack> for Example {
    fn from(lack: Lack) -> Self {
        Example::Memory {
            start: Hex(lack.start),
            bytes: lack.bytes,
        }
    }
}
