//! Which identifier a processor has for which address space.

#[cfg(verus_only)]
use crate::hw::processor::Table;
use crate::hw::processor::Using;
use vstd::prelude::*;

verus! {

/// How many identifiers a processor uses at most. What its TLB holds under more is lost before it comes back to it.
pub(super) const MOST: usize = 6;

/// The identifiers of a processor, counted from 1, and for which table each is: by the table's number, which no other one ever
/// has, as roots come to lie where others lay.
#[derive(Clone, Copy)]
pub(super) struct Identifiers {
    /// How many there are: 0 if the processor has none.
    count: usize,
    /// For which table each is; 0 for none.
    tables: [u64; MOST],
    /// The one that is given to another table next.
    next: usize,
}

impl Identifiers {
    /// How many there are.
    pub(super) closed spec fn count(self) -> nat {
        self.count as nat
    }

    /// What the processor's TLB holds is what is noted here, and no two identifiers are for the same table.
    pub(super) closed spec fn inv(self, using: Using) -> bool {
        &&& self.count <= MOST
        &&& self.next <= self.count
        &&& forall|n: int|
            0 <= n < MOST && #[trigger] self.tables[n] != 0 ==> using.holds((n + 1) as nat) == Some(
                self.tables[n] as nat,
            )
        &&& forall|n: int| self.count <= n < MOST ==> #[trigger] self.tables[n] == 0
        &&& forall|m: int, n: int|
            0 <= m < n < MOST && #[trigger] self.tables[m] != 0 ==> self.tables[m]
                != #[trigger] self.tables[n]
    }

    /// As many as the processor has, or as are used, none of which is for a table.
    pub(super) fn new(has: usize) -> (r: Self)
        ensures
            r.count() <= has,
            forall|using: Using| #[trigger] r.inv(using),
    {
        let count = if has < MOST {
            has
        } else {
            MOST
        };
        Identifiers { count, tables: [0;MOST], next: 0 }
    }

    /// Whether there are any.
    #[inline]
    pub(super) fn are_there(&self) -> (r: bool)
        ensures
            r == (self.count() > 0),
        no_unwind
    {
        self.count > 0
    }

    /// The identifier for a table, and whether it was for that one before; 0 if there are none. It is for that one from now on:
    /// if it was not, the processor has to invalidate what its TLB holds under it.
    pub(super) fn pick(&mut self, table: u64, Ghost(using): Ghost<Using>) -> (r: (usize, bool))
        requires
            table > 0,
            old(self).inv(using),
        ensures
            final(self).count() == old(self).count(),
            r.0 <= old(self).count(),
            r.0 == 0 ==> !r.1,
            r.1 ==> using.holds(r.0 as nat) == Some(table as nat),
            final(self).is_after(using, table as nat, r.0 as nat),
        no_unwind
    {
        let mut n = 0;
        while n < self.count
            invariant
                self.inv(using),
                *self == *old(self),
                table > 0,
                n <= self.count,
                forall|m: int| 0 <= m < n ==> #[trigger] self.tables[m] != table,
            decreases self.count - n,
        {
            if self.tables[n] == table {
                assert(self.tables[n as int] != 0);
                return (n + 1, true);
            }
            n += 1;
        }
        if self.count == 0 {
            return (0, false);
        }
        let n = if self.next < self.count {
            self.next
        } else {
            0
        };
        self.tables[n] = table;
        self.next = n + 1;
        (n + 1, false)
    }

    /// This is right once the processor uses the table under the identifier, whether it keeps what its TLB holds or not.
    pub(super) open spec fn is_after(self, before: Using, number: nat, id: nat) -> bool {
        forall|now: Using, table: Table, keep: bool| #[trigger]
            now.enters(before, table, id, keep) && table.number == number ==> self.inv(now)
    }

    /// It stays so as long as the processor's TLB holds the same.
    pub(super) proof fn lemma_same(self, before: Using, now: Using)
        requires
            self.inv(before),
            forall|id: nat| #[trigger] now.holds(id) == before.holds(id),
        ensures
            self.inv(now),
    {
    }
}

} // verus!
