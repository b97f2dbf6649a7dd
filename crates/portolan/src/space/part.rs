//! The part of an address space that a cursor has.

use super::claims::Claim;
#[cfg(verus_only)]
use super::claims::ROOM;
use super::kernel::{Kernel, Machine};
use super::lease::Lease;
use super::lock::SpinLock;
use super::pages::{Pages, Shared, Whole};
use super::span::Span;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::hw::space::release_in_drop;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
#[cfg(verus_only)]
use vstd::predicate::Predicate;
use vstd::prelude::*;
use vstd::resource::ghost_var::GhostVar;

mod open;
#[cfg(verus_only)]
mod proof;
mod read;
#[cfg(verus_only)]
pub(crate) mod spec;
mod write;

verus! {

/// A range of an address space that nobody else looks at or changes, and where in it one is.
///
/// It reaches as far as the pages that lie partly in the range. The lock is held for each operation, by one after the other of
/// those who have parts; what is in this part stays as it is between them.
#[verifier::reject_recursive_types(K)]
pub(crate) struct Part<'a, 'k, K: Kernel> {
    machine: &'a Machine<'k, K>,
    lock: &'a SpinLock<Shared<'k, K>, Whole<'k, K>>,
    slot: usize,
    span: Span<K::Mode>,
    /// Where the part starts and ends.
    reach: Ghost<(int, int)>,
    /// What is known of it. Not here while it changes: if that unwinds, the part is never given back.
    claim: Option<Tracked<GhostVar<Option<Claim>>>>,
}

impl<'a, 'k, K: Kernel> Part<'a, 'k, K> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.slot < ROOM
        &&& 0 <= self.lo() <= self.first()
        &&& self.end() <= self.hi() <= K::Mode::geo().limit()
        &&& self.claim matches Some(claim) ==> self.is_claim(claim@)
    }

    /// This is the claim to the part.
    spec fn is_claim(self, claim: GhostVar<Option<Claim>>) -> bool {
        &&& claim.id() == self.whole().ids[self.slot as int]
        &&& claim@ matches Some(known) && {
            &&& known.lo == self.lo()
            &&& known.hi == self.hi()
            &&& known.space.is_shaped::<K::Mode>()
        }
    }

    /// What always holds of the address space.
    pub(crate) closed spec fn whole(self) -> Whole<'k, K> {
        self.lock.kept()
    }

    /// Where it starts.
    pub(crate) closed spec fn lo(self) -> int {
        self.reach@.0
    }

    /// Where it ends.
    pub(crate) closed spec fn hi(self) -> int {
        self.reach@.1
    }

    /// The first address of the range.
    pub(crate) closed spec fn first(self) -> int {
        self.span.first()
    }

    /// Where the range ends.
    pub(crate) closed spec fn end(self) -> int {
        self.span.end()
    }

    /// Where in it one is.
    pub(crate) closed spec fn at(self) -> int {
        self.span.at()
    }

    /// Whether no operation has unwound.
    pub(crate) closed spec fn is_live(self) -> bool {
        self.claim is Some
    }

    /// What is mapped in it.
    pub(crate) closed spec fn space(self) -> AddressSpace {
        self.claim->0@@->0.space
    }

    /// It is the same part as `old`.
    pub(crate) open spec fn is_over(self, old: Self) -> bool {
        &&& self.whole() == old.whole()
        &&& self.lo() == old.lo()
        &&& self.hi() == old.hi()
        &&& self.first() == old.first()
        &&& self.end() == old.end()
    }

    /// It is the same part as `old`, usable as long as that was, and one is where one was.
    pub(crate) open spec fn stays(self, old: Self) -> bool {
        &&& self.is_over(old)
        &&& self.is_live() == old.is_live()
        &&& self.at() == old.at()
    }

    /// The range lies in the part, and the part in what a table covers.
    pub(crate) proof fn lemma_reach(tracked &self)
        ensures
            0 <= self.lo() <= self.first() <= self.at() <= self.end() <= self.hi()
                <= K::Mode::geo().limit(),
    {
        use_type_invariant(self);
        self.span.lemma_at();
    }

    /// The pages are where a table's can be.
    pub(crate) proof fn lemma_shaped(tracked &self)
        requires
            self.is_live(),
        ensures
            self.space().is_shaped::<K::Mode>(),
            0 < K::Mode::geo().limit() <= 0x200_0000_0000_0000,
    {
        use_type_invariant(self);
        K::Mode::lemma_geometry();
        K::Mode::geo().lemma_limit();
        K::Mode::geo().lemma_span(1);
    }

    /// Where the part is all of the address space no page lies partly outside.
    pub(crate) proof fn lemma_all_whole(tracked &self)
        requires
            self.is_live(),
            self.lo() == 0,
            self.hi() == K::Mode::geo().limit(),
        ensures
            !self.space().is_cut(0, K::Mode::geo().limit()),
    {
        self.lemma_shaped();
        K::Mode::lemma_geometry();
        self.space().lemma_within_all::<K::Mode>();
    }

    /// The part of the address space that `lock` guards which `span` needs, if nobody else has some of it.
    pub(crate) fn try_new(
        machine: &'a Machine<'k, K>,
        lock: &'a SpinLock<Shared<'k, K>, Whole<'k, K>>,
        span: Span<K::Mode>,
    ) -> (r: Result<Self, Span<K::Mode>>)
        ensures
            match r {
                Ok(part) => {
                    &&& part.is_live()
                    &&& part.whole() == lock.kept()
                    &&& part.first() == span.first()
                    &&& part.end() == span.end()
                    &&& part.at() == span.at()
                },
                Err(same) => same == span,
            },
    {
        let mut lease = Lease::of(lock, open::seize(machine, lock));
        let (lo, hi) = span.ends();
        let ghost whole = lock.kept();
        let range = reach::<K>(&lease.get().pages, lo, hi);
        let Tracked(mut held) = lease.take();
        let shared = lock.borrow_mut(Tracked(&mut held));
        let ghost space = shared.pages.space();
        let claim = shared.claims.grant(range, Ghost(whole.ids), Ghost(space));
        proof {
            shared.pages.lemma_shaped();
            space.lemma_within_shaped::<K::Mode>(range.0 as int, range.1 as int);
        }
        lock.unlock(Tracked(held));
        let Some((slot, claim)) = claim else {
            return Err(span);
        };
        let ghost reach = (range.0 as int, range.1 as int);
        Ok(Part { machine, lock, slot, span, reach: Ghost(reach), claim: Some(claim) })
    }

    /// Gives the part back.
    pub(crate) fn release(&mut self) {
        proof {
            use_type_invariant(&*self);
        }
        let Some(Tracked(claim)) = self.claim.take() else {
            return;
        };
        let Tracked(mut held) = self.seize();
        let shared = self.lock.borrow_mut(Tracked(&mut held));
        let ghost (ids, space) = (self.whole().ids, shared.pages.space());
        shared.claims.release(self.slot, Tracked(claim), Ghost(ids), Ghost(space));
        self.lock.unlock(Tracked(held));
    }

    /// Whether no operation has unwound.
    #[inline]
    pub(crate) fn is_usable(&self) -> (r: bool)
        ensures
            r == self.is_live(),
        no_unwind
    {
        self.claim.is_some()
    }

    /// The range, and where in it one is.
    #[inline]
    pub(crate) fn span(&self) -> (r: &Span<K::Mode>)
        ensures
            r.first() == self.first(),
            r.end() == self.end(),
            r.at() == self.at(),
        no_unwind
    {
        &self.span
    }

    /// Goes to `at`.
    #[inline]
    pub(crate) fn go(&mut self, at: u64)
        requires
            old(self).first() <= at <= old(self).end(),
        ensures
            final(self).is_over(*old(self)),
            final(self).is_live() == old(self).is_live(),
            final(self).space() == old(self).space(),
            final(self).at() == at,
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        self.span.go(at);
    }
}

/// From where to where the pages reach that lie in a range, or partly.
fn reach<K: Kernel>(pages: &Pages<'_, K>, lo: u64, hi: u64) -> (r: (u64, u64))
    requires
        lo <= hi <= K::Mode::geo().limit(),
    ensures
        r.0 <= lo,
        hi <= r.1 <= K::Mode::geo().limit(),
        lo < hi ==> !pages.space().is_cut(r.0 as int, r.1 as int),
        lo == hi ==> r == (lo, hi),
{
    if lo == hi {
        return (lo, hi);
    }
    let table = pages.page_table();
    let (has_first, start, past) = table.extent_at(lo);
    let (has_last, end) = if past >= hi {
        (has_first, past)
    } else {
        let (mapped, _, end) = table.extent_at(hi - 1);
        (mapped, end)
    };
    let from = if has_first {
        start
    } else {
        lo
    };
    let to = if has_last {
        end
    } else {
        hi
    };
    proof {
        pages.lemma_shaped();
        if past >= hi {
            pages.space().lemma_same_extent(lo as int, start as int, past - start, hi - 1);
        }
        pages.space().lemma_reach((lo as int, hi as int), (from as int, to as int));
    }
    (from, to)
}

impl<K: Kernel> Drop for Part<'_, '_, K> {
    /// Gives the part back.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        release_in_drop(self);
    }
}

} // verus!
