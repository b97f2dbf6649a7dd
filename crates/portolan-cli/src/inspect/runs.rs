//! Runs: pages that follow each other and are alike.

use super::findings::EXAMPLES;
use super::image::Image;
use super::summary::{Page, Summary};
use super::survey::Survey;
use super::target::{Entry, Place, Target};
use crate::tour::record::{Hex, cache_name};
use portolan::CachePolicy;
use portolan_machine::walk::Rights;
use serde::{Serialize, Serializer};
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

/// Pages that follow each other in virtual and in physical memory, and differ in nothing but size, accessed and dirty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The first virtual address.
    pub start: Hex,
    /// The last one.
    pub end: Hex,
    /// The physical address of the first byte.
    pub frame: Hex,
    /// How many bytes.
    pub bytes: u64,
    /// How many pages.
    pub pages: u64,
    /// The sizes of the pages that there are, in the order in which they come first.
    pub sizes: Vec<u64>,
    /// What is allowed.
    #[serde(flatten, serialize_with = "by_mode")]
    pub rights: Rights,
    /// The translations are the same in all address spaces.
    pub global: bool,
    /// How many have been used.
    pub accessed: Share,
    /// How many have been stored to.
    pub dirty: Share,
    /// How accesses are cached.
    #[serde(serialize_with = "name")]
    pub cache: CachePolicy,
    /// The same frames are mapped alike more than once, at equal distances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
}

/// Runs that differ in nothing but their addresses, which are at equal distances, and in accessed and dirty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Series {
    /// How many there are.
    pub times: u64,
    /// From the first address of one to the first of the next.
    pub stride: Hex,
    /// The last address of the last one.
    pub end: Hex,
}

/// How many of a run's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// None.
    None,
    /// Some, but not all.
    Some,
    /// All.
    All,
}

fn by_mode<S: Serializer>(rights: &Rights, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Modes {
        kernel: String,
        user: String,
    }
    let Rights { kernel, user } = rights;
    let modes = Modes {
        kernel: kernel.to_string(),
        user: user.to_string(),
    };
    modes.serialize(serializer)
}

fn name<S: Serializer>(cache: &CachePolicy, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(cache_name(*cache))
}

impl Run {
    fn of(page: &Page) -> Self {
        Run {
            start: Hex(page.va),
            end: Hex(page.va.wrapping_add(page.size - 1)),
            frame: Hex(page.frame),
            bytes: page.size,
            pages: 1,
            sizes: vec![page.size],
            rights: page.rights,
            global: page.global,
            accessed: Share::of(page.accessed),
            dirty: Share::of(page.dirty),
            cache: page.cache,
            series: None,
        }
    }

    fn add(&mut self, page: &Page) {
        self.end = Hex(page.va.wrapping_add(page.size - 1));
        self.bytes += page.size;
        self.pages += 1;
        if !self.sizes.contains(&page.size) {
            self.sizes.push(page.size);
        }
        self.accessed = self.accessed.and(Share::of(page.accessed));
        self.dirty = self.dirty.and(Share::of(page.dirty));
    }

    /// Takes `next` into the series that this run begins, if it goes on there.
    fn takes(&mut self, next: &Run) -> bool {
        let alike = Run {
            start: self.start,
            end: self.end,
            accessed: self.accessed,
            dirty: self.dirty,
            series: self.series,
            ..next.clone()
        };
        if *self != alike {
            return false;
        }
        let Series { times, stride, .. } = self.series.unwrap_or(Series {
            times: 1,
            stride: Hex(next.start.0 - self.start.0),
            end: self.end,
        });
        let expected = times.checked_mul(stride.0);
        if expected != Some(next.start.0 - self.start.0) {
            return false;
        }
        self.series = Some(Series {
            times: times + 1,
            stride,
            end: next.end,
        });
        self.accessed = self.accessed.and(next.accessed);
        self.dirty = self.dirty.and(next.dirty);
        true
    }
}

impl Share {
    fn of(bit: bool) -> Self {
        if bit { Share::All } else { Share::None }
    }

    fn and(self, other: Share) -> Self {
        if self == other { self } else { Share::Some }
    }
}

/// Which pages are wanted, and how many runs of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// All pages.
    All {
        /// The most runs, or series of them.
        limit: usize,
    },
    /// Those that a mode can both write and execute, as examples.
    WritableExecutable,
    /// Those on the kernel's side that programs can use, as examples.
    UserInKernelHalf,
}

impl Want {
    fn limit(self) -> usize {
        match self {
            Want::All { limit } => limit,
            _ => EXAMPLES,
        }
    }

    fn is_wanted(self, page: &Page) -> bool {
        match self {
            Want::All { .. } => true,
            Want::WritableExecutable => page.is_writable_and_executable(),
            Want::UserInKernelHalf => page.rights.user.any(),
        }
    }

    /// How many of the pages are wanted.
    fn among(self, pages: &Summary) -> u64 {
        match self {
            Want::All { .. } => pages.pages,
            Want::WritableExecutable => pages.writable_executable,
            Want::UserInKernelHalf => pages.user,
        }
    }

    /// Whether pages from `va` on, which is what an entry of the root serves, can be wanted.
    fn regards(self, target: &Target, va: u64) -> bool {
        self != Want::UserInKernelHalf || target.is_kernels(va)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// How many pages there are of those that are wanted.
    pub pages: u64,
    /// The first runs of them, in the order of their addresses.
    pub runs: Vec<Run>,
    /// How many runs these are, with all of each series.
    pub shown: u64,
}

/// How many runs are looked at, so that series come to an end.
const MOST: u64 = 1 << 17;

/// The pages that are wanted below the target's root.
///
/// This takes no longer than the runs are many or the tables large: what has no page that is wanted is passed over, and a
/// table that is shared does not go on where itself has ended.
///
/// # Errors
/// The image can't be read.
pub fn runs(image: &mut Image, target: &Target, survey: &Survey, want: Want) -> io::Result<Found> {
    let mut collector = Collector {
        image,
        target,
        survey,
        want,
        open: None,
        found: Found::default(),
        last: Default::default(),
    };
    // Whether it has found all or enough, what is open is the last
    let _ = collector.descend(target.start(), 0)?;
    collector.close();
    collector.found.pages = collector.count()?;
    let mut found = collector.found;
    // One more is looked for, since the last may be a series
    if found.runs.len() > want.limit() {
        found.runs.pop();
        found.shown -= 1;
    }
    Ok(found)
}

struct Collector<'a> {
    image: &'a mut Image,
    target: &'a Target,
    survey: &'a Survey,
    want: Want,
    /// The run that may go on, and its last page.
    open: Option<(Run, Page)>,
    found: Found,
    /// By level, what was read last: where tables are shared, it is often read again.
    last: [Option<(Place, Entries)>; 8],
}

/// Entries with their indices.
type Entries = Rc<[(usize, Entry)]>;

impl Collector<'_> {
    fn descend(&mut self, place: Place, base: u64) -> io::Result<ControlFlow<()>> {
        let is_root = place.level == self.target.regime.levels();
        for &(index, entry) in self.entries(place)?.iter() {
            let va = base.wrapping_add(self.target.offset(place, index));
            if is_root && !self.want.regards(self.target, va) {
                continue;
            }
            let flow = match entry {
                Entry::Page(page) if self.want.is_wanted(&page) => self.page(page.at(base)),
                Entry::Table(below) if self.want.among(&self.survey.below(below)) > 0 => {
                    self.descend(below, va)?
                }
                _ => ControlFlow::Continue(()),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The entries of a table that are present.
    fn entries(&mut self, place: Place) -> io::Result<Entries> {
        let last = &mut self.last[usize::from(place.level)];
        match last {
            Some((held, entries)) if *held == place => Ok(entries.clone()),
            _ => {
                let words = self.image.words(place.table, self.target.entries(place))?;
                let words = words.words.into_iter().enumerate();
                let entries: Entries = words
                    .filter_map(|(index, word)| {
                        let entry = self.target.entry(place, index, word)?;
                        Some((index, entry))
                    })
                    .collect();
                *last = Some((place, entries.clone()));
                Ok(entries)
            }
        }
    }

    fn page(&mut self, page: Page) -> ControlFlow<()> {
        match &mut self.open {
            Some((run, last)) if page.follows(last) => {
                run.add(&page);
                *last = page;
            }
            _ => {
                self.close();
                if self.found.runs.len() > self.want.limit() || self.found.shown >= MOST {
                    return ControlFlow::Break(());
                }
                self.open = Some((Run::of(&page), page));
            }
        }
        ControlFlow::Continue(())
    }

    /// Ends the run that is open.
    fn close(&mut self) {
        let Some((run, _)) = self.open.take() else {
            return;
        };
        self.found.shown += 1;
        let runs = &mut self.found.runs;
        if !runs.last_mut().is_some_and(|last| last.takes(&run)) {
            runs.push(run);
        }
    }

    /// How many pages are wanted: at the root, where addresses tell which entries count.
    fn count(&mut self) -> io::Result<u64> {
        let root = self.target.start();
        let entries = self.entries(root)?;
        let pages = entries.iter().map(|(index, entry)| {
            let va = self.target.offset(root, *index);
            match entry {
                _ if !self.want.regards(self.target, va) => 0,
                Entry::Page(page) => u64::from(self.want.is_wanted(page)),
                Entry::Table(below) => self.want.among(&self.survey.below(*below)),
                Entry::Reserved { .. } => 0,
            }
        });
        Ok(pages.sum())
    }
}
