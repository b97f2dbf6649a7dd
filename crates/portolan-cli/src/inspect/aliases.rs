//! Frames that are mapped more than once with unlike cache policies, of which processors may make anything (Intel SDM
//! vol. 3, 13.12.4; Arm ARM, B2.10; RISC-V, "Svpbmt").

use super::summary::Page;
use portolan::CachePolicy;

/// A piece of physical memory and a way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    start: u64,
    /// Behind its last byte.
    end: u64,
    /// How accesses are cached.
    pub cache: CachePolicy,
    /// The first virtual address.
    va: u64,
}

/// Physical memory that is cached in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Its first byte.
    pub start: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// One way.
    pub one: Piece,
    /// The other way.
    pub other: Piece,
}

/// All that is mapped.
#[derive(Debug, Default)]
pub struct Frames {
    pieces: Vec<Piece>,
    /// There was more than is kept.
    pub incomplete: bool,
}

/// How many pieces are kept: 128 MiB.
const MOST: usize = 1 << 22;

impl Piece {
    fn goes_on_with(&self, page: &Page) -> bool {
        self.end == page.frame && self.cache == page.cache && self.va_of(page.frame) == page.va
    }

    /// The virtual address for a physical one.
    pub fn va_of(&self, frame: u64) -> u64 {
        self.va.wrapping_add(frame - self.start)
    }
}

impl Frames {
    /// Notes a page. Pages in the order of their addresses take least room.
    pub fn note(&mut self, page: Page) {
        let end = page.frame + page.size;
        if let Some(last) = self.pieces.last_mut()
            && last.goes_on_with(&page)
        {
            last.end = end;
        } else if self.pieces.len() < MOST {
            self.pieces.push(Piece {
                start: page.frame,
                end,
                cache: page.cache,
                va: page.va,
            });
        } else {
            self.incomplete = true;
        }
    }

    /// Tells `found` of the memory that is cached in two ways, by address.
    pub fn aliases(mut self, mut found: impl FnMut(Alias)) {
        self.pieces.sort_by_key(|piece| piece.start);
        let mut open: Option<Alias> = None;
        // Of each kind, the piece so far that reaches farthest
        let mut farthest: [Option<Piece>; KINDS] = [None; KINDS];
        for piece in self.pieces {
            let own = kind(piece.cache);
            for (other, before) in farthest.iter().enumerate() {
                if let Some(before) = before
                    && other != own
                    && before.end > piece.start
                {
                    let alias = Alias::of(*before, piece);
                    if !open.as_mut().is_some_and(|last| last.joins(&alias)) {
                        open.replace(alias).into_iter().for_each(&mut found);
                    }
                }
            }
            let mine = &mut farthest[own];
            if mine.is_none_or(|before| before.end < piece.end) {
                *mine = Some(piece);
            }
        }
        open.into_iter().for_each(found);
    }
}

impl Alias {
    /// Where the pieces overlap, the second of which does not begin before the first.
    fn of(one: Piece, other: Piece) -> Self {
        Alias {
            start: other.start,
            bytes: one.end.min(other.end) - other.start,
            one,
            other,
        }
    }

    /// Whether `next`, which does not begin before this one, begins where it ends or before; then it becomes a part.
    fn joins(&mut self, next: &Alias) -> bool {
        let joins = self.start + self.bytes >= next.start;
        if joins {
            self.bytes = self.bytes.max(next.start + next.bytes - self.start);
        }
        joins
    }
}

const KINDS: usize = 5;

/// Policies of one kind are alike: a page attribute of UC- differs from UC only where memory type range registers say
/// write-combining.
fn kind(cache: CachePolicy) -> usize {
    match cache {
        CachePolicy::WriteBack => 0,
        CachePolicy::WriteThrough => 1,
        CachePolicy::UncacheableMinus | CachePolicy::Uncacheable => 2,
        CachePolicy::WriteCombining => 3,
        CachePolicy::WriteProtected => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_machine::walk::Rights;

    fn aliases(pages: &[(u64, u64, CachePolicy)]) -> Vec<(u64, u64)> {
        let mut frames = Frames::default();
        for (va, &(frame, size, cache)) in (0..).zip(pages) {
            frames.note(Page {
                va,
                frame,
                level: 1,
                size,
                rights: Rights::ALL,
                cache,
                global: false,
                accessed: false,
                dirty: false,
            });
        }
        let mut found = Vec::new();
        frames.aliases(|alias| found.push((alias.start, alias.bytes)));
        found
    }

    #[test]
    fn only_unlike_policies_count() {
        let all = (0, 0x10_0000, CachePolicy::WriteBack);
        let one = |cache| aliases(&[all, (0x3000, 0x1000, cache)]);
        assert_eq!(one(CachePolicy::Uncacheable), [(0x3000, 0x1000)]);
        assert_eq!(one(CachePolicy::WriteBack), []);
        let minus = (0x20_0000, 0x1000, CachePolicy::UncacheableMinus);
        let plain = (0x20_0000, 0x1000, CachePolicy::Uncacheable);
        assert_eq!(aliases(&[all, minus, plain]), []);
    }

    #[test]
    fn overlaps_are_found_behind_shorter_pieces_and_joined() {
        let pages = [
            (0, 0x10_0000, CachePolicy::WriteBack),
            (0x1000, 0x1000, CachePolicy::WriteBack),
            (0x8000, 0x1000, CachePolicy::WriteCombining),
            (0x9000, 0x1000, CachePolicy::Uncacheable),
        ];
        assert_eq!(aliases(&pages), [(0x8000, 0x2000)]);
    }
}
