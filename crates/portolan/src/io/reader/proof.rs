//! What accesses say of a reader.

use super::VmReader;
use crate::hw::user::Access;
use crate::io::Fallibility;
use crate::io::log::{is_within, lemma_join, lemma_more, lemma_one, tells};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmReader<'a, F> {
    /// What is left, in terms of all there is.
    pub(in crate::io) proof fn lemma_rest(tracked &self, bytes: int)
        requires
            0 <= bytes <= self.end() - self.at(),
        ensures
            self.rest() matches Some(rest) ==> {
                let all = self.source@.bytes()->0;
                let at = self.at() - self.source@.extent().start;
                let end = self.end() - self.source@.extent().start;
                &&& rest == all.subrange(at, end)
                &&& rest.take(bytes) == all.subrange(at, at + bytes)
                &&& rest.skip(bytes) == all.subrange(at + bytes, end)
            },
    {
        use_type_invariant(self);
        if let Some(rest) = self.rest() {
            let all = self.source@.bytes()->0;
            let at = self.at() - self.source@.extent().start;
            let end = self.end() - self.source@.extent().start;
            assert(rest.take(bytes) =~= all.subrange(at, at + bytes));
            assert(rest.skip(bytes) =~= all.subrange(at + bytes, end));
        }
    }

    /// Nothing was read yet.
    pub(in crate::io) proof fn lemma_nothing(tracked &self)
        ensures
            self.gave(*self, Seq::empty()),
            self.is_whole(),
            is_within(self.loads(), self.loads().len() as int, self.at(), self.at()),
    {
        use_type_invariant(self);
        if let Some(rest) = self.rest() {
            assert(rest.skip(0) =~= rest);
            assert(rest.take(0) =~= Seq::empty());
        }
    }

    /// More was read.
    pub(in crate::io) proof fn lemma_gave(self, was: Self, first: Self, all: Seq<u8>, more: Seq<u8>)
        requires
            first.is_whole(),
            was.gave(first, all),
            is_within(was.loads(), first.loads().len() as int, first.at(), was.at()),
            self.gave(was, more),
        ensures
            self.gave(first, all + more),
            is_within(self.loads(), was.loads().len() as int, was.at(), self.at()) ==> is_within(
                self.loads(),
                first.loads().len() as int,
                first.at(),
                self.at(),
            ),
    {
        lemma_join(self.loads(), was.loads(), first.loads(), first.at(), all, more, first.end());
        if is_within(self.loads(), was.loads().len() as int, was.at(), self.at()) {
            lemma_join(self.loads(), was.loads(), first.loads(), first.at(), all, more, self.at());
        }
        if let Some(rest) = first.rest() {
            assert(rest.skip(all.len() as int).skip(more.len() as int) =~= rest.skip(
                (all + more).len() as int,
            ));
            assert(all + more =~= rest.take((all + more).len() as int));
        }
    }

    /// One load gave its bytes.
    pub(in crate::io) proof fn lemma_took(self, before: Self, bytes: Seq<u8>)
        requires
            self.took(before, bytes, false),
        ensures
            self.gave(before, bytes),
            is_within(self.loads(), before.loads().len() as int, before.at(), self.at()),
    {
        lemma_one(self.loads(), before.loads(), self.loads().last(), bytes);
    }
}

/// One more load, of which the first bytes were used.
pub(in crate::io) proof fn lemma_step<F: Fallibility>(
    first: VmReader<'_, F>,
    was: VmReader<'_, F>,
    now: VmReader<'_, F>,
    all: Seq<u8>,
    seen: Seq<u8>,
    used: Seq<u8>,
)
    requires
        was.gave(first, all),
        was.rest() is None,
        is_within(was.loads(), first.loads().len() as int, first.at(), was.at()),
        used.is_prefix_of(seen),
        was.at() + seen.len() <= first.end(),
        now.advanced(was, used.len() as int),
        now.loads() == was.loads().push(
            Access::Load { root: was.root(), at: was.at(), bytes: seen, once: false },
        ),
    ensures
        now.gave(first, all + used),
        used.len() == seen.len() ==> is_within(
            now.loads(),
            first.loads().len() as int,
            first.at(),
            now.at(),
        ),
{
    lemma_more(now.loads(), was.loads(), first.loads(), first.at(), all, now.loads().last(), used);
}

} // verus!
