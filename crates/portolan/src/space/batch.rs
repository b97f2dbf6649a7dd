//! A few things, kept in place.

use vstd::cell::pcell_maybe_uninit::{PCell, PointsTo};
use vstd::prelude::*;

verus! {

/// Up to `N` things, without an allocation.
///
/// A place is written to only when something comes there: to make a batch, to move an empty one or to drop one takes no work
/// for each place. What is still in a batch that is dropped stays alive for ever.
#[verifier::reject_recursive_types(T)]
pub(crate) struct Batch<T, const N: usize> {
    places: [PCell<T>; N],
    rights: Tracked<Map<int, PointsTo<T>>>,
    len: usize,
}

impl<T, const N: usize> Batch<T, N> {
    /// The invariant: there is the right to each place, and something in the first `len`. What is in the others is forgotten.
    pub(crate) closed spec fn inv(self) -> bool {
        &&& self.len <= N
        &&& forall|i: int|
            #![trigger self.rights@.contains_key(i)]
            #![trigger self.places@[i]]
            0 <= i < N ==> self.rights@.contains_key(i) && self.rights@[i].id()
                == self.places@[i].id()
        &&& forall|i: int| 0 <= i < self.len ==> (#[trigger] self.rights@[i]).is_init()
    }

    /// The things, in the order in which they came.
    pub(crate) closed spec fn view(self) -> Seq<T> {
        Seq::new(self.len as nat, |i: int| self.rights@[i].value())
    }

    /// Whether there is no room left.
    #[inline]
    pub(crate) fn is_full(&self) -> (r: bool)
        ensures
            r == (self@.len() >= N),
        no_unwind
    {
        self.len >= N
    }

    /// One more, or `item` itself if there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> (r: Option<T>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            match r {
                None => final(self)@ == old(self)@.push(item),
                Some(same) => same == item && final(self)@ == old(self)@ && old(self)@.len() >= N,
            },
        no_unwind
    {
        if self.len >= N {
            return Some(item);
        }
        assert(self.rights@.contains_key(self.len as int));
        let tracked mut right = self.rights.borrow_mut().tracked_remove(self.len as int);
        self.places[self.len].write(Tracked(&mut right), item);
        proof {
            self.rights.borrow_mut().tracked_insert(self.len as int, right);
        }
        self.len += 1;
        assert(self@ =~= old(self)@.push(item));
        None
    }

    /// The last one.
    #[inline]
    pub(crate) fn pop(&mut self) -> (r: Option<T>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
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
        if self.len == 0 {
            return None;
        }
        self.len -= 1;
        assert(self.rights@.contains_key(self.len as int));
        let tracked mut right = self.rights.borrow_mut().tracked_remove(self.len as int);
        let item = self.places[self.len].take(Tracked(&mut right));
        proof {
            self.rights.borrow_mut().tracked_insert(self.len as int, right);
        }
        assert(self@ =~= old(self)@.drop_last());
        Some(item)
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> (r: usize)
        requires
            self.inv(),
        ensures
            r == self@.len(),
            r <= N,
        no_unwind
    {
        self.len
    }

    /// The one with number `i`.
    #[inline]
    pub(crate) fn get(&self, i: usize) -> (r: &T)
        requires
            self.inv(),
            i < self@.len(),
        ensures
            *r == self@[i as int],
        no_unwind
    {
        assert(self.rights@.contains_key(i as int));
        let tracked right = self.rights.borrow().tracked_borrow(i as int);
        self.places[i].borrow(Tracked(right))
    }

    /// Forgets all: they stay alive for ever.
    #[inline]
    pub(crate) fn forget(&mut self)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self)@ == Seq::<T>::empty(),
        no_unwind
    {
        self.len = 0;
        assert(self@ =~= Seq::<T>::empty());
    }
}

/// Room for four.
impl<T> Batch<T, 4> {
    /// None.
    #[inline]
    pub(crate) fn new() -> (r: Self)
        ensures
            r.inv(),
            r@ == Seq::<T>::empty(),
    {
        let tracked mut rights = Map::tracked_empty();
        let r = Batch {
            places: [
                place(Ghost(0), Tracked(&mut rights)),
                place(Ghost(1), Tracked(&mut rights)),
                place(Ghost(2), Tracked(&mut rights)),
                place(Ghost(3), Tracked(&mut rights)),
            ],
            rights: Tracked(rights),
            len: 0,
        };
        assert(r@ =~= Seq::<T>::empty());
        r
    }
}

/// Room for 32.
impl<T> Batch<T, 32> {
    /// None.
    #[inline]
    pub(crate) fn new() -> (r: Self)
        ensures
            r.inv(),
            r@ == Seq::<T>::empty(),
    {
        let tracked mut rights = Map::tracked_empty();
        let r = Batch {
            places: [
                place(Ghost(0), Tracked(&mut rights)),
                place(Ghost(1), Tracked(&mut rights)),
                place(Ghost(2), Tracked(&mut rights)),
                place(Ghost(3), Tracked(&mut rights)),
                place(Ghost(4), Tracked(&mut rights)),
                place(Ghost(5), Tracked(&mut rights)),
                place(Ghost(6), Tracked(&mut rights)),
                place(Ghost(7), Tracked(&mut rights)),
                place(Ghost(8), Tracked(&mut rights)),
                place(Ghost(9), Tracked(&mut rights)),
                place(Ghost(10), Tracked(&mut rights)),
                place(Ghost(11), Tracked(&mut rights)),
                place(Ghost(12), Tracked(&mut rights)),
                place(Ghost(13), Tracked(&mut rights)),
                place(Ghost(14), Tracked(&mut rights)),
                place(Ghost(15), Tracked(&mut rights)),
                place(Ghost(16), Tracked(&mut rights)),
                place(Ghost(17), Tracked(&mut rights)),
                place(Ghost(18), Tracked(&mut rights)),
                place(Ghost(19), Tracked(&mut rights)),
                place(Ghost(20), Tracked(&mut rights)),
                place(Ghost(21), Tracked(&mut rights)),
                place(Ghost(22), Tracked(&mut rights)),
                place(Ghost(23), Tracked(&mut rights)),
                place(Ghost(24), Tracked(&mut rights)),
                place(Ghost(25), Tracked(&mut rights)),
                place(Ghost(26), Tracked(&mut rights)),
                place(Ghost(27), Tracked(&mut rights)),
                place(Ghost(28), Tracked(&mut rights)),
                place(Ghost(29), Tracked(&mut rights)),
                place(Ghost(30), Tracked(&mut rights)),
                place(Ghost(31), Tracked(&mut rights)),
            ],
            rights: Tracked(rights),
            len: 0,
        };
        assert(r@ =~= Seq::<T>::empty());
        r
    }
}

/// A place in which nothing is. The right to it is that for `i` from then on.
#[inline(always)]
fn place<T>(Ghost(i): Ghost<int>, Tracked(rights): Tracked<&mut Map<int, PointsTo<T>>>) -> (r:
    PCell<T>)
    ensures
        *final(rights) == old(rights).insert(i, final(rights)[i]),
        final(rights)[i].id() == r.id(),
{
    let (place, Tracked(right)) = PCell::empty();
    proof {
        rights.tracked_insert(i, right);
    }
    place
}

} // verus!
