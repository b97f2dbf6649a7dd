//! A program's address space: what it has been granted, and what of it is there.

use crate::area::{Access, Area, Areas, Backing, Rights, Use};
use crate::elf::USER_END;
use crate::hardware::{Mode, RunKernel};
use crate::memory::PAGE;
use crate::platform::{Platform, ProgramFrame};
use crate::stats::count;
use portolan::space::{Cursor, MappedItem, VmError, VmSpace};
use portolan::{Error, PageProperty, VirtAddr, VirtRange};
use rustix::io::Errno;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

pub(crate) mod change;

/// How far below the stack's limit nothing else is put.
pub(crate) const GUARD: u64 = 1 << 20;
/// The lowest address that is given out unasked, and the lowest that may be asked for.
pub(crate) const LOWEST: u64 = 0x1_0000;

/// A program's address space.
pub(crate) struct Space<'k> {
    pub(crate) vm: Arc<VmSpace<'k, RunKernel>>,
    pub(crate) areas: Areas,
    /// Where the heap starts and ends.
    pub(crate) heap: Range<u64>,
    /// Below what address mappings are put.
    pub(crate) top: u64,
    /// What a program that goes on as it did will use next, and how many pages of it are brought in together then.
    ahead: (u64, u64),
}

/// How many pages are brought in together at most.
const MOST_AHEAD: u64 = 16;

/// Why an access is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is there.
    Unmapped,
    /// It is not granted.
    Denied,
    /// The file that is mapped there has ended.
    PastEnd,
    /// There is no memory left.
    NoMemory,
}

/// The page of an address.
pub(crate) fn page_of(addr: u64) -> u64 {
    addr / PAGE * PAGE
}

/// A range of pages for a cursor. Callers have checked that it lies below the end of a program's addresses.
pub(crate) fn virt(range: &Range<u64>) -> Result<VirtRange<Mode>, Error> {
    VirtRange::new(VirtAddr::new(range.start)?, range.end - range.start)
}

/// The properties of a page that a program has these rights to. Without any, it is the kernel's, so that its content stays.
pub(crate) fn properties(rights: Rights) -> PageProperty {
    PageProperty {
        write: rights.write,
        execute: rights.execute,
        user: !rights.is_none(),
        ..PageProperty::USER_RO
    }
}

/// What an operation that ran into an error is answered with: nothing but memory can be short.
pub(crate) fn no_memory(_: VmError) -> Errno {
    Errno::NOMEM
}

impl<'k> Space<'k> {
    /// An address space with nothing in it.
    pub(crate) fn new(platform: &Platform<'k>) -> Option<Self> {
        Some(Space {
            vm: Arc::new(platform.space()?),
            areas: Areas::default(),
            heap: 0..0,
            top: USER_END,
            ahead: (0, 1),
        })
    }

    /// A copy, which shares the frames until one of the two is written to.
    pub(crate) fn fork(&self, platform: &Platform<'k>) -> Option<Self> {
        let table = platform.table()?;
        Some(Space {
            vm: Arc::new(self.vm.fork(&platform.here, table).ok()?),
            areas: self.areas.clone(),
            heap: self.heap.clone(),
            top: self.top,
            ahead: self.ahead,
        })
    }

    /// The area of an address, after the stack has grown down to it if it lies there.
    fn area_at(&mut self, addr: u64) -> Option<(u64, Area)> {
        if let Some((start, area)) = self.areas.at(addr) {
            return Some((start, area.clone()));
        }
        let (start, area) = self.areas.above(addr)?;
        let Use::Stack { limit } = area.purpose else {
            return None;
        };
        let page = page_of(addr);
        if page < limit || self.areas.overlap(&(page..start)) {
            return None;
        }
        self.areas.grow_down(start, page);
        self.areas
            .at(addr)
            .map(|(start, area)| (start, area.clone()))
    }

    /// How many pages are brought in together at a fault: more and more of them if one follows the last ones.
    fn pages_ahead(&mut self, page: u64) -> u64 {
        let (next, last) = self.ahead;
        let pages = if page == next {
            (2 * last).min(MOST_AHEAD)
        } else {
            1
        };
        self.ahead = (page + pages * PAGE, pages);
        pages
    }

    /// Brings what an access needs to where it is. If a program goes through memory page by page, what follows too.
    pub(crate) fn fault(
        &mut self,
        platform: &Platform<'k>,
        addr: u64,
        access: Access,
    ) -> Result<(), Fault> {
        if addr >= USER_END {
            return Err(Fault::Unmapped);
        }
        let (start, area) = self.area_at(addr).ok_or(Fault::Unmapped)?;
        if !area.rights.allow(access) {
            return Err(Fault::Denied);
        }
        count(&platform.counters.faults);
        let page = page_of(addr);
        let pages = self.pages_ahead(page).min((area.end - page) / PAGE);
        let range = virt(&(page..page + pages * PAGE)).map_err(|_| Fault::Unmapped)?;
        let no_memory = |_: VmError| Fault::NoMemory;
        let mut cursor = self
            .vm
            .cursor_mut(&platform.here, &range)
            .map_err(no_memory)?;
        let slot = cursor.query().map_err(no_memory)?;
        let prop = properties(area.rights);
        match slot.item {
            None => {
                let (frame, prop) = first_use(platform, &area, page - start, access)?;
                cursor.map(frame, prop).map_err(no_memory)?;
                for next in (page..page + pages * PAGE).step_by(PAGE as usize).skip(1) {
                    // where it can't be done, the program's own access will tell
                    let is_free = cursor.query().is_ok_and(|slot| slot.item.is_none());
                    let found = first_use(platform, &area, next - start, access);
                    let (true, Ok((frame, prop))) = (is_free, found) else {
                        break;
                    };
                    cursor.map(frame, prop).map_err(no_memory)?;
                }
                Ok(())
            }
            Some((MappedItem::Frame(frame), is)) if access == Access::Write && !is.write => {
                let is_shared = matches!(area.backing, Backing::Shared);
                // one reference is the mapping's, one is the answer's
                if is_shared || frame.reference_count() == 2 {
                    drop(frame);
                    let changed = cursor.protect_next(PAGE, |_| prop);
                    return changed.map(drop).map_err(no_memory);
                }
                let copy = copy_of(platform, &frame).ok_or(Fault::NoMemory)?;
                cursor.map(copy, prop).map_err(no_memory)
            }
            // by what the processor held of the page as it was before
            Some(_) => Ok(()),
        }
    }

    /// Brings in the page of `addr` for an access, if it isn't there.
    pub(crate) fn bring_in(
        &mut self,
        platform: &Platform<'k>,
        addr: u64,
        access: Access,
    ) -> Result<(), Fault> {
        if addr >= USER_END {
            return Err(Fault::Unmapped);
        }
        let page = page_of(addr);
        let range = virt(&(page..page + PAGE)).map_err(|_| Fault::Unmapped)?;
        let cursor = self.vm.cursor(&platform.here, &range);
        let slot = cursor.and_then(|cursor: Cursor<'_, 'k, RunKernel>| cursor.query());
        match slot.map_err(|_| Fault::NoMemory)?.item {
            Some((_, prop)) if prop.user && (prop.write || access != Access::Write) => Ok(()),
            _ => self.fault(platform, addr, access),
        }
    }
}

/// A frame for a page that is used for the first time, and its properties.
fn first_use<'k>(
    platform: &Platform<'k>,
    area: &Area,
    offset: u64,
    access: Access,
) -> Result<(ProgramFrame<'k>, PageProperty), Fault> {
    let prop = properties(area.rights);
    let (file, at, bytes, ends) = match &area.backing {
        Backing::File {
            file,
            offset: first,
            bytes,
            ends,
        } if offset < *bytes => (file, first + offset, (bytes - offset).min(PAGE), *ends),
        _ if access == Access::Write => {
            let frame = platform.zeroed_frame().ok_or(Fault::NoMemory)?;
            return Ok((frame, prop));
        }
        _ => {
            let frame = platform.shared_zeros().ok_or(Fault::NoMemory)?;
            return Ok((frame, prop.read_only()));
        }
    };
    let mut page = [0; PAGE as usize];
    let mut done = 0;
    while done < bytes as usize {
        match file.read_at(&mut page[done..bytes as usize], at + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Fault::PastEnd),
        }
    }
    if done == 0 && ends {
        return Err(Fault::PastEnd);
    }
    let frame = platform.frame().ok_or(Fault::NoMemory)?;
    platform.memory.write(frame.paddr(), &page);
    Ok((frame, prop))
}

/// A frame with the same content, for one user.
fn copy_of<'k>(platform: &Platform<'k>, frame: &ProgramFrame<'k>) -> Option<ProgramFrame<'k>> {
    if platform.is_shared_zeros(frame) {
        return platform.zeroed_frame();
    }
    count(&platform.counters.copies);
    let copy = platform.frame()?;
    platform.memory.copy_page(frame.paddr(), copy.paddr());
    Some(copy)
}
