//! What there is to say of a part of the address space, put together from what there is to say of its parts.

use portolan::CachePolicy;
use portolan_machine::walk::Rights;

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its first address, counted from some first address.
    pub va: u64,
    /// The physical address of its first byte.
    pub frame: u64,
    /// The level of its entry.
    pub level: u8,
    /// Its size in bytes.
    pub size: u64,
    /// What all entries on the way to it allow.
    pub rights: Rights,
    /// How accesses are cached.
    pub cache: CachePolicy,
    /// The translation is the same in all address spaces.
    pub global: bool,
    /// It has been used.
    pub accessed: bool,
    /// It has been stored to.
    pub dirty: bool,
}

impl Page {
    /// The page as counted from `base` on.
    pub fn at(self, base: u64) -> Page {
        Page {
            va: base.wrapping_add(self.va),
            ..self
        }
    }

    /// Whether the page goes on where `last` ends, in virtual and in physical memory, and differs in nothing but size,
    /// accessed and dirty.
    pub fn follows(&self, last: &Page) -> bool {
        last.va.checked_add(last.size) == Some(self.va)
            && last.frame + last.size == self.frame
            && (last.rights, last.cache, last.global) == (self.rights, self.cache, self.global)
    }

    /// Whether a mode can both write and execute there.
    pub fn is_writable_and_executable(&self) -> bool {
        let Rights { kernel, user } = self.rights;
        [kernel, user].iter().any(|mode| mode.write && mode.execute)
    }
}

/// What there is to say of pages in the order of their addresses.
///
/// That of a large part follows from those of its parts, so that a table is read once, however many ways lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many pages there are.
    pub pages: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many runs of pages that follow each other.
    pub runs: u64,
    /// How many pages are both writable and executable.
    pub writable_executable: u64,
    /// How many pages unprivileged software can use.
    pub user: u64,
    /// The first page and the last.
    ends: Option<(Page, Page)>,
}

impl Summary {
    /// One page.
    pub fn of(page: Page) -> Self {
        Summary {
            pages: 1,
            bytes: page.size,
            runs: 1,
            writable_executable: page.is_writable_and_executable().into(),
            user: page.rights.user.any().into(),
            ends: Some((page, page)),
        }
    }

    /// The same pages as counted from `base` on.
    pub fn at(self, base: u64) -> Self {
        Summary {
            ends: self
                .ends
                .map(|(first, last)| (first.at(base), last.at(base))),
            ..self
        }
    }

    /// These pages, and those of `next`, whose addresses are higher.
    pub fn then(self, next: Summary) -> Self {
        let (joined, ends) = match (self.ends, next.ends) {
            (Some((first, last)), Some((other, end))) => {
                (u64::from(other.follows(&last)), Some((first, end)))
            }
            (ends, None) | (None, ends) => (0, ends),
        };
        Summary {
            pages: self.pages + next.pages,
            bytes: self.bytes + next.bytes,
            runs: self.runs + next.runs - joined,
            writable_executable: self.writable_executable + next.writable_executable,
            user: self.user + next.user,
            ends,
        }
    }
}
