//! What is known of processors: evidence that the machine gives, and what follows from it.

use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::flush::FlushRange;
#[cfg(verus_only)]
use crate::hw::MAX_CPUS;
#[cfg(verus_only)]
use crate::hw::memory::{Flushed, TablePerm};
use vstd::prelude::*;

verus! {

/// A moment: what comes after it in the code of the processor that noted it, or of one that learned of it from there,
/// comes later.
#[verifier::external_body]
pub(crate) tracked struct Moment {
    _private: core::marker::PhantomData<()>,
}

/// That of what a processor's TLB held, at some time after a moment, of the table at a root for a range, nothing is used from
/// then on: no translation, nor cached entries of its upper tables if the range says so. It holds nothing of it, or holds it
/// under identifiers that are invalidated before they are used.
#[verifier::external_body]
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Quiet<A: PagingMode> {
    pub(super) _private: core::marker::PhantomData<A>,
}

/// A table that processors use: where its root lies, and its number, which no other table ever has.
pub(crate) ghost struct Table {
    pub root: PhysAddr,
    pub number: nat,
}

/// That a processor doesn't use a table, and whether it may go back to it and keep what its TLB holds. If not, it will
/// invalidate all that it holds of the table before it uses it. There is one for each processor and table, and none while
/// the processor uses the table.
#[verifier::external_body]
pub(crate) tracked struct Away {
    _private: core::marker::PhantomData<()>,
}

/// Which table a processor uses, and of which table what it holds under an identifier is. There is one for each processor.
#[verifier::external_body]
pub(crate) tracked struct Using {
    _private: core::marker::PhantomData<()>,
}

impl Moment {
    /// When it was. Later moments have larger times; of different processors, as far as one learned of the other.
    pub uninterp spec fn time(&self) -> int;

    /// Now.
    /// Trusted because it says nothing: what is known later is said of the moment by those who are given it.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn now() -> (tracked r: Self) {
        unimplemented!()
    }

    /// Now, which is not before a moment that has passed.
    /// Trusted because that is what it means that it has passed.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn after(tracked &self) -> (tracked r: Self)
        ensures
            r.time() >= self.time(),
    {
        unimplemented!()
    }

    /// Now, which is after all stores to these tables.
    /// Trusted because who has the right to a table knows of all stores to it: nobody stores there without it.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn after_stores<I>(tracked tables: &Map<I, TablePerm>) -> (tracked r: Self)
        ensures
            forall|i: I| #[trigger] tables.contains_key(i) ==> tables[i].written() <= r.time(),
    {
        unimplemented!()
    }

    /// The later one of two.
    pub(crate) proof fn later(tracked &self, tracked other: &Self) -> (tracked r: Self)
        ensures
            r.time() >= self.time(),
            r.time() >= other.time(),
    {
        if self.time() >= other.time() {
            self.tell()
        } else {
            other.tell()
        }
    }

    /// The same moment, for somebody else to know of.
    /// Trusted because that a moment has passed stays true.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn tell(tracked &self) -> (tracked r: Self)
        ensures
            r == *self,
    {
        unimplemented!()
    }
}

impl<A: PagingMode> Quiet<A> {
    /// Which processor.
    pub uninterp spec fn cpu(&self) -> nat;

    /// After which moment.
    pub uninterp spec fn since(&self) -> Moment;

    /// For which table, by its root.
    pub uninterp spec fn root(&self) -> PhysAddr;

    /// For which range.
    pub uninterp spec fn range(&self) -> FlushRange<A>;

    /// Whether it says that `cpu` was quiet after `since`, for `range` of the table at `root`.
    pub(crate) open spec fn says(
        self,
        cpu: nat,
        since: Moment,
        root: PhysAddr,
        range: FlushRange<A>,
    ) -> bool {
        &&& self.cpu() == cpu
        &&& self.since() == since
        &&& self.root() == root
        &&& self.range().covers(range)
    }

    /// The same, for somebody else to know of.
    /// Trusted because that a processor was quiet once after a moment stays true.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn tell(tracked &self) -> (tracked r: Self)
        ensures
            r == *self,
    {
        unimplemented!()
    }
}

impl Away {
    /// Which processor.
    pub uninterp spec fn cpu(&self) -> nat;

    /// Which table.
    pub uninterp spec fn table(&self) -> Table;

    /// Whether the processor may go back to the table and keep what its TLB holds.
    pub uninterp spec fn returns(&self) -> bool;

    /// A processor that doesn't use the table, after a moment that has passed, is quiet after it, once it is settled that it
    /// will invalidate before it uses the table again.
    /// Trusted because nothing that the TLB holds of the table now is used from now on, and now is after the moment.
    ///
    /// Exercised by `space_ids::a_change_while_away_is_flushed`.
    #[verifier::external_body]
    pub(crate) proof fn quiet<A: PagingMode>(
        tracked &mut self,
        tracked since: &Moment,
        range: FlushRange<A>,
    ) -> (tracked r: Quiet<A>)
        ensures
            final(self).cpu() == old(self).cpu(),
            final(self).table() == old(self).table(),
            !final(self).returns(),
            r.cpu() == old(self).cpu(),
            r.since() == *since,
            r.root() == old(self).table().root,
            r.range() == range,
    {
        unimplemented!()
    }
}

impl Using {
    /// Which processor.
    pub uninterp spec fn cpu(&self) -> nat;

    /// Which table: `None` for one of the kernel's own.
    pub uninterp spec fn table(&self) -> Option<Table>;

    /// Where the root of that table lies.
    pub(crate) open spec fn root(&self) -> Option<PhysAddr> {
        match self.table() {
            Some(table) => Some(table.root),
            None => None,
        }
    }

    /// Of which table, by its number, what the TLB holds under an identifier is, as far as it may be used: `None` if nothing
    /// may.
    pub uninterp spec fn holds(&self, id: nat) -> Option<nat>;

    /// Whether this is what becomes of `old` when the processor goes over to `table` under `id`. What else it holds of the table
    /// is used no more.
    pub(crate) open spec fn enters(self, old: Self, table: Table, id: nat, keep: bool) -> bool {
        &&& self.cpu() == old.cpu()
        &&& self.table() == Some(table)
        &&& forall|i: nat| #[trigger]
            self.holds(i) == if i == id {
                Some(table.number)
            } else if !keep && old.holds(i) == Some(table.number) {
                None
            } else {
                old.holds(i)
            }
    }

    /// Whether `away` says that the processor has left the table that it used, if it used one. It may go back.
    pub(crate) open spec fn leaves(self, away: Option<Away>) -> bool {
        match (away, self.table()) {
            (Some(away), Some(table)) => {
                &&& away.cpu() == self.cpu()
                &&& away.table() == table
                &&& away.returns()
            },
            (None, None) => true,
            _ => false,
        }
    }
}

/// That no table has had a number.
#[verifier::external_body]
pub(crate) tracked struct Fresh {
    pub(super) _private: core::marker::PhantomData<()>,
}

impl Fresh {
    /// The number.
    pub uninterp spec fn number(&self) -> nat;
}

/// What each processor is to the table at `root`: none uses it, and none goes back to it.
/// Trusted because only `ActiveSet::new` calls it, for a table that has just been made, whose root was nobody's.
///
/// Exercised by `space::a_processor_that_left_is_not_asked`.
#[verifier::external_body]
pub(crate) proof fn trust_unused(tracked fresh: Fresh, root: PhysAddr) -> (tracked r: Map<
    nat,
    Away,
>)
    ensures
        forall|c: nat|
            c < MAX_CPUS ==> #[trigger] r.contains_key(c) && r[c].cpu() == c && r[c].table() == (
            Table { root, number: fresh.number() }) && !r[c].returns(),
{
    unimplemented!()
}

/// What this processor uses: a table of the kernel's own.
/// Trusted because only `Cpu::new` calls it, whose caller promises by `unsafe` that it is called once for each processor, when
/// it uses such a table.
///
/// Exercised by `space::a_processor_that_left_is_not_asked`.
#[verifier::external_body]
pub(crate) proof fn trust_kernel_table(cpu: nat) -> (tracked r: Using)
    ensures
        r.cpu() == cpu,
        r.table() is None,
        forall|id: nat| #[trigger] r.holds(id) is None,
{
    unimplemented!()
}

/// Once every processor has been quiet after a moment, a range is flushed.
/// Trusted because that is what it means: after the moment at which each was quiet, it uses of what its TLB holds only what
/// the table has said since then.
///
/// Exercised by `space::a_stale_translation_is_gone_after_sync`.
#[verifier::external_body]
pub(crate) proof fn flushed_everywhere<A: PagingMode>(
    tracked since: &Moment,
    tracked quiet: &Map<nat, Quiet<A>>,
    root: PhysAddr,
    range: FlushRange<A>,
) -> (tracked r: Flushed<A>)
    requires
        forall|c: nat|
            c < MAX_CPUS ==> #[trigger] quiet.contains_key(c) && quiet[c].says(
                c,
                *since,
                root,
                range,
            ),
    ensures
        r.range() == range,
        r.since() == since.time(),
{
    unimplemented!()
}

} // verus!
