//! What is to be mapped.

#[cfg(verus_only)]
use super::mappings::map::{is_device_error, is_segment_error, size_of};
use super::pages::Pages;
#[cfg(verus_only)]
use super::part::Part;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
#[cfg(verus_only)]
use crate::frame::FrameTable;
use crate::frame::USegment;
use crate::prop::PageProperty;
use crate::space::{Kernel, VmError};
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// What is to be mapped as one page.
#[verifier::reject_recursive_types(K)]
pub(crate) enum Target<'k, K: Kernel> {
    /// All frames of a segment.
    Segment(USegment<'k, K::Frames>),
    /// A device's memory or registers.
    Io(PhysAddr, PageSize),
}

impl<'k, K: Kernel> Target<'k, K> {
    /// Where it starts.
    pub(crate) open spec fn frame(self) -> PhysAddr {
        match self {
            Target::Segment(segment) => PhysAddr(segment.start() as u64),
            Target::Io(addr, _) => addr,
        }
    }

    /// How many bytes it has.
    pub(crate) open spec fn bytes(self) -> u64 {
        match self {
            Target::Segment(segment) => (segment.end() - segment.start()) as u64,
            Target::Io(_, size) => size.bytes(),
        }
    }

    /// The size of a page for it.
    pub(crate) open spec fn page_size(self) -> Option<PageSize> {
        match self {
            Target::Segment(segment) => size_of(self.bytes()),
            Target::Io(_, size) => Some(size),
        }
    }

    /// Whether its frames are those of the table `frames`.
    pub(crate) open spec fn is_own(self, frames: FrameTable<'k, K::Frames>) -> bool {
        match self {
            Target::Segment(segment) => segment.table() == frames,
            Target::Io(_, _) => true,
        }
    }

    /// `e` is why it isn't mapped where `space` is mapped.
    pub(crate) open spec fn is_refused_in(
        self,
        space: AddressSpace,
        phys_bits: u64,
        frames: FrameTable<'k, K::Frames>,
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        match self {
            Target::Segment(segment) => is_segment_error(
                space,
                phys_bits,
                va,
                self.frame(),
                self.bytes(),
                prop,
                e,
            ),
            Target::Io(addr, size) => is_device_error(
                frames,
                space,
                phys_bits,
                va,
                addr,
                size,
                prop,
                e,
            ),
        }
    }

    /// `e` is why `part` doesn't map it.
    pub(crate) open spec fn is_refused(
        self,
        part: Part<'_, 'k, K>,
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
        e: VmError,
    ) -> bool {
        match self {
            Target::Segment(_) => part.is_map_error(va, self.frame(), self.bytes(), prop, e),
            Target::Io(addr, size) => part.is_iomem_error(va, addr, size, prop, e),
        }
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> (r: u64)
        ensures
            r == self.bytes(),
    {
        match self {
            Target::Segment(segment) => segment.size(),
            Target::Io(_, size) => size.bytes(),
        }
    }

    /// Maps it at `va`; if that fails, answers with it. If its frames are `known` to be the table's, they are not asked for that.
    #[inline]
    pub(crate) fn map(
        self,
        pages: &mut Pages<'k, K>,
        va: VirtAddr<K::Mode>,
        prop: PageProperty,
        known: bool,
    ) -> (r: Result<(), (VmError, Self)>)
        requires
            old(pages).inv(),
            known ==> self.is_own(old(pages).frame_table()),
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
                    &&& self.is_refused_in(
                        old(pages).space(),
                        old(pages).table().phys_bits(),
                        old(pages).frame_table(),
                        va,
                        prop,
                        e,
                    )
                    &&& e is Paging ==> self.is_own(old(pages).frame_table())
                    &&& known ==> !(e is ForeignFrame)
                    &&& final(pages).table().same_as(old(pages).table())
                },
            },
    {
        match self {
            Target::Segment(segment) => match pages.map(va, segment, prop, known) {
                Ok(()) => Ok(()),
                Err((e, segment)) => Err((e, Target::Segment(segment))),
            },
            Target::Io(addr, size) => match pages.map_iomem(va, addr, size, prop) {
                Ok(()) => Ok(()),
                Err(e) => Err((e, Target::Io(addr, size))),
            },
        }
    }
}

} // verus!
