//! What a program has been granted of its addresses, whether or not it has used it yet.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::rc::Rc;

/// What a program may do with memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

impl Rights {
    /// For loads and stores.
    pub(crate) const READ_WRITE: Rights = Rights {
        read: true,
        write: true,
        execute: false,
    };

    /// Whether an access is granted. On x86_64 what may be written or executed may be read.
    pub(crate) fn allow(self, access: Access) -> bool {
        match access {
            Access::Read => self.read || self.write || self.execute,
            Access::Write => self.write,
            Access::Execute => self.execute,
        }
    }

    /// Whether nothing is granted.
    pub(crate) fn is_none(self) -> bool {
        self == Rights::default()
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |granted, letter| if granted { letter } else { '-' };
        let letters = [
            letter(self.read, 'r'),
            letter(self.write, 'w'),
            letter(self.execute, 'x'),
        ];
        letters.iter().try_for_each(|letter| write!(f, "{letter}"))
    }
}

/// What a program does to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    Execute,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Execute => "execute",
        })
    }
}

/// What is in pages that have not been used yet.
#[derive(Clone, Debug)]
pub(crate) enum Backing {
    /// Zeros.
    Zeros,
    /// A file's bytes, from an offset on, as many as said, then zeros.
    File {
        file: Rc<File>,
        offset: u64,
        bytes: u64,
        /// Whether what lies past the end of the file can't be used, as it is for programs that map files.
        ends: bool,
    },
    /// Zeros that processes have in common: their pages are there from the start.
    Shared,
}

impl Backing {
    /// What is `by` bytes further on.
    pub(crate) fn skip(&self, by: u64) -> Backing {
        match self {
            Backing::File {
                file,
                offset,
                bytes,
                ends,
            } => Backing::File {
                file: file.clone(),
                offset: offset.saturating_add(by),
                bytes: bytes.saturating_sub(by),
                ends: *ends,
            },
            other => other.clone(),
        }
    }
}

/// What an area is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A part of the program.
    Program,
    /// What `brk` has granted.
    Heap,
    /// The stack, which grows down to an address.
    Stack { limit: u64 },
    /// What `mmap` has granted.
    Mapping,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Use::Program => "program",
            Use::Heap => "heap",
            Use::Stack { .. } => "stack",
            Use::Mapping => "mapping",
        })
    }
}

/// Addresses that follow each other, with the same rights.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    pub(crate) end: u64,
    pub(crate) rights: Rights,
    pub(crate) backing: Backing,
    pub(crate) purpose: Use,
}

impl Area {
    /// Whether `next`, which starts where this one ends, says nothing else.
    fn continues(&self, next: &Area) -> bool {
        matches!(
            (&self.backing, &next.backing),
            (Backing::Zeros, Backing::Zeros)
        ) && (self.rights, &self.purpose) == (next.rights, &next.purpose)
    }
}

/// All areas of a program, by their first addresses. Ends are multiples of the page size, and no two areas overlap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Areas {
    map: BTreeMap<u64, Area>,
}

impl Areas {
    /// The area that `addr` lies in, and where it starts.
    pub(crate) fn at(&self, addr: u64) -> Option<(u64, &Area)> {
        let (start, area) = self.map.range(..=addr).next_back()?;
        (addr < area.end).then_some((*start, area))
    }

    /// The next area above `addr`.
    pub(crate) fn above(&self, addr: u64) -> Option<(u64, &Area)> {
        let (start, area) = self.map.range(addr..).next()?;
        Some((*start, area))
    }

    /// The areas in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Range<u64>, &Area)> {
        self.map
            .iter()
            .map(|(start, area)| (*start..area.end, area))
    }

    /// Whether some of `range` is in an area.
    pub(crate) fn overlap(&self, range: &Range<u64>) -> bool {
        let last = self.map.range(..range.end).next_back();
        last.is_some_and(|(_, area)| area.end > range.start)
    }

    /// Whether all of `range` is in areas.
    pub(crate) fn cover(&self, range: &Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.at(at) {
                Some((_, area)) => at = area.end,
                None => return false,
            }
        }
        true
    }

    /// Adds an area where there is none.
    pub(crate) fn insert(&mut self, start: u64, mut area: Area) {
        let mut start = start;
        if let Some((before, last)) = self.map.range(..start).next_back()
            && last.end == start
            && last.continues(&area)
        {
            start = *before;
        }
        if let Some(next) = self.map.get(&area.end)
            && area.continues(next)
        {
            let next = self.map.remove(&area.end);
            area.end = next.map_or(area.end, |next| next.end);
        }
        self.map.insert(start, area);
    }

    /// Divides the area that `addr` lies in, if it does, so that one starts there.
    fn cut(&mut self, addr: u64) {
        let Some((start, area)) = self.at(addr).map(|(start, area)| (start, area.clone())) else {
            return;
        };
        if start == addr {
            return;
        }
        let upper = Area {
            backing: area.backing.skip(addr - start),
            ..area.clone()
        };
        self.map.insert(start, Area { end: addr, ..area });
        self.map.insert(addr, upper);
    }

    /// Takes out what lies in `range`, and answers with it.
    pub(crate) fn remove(&mut self, range: &Range<u64>) -> Vec<(u64, Area)> {
        self.cut(range.start);
        self.cut(range.end);
        let inside = self.map.range(range.clone());
        let starts: Vec<u64> = inside.map(|(start, _)| *start).collect();
        let take = |start: u64| Some((start, self.map.remove(&start)?));
        starts.into_iter().filter_map(take).collect()
    }

    /// Changes the rights of what lies in `range`.
    pub(crate) fn protect(&mut self, range: &Range<u64>, rights: Rights) {
        for (start, area) in self.remove(range) {
            self.insert(start, Area { rights, ..area });
        }
    }

    /// Changes where an area starts: down, to where none is.
    pub(crate) fn grow_down(&mut self, from: u64, to: u64) {
        if let Some(area) = self.map.remove(&from) {
            self.map.insert(to, area);
        }
    }

    /// Where `bytes` bytes are free in `within`, as high as possible.
    pub(crate) fn find_gap(&self, bytes: u64, within: &Range<u64>) -> Option<u64> {
        let mut top = within.end;
        for (start, area) in self.map.range(..within.end).rev() {
            let bottom = area.end.max(within.start);
            if top >= bottom && top - bottom >= bytes {
                return Some(top - bytes);
            }
            top = top.min(*start);
        }
        let fits = top >= within.start && top - within.start >= bytes;
        fits.then(|| top - bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeros up to an address, with rights.
    fn zeros(end: u64, rights: Rights) -> Area {
        Area {
            end,
            rights,
            backing: Backing::Zeros,
            purpose: Use::Mapping,
        }
    }

    /// Where areas are, and whether they may be written to.
    fn all(areas: &Areas) -> Vec<(Range<u64>, bool)> {
        let one = |(range, area): (Range<u64>, &Area)| (range, area.rights.write);
        areas.iter().map(one).collect()
    }

    #[test]
    fn neighbours_that_say_the_same_become_one() {
        let mut areas = Areas::default();
        areas.insert(0x1000, zeros(0x2000, Rights::READ_WRITE));
        areas.insert(0x3000, zeros(0x4000, Rights::READ_WRITE));
        areas.insert(0x2000, zeros(0x3000, Rights::READ_WRITE));
        assert_eq!(all(&areas), [(0x1000..0x4000, true)]);
        areas.insert(0x4000, zeros(0x5000, Rights::default()));
        assert_eq!(
            all(&areas),
            [(0x1000..0x4000, true), (0x4000..0x5000, false)]
        );
    }

    #[test]
    fn a_hole_divides_an_area() {
        let mut areas = Areas::default();
        areas.insert(0x1000, zeros(0x5000, Rights::READ_WRITE));
        assert_eq!(areas.remove(&(0x2000..0x3000)).len(), 1);
        assert_eq!(
            all(&areas),
            [(0x1000..0x2000, true), (0x3000..0x5000, true)]
        );
        assert!(areas.at(0x2fff).is_none() && areas.at(0x3000).is_some());
        assert!(!areas.cover(&(0x1000..0x5000)) && areas.overlap(&(0x2000..0x3001)));
        assert!(!areas.overlap(&(0x2000..0x3000)) && areas.cover(&(0x3000..0x5000)));
        assert!(areas.remove(&(0x8000..0x9000)).is_empty());
    }

    #[test]
    fn rights_change_where_they_are_to_and_nowhere_else() {
        let mut areas = Areas::default();
        areas.insert(0x1000, zeros(0x5000, Rights::READ_WRITE));
        areas.protect(&(0x2000..0x3000), Rights::default());
        let expected = [
            (0x1000..0x2000, true),
            (0x2000..0x3000, false),
            (0x3000..0x5000, true),
        ];
        assert_eq!(all(&areas), expected);
        areas.protect(&(0x2000..0x3000), Rights::READ_WRITE);
        assert_eq!(all(&areas), [(0x1000..0x5000, true)]);
    }

    #[test]
    fn gaps_are_found_from_the_top() {
        let mut areas = Areas::default();
        let within = 0x1000..0x1_0000;
        assert_eq!(areas.find_gap(0x1000, &within), Some(0xf000));
        areas.insert(0xe000, zeros(0x2_0000, Rights::default()));
        areas.insert(0x8000, zeros(0xd000, Rights::default()));
        assert_eq!(areas.find_gap(0x1000, &within), Some(0xd000));
        assert_eq!(areas.find_gap(0x2000, &within), Some(0x6000));
        assert_eq!(areas.find_gap(0x7000, &within), Some(0x1000));
        assert_eq!(areas.find_gap(0x8000, &within), None);
    }

    #[test]
    fn a_part_of_a_file_goes_on_where_it_was_cut() -> std::io::Result<()> {
        let mut areas = Areas::default();
        let file = Rc::new(File::open("/dev/null")?);
        let backing = Backing::File {
            file,
            offset: 0x7000,
            bytes: 0x1800,
            ends: false,
        };
        areas.insert(
            0x1000,
            Area {
                backing,
                ..zeros(0x5000, Rights::default())
            },
        );
        areas.protect(&(0x2000..0x3000), Rights::READ_WRITE);
        let parts = areas.iter().map(|(_, area)| match area.backing {
            Backing::File { offset, bytes, .. } => (offset, bytes),
            _ => (0, 0),
        });
        let expected = [(0x7000, 0x1800), (0x8000, 0x800), (0x9000, 0)];
        assert_eq!(parts.collect::<Vec<_>>(), expected);
        Ok(())
    }
}
