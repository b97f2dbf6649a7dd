//! What accesses say of a writer.

use super::VmWriter;
use crate::hw::user::{Access, overwritten};
use crate::io::Fallibility;
use crate::io::log::{is_within, lemma_join, lemma_one, tells};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// One store put its bytes.
    pub(in crate::io) proof fn lemma_put(self, before: Self, bytes: Seq<u8>)
        requires
            self.put(before, bytes, false),
        ensures
            self.got(before, bytes),
    {
        lemma_one(self.stores(), before.stores(), self.stores().last(), bytes);
    }

    /// Nothing was written yet.
    pub(in crate::io) proof fn lemma_nothing(tracked &self)
        ensures
            self.got(*self, Seq::empty()),
            self.is_inside(),
    {
        use_type_invariant(self);
        if let Some(slice) = self.slice() {
            assert(overwritten(slice, self.at() - self.start(), Seq::empty()) =~= slice);
        }
    }

    /// More was written.
    pub(in crate::io) proof fn lemma_got(self, was: Self, first: Self, all: Seq<u8>, more: Seq<u8>)
        requires
            first.is_inside(),
            was.got(first, all),
            self.got(was, more),
        ensures
            self.got(first, all + more),
    {
        lemma_join(self.stores(), was.stores(), first.stores(), first.at(), all, more, self.at());
        if let Some(slice) = first.slice() {
            let at = first.at() - first.start();
            assert(overwritten(overwritten(slice, at, all), at + all.len(), more) =~= overwritten(
                slice,
                at,
                all + more,
            ));
        }
    }

    /// One more store.
    pub(in crate::io) proof fn lemma_next(self, was: Self, first: Self, all: Seq<u8>, more: Seq<u8>)
        requires
            first.is_inside(),
            was.got(first, all),
            self.put(was, more, false),
        ensures
            self.got(first, all + more),
    {
        self.lemma_put(was, more);
        self.lemma_got(was, first, all, more);
    }
}

} // verus!
