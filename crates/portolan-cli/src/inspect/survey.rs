//! All that a root leads to, each table read once.
//!
//! Tables can share tables, and refer to themselves: as many as 512 to the power of the number of levels ways lead
//! through a few of them. So nothing is done once for each way. A table is examined once for each [`Place`] it has: a
//! level, and what the tables above it leave.

use super::aliases::Frames;
use super::findings::{Example, Finding, Findings, Kind};
use super::image::Image;
use super::runs::{Want, runs};
use super::summary::Summary;
use super::target::{Entry, Place, Target};
use crate::tour::record::Hex;
use std::collections::HashMap;
use std::io;

/// What is known of the tables below a root.
#[derive(Debug, Default)]
pub struct Survey {
    /// What there is below each table; addresses count from the first that it serves.
    known: HashMap<Place, Summary>,
    /// Each table's levels, as bits.
    levels: HashMap<u64, u8>,
}

/// How many places are examined: of 4 KiB, the tables that 1 TiB takes in the smallest pages.
const MOST: usize = 1 << 19;
/// How many references to tables are followed. Other than those that mean no good, tables have about one each.
const MOST_WAYS: usize = 1 << 23;

/// A survey at work.
struct Surveyor<'a> {
    image: &'a mut Image,
    target: &'a Target,
    survey: Survey,
    /// How many references to tables were followed.
    ways: usize,
    frames: Frames,
    findings: Findings,
}

/// What is new of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// The table.
    Table,
    /// That it is used at this level.
    Level,
    /// Nothing.
    None,
}

/// A table, the first address of which is `base` on the way that was found first.
struct Visit {
    place: Place,
    base: u64,
    news: News,
}

/// Examines all that the target's root leads to.
///
/// # Errors
/// The image can't be read.
pub fn survey(image: &mut Image, target: &Target) -> io::Result<(Survey, Vec<Finding>)> {
    let mut findings = Findings::default();
    for &lack in &image.truncated {
        findings.add(Kind::TruncatedImage, || lack.into());
    }
    let mut surveyor = Surveyor {
        image,
        target,
        survey: Survey::default(),
        ways: 0,
        frames: Frames::default(),
        findings,
    };
    surveyor.examine(target.start(), 0)?;
    surveyor.finish()
}

impl Surveyor<'_> {
    /// Examines a table, the first address of which is `base` on the way that was found first.
    fn examine(&mut self, place: Place, base: u64) -> io::Result<Summary> {
        self.ways += 1;
        if self.ways <= MOST_WAYS
            && let Some(known) = self.survey.known.get(&place)
        {
            return Ok(*known);
        }
        if self.ways > MOST_WAYS || self.survey.known.len() >= MOST {
            self.findings.leave_out("references to tables");
            return Ok(Summary::default());
        }
        let visit = Visit {
            place,
            base,
            news: self.survey.note(place),
        };
        let words = self.image.words(place.table, self.target.entries(place))?;
        if visit.news != News::None && words.missing > 0 {
            self.findings.add(Kind::OutsideImage, || Example::Table {
                table: Hex(place.table),
                levels: vec![place.level],
                va: Some(Hex(base)),
            });
        }
        let mut all = Summary::default();
        for (index, word) in words.words.into_iter().enumerate() {
            let Some(entry) = self.target.entry(place, index, word) else {
                continue;
            };
            self.judge(&visit, index, word, &entry);
            let offset = self.target.offset(place, index);
            match entry {
                Entry::Reserved { .. } => {}
                Entry::Page(page) => all.push(page),
                Entry::Table(below) => {
                    let below = self.examine(below, base.wrapping_add(offset))?;
                    all.append(&below, offset);
                }
            }
        }
        self.survey.known.insert(place, all);
        Ok(all)
    }

    /// What is to be said of an entry, whichever way leads to it.
    fn judge(&mut self, visit: &Visit, index: usize, word: u64, entry: &Entry) {
        let Visit { place, base, news } = *visit;
        if news == News::None {
            return;
        }
        let va = base.wrapping_add(self.target.offset(place, index));
        let example = |bits: Option<u64>| Example::Entry {
            entry: Hex(place.table.wrapping_add(8 * index as u64)),
            level: place.level,
            va: Hex(va),
            word: Hex(word),
            bits: bits.map(Hex),
        };
        match entry {
            Entry::Page(page) => self.frames.note(page.at(base)),
            Entry::Reserved { bits } => self
                .findings
                .add(Kind::ReservedBits, || example(Some(*bits))),
            Entry::Table(below) if below.table == place.table && news == News::Table => {
                self.findings.add(Kind::OwnTable, || example(None));
            }
            Entry::Table(_) => {}
        }
    }

    /// What is to be said when all has been seen.
    fn finish(mut self) -> io::Result<(Survey, Vec<Finding>)> {
        let mut many: Vec<_> = self.survey.levels.iter().collect();
        many.retain(|(_, levels)| levels.count_ones() > 1);
        many.sort_unstable();
        for (&table, levels) in many {
            self.findings.add(Kind::ManyLevels, || Example::Table {
                table: Hex(table),
                levels: (1..8)
                    .rev()
                    .filter(|level| levels >> level & 1 == 1)
                    .collect(),
                va: None,
            });
        }
        if self.frames.incomplete {
            self.findings
                .leave_out("pages whose cache policies are not compared");
        }
        self.frames.aliases(|alias| {
            self.findings
                .add(Kind::UnlikeCachePolicies, || alias.into());
        });
        let mut wanted = vec![(Kind::UserInKernelHalf, Want::UserInKernelHalf)];
        if self.target.separates_code() {
            wanted.push((Kind::WritableExecutable, Want::WritableExecutable));
        }
        for (kind, want) in wanted {
            let found = runs(self.image, self.target, &self.survey, want)?;
            self.findings.add_pages(kind, found.pages, found.runs);
        }
        Ok((self.survey, self.findings.list()))
    }
}

impl Survey {
    /// Notes that a table is used at a level.
    fn note(&mut self, place: Place) -> News {
        let levels = self.levels.entry(place.table).or_default();
        let before = std::mem::replace(levels, *levels | 1 << place.level);
        match before {
            0 => News::Table,
            before if before != *levels => News::Level,
            _ => News::None,
        }
    }

    /// What there is below a table; nothing if it was not examined.
    pub fn below(&self, place: Place) -> Summary {
        self.known.get(&place).copied().unwrap_or_default()
    }

    /// Whether a table was examined.
    pub fn has(&self, place: Place) -> bool {
        self.known.contains_key(&place)
    }

    /// How many tables there are.
    pub fn tables(&self) -> usize {
        self.levels.len()
    }
}
