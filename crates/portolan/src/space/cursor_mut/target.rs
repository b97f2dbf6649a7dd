//! What a cursor is to map.

use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::frame::USegment;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::space::mappings::map::size_of;
use crate::space::pages::Pages;
use crate::space::{Kernel, VmError};
use vstd::prelude::*;

verus! {

/// What is to be mapped as one page.
#[verifier::reject_recursive_types(K)]
pub(super) enum Target<'k, K: Kernel> {
    /// All frames of a segment.
    Segment(USegment<'k, K::Frames>),
    /// A device's memory or registers.
    Io(PhysAddr, PageSize),
}

impl<'k, K: Kernel> Target<'k, K> {
    /// Where it starts.
    pub(super) open spec fn frame(self) -> PhysAddr {
        match self {
            Target::Segment(segment) => PhysAddr(segment.start() as u64),
            Target::Io(addr, _) => addr,
        }
    }

    /// How many bytes it has.
    pub(super) open spec fn bytes(self) -> u64 {
        match self {
            Target::Segment(segment) => (segment.end() - segment.start()) as u64,
            Target::Io(_, size) => size.bytes(),
        }
    }

    /// The size of a page for it.
    pub(super) open spec fn page_size(self) -> Option<PageSize> {
        match self {
            Target::Segment(segment) => size_of(self.bytes()),
            Target::Io(_, size) => Some(size),
        }
    }

    /// Whether `pages` may map it: frames are those of its table.
    pub(super) open spec fn is_own(self, pages: Pages<'k, K>) -> bool {
        match self {
            Target::Segment(segment) => segment.table() == pages.frame_table(),
            Target::Io(_, _) => true,
        }
    }

    /// `e` is why `pages` doesn't map it.
    pub(super) open spec fn is_refused(
        self,
        pages: Pages<'k, K>,
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        match self {
            Target::Segment(segment) => pages.is_map_error(va, self.frame(), self.bytes(), prop, e),
            Target::Io(addr, size) => pages.is_iomem_error(va, addr, size, prop, e),
        }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> (r: u64)
        ensures
            r == self.bytes(),
    {
        match self {
            Target::Segment(segment) => segment.size(),
            Target::Io(_, size) => size.bytes(),
        }
    }

    /// Maps it at `va`; if that fails, answers with it.
    pub(super) fn map(
        self,
        pages: &mut Pages<'k, K>,
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
    ) -> (r: Result<(), (VmError, Self)>)
        requires
            old(pages).inv(),
        ensures
            final(pages).inv(),
            final(pages).frame_table() == old(pages).frame_table(),
            match r {
                Ok(()) => self.page_size() matches Some(size)
                    && final(pages).table().is_mapped_from(
                    old(pages).table(),
                    va,
                    self.frame(),
                    size,
                    prop,
                ),
                Err((e, same)) => {
                    &&& same == self
                    &&& self.is_refused(*old(pages), va, prop, e)
                    &&& e is Paging ==> self.is_own(*old(pages))
                    &&& final(pages).table().same_as(old(pages).table())
                },
            },
    {
        match self {
            Target::Segment(segment) => match pages.map(va, segment, prop) {
                Ok(()) => Ok(()),
                Err((e, segment)) => Err((e, Target::Segment(segment))),
            },
            Target::Io(addr, size) => match pages.map_iomem(va, addr, size, prop) {
                Ok(()) => Ok(()),
                Err(e) => Err((e, Target::Io(addr, size))),
            },
        }
    }

    /// Maps it at `va`, where nothing is: there was only something in the way.
    pub(super) fn map_again(
        self,
        pages: &mut Pages<'k, K>,
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
    ) -> (r: Result<(), VmError>)
        requires
            old(pages).inv(),
            self.is_own(*old(pages)),
        ensures
            final(pages).inv(),
            final(pages).frame_table() == old(pages).frame_table(),
            match r {
                Ok(()) => self.page_size() matches Some(size)
                    && final(pages).table().is_mapped_from(
                    old(pages).table(),
                    va,
                    self.frame(),
                    size,
                    prop,
                ),
                Err(e) => {
                    &&& self.is_refused(*old(pages), va, prop, e)
                    &&& !(e is ForeignFrame)
                    &&& final(pages).table().same_as(old(pages).table())
                },
            },
    {
        match self {
            Target::Segment(segment) => match pages.map_own(va, segment, prop) {
                Ok(()) => Ok(()),
                Err((e, _)) => Err(e),
            },
            Target::Io(addr, size) => pages.map_iomem(va, addr, size, prop),
        }
    }
}

} // verus!
