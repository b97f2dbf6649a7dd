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
    /// Hardware has marked it as used.
    pub accessed: bool,
    /// Hardware has marked it as stored to.
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
    /// Adds a page, whose address is higher.
    pub fn push(&mut self, page: Page) {
        let joined = self
            .ends
            .as_ref()
            .is_some_and(|(_, last)| page.follows(last));
        self.pages += 1;
        self.bytes += page.size;
        self.runs += u64::from(!joined);
        self.writable_executable += u64::from(page.is_writable_and_executable());
        self.user += u64::from(page.rights.user.any());
        match &mut self.ends {
            Some((_, last)) => *last = page,
            none => *none = Some((page, page)),
        }
    }

    /// Adds the pages of a part, whose addresses are higher; its own addresses count from `base` on.
    pub fn append(&mut self, part: &Summary, base: u64) {
        let Some((first, last)) = &part.ends else {
            return;
        };
        let (first, end) = (first.at(base), last.at(base));
        let joined = self
            .ends
            .as_ref()
            .is_some_and(|(_, last)| first.follows(last));
        self.pages += part.pages;
        self.bytes += part.bytes;
        self.runs += part.runs - u64::from(joined);
        self.writable_executable += part.writable_executable;
        self.user += part.user;
        match &mut self.ends {
            Some((_, last)) => *last = end,
            none => *none = Some((first, end)),
        }
    }
}
