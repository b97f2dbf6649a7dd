//! New trees: of an empty root, or of a root with all tables directly below it, where these stay.

use super::chain::Chain;
use super::descend::Stop;
use super::root::{Fixed, Root};
use super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::{Frames, TableMemory, TablePerm};
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use core::marker::PhantomData;
#[cfg(verus_only)]
use spec::is_new_root;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// A tree in which nothing is mapped; or, if there are not enough frames for it, the account, on which nothing is left.
    pub(super) fn new(memory: M) -> (r: Result<Self, Frames<M>>)
        ensures
            match r {
                Ok(tree) => {
                    &&& tree.inv()
                    &&& tree.space() == AddressSpace::empty()
                    &&& tree.is_complete()
                },
                Err(account) => account.held() == Set::<PhysAddr>::empty(),
            },
        no_unwind
    {
        let mut frames = Frames::new::<A>(memory);
        let Some((addr, perm)) = frames.alloc::<A>(Ghost(A::geo().levels as nat)) else {
            return Err(frames);
        };
        proof {
            Self::lemma_blank_root(perm@, frames.phys_bits());
        }
        let mut tree = Self::of_root(frames, addr, perm, Ghost(Fixed::none()));
        let entries = A::geometry().table_entries(A::geometry().levels);
        let mut index = 0;
        while A::pinning() && index < entries
            invariant
                tree.is_pinning(index as int),
                entries == A::geo().entries(A::geo().levels as nat),
                index <= entries,
            ensures
                tree.is_pinning(index as int),
                A::pins() ==> index == entries,
            decreases entries - index,
        {
            if !tree.pin(index) {
                tree.release();
                return Err(tree.frames);
            }
            index += 1;
        }
        Ok(tree)
    }

    /// The tree of a root that has no entry in use.
    #[inline]
    pub(super) fn of_root(
        frames: Frames<M>,
        addr: PhysAddr,
        Tracked(perm): Tracked<TablePerm>,
        fixed: Ghost<Fixed>,
    ) -> (r: Self)
        requires
            frames.phys_bits() <= A::frame_bits(),
            frames.held() == Set::<PhysAddr>::empty().insert(addr),
            is_new_root::<A>(perm, addr, frames.phys_bits(), fixed@),
            A::pins() ==> fixed@ == Fixed::none(),
        ensures
            r.is_pinning(0),
            r.root == (Root { addr, fixed }),
            r.phys_bits() == frames.phys_bits(),
        no_unwind
    {
        let tracked mut perms = Map::tracked_empty();
        proof {
            perms.tracked_insert(super::root::top::<A>(), perm);
        }
        let tree = Tree {
            frames,
            root: Root { addr, fixed },
            perms: Tracked(perms),
            trace: Ghost(Seq::empty()),
            mode: PhantomData,
        };
        proof {
            tree.lemma_new(perm);
        }
        tree
    }

    /// Puts an empty table that stays below entry `index` of the root; `false` if there is no frame for it.
    fn pin(&mut self, index: usize) -> (r: bool)
        requires
            A::pins(),
            old(self).is_pinning(index as int),
            index < A::geo().entries(A::geo().levels as nat),
        ensures
            final(self).inv(),
            r ==> final(self).is_pinning(index + 1),
        no_unwind
    {
        let geometry = A::geometry();
        let level = geometry.levels;
        proof {
            self.lemma_pin_place(index as int);
        }
        let va = index as u64 * geometry.entry_span(level);
        let ghost held = self.frames.held();
        let Some(chain) = Chain::start(&mut self.frames, va, level - 1, 0) else {
            return false;
        };
        let ghost taken = *self;
        let ghost below = chain;
        let stop = Stop { level: level - 1, table: chain.head, above: self.root.addr, used: 1 };
        let slot = Slot { level, table: self.root.addr, index };
        proof {
            self.lemma_pin_link(*old(self), chain, slot);
        }
        self.link(Ghost(va as int), slot, chain);
        let ghost linked = *self;
        proof {
            self.lemma_pin_linked(taken, *old(self), below, stop, index as int);
        }
        self.note(va, stop, 0);
        let ghost noted = *self;
        proof {
            self.lemma_after_note(linked, va as int, stop, 0);
        }
        self.root.fixed = Ghost(
            Fixed { pinned: self.root.fixed@.pinned.push(stop.table), ..self.root.fixed@ },
        );
        self.trace = Ghost(Seq::empty());
        proof {
            self.lemma_pinned(noted, linked, *old(self), below, stop, index as int);
        }
        true
    }
}

} // verus!
