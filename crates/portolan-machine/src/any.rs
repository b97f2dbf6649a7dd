//! Page tables of any paging mode behind one type, so that what is done with them is compiled once.
//!
//! ```
//! use portolan::{Error, Mapping, PageProperty, PageSize, PhysAddr, Sv39, Tracking, X86_64};
//! use portolan_machine::any::{AnyTable, table};
//! use portolan_machine::{Machine, SoftConfig, SoftMachine};
//!
//! fn map_and_unmap(mut table: Box<dyn AnyTable<'_> + '_>) -> Result<Mapping, Error> {
//!     let frame = PhysAddr::new(0x1234_5000);
//!     table.map(0x40_0000, frame, PageSize::Size4K, PageProperty::USER_RO)?;
//!     let (page, owed) = table.unmap(0x40_0000, PageSize::Size4K)?;
//!     owed.pay();
//!     Ok(page)
//! }
//!
//! let machine = SoftMachine::new(SoftConfig::default());
//! let memory = machine.memory();
//! let one = map_and_unmap(table::<X86_64, Tracking, _>(memory.clone(), &machine)?)?;
//! let other = map_and_unmap(table::<Sv39, Tracking, _>(memory.clone(), &machine)?)?;
//! assert_eq!(one, other);
//! # Ok::<(), Error>(())
//! ```

mod memory;

pub use memory::AnyMemory;

use crate::conformance::model::{Run, Table};
use portolan::arch::halves::Halves;
use portolan::{
    AccessBits, Error, Flush, FlushRange, Invalidate, KernelHalf, Mapping, PageProperty, PageSize,
    PageTable, PagingMode, PhysAddr, Runs, TableMemory, UserHalf, VirtAddr, VirtRange,
};

/// The pages that overlap a range, and the runs that they make up.
pub type PagesAndRuns = (Vec<(u64, Mapping)>, Vec<Run>);

/// A page table of any paging mode. Addresses are numbers, and one that the mode doesn't have is answered as by
/// [`VirtAddr::new`].
///
/// What it owes to TLBs is paid to those of a machine that is in use for `'m`.
pub trait AnyTable<'m> {
    /// [`PageTable::root`]
    fn root(&self) -> PhysAddr;

    /// [`VirtAddr::new`]
    ///
    /// # Errors
    /// As there.
    fn address(&self, va: u64) -> Result<(), Error>;

    /// [`PageTable::map`]
    ///
    /// # Errors
    /// As there.
    fn map(
        &mut self,
        va: u64,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> Result<(), Error>;

    /// [`PageTable::unmap`]
    ///
    /// # Errors
    /// As there.
    fn unmap(&mut self, va: u64, size: PageSize) -> Result<(Mapping, Owed<'m>), Error>;

    /// [`PageTable::protect`]
    ///
    /// # Errors
    /// As there.
    fn protect(
        &mut self,
        va: u64,
        size: PageSize,
        prop: PageProperty,
    ) -> Result<(Mapping, Owed<'m>), Error>;

    /// [`PageTable::query`]
    ///
    /// # Errors
    /// As there.
    fn query(&self, va: u64) -> Result<Mapping, Error>;

    /// [`PageTable::mappings`] in so many bytes, and the runs of these, without going through the tables again.
    ///
    /// # Errors
    /// As there.
    fn mappings(&self, va: u64, bytes: u64) -> Result<PagesAndRuns, Error>;

    /// The [runs](portolan::Mappings::runs) of pages in so many bytes.
    ///
    /// # Errors
    /// Those of [`PageTable::mappings`].
    fn runs(&self, va: u64, bytes: u64) -> Result<Vec<Run>, Error>;

    /// [`PageTable::tables`], each with where it is.
    fn tables(&self) -> Vec<(Table, PhysAddr)>;
}

/// A new page table of mode `A` in `memory`, for processors with these TLBs.
///
/// # Errors
/// Those of [`PageTable::new`].
pub fn table<'m, A, B, M>(
    memory: M,
    tlbs: &'m dyn Invalidate<A>,
) -> Result<Box<dyn AnyTable<'m> + 'm>, Error>
where
    A: PagingMode + 'm,
    B: AccessBits + 'm,
    M: TableMemory + 'm,
{
    let table = Typed::<A, B>::new(AnyMemory::new(memory), tlbs)?;
    Ok(Box::new(table))
}

/// What a flush names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The first address.
    pub va: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The size of the smallest page that was there.
    pub stride: PageSize,
}

impl<A: PagingMode> From<FlushRange<A>> for Stale {
    fn from(range: FlushRange<A>) -> Self {
        Stale {
            va: range.addr().as_u64(),
            bytes: range.size(),
            stride: range.stride(),
        }
    }
}

/// A [`Flush`] of any paging mode.
#[must_use = "what is stale stays in use until it is paid"]
pub struct Owed<'m> {
    /// What it names.
    pub stale: Stale,
    pay: Box<dyn FnOnce() + 'm>,
}

impl<'m> Owed<'m> {
    /// A flush that is owed to these TLBs.
    pub(crate) fn new<A: PagingMode + 'm>(
        flush: Flush<AnyMemory<'m>, A>,
        tlbs: &'m dyn Invalidate<A>,
    ) -> Self {
        Owed {
            stale: flush.range().into(),
            pay: Box::new(move || flush.pay(&Tlbs(tlbs))),
        }
    }

    /// [`Flush::pay`]
    pub fn pay(self) {
        (self.pay)();
    }
}

/// TLBs of any machine.
pub(crate) struct Tlbs<'m, A>(pub(crate) &'m dyn Invalidate<A>);

// SAFETY: passes on what it is asked for to one that does it
unsafe impl<A: PagingMode> Invalidate<A> for Tlbs<'_, A> {
    fn invalidate(&self, range: FlushRange<A>) {
        self.0.invalidate(range);
    }
}

/// A page table, and what is needed to go on with it.
pub(crate) struct Typed<'m, A: PagingMode, B: AccessBits> {
    pub(crate) table: PageTable<AnyMemory<'m>, A, B>,
    pub(crate) memory: AnyMemory<'m>,
    pub(crate) tlbs: &'m dyn Invalidate<A>,
}

impl<'m, A: PagingMode, B: AccessBits> Typed<'m, A, B> {
    pub(crate) fn new(memory: AnyMemory<'m>, tlbs: &'m dyn Invalidate<A>) -> Result<Self, Error> {
        Ok(Typed {
            table: PageTable::new(memory.clone())?,
            memory,
            tlbs,
        })
    }

    /// The range of so many bytes.
    pub(crate) fn range(va: u64, bytes: u64) -> Result<VirtRange<A>, Error> {
        VirtRange::new(VirtAddr::new(va)?, bytes)
    }
}

impl<'m, A: Halves, B: AccessBits> Typed<'m, UserHalf<A>, B> {
    /// A table that shares a kernel half.
    pub(crate) fn sharing(
        memory: AnyMemory<'m>,
        tlbs: &'m dyn Invalidate<UserHalf<A>>,
        kernel: &Typed<'_, KernelHalf<A>, B>,
    ) -> Result<Self, Error> {
        Ok(Typed {
            table: PageTable::sharing(memory.clone(), &kernel.table)?,
            memory,
            tlbs,
        })
    }
}

impl<'m, A: PagingMode + 'm, B: AccessBits> AnyTable<'m> for Typed<'m, A, B> {
    fn root(&self) -> PhysAddr {
        self.table.root()
    }

    fn address(&self, va: u64) -> Result<(), Error> {
        VirtAddr::<A>::new(va).map(drop)
    }

    fn map(
        &mut self,
        va: u64,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> Result<(), Error> {
        self.table.map(VirtAddr::new(va)?, frame, size, prop)
    }

    fn unmap(&mut self, va: u64, size: PageSize) -> Result<(Mapping, Owed<'m>), Error> {
        let (page, flush) = self.table.unmap(VirtAddr::new(va)?, size)?;
        Ok((page, Owed::new(flush, self.tlbs)))
    }

    fn protect(
        &mut self,
        va: u64,
        size: PageSize,
        prop: PageProperty,
    ) -> Result<(Mapping, Owed<'m>), Error> {
        let (page, flush) = self.table.protect(VirtAddr::new(va)?, size, prop)?;
        Ok((page, Owed::new(flush, self.tlbs)))
    }

    fn query(&self, va: u64) -> Result<Mapping, Error> {
        self.table.query(VirtAddr::new(va)?)
    }

    fn mappings(&self, va: u64, bytes: u64) -> Result<PagesAndRuns, Error> {
        let (mut pages, mut typed) = (Vec::new(), Vec::new());
        for (at, page) in self.table.mappings(Self::range(va, bytes)?)? {
            pages.push((at.as_u64(), page));
            typed.push((at, page));
        }
        Ok((pages, plain(Runs::new(typed.into_iter()))))
    }

    fn runs(&self, va: u64, bytes: u64) -> Result<Vec<Run>, Error> {
        let pages = self.table.mappings(Self::range(va, bytes)?)?;
        Ok(plain(pages.runs()))
    }

    fn tables(&self) -> Vec<(Table, PhysAddr)> {
        let mut tables = Vec::new();
        for table in self.table.tables() {
            tables.push((table.into(), table.addr));
        }
        tables
    }
}

/// Runs of any mode. A loop, as are those above: `collect` would be several times the code in each mode.
fn plain<A: PagingMode>(typed: impl Iterator<Item = portolan::Run<A>>) -> Vec<Run> {
    let mut runs = Vec::new();
    for run in typed {
        runs.push(run.into());
    }
    runs
}
