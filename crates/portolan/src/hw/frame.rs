//! Physical frames: the right to one, the room for a kernel's metadata of it, and where a proof ends in `Drop`.

use crate::addr::PhysAddr;
use core::any::TypeId;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use vstd::prelude::*;

use crate::frame::UniqueFrame;
use crate::frame::alloc::FrameAllocator;
use crate::frame::handle::Debt;
#[cfg(verus_only)]
use crate::frame::kind::FrameKind;
use crate::frame::table::FrameTable;
use crate::frame::token::FrameRight;
#[cfg(verus_only)]
use crate::frame::token::{FrameToken, SlotId};

verus! {

/// How many bytes of metadata a slot has room for.
pub const META_SIZE: usize = 48;

/// The largest alignment that metadata may have, in bytes.
pub const META_ALIGN: usize = 8;

/// What a kernel notes of a frame as long as it is in use: its metadata, which says what the frame is for.
///
/// It is at most [`META_SIZE`] bytes long and aligned to at most [`META_ALIGN`], which is checked when the program is
/// compiled. It is dropped with the last reference to the frame. Dropping it must not unwind: the frame would not be
/// given back.
///
/// ```
/// use portolan::frame::FrameMeta;
///
/// /// A page of a file.
/// struct CachePage { dirty: core::sync::atomic::AtomicBool }
///
/// impl FrameMeta for CachePage {
///     const UNTYPED: bool = true;
/// }
/// ```
///
/// Too large, so that the call doesn't compile:
/// ```compile_fail,E0080
/// # use portolan::frame::{Frame, FrameAllocator, FrameMeta, FrameTable};
/// # struct No;
/// # impl FrameAllocator for No {
/// #     fn alloc(&self, _: usize, _: u64) -> Option<portolan::PhysAddr> { None }
/// #     fn dealloc(&self, _: portolan::PhysAddr, _: usize) {}
/// # }
/// # let frames = FrameTable::new(portolan::PhysAddr::new(0), &mut [], No).unwrap();
/// struct Large([u64; 7]);
///
/// impl FrameMeta for Large {
///     const UNTYPED: bool = true;
/// }
///
/// let _ = Frame::alloc(&frames, Large([0; 7]));
/// ```
pub trait FrameMeta: Send + Sync + Sized + 'static {
    /// Whether the frame's memory is plain bytes, which user space may have mapped and change at any time; else it holds
    /// objects of the kernel.
    const UNTYPED: bool;
}

/// A plain frame of bytes, of which nothing is noted.
impl FrameMeta for () {
    const UNTYPED: bool = true;
}

/// What a frame is for: the type of its metadata, and whether it is untyped.
pub ghost struct MetaKind {
    /// Stands for the type.
    pub number: int,
    /// Whether the frame's memory is plain bytes.
    pub untyped: bool,
}

/// A number for each type, another for each.
pub uninterp spec fn type_number<M>() -> int;

/// The kind of frames with metadata of type `M`.
pub open spec fn kind_of<M: FrameMeta>() -> MetaKind {
    MetaKind { number: type_number::<M>(), untyped: M::UNTYPED }
}

/// A plain frame of bytes is untyped.
pub(crate) proof fn lemma_plain()
    ensures
        kind_of::<()>().untyped,
{
    assert(<() as FrameMeta>::UNTYPED);
}

/// The right to a frame's memory. There is one for each frame that was given to a table of frames.
#[verifier::external_body]
pub(crate) tracked struct FrameMemory {
    _private: PhantomData<()>,
}

impl FrameMemory {
    /// Which frame.
    pub uninterp spec fn addr(&self) -> PhysAddr;
}

/// The caller gives the frame `addr`.
/// Trusted because only `FrameTable::add` calls it, whose caller promises by `unsafe` that the memory is nobody's, and only
/// with the right that shows that it was not given before.
///
/// Exercised by `frames::a_frame_is_added_once`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn trust_given(Ghost(addr): Ghost<PhysAddr>, Tracked(right): Tracked<&FrameRight>) -> (r:
    Tracked<FrameMemory>)
    requires
        right.memory is None,
    ensures
        r@.addr() == addr,
    opens_invariants none
    no_unwind
{
    Tracked(FrameMemory { _private: PhantomData })
}

/// The caller takes back the reference to a frame that it had let go of.
/// Trusted because only the `from_raw` functions call it, whose callers promise by `unsafe` that `into_raw` gave the address,
/// of a frame that is what `M` says, and that nobody else takes it back.
///
/// Exercised by `frames::a_raw_frame_keeps_its_count`.
#[verifier::external_body]
pub(crate) proof fn trust_raw<M: FrameKind>(slot: SlotId) -> (tracked r: FrameToken)
    ensures
        r.is_for(slot),
        M::admits(r.kind()),
{
    unimplemented!()
}

/// Gives back what a handle holds, when it is dropped.
/// Trusted because `settle` is proven, but for what the prover demands of `Drop` beyond: that it open no invariant, as
/// values could be dropped where one is open. None is in this crate: an invariant is open for one atomic access only, in
/// `frame/slot.rs`, and no value is dropped meanwhile. That it doesn't unwind is the promise of [`FrameMeta`]
/// and [`FrameAllocator`]; if it does, the frame is not given back.
///
/// Exercised by `frames::the_last_reference_gives_the_frame_back`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn settle_in_drop<F: FrameAllocator>(debt: Debt<'_, F>)
    requires
        debt.is_due(),
    opens_invariants none
    no_unwind
{
    debt.settle();
}

/// Whether two references are to the same table of frames.
/// Trusted because one place holds one value: a table has bytes of its own, and both references keep it as it is.
///
/// Exercised by `space::a_frame_of_another_table_is_refused`.
#[verifier::external_body]
#[inline]
pub(crate) fn same_table<'a, F>(a: &FrameTable<'a, F>, b: &FrameTable<'a, F>) -> (r: bool)
    ensures
        r ==> *a == *b,
    opens_invariants none
    no_unwind
{
    core::ptr::eq(a, b)
}

} // verus!
/// What a slot knows of the type of the metadata in it.
struct MetaInfo {
    type_id: fn() -> TypeId,
    untyped: bool,
    drop: unsafe fn(*mut u8),
}

/// Drops the metadata at `room`.
///
/// # Safety
/// There is a value of type `M`, which nobody uses or will use.
unsafe fn drop_meta<M: FrameMeta>(room: *mut u8) {
    // SAFETY: the caller promises it
    unsafe { room.cast::<M>().drop_in_place() }
}

impl MetaInfo {
    /// Of the type `M`.
    const fn of<M: FrameMeta>() -> &'static Self {
        const {
            assert!(size_of::<M>() <= META_SIZE && align_of::<M>() <= META_ALIGN);
            &MetaInfo {
                type_id: TypeId::of::<M>,
                untyped: M::UNTYPED,
                drop: drop_meta::<M>,
            }
        }
    }
}

verus! {

/// Room for the metadata of a frame, of any type that implements [`FrameMeta`], and which type that is.
#[verifier::external_body]
#[repr(C)]
pub struct MetaCell {
    room: UnsafeCell<MaybeUninit<[u64; 6]>>,
    info: UnsafeCell<MaybeUninit<&'static MetaInfo>>,
}

/// The right to a slot's room for metadata. There is one for each.
#[verifier::external_body]
pub tracked struct MetaPerm {
    _private: PhantomData<()>,
}

impl MetaPerm {
    /// Which room.
    pub uninterp spec fn cell(&self) -> int;

    /// What it holds.
    pub uninterp spec fn kind(&self) -> Option<MetaKind>;

    /// The metadata.
    pub uninterp spec fn value<M>(&self) -> M;
}

impl MetaCell {
    /// Which one.
    pub uninterp spec fn id(&self) -> int;

    /// An empty room.
    /// Trusted because the right to it is made with it.
    ///
    /// Exercised by `frames::a_table_starts_with_all_frames_reserved`.
    #[verifier::external_body]
    #[inline]
    pub(crate) const fn new() -> (r: (Self, Tracked<MetaPerm>))
        ensures
            r.1@.cell() == r.0.id(),
            r.1@.kind() is None,
        opens_invariants none
        no_unwind
    {
        let cell = MetaCell {
            room: UnsafeCell::new(MaybeUninit::uninit()),
            info: UnsafeCell::new(MaybeUninit::uninit()),
        };
        (cell, Tracked(MetaPerm { _private: PhantomData }))
    }

    /// Puts metadata in.
    /// Trusted because the right is the only one, the room is empty, and large enough for `M`.
    ///
    /// Exercised by `frames::metadata_is_kept_and_dropped_once`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn put<M: FrameMeta>(&self, Tracked(perm): Tracked<&mut MetaPerm>, meta: M)
        requires
            old(perm).cell() == self.id(),
            old(perm).kind() is None,
        ensures
            final(perm).cell() == self.id(),
            final(perm).kind() == Some(kind_of::<M>()),
            final(perm).value::<M>() == meta,
        opens_invariants none
        no_unwind
    {
        let info = MetaInfo::of::<M>();
        // SAFETY: `MetaInfo::of` has checked that the room is large enough and aligned for `M`, and the right shows that
        // nobody else uses it
        unsafe {
            self.room.get().cast::<M>().write(meta);
            self.info.get().write(MaybeUninit::new(info));
        }
    }

    /// The metadata.
    /// Trusted because the right says that it is there and of type `M`, and nobody changes it while the right is shared.
    ///
    /// Exercised by `frames::metadata_is_kept_and_dropped_once`.
    #[verifier::external_body]
    #[inline(always)]
    pub(crate) fn get<'a, M: FrameMeta>(&'a self, Tracked(perm): Tracked<&'a MetaPerm>) -> (r:
        &'a M)
        requires
            perm.cell() == self.id(),
            perm.kind() == Some(kind_of::<M>()),
        ensures
            *r == perm.value::<M>(),
        opens_invariants none
        no_unwind
    {
        // SAFETY: the right shows that there is an `M`, which is not changed as long as it is borrowed
        unsafe { &*self.room.get().cast::<M>() }
    }

    /// Drops the metadata.
    /// Trusted because the right says that it is there, and it is the only one.
    ///
    /// Exercised by `frames::metadata_is_kept_and_dropped_once`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn clear(&self, Tracked(perm): Tracked<&mut MetaPerm>)
        requires
            old(perm).cell() == self.id(),
            old(perm).kind() is Some,
        ensures
            final(perm).cell() == self.id(),
            final(perm).kind() is None,
        opens_invariants none
        no_unwind
    {
        // SAFETY: the right shows that there is metadata, so `info` was written with it, and that nobody uses it; from now
        // on it counts as gone
        unsafe { ((*self.info.get()).assume_init_ref().drop)(self.room.get().cast()) }
    }

    /// Whether the metadata is of type `M`.
    /// Trusted because types with the same `TypeId` are the same.
    ///
    /// Exercised by `frames::a_frame_of_any_kind_turns_out_to_be_what_it_is`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn holds<M: FrameMeta>(&self, Tracked(perm): Tracked<&MetaPerm>) -> (r: bool)
        requires
            perm.cell() == self.id(),
            perm.kind() is Some,
        ensures
            r == (perm.kind() == Some(kind_of::<M>())),
        opens_invariants none
        no_unwind
    {
        // SAFETY: the right shows that there is metadata, so `info` was written with it, and isn't changed meanwhile
        unsafe { ((*self.info.get()).assume_init_ref().type_id)() == TypeId::of::<M>() }
    }

    /// Whether the metadata says that the frame is untyped.
    /// Trusted because it reads what `put` noted.
    ///
    /// Exercised by `frames::a_frame_of_any_kind_turns_out_to_be_what_it_is`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn is_untyped(&self, Tracked(perm): Tracked<&MetaPerm>) -> (r: bool)
        requires
            perm.cell() == self.id(),
            perm.kind() is Some,
        ensures
            r == perm.kind()->0.untyped,
        opens_invariants none
        no_unwind
    {
        // SAFETY: the right shows that there is metadata, so `info` was written with it, and isn't changed meanwhile
        unsafe { (*self.info.get()).assume_init_ref().untyped }
    }
}

/// The metadata of a frame with one owner, to change it.
/// Trusted because such a frame has the only right to its metadata, which says that it is of type `M`, and is borrowed as
/// long as the metadata is. The prover can't follow a mutable borrow out of a value that has an invariant.
///
/// Exercised by `frames::a_unique_frame_changes_its_metadata`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn meta_mut<'b, F: FrameAllocator, M: FrameMeta>(
    frame: &'b mut UniqueFrame<'_, F, M>,
) -> (r: &'b mut M)
    ensures
        *r == old(frame).noted(),
        final(frame).noted() == *final(r),
        final(frame).table() == old(frame).table(),
        final(frame).at() == old(frame).at(),
        final(frame).kind() == old(frame).kind(),
    opens_invariants none
    no_unwind
{
    let (cell, _) = frame.parts();
    // SAFETY: the frame's right shows that there is an `M`, which nobody else uses as long as the frame is borrowed
    unsafe { &mut *cell.room.get().cast::<M>() }
}

} // verus!
// SAFETY: the room is only used with the right to it, so there is either one user who changes it or some who read it; what
// is put in can be sent to other threads and be shared between them, as `FrameMeta` demands
unsafe impl Sync for MetaCell {}

// SAFETY: as above
unsafe impl Send for MetaCell {}
