//! Physical frames: who has a reference to one, what it is for, and when it goes back to the allocator.
//!
//! A [`FrameTable`] has a [`MetaSlot`] for each frame of 4 KiB: a count of references, and room for a kernel's metadata. A
//! handle refers to a table, which kernels have in a static:
//! - [`Frame`]: a reference that is counted; [`FrameRef`]: one that is borrowed;
//! - [`Segment`]: references to frames that follow each other;
//! - [`UniqueFrame`]: a frame that has no other reference, and whose metadata can be changed.
//!
//! Each says in its type what is known of the frame: the type of its metadata, that it is [`Untyped`], plain bytes which
//! user space may have mapped ([`UFrame`], [`USegment`]), or nothing ([`Dyn`]). `downcast` asks the frame.
//!
//! ```
//! use portolan::PhysAddr;
//! use portolan::frame::{Frame, FrameAllocator, FrameError, FrameMeta, FrameTable, MetaSlot, UFrame};
//! # use std::sync::Mutex;
//!
//! /// The kernel's allocator.
//! #[derive(Default)]
//! struct Free(Mutex<Vec<u64>>);
//!
//! impl FrameAllocator for Free {
//!     fn alloc(&self, frames: usize, _align: u64) -> Option<PhysAddr> {
//!         if frames == 1 { self.0.lock().ok()?.pop().map(PhysAddr::new) } else { None }
//!     }
//!     fn dealloc(&self, addr: PhysAddr, frames: usize) {
//!         let mut free = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
//!         free.extend((0..frames as u64).map(|n| addr.as_u64() + n * 0x1000));
//!     }
//! }
//!
//! /// What the kernel notes of a frame that holds one of its page tables.
//! struct TableMeta { level: u8 }
//!
//! impl FrameMeta for TableMeta {
//!     const UNTYPED: bool = false;
//! }
//!
//! let mut slots = [const { MetaSlot::new() }; 16];
//! let frames = FrameTable::new(PhysAddr::new(0x8000_0000), &mut slots, Free::default())?;
//! let ram = PhysAddr::new(0x8000_0000)..PhysAddr::new(0x8001_0000);
//! // SAFETY: nobody uses this memory
//! unsafe { frames.add(ram.clone())? };
//! frames.free(ram)?;
//!
//! let page: UFrame<'_, Free> = Frame::alloc(&frames, ())?.into_untyped();
//! let table = Frame::alloc(&frames, TableMeta { level: 1 })?;
//! assert_eq!(table.meta().level, 1);
//!
//! // a frame of the kernel's own objects never passes for one of plain bytes
//! assert!(UFrame::from_in_use(&frames, table.paddr())?.is_none());
//!
//! let other = page.try_clone()?;
//! assert_eq!(page.reference_count(), 2);
//! drop(page);
//! let addr = other.paddr();
//! // the last reference gives the frame back
//! drop(other);
//! assert_eq!(UFrame::from_in_use(&frames, addr).err(), Some(FrameError::Free { addr: addr.as_u64() }));
//! # Ok::<(), FrameError>(())
//! ```
//!
//! # What is proven
//! - **The count is the number of references.** Each reference is one share of the right to the frame, and the slot keeps
//!   the rest: as many shares are out as its count says (`SlotId::keeps`). Nobody has a reference to a frame that is with
//!   the allocator (`lemma_free_is_unreferenced`), whatever the allocator does: what it hands out is claimed before it is
//!   used.
//! - **The last reference has the right to the frame**, and it alone drops the metadata and gives the frame back.
//! - **What a frame is for stays as long as there is a reference**: a share says it, and all shares of a frame say the same.
//! - **Errors say exactly what is wrong with an address or a range**, and else one of the states that a contract names. No
//!   function has a precondition, and no count overflows.
//!
//! That a reference is dropped at all is up to its owner: one that is forgotten counts forever.

pub(crate) mod alloc;
pub(crate) mod borrowed;
pub(crate) mod error;
mod format;
pub(crate) mod handle;
pub(crate) mod kind;
pub(crate) mod run;
pub(crate) mod segment;
pub(crate) mod slot;
pub(crate) mod table;
pub(crate) mod token;
pub(crate) mod unique;

pub use crate::hw::frame::{FrameMeta, META_ALIGN, META_SIZE};
pub use alloc::FrameAllocator;
pub use borrowed::FrameRef;
pub use error::FrameError;
pub use kind::{Dyn, FrameKind, Untyped};
pub use segment::{MetaSource, Segment, USegment};
pub use slot::MetaSlot;
pub use table::{FRAME_SIZE, FrameTable};
pub use unique::UniqueFrame;

use crate::addr::PhysAddr;
#[cfg(verus_only)]
use crate::hw::frame::{MetaKind, kind_of, lemma_plain, trust_raw};
use core::marker::PhantomData;
use handle::Handle;
use slot::UNUSED;
use vstd::prelude::*;

verus! {

/// A reference to a physical frame of 4 KiB, which is in use as long as there is one.
///
/// `M` is what is known of the frame: the type of its metadata, that it is [`Untyped`], or nothing ([`Dyn`]).
pub struct Frame<'a, F: FrameAllocator, M: FrameKind = Dyn> {
    handle: Handle<'a, F>,
    kind: PhantomData<M>,
}

/// A frame of plain bytes, which user space may have mapped.
pub type UFrame<'a, F> = Frame<'a, F, Untyped>;

impl<'a, F: FrameAllocator, M: FrameKind> Frame<'a, F, M> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.handle.holds() && M::admits(self.handle.token().kind())
    }

    /// The table of the frame.
    pub closed spec fn table(self) -> FrameTable<'a, F> {
        self.handle.table()
    }

    /// The frame's address.
    pub closed spec fn at(self) -> PhysAddr {
        self.handle.at()
    }

    /// What the frame is for.
    pub closed spec fn kind(self) -> MetaKind {
        self.handle.token().kind()
    }

    /// The frame's metadata.
    pub closed spec fn noted(self) -> M {
        self.handle.token().meta::<M>()
    }

    /// The handle that holds the frame.
    #[inline(always)]
    pub(crate) fn into_handle(self) -> (r: Handle<'a, F>)
        ensures
            r.holds(),
            r.table() == self.table(),
            r.at() == self.at(),
            r.token().kind() == self.kind(),
            r.token().meta::<M>() == self.noted(),
            M::admits(r.token().kind()),
    {
        proof {
            use_type_invariant(&self);
        }
        self.handle
    }

    /// The frame that a handle holds.
    #[inline(always)]
    pub(crate) fn from_handle(handle: Handle<'a, F>) -> (r: Self)
        requires
            handle.holds(),
            M::admits(handle.token().kind()),
        ensures
            r.table() == handle.table(),
            r.at() == handle.at(),
            r.kind() == handle.token().kind(),
            r.noted() == handle.token().meta::<M>(),
    {
        Frame { handle, kind: PhantomData }
    }

    /// The frame at `addr`, which is in use, by another reference.
    ///
    /// `None` if it is not what `M` says.
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::OutOfRange`] if `addr` is not a frame's address;
    /// - [`FrameError::Reserved`], [`FrameError::Unused`], [`FrameError::Free`], [`FrameError::Unique`],
    ///   [`FrameError::Busy`] if it is not in use;
    /// - [`FrameError::Saturated`] if there are as many references as there can be.
    pub fn from_in_use(table: &'a FrameTable<'a, F>, addr: PhysAddr) -> (r: Result<
        Option<Self>,
        FrameError,
    >)
        ensures
            match r {
                Ok(Some(frame)) => frame.table() == *table && frame.at() == addr && M::admits(
                    frame.kind(),
                ),
                Ok(None) => table.check(addr) is None,
                Err(e) => table.refuses_reference(addr, e),
            },
    {
        let index = table.find(addr)?;
        let token = table.acquire(index, Tracked(None))?;
        let frame = Frame::<F, Dyn>::from_handle(Handle::new(table, addr, token));
        match frame.downcast() {
            Ok(frame) => Ok(Some(frame)),
            Err(_) => Ok(None),
        }
    }

    /// The frame's physical address.
    #[inline]
    #[must_use]
    pub fn paddr(&self) -> (r: PhysAddr)
        ensures
            r == self.at(),
    {
        self.borrow().paddr()
    }

    /// The frame by this reference, without one more.
    #[inline(always)]
    #[must_use]
    pub fn borrow(&self) -> (r: FrameRef<'_, 'a, F, M>)
        ensures
            r.table() == self.table(),
            r.at() == self.at(),
            r.kind() == self.kind(),
            r.noted() == self.noted(),
    {
        proof {
            use_type_invariant(self);
        }
        let (table, addr, token) = self.handle.parts();
        FrameRef::new(table, addr, token)
    }

    /// How many references there are to the frame, at this moment: others may come and go.
    #[inline]
    #[must_use]
    pub fn reference_count(&self) -> (r: u64)
        ensures
            1 <= r < 0x8000_0000_0000_0000,
    {
        self.borrow().reference_count()
    }

    /// Another reference to the frame.
    ///
    /// There is no `Clone`, which could not say that there are as many references as there can be.
    ///
    /// # Errors
    /// As for [`FrameRef::try_clone`].
    #[inline]
    pub fn try_clone(&self) -> (r: Result<Self, FrameError>)
        ensures
            match r {
                Ok(frame) => {
                    &&& frame.table() == self.table()
                    &&& frame.at() == self.at()
                    &&& frame.kind() == self.kind()
                    &&& frame.noted() == self.noted()
                },
                Err(e) => e == FrameError::Saturated { addr: self.at().0 } || e
                    == FrameError::Busy { addr: self.at().0 },
            },
    {
        self.borrow().try_clone()
    }

    /// The same frame as one of another kind, if it is of that kind.
    ///
    /// # Errors
    /// The frame, unchanged, if it isn't.
    pub fn downcast<N: FrameKind>(self) -> (r: Result<Frame<'a, F, N>, Self>)
        ensures
            match r {
                Ok(frame) => {
                    &&& frame.table() == self.table()
                    &&& frame.at() == self.at()
                    &&& frame.kind() == self.kind()
                    &&& N::admits(self.kind())
                },
                Err(same) => same == self && !N::admits(self.kind()),
            },
    {
        proof {
            use_type_invariant(&self);
        }
        if self.borrow().downcast::<N>().is_some() {
            Ok(Frame { handle: self.handle, kind: PhantomData })
        } else {
            Err(self)
        }
    }

    /// The same frame as one of any kind.
    #[inline]
    #[must_use]
    pub fn into_dyn(self) -> (r: Frame<'a, F>)
        ensures
            r.table() == self.table(),
            r.at() == self.at(),
            r.kind() == self.kind(),
    {
        proof {
            use_type_invariant(&self);
        }
        Frame { handle: self.handle, kind: PhantomData }
    }

    /// Lets go of the frame, and keeps its reference: whoever has the address can take it back with
    /// [`from_raw`](Frame::from_raw).
    #[inline]
    #[must_use]
    pub fn into_raw(self) -> (r: PhysAddr)
        ensures
            r == self.at(),
    {
        let (_, addr, _) = self.into_handle().into_parts();
        addr
    }

    /// Takes back a frame that was let go of.
    ///
    /// # Errors
    /// [`FrameError::NotAligned`], [`FrameError::OutOfRange`] if `addr` is not the address of one of the table's frames.
    ///
    /// # Safety
    /// [`into_raw`](Frame::into_raw) gave the address, for a frame of this table that is what `M` says, and it was not
    /// taken back since.
    #[inline]
    pub unsafe fn from_raw(table: &'a FrameTable<'a, F>, addr: PhysAddr) -> (r: Result<
        Self,
        FrameError,
    >)
        ensures
            match r {
                Ok(frame) => frame.table() == *table && frame.at() == addr,
                Err(e) => table.check(addr) == Some(e),
            },
    {
        table.find(addr)?;
        let tracked token = trust_raw::<M>(table.id_of(addr));
        Ok(Frame::from_handle(Handle::new(table, addr, Tracked(token))))
    }
}

impl<'a, F: FrameAllocator, M: FrameMeta> Frame<'a, F, M> {
    /// A reference to the frame at `addr`, which was nobody's, with `meta` noted of it.
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::OutOfRange`] if `addr` is not a frame's address;
    /// - [`FrameError::Reserved`], [`FrameError::Free`], [`FrameError::InUse`], [`FrameError::Unique`],
    ///   [`FrameError::Busy`] if it is somebody's.
    pub fn from_unused(table: &'a FrameTable<'a, F>, addr: PhysAddr, meta: M) -> (r: Result<
        Self,
        FrameError,
    >)
        ensures
            match r {
                Ok(frame) => {
                    &&& frame.table() == *table
                    &&& frame.at() == addr
                    &&& frame.kind() == kind_of::<M>()
                    &&& frame.noted() == meta
                },
                Err(e) => table.refuses_claim(addr, e),
            },
    {
        let index = table.find(addr)?;
        let Tracked(mut claim) = table.claim(index, UNUSED)?;
        table.put_meta(index, Tracked(&mut claim), meta);
        let token = table.share(index, Tracked(claim));
        Ok(Frame::from_handle(Handle::new(table, addr, token)))
    }

    /// A reference to a frame from the allocator, with `meta` noted of it. Its memory is as the last user left it.
    ///
    /// # Errors
    /// [`FrameError::NoMemory`] if the allocator has none; any other error if what it hands out is not a frame that it was
    /// given.
    pub fn alloc(table: &'a FrameTable<'a, F>, meta: M) -> (r: Result<Self, FrameError>)
        ensures
            r matches Ok(frame) ==> {
                &&& frame.table() == *table
                &&& frame.kind() == kind_of::<M>()
                &&& frame.noted() == meta
            },
    {
        let (addr, index, Tracked(mut claim)) = table.alloc_one()?;
        table.put_meta(index, Tracked(&mut claim), meta);
        let token = table.share(index, Tracked(claim));
        Ok(Frame::from_handle(Handle::new(table, addr, token)))
    }

    /// What is noted of the frame.
    #[inline]
    #[must_use]
    pub fn meta(&self) -> (r: &M)
        ensures
            *r == self.noted(),
    {
        self.borrow().meta()
    }
}

impl<'a, F: FrameAllocator> Frame<'a, F, ()> {
    /// The same frame as one of plain bytes, which it is.
    #[inline]
    #[must_use]
    pub fn into_untyped(self) -> (r: UFrame<'a, F>)
        ensures
            r.table() == self.table(),
            r.at() == self.at(),
            r.kind() == self.kind(),
    {
        proof {
            lemma_plain();
        }
        Frame::from_handle(self.into_handle())
    }
}

impl<'a, F: FrameAllocator> UFrame<'a, F> {
    /// The table of the frame.
    #[inline]
    pub(crate) fn frames(&self) -> (r: &'a FrameTable<'a, F>)
        ensures
            *r == self.table(),
    {
        proof {
            use_type_invariant(self);
        }
        let (table, _, _) = self.handle.parts();
        table
    }

    /// The frame's memory is plain bytes, as long as there is a reference to it.
    pub(crate) proof fn lemma_untyped(tracked &self)
        ensures
            self.kind().untyped,
    {
        use_type_invariant(self);
    }
}

} // verus!
