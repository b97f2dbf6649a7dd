//! Asking a page table for what an operation says.

use super::model::{Answer, Make, Model, Op, Search, Step};
use super::report::{Failure, Mismatch};
use super::subject::{Bench, Subject};
use crate::access::{Access, Outcome, Privilege};
use crate::machine::Machine;
use portolan::{
    AccessBits, CursorMut, Error, Flush, Invalidate, Mapping, NotMade, PageProperty, PageSize,
    PageTable, PagingMode, PhysAddr, Preset, TableMemory, Tracking, UsedBits, Vacant, VirtAddr,
    VirtRange,
};

/// What an operation answers, and what has to be flushed for it.
pub(super) type Performed<M, A> = (Answer, Option<Flush<M, A>>);

/// The pages that a table's search for used ones gives, and the flush for them.
type UsedPages<M, A> = (Vec<(u64, Mapping)>, Option<Flush<M, A>>);

/// Tables that look after accessed and dirty bits, or don't.
pub(super) trait Used: AccessBits {
    /// Searches a range for pages that were used.
    fn harvest<M: TableMemory, A: PagingMode>(
        table: &mut PageTable<M, A, Self>,
        range: VirtRange<A>,
        bits: UsedBits,
        by: Search,
    ) -> Result<UsedPages<M, A>, Error>;
}

/// One flush for two, of which there may be none.
fn merged<M: TableMemory, A: PagingMode>(
    one: Option<Flush<M, A>>,
    other: Flush<M, A>,
) -> Option<Flush<M, A>> {
    match one {
        // Both are of one range, so they lie in one half, and neither keeps tables
        Some(one) => Some(one.merge(other).0),
        None => Some(other),
    }
}

/// Asks for the next used page until there is none.
fn one_by_one<M: TableMemory, A: PagingMode>(
    table: &mut PageTable<M, A, Tracking>,
    range: VirtRange<A>,
    bits: UsedBits,
) -> Result<UsedPages<M, A>, Error> {
    let (start, size) = (range.start().as_u64(), range.size());
    let (mut pages, mut flush, mut rest) = (Vec::new(), None, range);
    while let Some((va, page, due)) = table.test_and_clear_next(rest, bits)? {
        pages.push((va.as_u64(), page));
        flush = merged(flush, due);
        let done = va.as_u64() - start + page.size.bytes();
        if done == size {
            break;
        }
        rest = VirtRange::new(VirtAddr::new(start + done)?, size - done)?;
    }
    Ok((pages, flush))
}

/// Asks of each page that is mapped.
fn each_page<M: TableMemory, A: PagingMode>(
    table: &mut PageTable<M, A, Tracking>,
    range: VirtRange<A>,
    bits: UsedBits,
) -> Result<UsedPages<M, A>, Error> {
    let mapped: Vec<_> = table.mappings(range)?.collect();
    let (mut pages, mut flush) = (Vec::new(), None);
    for (va, page) in mapped {
        let (page, due) = table.test_and_clear(va, page.size, bits)?;
        if due.size() > 0 {
            pages.push((va.as_u64(), page));
            flush = merged(flush, due);
        }
    }
    Ok((pages, flush))
}

impl Used for Tracking {
    fn harvest<M: TableMemory, A: PagingMode>(
        table: &mut PageTable<M, A, Self>,
        range: VirtRange<A>,
        bits: UsedBits,
        by: Search,
    ) -> Result<UsedPages<M, A>, Error> {
        match by {
            Search::Harvest => {
                let mut search = table.harvest(range, bits)?;
                let pages = search.by_ref().map(|(va, page)| (va.as_u64(), page));
                let pages = pages.collect();
                Ok((pages, Some(search.finish())))
            }
            Search::Next => one_by_one(table, range, bits),
            Search::Each => each_page(table, range, bits),
        }
    }
}

impl Used for Preset {
    fn harvest<M: TableMemory, A: PagingMode>(
        _: &mut PageTable<M, A, Self>,
        _: VirtRange<A>,
        _: UsedBits,
        _: Search,
    ) -> Result<UsedPages<M, A>, Error> {
        Ok((Vec::new(), None))
    }
}

impl<K, M, A, B> Subject<'_, '_, K, M, A, B>
where
    K: Machine + Invalidate<A>,
    M: TableMemory,
    A: PagingMode,
    B: Used,
{
    /// Asks the table.
    pub(super) fn perform(&mut self, op: &Op) -> Result<Result<Performed<M, A>, Error>, Failure> {
        match *op {
            Op::Remake { .. } => self.perform_remake(op),
            Op::Copy { .. } => Ok(self.perform_copy(op)),
            _ => Ok(self.perform_here(op)),
        }
    }

    fn perform_here(&mut self, op: &Op) -> Result<Performed<M, A>, Error> {
        let va = VirtAddr::<A>::new(op.start())?;
        let range = |bytes| VirtRange::new(va, bytes);
        let table = &mut self.table;
        let page = |(page, flush)| (Answer::Page(page), Some(flush));
        let bytes = |(bytes, flush)| (Answer::Bytes(bytes), Some(flush));
        let done = |()| (Answer::Done, None);
        match *op {
            Op::Map {
                frame, size, prop, ..
            } => table.map(va, PhysAddr::new(frame), size, prop).map(done),
            Op::Unmap { size, .. } => table.unmap(va, size).map(page),
            Op::Protect { size, prop, .. } => table.protect(va, size, prop).map(page),
            Op::MapRange {
                bytes,
                frame,
                largest,
                prop,
                ..
            } => table
                .map_range(range(bytes)?, PhysAddr::new(frame), largest, prop)
                .map(done),
            Op::UnmapRange { bytes: size, .. } => table.unmap_range(range(size)?).map(bytes),
            Op::ProtectRange {
                bytes: size, prop, ..
            } => table.protect_range(range(size)?, prop).map(bytes),
            Op::Split { size, .. } => table.split(va, size).map(page),
            Op::Collapse { size, .. } => table.collapse(va, size).map(page),
            Op::Harvest {
                bytes, bits, by, ..
            } => {
                let (pages, flush) = B::harvest(table, range(bytes)?, bits, by)?;
                Ok((Answer::Pages(pages), flush))
            }
            Op::Step {
                bytes, pos, step, ..
            } => {
                let mut cursor = table.cursor_mut(range(bytes)?)?;
                if pos > 0 {
                    cursor.jump(VirtAddr::new(op.va())?)?;
                }
                take_step(&mut cursor, op.start(), bytes, step)
            }
            Op::Query { .. } | Op::Remake { .. } | Op::Copy { .. } => {
                table.query(va).map(|page| (Answer::Page(page), None))
            }
        }
    }

    /// Copies the table, and keeps the copy.
    fn perform_copy(&mut self, op: &Op) -> Result<Performed<M, A>, Error> {
        let mut child = PageTable::new(self.bench.memory.clone())?;
        for (va, page) in self.model.beside(op).pages() {
            let prop = PageProperty::USER_RO;
            child.map(VirtAddr::new(va)?, page.frame, page.size, prop)?;
        }
        let range = VirtRange::new(VirtAddr::new(op.va())?, op.bytes())?;
        let (bytes, flush) = if matches!(op, Op::Copy { protect: true, .. }) {
            let copied = self.table.copy_range_write_protected(range, &mut child);
            copied.map(|(bytes, flush)| (bytes, Some(flush)))?
        } else {
            (self.table.copy_range(range, &mut child)?, None)
        };
        self.copy = Some(child);
        Ok((Answer::Bytes(bytes), flush))
    }

    /// Breaks pages, flushes them, has every processor meet the hole, and makes what is to be made.
    fn perform_remake(&mut self, op: &Op) -> Result<Result<Performed<M, A>, Error>, Failure> {
        let &Op::Remake {
            va,
            size,
            parts,
            make,
        } = op
        else {
            return Ok(self.perform_here(op));
        };
        let meetings = self.meetings(&self.model.without(va, size), va, size);
        let at = VirtAddr::new(va);
        let broken = at.and_then(|at| match parts {
            true => self.table.break_pages(at, size),
            false => self.table.break_page(at, size),
        });
        let broken = match broken {
            Ok(broken) => broken,
            Err(error) => return Ok(Err(error)),
        };
        let (was, named) = (broken.was(), broken.range());
        let vacant = broken.flush(self.bench.machine);
        let met = self.bench.meet(&meetings);
        let made = make_in(vacant, make);
        if let Err(what) = met {
            return self.fail(*what);
        }
        let part = self.model.part_of(size).filter(|_| parts);
        let (got, stride) = ((named.addr().as_u64(), named.size()), named.stride());
        if got != (va, size.bytes()) || stride != part.unwrap_or(size) {
            let op = *op;
            return self.fail(Mismatch::Flush { op, got, stride });
        }
        Ok(made.map(|()| (Answer::Page(was), None)))
    }

    /// Loads from a page that was broken, and what comes of them in the hole.
    fn meetings(&self, hole: &Model, va: u64, size: PageSize) -> Vec<(Access, Outcome)> {
        let bytes = size.bytes();
        let mut addresses = vec![
            va & !7,
            (va + bytes / 2) & !7,
            va.wrapping_add(bytes - 8) & !7,
        ];
        let reserved = self.bench.machine.reserved();
        addresses.retain(|va| !reserved.iter().any(|range| range.contains(va)));
        let loads = addresses
            .into_iter()
            .flat_map(|va| Privilege::ALL.map(|privilege| Access::load(va, privilege)));
        loads
            .map(|load| (load, self.outcome_in(hole, &load)))
            .collect()
    }
}

impl<K: Machine, M> Bench<'_, K, M> {
    /// Makes accesses on every processor that have to have these outcomes.
    fn meet(&mut self, meetings: &[(Access, Outcome)]) -> Result<(), Box<Mismatch>> {
        let accesses: Vec<_> = meetings.iter().map(|(access, _)| *access).collect();
        for cpu in 0..self.machine.cpus() {
            let got = self.machine.access(cpu, &accesses);
            let got = got.map_err(|error| Box::new(Mismatch::Machine(error)))?;
            for ((access, expected), got) in meetings.iter().zip(got) {
                self.counts.access(access, &got);
                if *expected != got {
                    return Err(Box::new(Mismatch::Access {
                        cpu,
                        access: *access,
                        expected: vec![*expected],
                        got,
                    }));
                }
            }
        }
        Ok(())
    }
}

/// Makes what is to be made of pages that were broken, or else restores them.
fn make_in<M: TableMemory, A: PagingMode, B: AccessBits>(
    vacant: Vacant<'_, M, A, B>,
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

/// Takes a step with a cursor over `bytes` from `start` on.
pub(super) fn take_step<M: TableMemory, A: PagingMode, B: AccessBits>(
    cursor: &mut CursorMut<'_, M, A, B>,
    start: u64,
    bytes: u64,
    step: Step,
) -> Result<Performed<M, A>, Error> {
    let (mut changed, mut unmapped, mut due) = (None, 0, None);
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
            (unmapped, due) = (bytes, Some(flush));
        }
        Step::ProtectNext { len, prop } => {
            if let Some((va, was, flush)) = cursor.protect_next(len, prop)? {
                (changed, due) = (Some((va.as_u64(), was)), Some(flush));
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
        pos: at.map_or(bytes, |at| at.as_u64().wrapping_sub(start)),
        page,
        bytes: unmapped,
    };
    Ok((answer, due))
}
