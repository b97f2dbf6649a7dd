//! Replacing a page's entry replaces the page.

use super::super::change::Change;
use super::super::descend::Descent;
use super::super::model::counting::lemma_used_update;
use super::super::model::{Model, NodeId, home};
use super::super::tree::{Slot, Tree};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_frame_address};
use crate::hw::memory::TableMemory;
use crate::prop::Mapping;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// Bits that hardware sets in one page are bits that it sets in the address space.
proof fn lemma_page_seen(space: AddressSpace, base: int, now: Mapping)
    requires
        space.pages.contains_key(base),
        space.pages[base].may_become(now),
    ensures
        space.may_become(AddressSpace { pages: space.pages.insert(base, now) }),
{
    let seen = AddressSpace { pages: space.pages.insert(base, now) };
    assert(seen.pages.dom() =~= space.pages.dom());
}

/// The second of two replacements is what remains.
pub(crate) proof fn lemma_put_put(m: Model, n: NodeId, i: int, a: Entry, b: Entry)
    requires
        m.nodes.contains_key(n),
        0 <= i < m.nodes[n].entries.len(),
    ensures
        m.put(n, i, a).put(n, i, b) == m.put(n, i, b),
        m.put(n, i, b).nodes[n].entries[i] == b,
{
    let s = m.nodes[n].entries;
    assert(s.update(i, a).update(i, b) =~= s.update(i, b));
    assert(m.put(n, i, a).put(n, i, b).nodes =~= m.put(n, i, b).nodes);
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// At first nothing has been seen.
    pub(crate) proof fn lemma_unchanged(self, va: int, slot: Slot)
        requires
            self.linked(),
            self.is_slot(va, slot),
            self.entry_at(va, slot.level as nat) is Page,
        ensures
            self.is_seen(self, va, slot),
    {
        let l = slot.level as nat;
        let e = self.entry_at(va, l);
        let m = self.model();
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        A::geo().lemma_bounds(va, l);
        assert(m.nodes.contains_key(n));
        assert(m.nodes[n].entries.update(i, e) =~= m.nodes[n].entries);
        assert(m.put(n, i, e).nodes =~= m.nodes);
        self.lemma_page_here(va, slot);
        assert(self.space_with(va, l, e).pages =~= self.space().pages);
    }

    /// The page that an entry maps is in the address space.
    pub(crate) proof fn lemma_page_here(self, va: int, slot: Slot)
        requires
            self.linked(),
            self.is_slot(va, slot),
            self.entry_at(va, slot.level as nat) is Page,
        ensures
            self.space().pages.contains_key(va - va % A::geo().span(slot.level as nat)),
            self.space().pages[va - va % A::geo().span(slot.level as nat)] == Model::mapping::<A>(
                self.entry_at(va, slot.level as nat),
                slot.level as nat,
            ),
            A::page_size(slot.level as nat) is Some,
    {
        let l = slot.level as nat;
        let m = self.model();
        let n = home(A::geo(), va, l);
        A::geo().lemma_bounds(va, l);
        assert(m.nodes.contains_key(n));
        assert(m.nodes[n].entries[A::geo().index_of(va, l)] is Page);
        m.lemma_stop(va, l);
        m.lemma_lookup::<A>(va);
    }

    /// What was read is a page, at a frame that exists.
    pub(crate) proof fn lemma_page_entry(self, old: Self, va: int, slot: Slot, word: u64)
        requires
            self.is_seen(old, va, slot),
            self.reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
        ensures
            A::entry(slot.level as nat, word) is Page,
            A::page_size(slot.level as nat) is Some,
            is_frame_address(
                A::entry(slot.level as nat, word)->frame,
                self.phys_bits(),
                A::geo().span(slot.level as nat),
            ),
            A::supports(A::entry(slot.level as nat, word)->prop),
            self.phys_bits() <= A::frame_bits(),
            old.entry_at(va, slot.level as nat).may_become(A::entry(slot.level as nat, word)),
    {
        A::lemma_wf(self.phys_bits(), slot.level as nat, word);
    }

    /// The new word may be stored.
    pub(super) proof fn lemma_may_replace(
        self,
        old: Self,
        va: int,
        slot: Slot,
        word: u64,
        change: Change,
        new: u64,
    )
        requires
            self.is_seen(old, va, slot),
            self.reads(va, slot.level as nat, word, A::entry(slot.level as nat, word)),
            A::entry(slot.level as nat, word) is Page,
            change.is_allowed::<A, B>(),
            change.needs_no_break::<A>(old.entry_at(va, slot.level as nat)->Page_prop),
            match change.after(A::entry(slot.level as nat, word)->prop) {
                Some(prop) => A::wf(self.phys_bits(), slot.level as nat, new) && A::entry(
                    slot.level as nat,
                    new,
                ) == (Entry::Page { frame: A::entry(slot.level as nat, word)->frame, prop }),
                None => new == 0,
            },
        ensures
            A::wf(self.phys_bits(), slot.level as nat, new),
            self.may_set(va, slot.level as nat, A::entry(slot.level as nat, new)),
            !B::tracks() ==> self.is_settled(va, slot.level as nat),
            A::entry(slot.level as nat, new) == Self::replacement(
                (A::entry(slot.level as nat, word)->frame, A::entry(slot.level as nat, word)->prop),
                change,
            ),
    {
        let l = slot.level as nat;
        A::lemma_zero(self.phys_bits(), l);
        A::lemma_wf(self.phys_bits(), l, word);
        self.lemma_slot(va, slot);
        let n = home(A::geo(), va, l);
        A::geo().lemma_bounds(va, l);
        assert(self.model().nodes.contains_key(n));
    }

    /// A replacement leaves the table where it is.
    proof fn lemma_same_slot(self, old: Self, va: int, slot: Slot)
        requires
            old.linked(),
            old.is_slot(va, slot),
            exists|e: Entry|
                self.model() == #[trigger] old.model().put(
                    home(A::geo(), va, slot.level as nat),
                    A::geo().index_of(va, slot.level as nat),
                    e,
                ),
            self.perms@.dom() == old.perms@.dom(),
        ensures
            self.is_slot(va, slot),
    {
        let n = home(A::geo(), va, slot.level as nat);
        assert(old.perms@.dom().contains(n));
        assert(self.perms@.dom().contains(n));
        assert(self.model().nodes[n].table == old.model().nodes[n].table);
    }

    /// Two replacements of an entry are as the second alone.
    proof fn lemma_put_twice(self, old: Self, before: Self, va: int, slot: Slot, e: Entry)
        requires
            old.is_slot(va, slot),
            old.linked(),
            before.is_seen(old, va, slot),
            self.set_from(before, va, slot.level as nat, e),
            !(e is Table),
        ensures
            self.replaced_from(old, va, slot.level as nat, e),
            self.is_slot(va, slot),
            self.entry_at(va, slot.level as nat) == e,
    {
        let l = slot.level as nat;
        let n = home(A::geo(), va, l);
        let i = A::geo().index_of(va, l);
        A::geo().lemma_bounds(va, l);
        let was = old.model();
        let mid = before.entry_at(va, l);
        assert(was.nodes.contains_key(n));
        lemma_put_put(was, n, i, mid, e);
        self.lemma_same_slot(old, va, slot);
        let base = va - va % A::geo().span(l);
        let pages = old.space().pages;
        assert(before.space().pages == pages.insert(base, Model::mapping::<A>(mid, l)));
        assert(e is Page ==> pages.insert(base, Model::mapping::<A>(mid, l)).insert(
            base,
            Model::mapping::<A>(e, l),
        ) =~= pages.insert(base, Model::mapping::<A>(e, l)));
        assert(pages.insert(base, Model::mapping::<A>(mid, l)).remove(base) =~= pages.remove(base));
    }

    /// The entry is replaced.
    pub(super) proof fn lemma_replaced(self, old: Self, before: Self, va: int, slot: Slot, e: Entry)
        requires
            old.is_slot(va, slot),
            old.linked(),
            before.is_seen(old, va, slot),
            self.set_from(before, va, slot.level as nat, e),
            !(e is Table),
        ensures
            self.replaced_from(old, va, slot.level as nat, e),
            self.steps_from(old),
    {
        self.lemma_put_twice(old, before, va, slot, e);
    }

    /// Hardware was faster: now its bits are known, and there are fewer left.
    pub(crate) proof fn lemma_seen(
        self,
        old: Self,
        before: Self,
        va: int,
        slot: Slot,
        word: u64,
        now: u64,
    )
        requires
            old.is_slot(va, slot),
            old.linked(),
            before.is_seen(old, va, slot),
            now != word,
            before.reads(va, slot.level as nat, now, A::entry(slot.level as nat, now)),
            self.set_from(before, va, slot.level as nat, A::entry(slot.level as nat, now)),
            self.word_at(va, slot.level as nat) == now,
        ensures
            self.is_seen(old, va, slot),
            self.reads(va, slot.level as nat, now, A::entry(slot.level as nat, now)),
            0 <= self.tries(va, slot.level as nat, now) < before.tries(va, slot.level as nat, word),
    {
        let l = slot.level as nat;
        let e = A::entry(l, now);
        self.lemma_put_twice(old, before, va, slot, e);
        old.lemma_page_here(va, slot);
        lemma_page_seen(old.space(), va - va % A::geo().span(l), Model::mapping::<A>(e, l));
        self.lemma_fewer(before, va, slot, word, now);
    }

    /// Each bit that hardware sets leaves fewer for it to set.
    proof fn lemma_fewer(self, before: Self, va: int, slot: Slot, word: u64, now: u64)
        requires
            now != word,
            before.reads(va, slot.level as nat, now, A::entry(slot.level as nat, now)),
            self.word_at(va, slot.level as nat) == now,
            self.entry_at(va, slot.level as nat) == A::entry(slot.level as nat, now),
            self.phys_bits() == before.phys_bits(),
        ensures
            self.reads(va, slot.level as nat, now, A::entry(slot.level as nat, now)),
            0 <= self.tries(va, slot.level as nat, now) < before.tries(va, slot.level as nat, word),
    {
        let l = slot.level as nat;
        let was = before.word_at(va, l);
        if now != was {
            A::lemma_progress(l, was, now);
        }
        A::lemma_reflexive(l, now);
    }

    /// Nothing but the page has changed.
    pub(super) proof fn lemma_protected(self, old: Self, va: int, d: Descent, e: Entry)
        requires
            old.inv(),
            old.is_descent(va, d.stop.level as nat, d),
            d.entry is Page,
            e is Page,
            self.replaced_from(old, va, d.stop.level as nat, e),
        ensures
            self.inv(),
    {
        let l = d.stop.level as nat;
        self.lemma_after_set(old, va, d.stop, e);
        let n = home(A::geo(), va, l);
        if l < A::geo().levels {
            assert(old.model().nodes.contains_key(n) && self.model().nodes.contains_key(n));
            self.model().lemma_noted(va, l);
            assert(old.model().count_ok(n));
            assert(self.model().count_ok(n));
        } else {
            old.model().lemma_home_root(va);
            self.model().lemma_root_counted();
        }
    }
}

} // verus!
