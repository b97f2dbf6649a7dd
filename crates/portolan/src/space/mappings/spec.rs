//! What it means that references are held to what is mapped.

use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, stored};
use crate::frame::FrameTable;
use crate::frame::token::{FrameToken, SlotId};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::space::kept::WasMapped;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use vstd::prelude::*;

verus! {

/// Whether `k` is where one of the `n` pieces of 4 KiB starts that follow each other from `at` on.
pub(crate) open spec fn is_piece(at: int, n: int, k: int) -> bool {
    at <= k < at + n * 0x1000 && (k - at) % 0x1000 == 0
}

/// The slot of the frame that starts where `space` maps `at`, if there is one in the table.
pub(crate) open spec fn frame_at<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    at: int,
) -> Option<SlotId> {
    match space.place(at) {
        Some(pa) if pa % 0x1000 == 0 && frames.first() <= pa < frames.end() => Some(
            frames.id((pa - frames.first()) / 0x1000),
        ),
        _ => None,
    }
}

/// Whether `tokens` has a reference for `at` exactly if a frame of the table starts where `space` maps it; then it is one to
/// this frame, whose memory is plain bytes.
pub(crate) open spec fn is_held<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
    at: int,
) -> bool {
    match frame_at(frames, space, at) {
        Some(slot) => {
            &&& tokens.contains_key(at)
            &&& tokens[at].is_for(slot)
            &&& tokens[at].kind().untyped
        },
        None => !tokens.contains_key(at),
    }
}

/// So it is for all addresses.
pub(crate) open spec fn are_held<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
) -> bool {
    forall|at: int| #[trigger] is_held(frames, space, tokens, at)
}

/// So it is at `at` if it is from `lo` to below `hi`; elsewhere, `tokens` has no references.
pub(crate) open spec fn is_held_between<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
    lo: int,
    hi: int,
    at: int,
) -> bool {
    if lo <= at < hi {
        is_held(frames, space, tokens, at)
    } else {
        !tokens.contains_key(at)
    }
}

/// From `lo` to below `hi` `tokens` has no references; elsewhere, it is as it should be.
pub(crate) open spec fn is_held_outside<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
    lo: int,
    hi: int,
    at: int,
) -> bool {
    if lo <= at < hi {
        !tokens.contains_key(at)
    } else {
        is_held(frames, space, tokens, at)
    }
}

/// `tokens` are the references to what is mapped outside of the range from `lo` to below `hi`.
pub(crate) open spec fn are_held_outside<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
    lo: int,
    hi: int,
) -> bool {
    forall|at: int| #[trigger] is_held_outside(frames, space, tokens, lo, hi, at)
}

/// For each frame of ordinary memory that `space` maps from `lo` to below `hi` there is a reference among those `kept`.
pub(crate) open spec fn are_kept<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    kept: Seq<WasMapped>,
    lo: int,
    hi: int,
) -> bool {
    forall|va: int|
        lo <= va < hi && (#[trigger] frame_at(frames, space, va)) is Some ==> is_kept(
            space,
            kept,
            va,
        )
}

/// There is a reference to the frame at `va` among those `kept`.
pub(crate) open spec fn is_kept(space: AddressSpace, kept: Seq<WasMapped>, va: int) -> bool {
    exists|i: int| 0 <= i < kept.len() && (#[trigger] kept[i]).is_for(space, va)
}

/// `tokens` are the references to what is mapped from `lo` to below `hi`.
pub(crate) open spec fn are_held_between<F>(
    frames: FrameTable<'_, F>,
    space: AddressSpace,
    tokens: Map<int, FrameToken>,
    lo: int,
    hi: int,
) -> bool {
    forall|at: int| #[trigger] is_held_between(frames, space, tokens, lo, hi, at)
}

/// Whether the `bytes` from `pa` on lie within the table of frames or outside.
pub(crate) open spec fn is_one_kind<F>(frames: FrameTable<'_, F>, pa: int, bytes: int) -> bool {
    frames.has_all(pa, bytes) || frames.has_none(pa, bytes)
}

/// So it is for all pages.
pub(crate) open spec fn is_sorted<F>(frames: FrameTable<'_, F>, space: AddressSpace) -> bool {
    forall|base: int| #[trigger]
        space.pages.contains_key(base) ==> is_one_kind(
            frames,
            space.pages[base].frame.0 as int,
            space.pages[base].size.bytes() as int,
        )
}

/// Whether `tokens` has references to the frames of the `n` slots from `first` on, for the pieces that follow each other from
/// `at` on, and the frames' memory is plain bytes.
pub(crate) open spec fn has_pieces<F>(
    frames: FrameTable<'_, F>,
    tokens: Map<int, FrameToken>,
    at: int,
    first: int,
    n: int,
) -> bool {
    forall|k: int| #[trigger]
        is_piece(at, n, k) ==> {
            &&& tokens.contains_key(k)
            &&& tokens[k].is_for(frames.id(first + (k - at) / 0x1000))
            &&& tokens[k].kind().untyped
        }
}

/// `now` is `old` without the references for these pieces.
pub(crate) open spec fn is_without(
    old: Map<int, FrameToken>,
    now: Map<int, FrameToken>,
    at: int,
    n: int,
) -> bool {
    forall|k: int| #[trigger]
        now.contains_key(k) == (old.contains_key(k) && !is_piece(at, n, k)) && (now.contains_key(k)
            ==> now[k] == old[k])
}

/// `now` is `old` with references for these pieces: those that `more` has for the slots from `first` on.
pub(crate) open spec fn is_with(
    old: Map<int, FrameToken>,
    more: Map<int, FrameToken>,
    now: Map<int, FrameToken>,
    at: int,
    first: int,
    n: int,
) -> bool {
    forall|k: int| #[trigger]
        now.contains_key(k) == (old.contains_key(k) || is_piece(at, n, k)) && (now.contains_key(k)
            ==> now[k] == if is_piece(at, n, k) {
            more[first + (k - at) / 0x1000]
        } else {
            old[k]
        })
}

impl AddressSpace {
    /// Where the byte at `va` lies.
    pub open spec fn place(self, va: int) -> Option<int> {
        match self.translate(va) {
            Some((pa, _)) => Some(pa),
            None => None,
        }
    }

    /// Each address lies where it does here.
    pub(crate) open spec fn is_placed_as(self, now: Self) -> bool {
        forall|va: int| #[trigger] now.place(va) == self.place(va)
    }

    /// Each page of `now` lies within one of this.
    pub(crate) open spec fn holds_pages_of(self, now: Self) -> bool {
        forall|base: int| #[trigger]
            now.pages.contains_key(base) ==> exists|over: int| #[trigger]
                self.pages.contains_key(over) && over <= base && base + now.pages[base].size.bytes()
                    <= over + self.pages[over].size.bytes()
    }

    /// Whether all addresses from `lo` to below `hi` are mapped, to what follows `frame`.
    pub open spec fn is_run(self, lo: int, hi: int, frame: int) -> bool {
        forall|at: int| lo <= at < hi ==> #[trigger] self.place(at) == Some(frame + (at - lo))
    }

    /// How many pages start from `lo` to below `hi`.
    pub open spec fn count_pages(self, lo: int, hi: int) -> nat
        decreases hi - lo,
    {
        if hi <= lo {
            0
        } else {
            self.count_pages(lo, hi - 1) + if self.pages.contains_key(hi - 1) {
                1nat
            } else {
                0
            }
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// This is `old` with one more page.
    pub(crate) open spec fn is_mapped_from(
        self,
        old: Self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> bool {
        &&& request::check_map(old.phys_bits(), va, frame, size, prop) is None
        &&& !old@.overlaps(va@, size.bytes() as int)
        &&& self@ == old@.map(va@, frame, size, stored::<B>(prop))
        &&& self.steps_from(old)
    }
}

} // verus!
