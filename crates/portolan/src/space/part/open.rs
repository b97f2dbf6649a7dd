//! A part whose pages are being changed.

use super::Part;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::hw::processor::relax;
use crate::space::claims::Claim;
#[cfg(verus_only)]
use crate::space::claims::ROOM;
use crate::space::lease::Lease;
use crate::space::lock::{Held, SpinLock};
use crate::space::pages::{Shared, Whole};
use crate::space::{Kernel, Machine};
use crate::spec::space::AddressSpace;
use vstd::pervasive::unreached;
#[cfg(verus_only)]
use vstd::predicate::Predicate;
use vstd::prelude::*;
use vstd::resource::ghost_var::GhostVar;

verus! {

/// What is taken out of a part while its pages are changed. If that unwinds, it is gone, and the lock with it.
#[verifier::reject_recursive_types(K)]
pub(super) tracked struct Opened<'k, K: Kernel> {
    /// The right to all of the address space's pages.
    pub held: Held<Shared<'k, K>>,
    /// The claim to the part.
    pub claim: GhostVar<Option<Claim>>,
}

impl<'a, 'k, K: Kernel> Part<'a, 'k, K> {
    /// This is what was taken out of the part when `was` was mapped; only pages may have changed since.
    pub(super) open(super) spec fn is_opened(
        self,
        opened: Opened<'k, K>,
        was: AddressSpace,
    ) -> bool {
        let shared = opened.held@;
        &&& self.slot < ROOM
        &&& self.lock.is_held(opened.held)
        &&& self.whole().has(shared.pages)
        &&& shared.claims.are_of(self.whole().ids, was)
        &&& self.is_claim(opened.claim)
        &&& opened.claim@->0.space == was.within(self.lo(), self.hi())
        &&& was.is_shaped::<K::Mode>()
    }

    /// Takes the lock and the claim, to change pages of the part.
    #[inline]
    pub(super) fn open(&mut self) -> (r: Tracked<Opened<'k, K>>)
        requires
            old(self).is_live(),
        ensures
            final(self).is_over(*old(self)),
            final(self).at() == old(self).at(),
            final(self).lock == old(self).lock,
            !final(self).is_live(),
            0 <= old(self).lo() <= old(self).hi() <= K::Mode::geo().limit(),
            final(self).is_opened(r@, r@.held@.pages.space()),
            ({
                let was = r@.held@.pages.space();
                &&& was.is_shaped::<K::Mode>()
                &&& old(self).space() == was.within(old(self).lo(), old(self).hi())
                &&& old(self).lo() < old(self).hi() ==> !was.is_cut(old(self).lo(), old(self).hi())
            }),
    {
        proof {
            use_type_invariant(&*self);
            self.lemma_reach();
        }
        let Tracked(held) = self.seize();
        let Tracked(claim) = match self.claim.take() {
            Some(claim) => claim,
            None => unreached(),
        };
        #[cfg_attr(not(verus_only), expect(unused_variables, reason = "the pages are the prover's"))]
        let shared = self.lock.borrow(Tracked(&held));
        proof {
            let (ids, was) = (self.whole().ids, shared.pages.space());
            shared.claims.lemma_agree(&claim, self.slot as int, ids, was);
            shared.pages.lemma_shaped();
        }
        Tracked(Opened { held, claim })
    }

    /// Gives the lock and the claim back. No page outside of the part has changed, and none lies partly in it.
    #[inline]
    pub(super) fn close(
        &mut self,
        Tracked(opened): Tracked<Opened<'k, K>>,
        Ghost(was): Ghost<AddressSpace>,
    )
        requires
            old(self).is_opened(opened, was),
            ({
                let now = opened.held@.pages.space();
                &&& was.is_kept_outside(now, old(self).lo(), old(self).hi())
                &&& !now.is_cut(old(self).lo(), old(self).hi())
            }),
        ensures
            final(self).is_over(*old(self)),
            final(self).at() == old(self).at(),
            final(self).is_live(),
            final(self).space() == opened.held@.pages.space().within(
                old(self).lo(),
                old(self).hi(),
            ),
    {
        proof {
            use_type_invariant(&*self);
        }
        let tracked Opened { mut held, mut claim } = opened;
        let shared = self.lock.borrow_mut(Tracked(&mut held));
        let ghost now = shared.pages.space();
        proof {
            shared.pages.lemma_shaped();
            now.lemma_within_shaped::<K::Mode>(self.lo(), self.hi());
        }
        let ghost ids = self.whole().ids;
        shared.claims.change(self.slot, Tracked(&mut claim), Ghost(ids), Ghost(was), Ghost(now));
        self.lock.unlock(Tracked(held));
        self.claim = Some(Tracked(claim));
    }

    /// Takes the lock, to look at the pages.
    #[inline]
    pub(super) fn enter(&self) -> (r: Lease<'a, Shared<'k, K>, Whole<'k, K>>)
        ensures
            r.lock() == *self.lock,
            r@ matches Some(shared) && self.whole().predicate(shared),
    {
        let held = self.seize();
        Lease::of(self.lock, held)
    }

    /// Takes the lock.
    #[inline]
    pub(super) fn seize(&self) -> (r: Tracked<Held<Shared<'k, K>>>)
        ensures
            self.lock.is_held(r@),
            self.whole().predicate(r@@),
    {
        seize(self.machine, self.lock)
    }
}

/// Takes the lock. Who has it never waits for anybody.
///
/// Exercised by `space::cursors_on_disjoint_ranges_live_at_the_same_time`.
#[verifier::exec_allows_no_decreases_clause]
#[inline]
pub(super) fn seize<'k, K: Kernel>(
    machine: &Machine<'k, K>,
    lock: &SpinLock<Shared<'k, K>, Whole<'k, K>>,
) -> (r: Tracked<Held<Shared<'k, K>>>)
    ensures
        lock.is_held(r@),
        lock.kept().predicate(r@@),
{
    loop {
        if let Some(held) = lock.try_lock() {
            return held;
        }
        relax::<K::Mode, K::Cpus>(machine.cpus());
    }
}

} // verus!
