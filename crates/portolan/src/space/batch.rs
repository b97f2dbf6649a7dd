//! A few things, kept in place.

use vstd::prelude::*;

verus! {

/// How many a batch has room for.
pub(crate) const ROOM: usize = 32;

/// Up to [`ROOM`] things, without an allocation.
pub(crate) struct Batch<T> {
    items: [Option<T>; 32],
    len: usize,
}

impl<T> Batch<T> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.len <= ROOM
        &&& forall|i: int| 0 <= i < self.len ==> (#[trigger] self.items@[i]) is Some
    }

    /// The things, in the order in which they came.
    pub(crate) closed spec fn view(self) -> Seq<T> {
        Seq::new(self.len as nat, |i: int| self.items@[i]->0)
    }

    /// None.
    pub(crate) fn new() -> (r: Self)
        ensures
            r@ == Seq::<T>::empty(),
        no_unwind
    {
        let r = Batch {
            items: [
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
            ],
            len: 0,
        };
        assert(r@ =~= Seq::<T>::empty());
        r
    }

    /// Whether there is no room left.
    #[inline]
    pub(crate) fn is_full(&self) -> (r: bool)
        ensures
            r == (self@.len() >= ROOM),
        no_unwind
    {
        self.len >= ROOM
    }

    /// One more, or `item` itself if there is no room.
    pub(crate) fn push(&mut self, item: T) -> (r: Option<T>)
        ensures
            match r {
                None => final(self)@ == old(self)@.push(item),
                Some(same) => same == item && final(self)@ == old(self)@ && old(self)@.len()
                    >= ROOM,
            },
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        if self.len >= ROOM {
            return Some(item);
        }
        self.items[self.len] = Some(item);
        self.len += 1;
        assert(self@ =~= old(self)@.push(item));
        None
    }

    /// The last one.
    pub(crate) fn pop(&mut self) -> (r: Option<T>)
        ensures
            match r {
                None => old(self)@.len() == 0 && final(self)@ == old(self)@,
                Some(item) => {
                    &&& old(self)@.len() > 0
                    &&& item == old(self)@.last()
                    &&& final(self)@ == old(self)@.drop_last()
                },
            },
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        if self.len == 0 {
            return None;
        }
        let last = self.len - 1;
        self.len = last;
        let item = self.items[last].take();
        assert(self@ =~= old(self)@.drop_last());
        item
    }
}

} // verus!
