//! Which ranges of an address space cursors have.

use crate::spec::space::AddressSpace;
use vstd::prelude::*;
use vstd::resource::Loc;
use vstd::resource::ghost_var::{GhostVar, GhostVarAuth};

verus! {

/// How many cursors an address space has room for at a time.
pub(crate) const ROOM: usize = 16;

/// What one who has a range knows of it: the pages in it, and that none lies partly outside.
pub(crate) ghost struct Claim {
    /// Where the range starts.
    pub lo: int,
    /// Where it ends.
    pub hi: int,
    /// The pages in it.
    pub space: AddressSpace,
}

/// Ties what one knows who has a range to what is mapped there.
pub(crate) tracked struct Deed {
    auth: GhostVarAuth<Option<Claim>>,
    /// The other half, as long as nobody has it.
    spare: Option<GhostVar<Option<Claim>>>,
}

/// The ranges that cursors have, no two of which overlap.
pub(crate) struct Claims {
    ranges: [Option<(u64, u64)>; ROOM],
    /// How many of them may be there: those from here on are not.
    top: usize,
    /// A bit for each range whose tables were taken off since somebody has it.
    bared: u16,
    deeds: Tracked<Map<int, Deed>>,
}

/// What is mapped in a range that no page lies partly in.
pub(crate) open spec fn claim_of(space: AddressSpace, range: (u64, u64)) -> Claim {
    let (lo, hi) = (range.0 as int, range.1 as int);
    Claim { lo, hi, space: space.within(lo, hi) }
}

/// Two ranges have no address in common, nor lies an empty one inside of the other.
pub(crate) open spec fn are_apart(a: (u64, u64), b: (u64, u64)) -> bool {
    a.1 <= b.0 || b.1 <= a.0
}

/// No page lies partly in the range.
pub(crate) open spec fn is_whole(space: AddressSpace, range: (u64, u64)) -> bool {
    range.0 < range.1 ==> !space.is_cut(range.0 as int, range.1 as int)
}

impl Deed {
    /// Nobody has a range by this deed; or somebody has `range`, and knows what `space` says of it.
    spec fn is_for(self, id: Loc, range: Option<(u64, u64)>, space: AddressSpace) -> bool {
        &&& self.auth.id() == id
        &&& match range {
            Some(range) => {
                &&& self.spare is None
                &&& self.auth@ == Some(claim_of(space, range))
                &&& range.0 <= range.1
                &&& is_whole(space, range)
            },
            None => self.is_spare(id),
        }
    }

    /// Nobody has a range by it.
    spec fn is_spare(self, id: Loc) -> bool {
        &&& self.auth.id() == id
        &&& self.auth@ is None
        &&& self.spare matches Some(spare) && spare.id() == id
    }
}

/// The deeds are for these ranges of `space`.
spec fn are_for(
    deeds: Map<int, Deed>,
    ids: Seq<Loc>,
    ranges: Seq<Option<(u64, u64)>>,
    space: AddressSpace,
) -> bool {
    &&& ids.len() == ROOM
    &&& ranges.len() == ROOM
    &&& forall|i: int|
        0 <= i < ROOM ==> #[trigger] deeds.contains_key(i) && deeds[i].is_for(
            ids[i],
            ranges[i],
            space,
        )
}

/// No two of the ranges have an address in common.
spec fn are_disjoint(ranges: Seq<Option<(u64, u64)>>) -> bool {
    forall|i: int, j: int|
        0 <= i < ranges.len() && 0 <= j < ranges.len() && i != j && (#[trigger] ranges[i]) is Some
            && (#[trigger] ranges[j]) is Some ==> are_apart(ranges[i]->0, ranges[j]->0)
}

impl Claims {
    /// The ranges are of `space`; `ids` tells the claims apart from those to other address spaces.
    pub(crate) closed spec fn are_of(self, ids: Seq<Loc>, space: AddressSpace) -> bool {
        &&& are_for(self.deeds@, ids, self.ranges@, space)
        &&& are_disjoint(self.ranges@)
        &&& self.top <= ROOM
        &&& forall|i: int| self.top <= i < ROOM ==> (#[trigger] self.ranges@[i]) is None
    }

    /// The range by a deed.
    pub(crate) closed spec fn range(self, i: int) -> Option<(u64, u64)> {
        self.ranges@[i]
    }

    /// Nobody has a range.
    pub(crate) fn new(Ghost(space): Ghost<AddressSpace>) -> (r: (Self, Ghost<Seq<Loc>>))
        ensures
            r.0.are_of(r.1@, space),
    {
        let tracked deeds = spare_deeds(ROOM as nat);
        let ghost ids = Seq::new(ROOM as nat, |i: int| deeds[i].auth.id());
        (Claims { ranges: [None;ROOM], top: 0, bared: 0, deeds: Tracked(deeds) }, Ghost(ids))
    }

    /// Whether nobody has a range.
    pub(crate) fn is_unclaimed(&self) -> bool {
        self.top == 0
    }

    /// Lets somebody have a range, if nobody has an address of it and there is room.
    #[inline]
    pub(crate) fn grant(
        &mut self,
        range: (u64, u64),
        Ghost(ids): Ghost<Seq<Loc>>,
        Ghost(space): Ghost<AddressSpace>,
    ) -> (r: Option<(usize, Tracked<GhostVar<Option<Claim>>>)>)
        requires
            old(self).are_of(ids, space),
            range.0 <= range.1,
            is_whole(space, range),
        ensures
            final(self).are_of(ids, space),
            r matches Some((i, var)) ==> {
                &&& i < ROOM
                &&& var@.id() == ids[i as int]
                &&& var@@ == Some(claim_of(space, range))
            },
    {
        let i = self.room_for(range)?;
        let ghost deeds = self.deeds@;
        let tracked mut deed;
        proof {
            assert(deeds.contains_key(i as int));
            deed = self.deeds.borrow_mut().tracked_remove(i as int);
        }
        let tracked Deed { mut auth, spare } = deed;
        let tracked mut var = spare.tracked_unwrap();
        proof {
            auth.update(&mut var, Some(claim_of(space, range)));
            self.deeds.borrow_mut().tracked_insert(i as int, Deed { auth, spare: None });
        }
        self.ranges[i] = Some(range);
        if i >= self.top {
            self.top = i + 1;
        }
        proof {
            assert forall|j: int| 0 <= j < ROOM implies #[trigger] self.deeds@.contains_key(j)
                && self.deeds@[j].is_for(ids[j], self.ranges@[j], space) by {
                assert(deeds.contains_key(j));
            }
        }
        Some((i, Tracked(var)))
    }

    /// A deed that nobody has, if nobody has an address of the range.
    #[inline]
    fn room_for(&self, range: (u64, u64)) -> (r: Option<usize>)
        requires
            self.top <= ROOM,
            forall|i: int| self.top <= i < ROOM ==> (#[trigger] self.ranges@[i]) is None,
        ensures
            r matches Some(i) ==> {
                &&& i < ROOM
                &&& self.ranges@[i as int] is None
                &&& forall|j: int|
                    0 <= j < ROOM && (#[trigger] self.ranges@[j]) is Some ==> are_apart(
                        self.ranges@[j]->0,
                        range,
                    )
            },
    {
        let mut room = self.top;
        let mut i = 0;
        while i < self.top
            invariant
                i <= self.top <= ROOM,
                room <= ROOM,
                room < ROOM ==> self.ranges@[room as int] is None,
                forall|j: int| self.top <= j < ROOM ==> (#[trigger] self.ranges@[j]) is None,
                forall|j: int|
                    0 <= j < i && (#[trigger] self.ranges@[j]) is Some ==> are_apart(
                        self.ranges@[j]->0,
                        range,
                    ),
            decreases self.top - i,
        {
            match self.ranges[i] {
                Some(other) => if !(other.1 <= range.0 || range.1 <= other.0) {
                    return None;
                },
                None => room = i,
            }
            i += 1;
        }
        if room < ROOM {
            Some(room)
        } else {
            None
        }
    }

    /// Where the ranges end.
    fn end(&self) -> (r: usize)
        requires
            self.top <= ROOM,
            forall|i: int| self.top <= i < ROOM ==> (#[trigger] self.ranges@[i]) is None,
        ensures
            r <= ROOM,
            forall|i: int| r <= i < ROOM ==> (#[trigger] self.ranges@[i]) is None,
    {
        let mut top = self.top;
        while top > 0 && self.ranges[top - 1].is_none()
            invariant
                top <= ROOM,
                forall|i: int| top <= i < ROOM ==> (#[trigger] self.ranges@[i]) is None,
            decreases top,
        {
            top -= 1;
        }
        top
    }

    /// Takes a range back.
    pub(crate) fn release(
        &mut self,
        i: usize,
        Tracked(var): Tracked<GhostVar<Option<Claim>>>,
        Ghost(ids): Ghost<Seq<Loc>>,
        Ghost(space): Ghost<AddressSpace>,
    )
        requires
            old(self).are_of(ids, space),
            i < ROOM,
            var.id() == ids[i as int],
        ensures
            final(self).are_of(ids, space),
    {
        let ghost deeds = self.deeds@;
        let tracked mut deed;
        proof {
            assert(deeds.contains_key(i as int));
            deed = self.deeds.borrow_mut().tracked_remove(i as int);
        }
        let tracked Deed { mut auth, .. } = deed;
        let tracked mut var = var;
        proof {
            auth.update(&mut var, None);
            self.deeds.borrow_mut().tracked_insert(i as int, Deed { auth, spare: Some(var) });
        }
        self.ranges[i] = None;
        self.bared &= !(1u16 << i);
        self.top = self.end();
        proof {
            assert forall|j: int| 0 <= j < ROOM implies #[trigger] self.deeds@.contains_key(j)
                && self.deeds@[j].is_for(ids[j], self.ranges@[j], space) by {
                assert(deeds.contains_key(j));
            }
        }
    }

    /// Notes that tables were taken off who has the range by a deed. Processors may still come to them until they are told,
    /// which they are before the range is given back.
    pub(crate) fn note_bared(&mut self, i: usize)
        requires
            i < ROOM,
        ensures
            forall|ids: Seq<Loc>, space: AddressSpace|
                old(self).are_of(ids, space) ==> #[trigger] final(self).are_of(ids, space),
            forall|j: int| final(self).range(j) == old(self).range(j),
    {
        self.bared |= 1u16 << i;
    }

    /// Whether processors may come to tables that were taken off by others than who has the range by a deed.
    pub(crate) fn is_bared_by_others(&self, i: usize) -> bool
        requires
            i < ROOM,
    {
        self.bared & !(1u16 << i) != 0
    }

    /// Whoever has a claim knows what is mapped in its range.
    pub(crate) proof fn lemma_agree(
        tracked &self,
        tracked var: &GhostVar<Option<Claim>>,
        i: int,
        ids: Seq<Loc>,
        space: AddressSpace,
    )
        requires
            self.are_of(ids, space),
            0 <= i < ROOM,
            var.id() == ids[i],
            var@ is Some,
        ensures
            self.range(i) matches Some(range) && range.0 <= range.1 && var@ == Some(
                claim_of(space, range),
            ) && is_whole(space, range),
    {
        assert(self.deeds@.contains_key(i));
        let tracked deed = self.deeds.borrow().tracked_borrow(i);
        deed.auth.agree(var);
    }

    /// Pages of a range have changed, and no others: the claims are to what is mapped now.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "the claims are the prover's"))]
    pub(crate) fn change(
        &mut self,
        i: usize,
        Tracked(var): Tracked<&mut GhostVar<Option<Claim>>>,
        Ghost(ids): Ghost<Seq<Loc>>,
        Ghost(was): Ghost<AddressSpace>,
        Ghost(now): Ghost<AddressSpace>,
    )
        requires
            old(self).are_of(ids, was),
            i < ROOM,
            old(var).id() == ids[i as int],
            old(var)@ matches Some(claim) && was.is_kept_outside(now, claim.lo, claim.hi)
                && !now.is_cut(claim.lo, claim.hi),
        ensures
            final(self).are_of(ids, now),
            final(var).id() == ids[i as int],
            final(var)@ == Some(
                Claim { space: now.within(old(var)@->0.lo, old(var)@->0.hi), ..old(var)@->0 },
            ),
    {
        proof {
            self.lemma_agree(var, i as int, ids, was);
        }
        let ghost (ranges, deeds) = (self.ranges@, self.deeds@);
        let ghost range = ranges[i as int]->0;
        let tracked mut deed;
        proof {
            assert(deeds.contains_key(i as int));
            deed = self.deeds.borrow_mut().tracked_remove(i as int);
            deed.auth.update(var, Some(claim_of(now, range)));
            self.deeds.borrow_mut().tracked_insert(i as int, deed);
            assert forall|j: int| 0 <= j < ROOM implies #[trigger] self.deeds@.contains_key(j)
                && self.deeds@[j].is_for(ids[j], ranges[j], now) by {
                assert(deeds.contains_key(j));
                if j != i && ranges[j] is Some {
                    let other = ranges[j]->0;
                    assert(are_apart(ranges[i as int]->0, ranges[j]->0));
                    was.lemma_elsewhere(
                        now,
                        range.0 as int,
                        range.1 as int,
                        other.0 as int,
                        other.1 as int,
                    );
                }
            }
        }
    }
}

/// Deeds by which nobody has a range.
proof fn spare_deeds(n: nat) -> (tracked r: Map<int, Deed>)
    ensures
        forall|i: int| 0 <= i < n ==> #[trigger] r.contains_key(i) && r[i].is_spare(r[i].auth.id()),
    decreases n,
{
    if n == 0 {
        Map::tracked_empty()
    } else {
        let tracked mut deeds = spare_deeds((n - 1) as nat);
        let tracked (auth, spare) = GhostVarAuth::new(None);
        deeds.tracked_insert(n - 1, Deed { auth, spare: Some(spare) });
        deeds
    }
}

} // verus!
