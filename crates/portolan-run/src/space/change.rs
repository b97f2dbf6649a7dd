//! Changes that programs ask for: `brk`, `mmap` and its kin.

use super::{GUARD, LOWEST, Space, no_memory, properties, virt};
use crate::area::{Access, Area, Backing, Rights, Use};
use crate::elf::USER_END;
use crate::memory::PAGE;
use crate::platform::Platform;
use portolan::space::MappedItem;
use portolan::{PageProperty, VirtAddr};
use rustix::io::Errno;
use std::ops::Range;

/// How much of what processes have in common is mapped at a time: all of it is there from the start.
const MOST_SHARED: u64 = 64 << 20;

/// Where a mapping is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere, best at an address.
    Hint(u64),
    /// There, in the place of what is there.
    Fixed(u64),
    /// There, if nothing is there.
    Free(u64),
}

/// The whole pages of `bytes` bytes, at least one.
pub(crate) fn pages(bytes: u64) -> Result<u64, Errno> {
    if bytes == 0 {
        return Err(Errno::INVAL);
    }
    let whole = bytes.checked_next_multiple_of(PAGE);
    whole.filter(|whole| *whole < USER_END).ok_or(Errno::NOMEM)
}

/// A range of a program's addresses, which starts at a page.
pub(crate) fn range(addr: u64, bytes: u64) -> Result<Range<u64>, Errno> {
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::INVAL);
    }
    let end = addr.checked_add(bytes).filter(|end| *end <= USER_END);
    Ok(addr..end.ok_or(Errno::NOMEM)?)
}

impl<'k> Space<'k> {
    /// Grants addresses.
    pub(crate) fn map(
        &mut self,
        platform: &Platform<'k>,
        place: Place,
        bytes: u64,
        rights: Rights,
        backing: Backing,
        purpose: Use,
    ) -> Result<u64, Errno> {
        let bytes = pages(bytes)?;
        let is_shared = matches!(backing, Backing::Shared);
        if is_shared && bytes > MOST_SHARED {
            return Err(Errno::NOMEM);
        }
        let start = match place {
            Place::Fixed(addr) => {
                let there = range(addr, bytes)?;
                if addr < LOWEST {
                    return Err(Errno::PERM);
                }
                self.unmap(platform, &there)?;
                addr
            }
            Place::Free(addr) => {
                let there = range(addr, bytes)?;
                if addr < LOWEST {
                    return Err(Errno::PERM);
                }
                if self.areas.overlap(&there) {
                    return Err(Errno::EXIST);
                }
                addr
            }
            Place::Hint(addr) => {
                let addr = addr / PAGE * PAGE;
                let there = range(addr, bytes);
                match there.ok().filter(|there| {
                    addr >= LOWEST && there.end <= self.top && !self.areas.overlap(there)
                }) {
                    Some(there) => there.start,
                    None => self.gap(bytes).ok_or(Errno::NOMEM)?,
                }
            }
        };
        let end = start + bytes;
        let area = Area {
            end,
            rights,
            backing,
            purpose,
        };
        self.areas.insert(start, area);
        if is_shared && let Err(error) = self.populate(platform, &(start..end), rights) {
            self.unmap(platform, &(start..end))?;
            return Err(error);
        }
        Ok(start)
    }

    /// Where so many bytes are free.
    fn gap(&self, bytes: u64) -> Option<u64> {
        self.areas.find_gap(bytes, &(LOWEST..self.top))
    }

    /// Maps pages of zeros everywhere in a range.
    fn populate(
        &mut self,
        platform: &Platform<'k>,
        range: &Range<u64>,
        rights: Rights,
    ) -> Result<(), Errno> {
        let pages = virt(range).map_err(|_| Errno::INVAL)?;
        let cursor = self.vm.cursor_mut(&platform.here, &pages);
        let mut cursor = cursor.map_err(no_memory)?;
        for _ in range.clone().step_by(PAGE as usize) {
            let frame = platform.zeroed_frame().ok_or(Errno::NOMEM)?;
            cursor.map(frame, properties(rights)).map_err(no_memory)?;
        }
        Ok(())
    }

    /// Takes addresses back, with what is there. Where nothing is, nothing happens.
    pub(crate) fn unmap(
        &mut self,
        platform: &Platform<'k>,
        range: &Range<u64>,
    ) -> Result<(), Errno> {
        self.areas.remove(range);
        self.discard(platform, range)
    }

    /// Forgets what has been written in a range.
    pub(crate) fn discard(
        &mut self,
        platform: &Platform<'k>,
        range: &Range<u64>,
    ) -> Result<(), Errno> {
        if range.is_empty() {
            return Ok(());
        }
        let pages = virt(range).map_err(|_| Errno::INVAL)?;
        let cursor = self.vm.cursor_mut(&platform.here, &pages);
        let mut cursor = cursor.map_err(no_memory)?;
        let unmapped = cursor.unmap(range.end - range.start);
        unmapped.map(drop).map_err(no_memory)
    }

    /// Grants other rights to addresses that have been granted.
    pub(crate) fn protect(
        &mut self,
        platform: &Platform<'k>,
        range: &Range<u64>,
        rights: Rights,
    ) -> Result<(), Errno> {
        if range.is_empty() {
            return Ok(());
        }
        if !self.areas.cover(range) {
            return Err(Errno::NOMEM);
        }
        self.areas.protect(range, rights);
        let pages = virt(range).map_err(|_| Errno::INVAL)?;
        let cursor = self.vm.cursor_mut(&platform.here, &pages);
        let mut cursor = cursor.map_err(no_memory)?;
        // a page that can't be written to may be shared: the next write finds out
        let change = |is: PageProperty| PageProperty {
            write: is.write && rights.write,
            ..properties(rights)
        };
        while let Some(at) = cursor.virt_addr().map(VirtAddr::as_u64) {
            let next = cursor.protect_next(range.end - at, change);
            if next.map_err(no_memory)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Moves the end of the heap, if that can be; answers with where it is.
    pub(crate) fn set_heap_end(&mut self, platform: &Platform<'k>, to: u64) -> u64 {
        let Range { start, end } = self.heap;
        if to < start || to >= self.top {
            return end;
        }
        let (old, new) = (end.next_multiple_of(PAGE), to.next_multiple_of(PAGE));
        if new < old && self.unmap(platform, &(new..old)).is_err() {
            return end;
        }
        if new > old {
            if self.areas.overlap(&(old..new.saturating_add(PAGE))) {
                return end;
            }
            let area = Area {
                end: new,
                rights: Rights::READ_WRITE,
                backing: Backing::Zeros,
                purpose: Use::Heap,
            };
            self.areas.insert(old, area);
        }
        self.heap.end = to;
        to
    }

    /// Makes room for a stack that ends at `end` and may grow to `limit` bytes, and keeps mappings off it.
    pub(crate) fn add_stack(&mut self, end: u64, bytes: u64, limit: u64, rights: Rights) {
        let limit = end - limit;
        let area = Area {
            end,
            rights,
            backing: Backing::Zeros,
            purpose: Use::Stack { limit },
        };
        self.areas.insert(end - bytes, area);
        self.top = limit - GUARD;
    }

    /// Changes the length of what has been granted, or moves it.
    pub(crate) fn remap(
        &mut self,
        platform: &Platform<'k>,
        old: &Range<u64>,
        new_bytes: u64,
        may_move: bool,
        to: Option<u64>,
    ) -> Result<u64, Errno> {
        let (start, area) = self.areas.at(old.start).ok_or(Errno::FAULT)?;
        if old.end > area.end {
            return Err(Errno::FAULT);
        }
        let area = Area {
            backing: area.backing.skip(old.start - start),
            ..area.clone()
        };
        let old_bytes = old.end - old.start;
        if to.is_none() && new_bytes <= old_bytes {
            self.unmap(platform, &(old.start + new_bytes..old.end))?;
            return Ok(old.start);
        }
        let grown = range(old.start, new_bytes);
        let fits = |grown: &Range<u64>| {
            grown.end <= self.top && !self.areas.overlap(&(old.end..grown.end))
        };
        let is_shared = matches!(area.backing, Backing::Shared);
        if to.is_none() && !is_shared && grown.is_ok_and(|grown| fits(&grown)) {
            // as one area, so that it can be grown or moved as a whole again
            let rest = self.areas.remove(old);
            debug_assert_eq!(rest.len(), 1, "the range lies in one area");
            let end = old.start + new_bytes;
            self.areas.insert(old.start, Area { end, ..area });
            return Ok(old.start);
        }
        if !may_move {
            return Err(Errno::NOMEM);
        }
        let place = match to {
            Some(to) => {
                let target = range(to, new_bytes)?;
                if target.start < old.end && old.start < target.end {
                    return Err(Errno::INVAL);
                }
                Place::Fixed(to)
            }
            None => Place::Hint(0),
        };
        if is_shared && new_bytes > old_bytes {
            return Err(Errno::NOMEM);
        }
        let Area {
            rights,
            backing,
            purpose,
            ..
        } = area;
        // its pages are moved there
        let unpopulated = if is_shared {
            Backing::Zeros
        } else {
            backing.clone()
        };
        let start = self.map(
            platform,
            place,
            new_bytes,
            rights,
            unpopulated,
            purpose.clone(),
        )?;
        if is_shared {
            let there = start..start + new_bytes;
            self.areas.remove(&there);
            self.areas.insert(
                start,
                Area {
                    end: there.end,
                    rights,
                    backing,
                    purpose,
                },
            );
        }
        let moved = old.start..old.start + old_bytes.min(new_bytes);
        self.move_pages(platform, &moved, start)?;
        self.unmap(platform, old)?;
        Ok(start)
    }

    /// Maps what is mapped in a range at another place too.
    fn move_pages(
        &mut self,
        platform: &Platform<'k>,
        from: &Range<u64>,
        to: u64,
    ) -> Result<(), Errno> {
        let mut found = Vec::new();
        let pages = virt(from).map_err(|_| Errno::INVAL)?;
        let cursor = self.vm.cursor(&platform.here, &pages);
        let mut cursor = cursor.map_err(no_memory)?;
        while let Some(slot) = cursor.next_slot().map_err(no_memory)? {
            if let Some((MappedItem::Frame(frame), prop)) = slot.item {
                found.push((slot.range.start().as_u64() - from.start, frame, prop));
            }
        }
        drop(cursor);
        let pages = virt(&(to..to + (from.end - from.start))).map_err(|_| Errno::INVAL)?;
        let cursor = self.vm.cursor_mut(&platform.here, &pages);
        let mut cursor = cursor.map_err(no_memory)?;
        for (offset, frame, prop) in found {
            let at = VirtAddr::new(to + offset).map_err(|_| Errno::INVAL)?;
            cursor.jump(at).map_err(no_memory)?;
            cursor.map(frame, prop).map_err(no_memory)?;
        }
        Ok(())
    }

    /// Whether an access would be granted at each page of a range.
    pub(crate) fn grants(&self, range: &Range<u64>, access: Access) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.areas.at(at) {
                Some((_, area)) if area.rights.allow(access) => at = area.end,
                _ => return false,
            }
        }
        true
    }
}
