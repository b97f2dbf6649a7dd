//! What happened, as data: text and JSON are made from it.

mod came;

pub use came::Came;

use super::tree::Table;
use portolan::{CachePolicy, Error, Mapping};
use portolan_machine::{Access, Kind, Outcome, Privilege};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::RangeInclusive;

/// A number that is written in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:#x}", self.0))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A part of the tour.
#[derive(Debug, Serialize)]
pub struct Section {
    /// Its name in the document.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// Something that was done, or shown.
#[derive(Debug, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The page table was asked for something.
    Call(Call),
    /// A flush was paid.
    Flush(Paid),
    /// A processor made an access.
    Access(Made),
    /// The address space, as the words of the tables have it.
    Space(Space),
    /// The words of the tables.
    Tables(Tables),
    /// Something else was compared.
    Check(Check),
}

impl Step {
    /// Whether it is as it had to be.
    pub fn ok(&self) -> bool {
        match self {
            Step::Call(call) => call.ok,
            Step::Flush(paid) => paid.ok,
            Step::Access(made) => made.ok,
            Step::Space(space) => space.ok,
            Step::Tables(tables) => tables.ok,
            Step::Check(check) => check.ok,
        }
    }
}

/// A request and its answer.
#[derive(Debug, Serialize)]
pub struct Call {
    /// The operation.
    pub operation: &'static str,
    /// The request, in words.
    pub request: String,
    /// The virtual address.
    pub va: Hex,
    /// What has to be the answer.
    pub expected: Answer,
    /// The answer.
    pub got: Answer,
    /// Whether they are the same, but for accessed bits that a processor may have set early.
    pub ok: bool,
    /// Text mentions it only if it is not as it had to be.
    #[serde(skip)]
    pub quiet: bool,
}

/// What a page table answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// There is this mapping, or was until now.
    Page(Page),
    /// No.
    Error(Refusal),
}

impl Answer {
    /// Whether `got` is this answer, or has accessed bits besides that a processor may have set early (Intel SDM
    /// vol. 3, 5.8).
    pub fn allows(&self, got: &Answer) -> bool {
        match (self, got) {
            (Answer::Page(Page(this)), Answer::Page(Page(that))) => {
                let mut early = *this;
                early.prop.accessed = true;
                this == that || early == *that
            }
            (this, that) => this == that,
        }
    }
}

/// A mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page(pub Mapping);

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields {
            frame: Hex,
            bytes: u64,
            read: bool,
            write: bool,
            execute: bool,
            user: bool,
            global: bool,
            accessed: bool,
            dirty: bool,
            cache: &'static str,
        }
        let Mapping { frame, size, prop } = self.0;
        let fields = Fields {
            frame: Hex(frame.as_u64()),
            bytes: size.bytes(),
            read: prop.read,
            write: prop.write,
            execute: prop.execute,
            user: prop.user,
            global: prop.global,
            accessed: prop.accessed,
            dirty: prop.dirty,
            cache: cache_name(prop.cache),
        };
        fields.serialize(serializer)
    }
}

/// The name of a cache policy.
pub fn cache_name(cache: CachePolicy) -> &'static str {
    match cache {
        CachePolicy::WriteBack => "write-back",
        CachePolicy::WriteThrough => "write-through",
        CachePolicy::UncacheableMinus => "uncacheable-minus",
        CachePolicy::Uncacheable => "uncacheable",
        CachePolicy::WriteCombining => "write-combining",
        CachePolicy::WriteProtected => "write-protected",
    }
}

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal(pub Error);

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            name: &'a str,
            message: String,
        }
        let debug = format!("{:?}", self.0);
        let name = debug.split_whitespace().next().unwrap_or_default();
        Fields {
            name,
            message: self.0.to_string(),
        }
        .serialize(serializer)
    }
}

/// A flush that was paid, and the tables that were given back with it.
#[derive(Debug, Serialize)]
pub struct Paid {
    /// The page.
    pub va: Hex,
    /// How many tables had to be given back.
    pub expected_tables: usize,
    /// How many were.
    pub tables: usize,
    /// How many table frames are held now.
    pub frames_held: usize,
    /// Whether they were as many.
    pub ok: bool,
    /// Text mentions it only if it is not as it had to be.
    #[serde(skip)]
    pub quiet: bool,
}

/// An access and what came of it.
#[derive(Debug, Serialize)]
pub struct Made {
    /// `user` or `supervisor`.
    pub privilege: &'static str,
    /// `load`, `store` or `fetch`.
    pub kind: &'static str,
    /// The virtual address.
    pub va: Hex,
    /// What is there.
    pub region: &'static str,
    /// What a store writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Hex>,
    /// What may come of it.
    pub expected: Vec<Came>,
    /// What came of it.
    pub got: Came,
    /// Whether it is one of those that may come.
    pub ok: bool,
    /// What is to be said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

impl Made {
    /// An access at an address of `region`.
    pub fn new(access: &Access, region: &'static str, expected: &[Outcome], got: Outcome) -> Self {
        Made {
            privilege: match access.privilege {
                Privilege::User => "user",
                Privilege::Supervisor => "supervisor",
            },
            kind: match access.kind {
                Kind::Load => "load",
                Kind::Store => "store",
                Kind::Fetch => "fetch",
            },
            va: Hex(access.va),
            region,
            value: (access.kind == Kind::Store).then_some(Hex(access.value)),
            expected: expected.iter().copied().map(Came::from).collect(),
            got: got.into(),
            ok: expected.contains(&got),
            note: None,
        }
    }
}

/// The address space, as the words of the tables have it.
#[derive(Debug, Serialize)]
pub struct Space {
    /// The addresses that there are.
    #[serde(skip)]
    pub ranges: Vec<RangeInclusive<u64>>,
    /// Runs of pages, by address.
    pub runs: Vec<Run>,
    /// Whether they are the pages that were asked for, and `query` says the same of each.
    pub ok: bool,
}

/// Pages that follow each other, as their frames do, and differ in nothing but accessed and dirty bits.
#[derive(Debug, Serialize)]
pub struct Run {
    /// The first address.
    pub start: Hex,
    /// The last address.
    pub end: Hex,
    /// How many pages.
    pub pages: u64,
    /// The first of them.
    pub first: Page,
    /// What they are for.
    pub region: &'static str,
}

/// The tables that the root leads to.
#[derive(Debug, Serialize)]
pub struct Tables {
    /// The root.
    pub root: Table,
    /// What is wrong with them.
    pub problems: Vec<String>,
    /// Whether nothing is.
    pub ok: bool,
}

/// A comparison.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What is compared.
    pub what: String,
    /// What it has to be.
    pub expected: String,
    /// What it is.
    pub got: String,
    /// Whether they are the same.
    pub ok: bool,
}

impl Check {
    /// `got` has to be `expected`.
    pub fn new(what: impl Into<String>, expected: impl ToString, got: impl ToString) -> Self {
        let (what, expected, got) = (what.into(), expected.to_string(), got.to_string());
        let ok = expected == got;
        Check {
            what,
            expected,
            got,
            ok,
        }
    }
}
