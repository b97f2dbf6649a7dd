//! A page table that does whatever an operation says, of each paging mode.

use super::super::model::{Answer, Make, Op, Step};
use super::used::Used;
use super::{AnyMode, AnySubject, Bits, Copied, Perform, Performed, Remade, TakeSteps};
use crate::any::{AnyMemory, AnyTable, Owed, Tlbs, Typed};
use portolan::{
    AccessBits, CursorMut, Error, Invalidate, Mapping, NotMade, PageProperty, PageSize, PagingMode,
    PhysAddr, Preset, Tracking, Vacant, VirtAddr,
};

/// A paging mode, where its tables are, and the TLBs of those who use them.
pub(in super::super) struct Mode<'m, A> {
    pub(in super::super) memory: AnyMemory<'m>,
    pub(in super::super) tlbs: &'m dyn Invalidate<A>,
}

impl<'m, A: PagingMode + 'm> AnyMode<'m> for Mode<'m, A> {
    fn table(&self, bits: Bits) -> Result<AnySubject<'m>, Error> {
        let memory = self.memory.clone();
        Ok(match bits {
            Bits::Preset => Box::new(Typed::<A, Preset>::new(memory, self.tlbs)?),
            Bits::Tracking => Box::new(Typed::<A, Tracking>::new(memory, self.tlbs)?),
        })
    }
}

impl<'m, A: PagingMode + 'm, B: Used + 'm> Perform<'m> for Typed<'m, A, B> {
    fn perform(&mut self, op: &Op) -> Result<Performed<'m>, Error> {
        let start = op.start();
        let va = VirtAddr::<A>::new(start)?;
        let range = |bytes| Self::range(start, bytes);
        let (table, tlbs) = (&mut self.table, self.tlbs);
        let owed = |flush| Some(Owed::new(flush, tlbs));
        let one = |(page, owed)| (Answer::Page(page), Some(owed));
        Ok(match *op {
            Op::Map {
                frame, size, prop, ..
            } => {
                self.map(start, PhysAddr::new(frame), size, prop)?;
                (Answer::Done, None)
            }
            Op::Unmap { size, .. } => one(self.unmap(start, size)?),
            Op::Protect { size, prop, .. } => one(self.protect(start, size, prop)?),
            Op::MapRange {
                bytes,
                frame,
                largest,
                prop,
                ..
            } => {
                table.map_range(range(bytes)?, PhysAddr::new(frame), largest, prop)?;
                (Answer::Done, None)
            }
            Op::UnmapRange { bytes, .. } => {
                let (unmapped, flush) = table.unmap_range(range(bytes)?)?;
                (Answer::Bytes(unmapped), owed(flush))
            }
            Op::ProtectRange { bytes, prop, .. } => {
                let (changed, flush) = table.protect_range(range(bytes)?, prop)?;
                (Answer::Bytes(changed), owed(flush))
            }
            Op::Split { size, .. } => {
                let (page, flush) = table.split(va, size)?;
                (Answer::Page(page), owed(flush))
            }
            Op::Collapse { size, .. } => {
                let (page, flush) = table.collapse(va, size)?;
                (Answer::Page(page), owed(flush))
            }
            Op::Harvest {
                bytes, bits, by, ..
            } => {
                let (pages, flush) = B::harvest(table, range(bytes)?, bits, by)?;
                (Answer::Pages(pages), flush.and_then(owed))
            }
            Op::Step {
                bytes, pos, step, ..
            } => {
                let mut cursor = Stepping::new(self, (start, bytes))?;
                if pos > 0 {
                    cursor.cursor.jump(VirtAddr::new(op.va())?)?;
                }
                cursor.take(step)?
            }
            Op::Query { .. } | Op::Remake { .. } | Op::Copy { .. } => {
                let page = table.query(va)?;
                (Answer::Page(page), None)
            }
        })
    }

    fn remake(
        &mut self,
        (va, size): (u64, PageSize),
        parts: bool,
        make: Make,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Remade, Error> {
        let at = VirtAddr::new(va)?;
        let broken = match parts {
            true => self.table.break_pages(at, size)?,
            false => self.table.break_page(at, size)?,
        };
        let (was, stale) = (broken.was(), broken.range().into());
        let vacant = broken.flush(&Tlbs(self.tlbs));
        meanwhile();
        let made = make_in(vacant, make);
        Ok(Remade { was, stale, made })
    }

    fn copy(
        &mut self,
        (va, bytes): (u64, u64),
        protect: bool,
        beside: &[(u64, Mapping)],
    ) -> Result<Copied<'m>, Error> {
        let mut child = Typed::<A, B>::new(self.memory.clone(), self.tlbs)?;
        for (va, page) in beside {
            let prop = PageProperty::USER_RO;
            let va = VirtAddr::new(*va)?;
            child.table.map(va, page.frame, page.size, prop)?;
        }
        let range = Self::range(va, bytes)?;
        let (bytes, owed) = if protect {
            let copied = self
                .table
                .copy_range_write_protected(range, &mut child.table);
            copied.map(|(bytes, flush)| (bytes, Some(Owed::new(flush, self.tlbs))))?
        } else {
            (self.table.copy_range(range, &mut child.table)?, None)
        };
        let table = Box::new(child);
        Ok(Copied { bytes, owed, table })
    }

    fn cursor(&mut self, range: (u64, u64)) -> Result<Box<dyn TakeSteps<'m> + '_>, Error> {
        Ok(Box::new(Stepping::new(self, range)?))
    }

    fn met(&self, (va, bytes): (u64, u64)) -> Result<Vec<(u64, Mapping)>, Error> {
        let mut cursor = self.table.cursor(Self::range(va, bytes)?)?;
        let mut pages = Vec::new();
        while let Some(at) = cursor.find_next(u64::MAX) {
            let (Some(page), Some((base, bytes))) = (cursor.query(), cursor.extent()) else {
                break;
            };
            let base = base.as_u64();
            pages.push((base, page));
            if bytes != page.size.bytes() || at.as_u64() != base.max(va) {
                pages.push((base, page));
            }
            cursor.move_forward();
        }
        Ok(pages)
    }
}

/// Makes what is to be made of pages that were broken, or else restores them.
fn make_in<A: PagingMode, B: AccessBits>(
    vacant: Vacant<'_, AnyMemory<'_>, A, B>,
    make: Make,
) -> Result<(), Error> {
    let made = match make {
        Make::Map { frame, prop } => vacant.map(PhysAddr::new(frame), prop),
        Make::Protect { prop } => vacant.protect(prop),
        Make::Collapse => vacant.collapse(),
        Make::Split { part } => vacant.split(part),
        Make::Restore => vacant.restore(),
        Make::Abandon => {
            vacant.abandon();
            Ok(())
        }
    };
    made.or_else(|NotMade { error, vacant }| {
        vacant.restore()?;
        Err(error)
    })
}

/// A cursor over a range.
struct Stepping<'t, 'm, A: PagingMode, B: AccessBits> {
    cursor: CursorMut<'t, AnyMemory<'m>, A, B>,
    tlbs: &'m dyn Invalidate<A>,
    /// The range's first address.
    start: u64,
    /// How many bytes it has.
    bytes: u64,
}

impl<'t, 'm, A: PagingMode, B: AccessBits> Stepping<'t, 'm, A, B> {
    fn new(table: &'t mut Typed<'m, A, B>, (start, bytes): (u64, u64)) -> Result<Self, Error> {
        let range = Typed::<A, B>::range(start, bytes)?;
        Ok(Stepping {
            cursor: table.table.cursor_mut(range)?,
            tlbs: table.tlbs,
            start,
            bytes,
        })
    }
}

impl<'m, A: PagingMode + 'm, B: AccessBits> TakeSteps<'m> for Stepping<'_, 'm, A, B> {
    fn take(&mut self, step: Step) -> Result<Performed<'m>, Error> {
        let (cursor, tlbs) = (&mut self.cursor, self.tlbs);
        let (mut changed, mut unmapped, mut owed) = (None, 0, None);
        match step {
            Step::Map { frame, size, prop } => cursor.map(PhysAddr::new(frame), size, prop)?,
            Step::MapRange {
                len,
                frame,
                largest,
                prop,
            } => cursor.map_range(len, PhysAddr::new(frame), largest, prop)?,
            Step::Unmap { len } => {
                let (bytes, flush) = cursor.unmap(len)?;
                (unmapped, owed) = (bytes, Some(Owed::new(flush, tlbs)));
            }
            Step::ProtectNext { len, prop } => {
                if let Some((va, was, flush)) = cursor.protect_next(len, prop)? {
                    changed = Some((va.as_u64(), was));
                    owed = Some(Owed::new(flush, tlbs));
                }
            }
            Step::FindNext { len } => drop(cursor.find_next(len)),
            Step::MoveForward => cursor.move_forward(),
            Step::Jump { to } => cursor.jump(VirtAddr::new(to)?)?,
        }
        let here = || Some((cursor.extent()?.0.as_u64(), cursor.query()?));
        let page = match step {
            Step::ProtectNext { .. } => changed,
            _ => here(),
        };
        let at = cursor.virt_addr();
        let answer = Answer::Moved {
            pos: at.map_or(self.bytes, |at| at.as_u64().wrapping_sub(self.start)),
            page,
            bytes: unmapped,
        };
        Ok((answer, owed))
    }
}
