//! Mapping a range, all of it or nothing.

use super::PageTable;
use super::chain::Chain;
use super::plan::InTheWay;
#[cfg(verus_only)]
use super::plan::spec::{is_part, need};
use super::stack::Stack;
use super::tree::Tree;
use crate::addr::{PageSize, PhysAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::{EntryFormat, stored};
use crate::error::Error;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use proof::lemma_first_of_run;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// Why a range could not be mapped.
pub(crate) enum Hindrance {
    /// Something is mapped there.
    InTheWay(InTheWay),
    /// There are not enough frames for tables.
    NoMemory,
}

/// What is left of a range: from `at` to `hi`, to be mapped to the frames from `frame` on.
#[derive(Clone, Copy)]
struct Rest {
    at: u64,
    hi: u64,
    frame: u64,
    largest: PageSize,
}

/// A range to be mapped.
pub(crate) ghost struct Wanted {
    pub va: int,
    pub hi: int,
    pub frame: int,
    pub largest: PageSize,
    pub prop: PageProperty,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Maps the range from `va` to `hi` to the frames from `frame` on, by the largest pages that fit, none larger than
    /// `largest`.
    ///
    /// First it is made sure that nothing is in the way, and that there are frames for all tables that are missing.
    /// What then changes the tables can't fail.
    pub(super) fn map_range(
        &mut self,
        va: u64,
        hi: u64,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    ) -> (r: Result<(), Hindrance>)
        requires
            old(self).inv(),
            old(self).may_map_range(va as int, hi as int, frame.0 as int, largest, prop),
        ensures
            final(self).inv(),
            match r {
                Ok(()) => {
                    &&& old(self).is_untranslated(va as int, hi as int)
                    &&& final(self).space() == old(self).space().map_range::<A>(
                        va as int,
                        hi as int,
                        frame.0 as int,
                        largest,
                        stored::<B>(prop),
                    )
                    &&& final(self).goes_through(*old(self))
                },
                Err(Hindrance::InTheWay(what)) => *final(self) == *old(self) && old(
                    self,
                ).is_in_the_way(va as int, hi as int, what),
                Err(Hindrance::NoMemory) => final(self).unchanged_from(*old(self)) && old(
                    self,
                ).is_untranslated(va as int, hi as int),
            },
        no_unwind
    {
        let missing = match self.plan(va, hi, frame.0, largest) {
            Ok(n) => n,
            Err(what) => return Err(Hindrance::InTheWay(what)),
        };
        match self.reserve(missing) {
            Some(stack) => {
                let ghost reserved = *self;
                proof {
                    self.lemma_reserved(*old(self), stack, va as int, hi as int);
                }
                self.map_all(stack, va, hi, frame, largest, prop);
                proof {
                    self.lemma_all(*old(self), reserved);
                }
                Ok(())
            },
            None => Err(Hindrance::NoMemory),
        }
    }

    /// Takes `n` frames for tables, or none.
    pub(super) fn reserve(&mut self, n: u64) -> (r: Option<Stack<A>>)
        requires
            old(self).inv(),
        ensures
            match r {
                Some(stack) => {
                    &&& final(self).unchanged_from(*old(self))
                    &&& stack.inv(final(self).phys_bits())
                    &&& stack@.len() == n
                    &&& final(self).is_using(stack)
                },
                None => final(self).unchanged_from(*old(self)) && final(self).accounted(),
            },
        no_unwind
    {
        proof {
            A::lemma_geometry();
        }
        let mut stack = Stack::<A>::new(Ghost(self.frames.phys_bits()));
        let ghost tree = *self;
        proof {
            self.lemma_unused(stack);
        }
        while stack.len() < n
            invariant
                tree == *old(self),
                tree.inv(),
                self.unchanged_from(tree),
                stack.inv(self.phys_bits()),
                self.is_using(stack),
                stack@.len() <= n,
            decreases n - stack@.len(),
        {
            let ghost before = *self;
            match self.frames.alloc::<A>(Ghost(1)) {
                Some((table, perm)) => {
                    let ghost was = stack;
                    proof {
                        self.lemma_fresh(before, was, table, perm@);
                    }
                    stack.push(&mut self.frames, table, perm);
                    proof {
                        self.lemma_one_more(before, was, stack, table);
                    }
                },
                None => {
                    stack.free_all(&mut self.frames);
                    proof {
                        self.lemma_given_back(before, stack);
                    }
                    return None;
                },
            }
        }
        Some(stack)
    }

    /// Maps a range of which nothing is mapped, with all tables that are missing in `stack`.
    fn map_all(
        &mut self,
        stack: Stack<A>,
        va: u64,
        hi: u64,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    )
        requires
            old(self).sound(),
            old(self).may_map_range(va as int, hi as int, frame.0 as int, largest, prop),
            old(self).is_untranslated(va as int, hi as int),
            stack.inv(old(self).phys_bits()),
            old(self).is_using(stack),
            stack@.len() == need::<A>(
                old(self).perms@.dom(),
                va as int,
                hi as int,
                frame.0 as int,
                largest,
            ),
        ensures
            final(self).inv(),
            final(self).space() == old(self).space().map_range::<A>(
                va as int,
                hi as int,
                frame.0 as int,
                largest,
                stored::<B>(prop),
            ),
            final(self).goes_through(*old(self)),
        no_unwind
    {
        let ghost tree = *self;
        let prop = Self::stored(prop);
        let ghost w = Wanted { va: va as int, hi: hi as int, frame: frame.0 as int, largest, prop };
        let mut stack = stack;
        let mut at = va;
        let mut next = frame.0;
        proof {
            self.lemma_range_start(stack, w);
        }
        while at < hi
            invariant
                w == (Wanted {
                    va: va as int,
                    hi: hi as int,
                    frame: frame.0 as int,
                    largest,
                    prop,
                }),
                tree.sound(),
                tree.is_wanted(w),
                va <= at <= hi,
                next == frame.0 + (at - va),
                at < hi ==> is_part::<A>(at as int, hi as int, next as int, largest),
                self.is_mapping(tree, stack, w, at as int),
            decreases hi - at,
        {
            let rest = Rest { at, hi, frame: next, largest };
            let bytes = self.map_run(Ghost(tree), Ghost(w), &mut stack, rest, prop);
            at += bytes;
            next += bytes;
        }
        let ghost mid = *self;
        proof {
            self.lemma_mapping(tree, stack, w, at as int);
        }
        stack.free_all(&mut self.frames);
        proof {
            self.lemma_range_end(mid, tree, stack, w);
        }
    }

    /// Maps the run at `rest.at`, or its first page if tables are missing, and says how many bytes were mapped.
    #[inline]
    fn map_run(
        &mut self,
        Ghost(tree): Ghost<Self>,
        Ghost(w): Ghost<Wanted>,
        stack: &mut Stack<A>,
        rest: Rest,
        prop: PageProperty,
    ) -> (r: u64)
        requires
            tree.sound(),
            tree.is_wanted(w),
            w.hi == rest.hi && w.largest == rest.largest && w.prop == prop,
            w.va <= rest.at < rest.hi,
            rest.frame == w.frame + (rest.at - w.va),
            is_part::<A>(rest.at as int, rest.hi as int, rest.frame as int, rest.largest),
            old(self).is_mapping(tree, *old(stack), w, rest.at as int),
        ensures
            final(self).is_mapping(tree, *final(stack), w, rest.at + r),
            0 < r <= rest.hi - rest.at,
            rest.frame + r <= u64::MAX,
            rest.at + r < rest.hi ==> is_part::<A>(
                rest.at + r,
                rest.hi as int,
                rest.frame + r,
                rest.largest,
            ),
        no_unwind
    {
        let (at, hi, next, largest) = (rest.at, rest.hi, rest.frame, rest.largest);
        let ghost phys_bits = self.frames.phys_bits();
        let run = Self::run(at, hi, next, largest);
        proof {
            self.lemma_mapping(tree, *stack, w, at as int);
            lemma_first_of_run::<A>(at as int, hi as int, next as int, largest, run);
        }
        let d = self.descend(at, run.level);
        proof {
            self.lemma_range_run(tree, *stack, w, at as int, d, run);
        }
        if d.stop.level == run.level {
            self.fill(at, &d, run.pages, PhysAddr(next), prop);
            proof {
                self.lemma_range_filled(*old(self), tree, *stack, w, at as int, d, run);
            }
            return run.bytes;
        }
        let word = A::page(Ghost(phys_bits), run.level, PhysAddr(next), prop);
        let chain = Chain::<A>::take(stack, &mut self.frames, at, run.level, d.stop.level, word);
        let ghost linked = chain;
        proof {
            self.lemma_range_chain(
                *old(self),
                *old(stack),
                *stack,
                tree,
                w,
                at as int,
                d,
                run,
                chain,
            );
        }
        let ghost taken = *self;
        self.hang(at, d, chain);
        proof {
            self.lemma_range_hung(
                taken,
                *old(self),
                *old(stack),
                tree,
                *stack,
                w,
                at as int,
                d,
                run,
                linked,
            );
        }
        A::geometry().entry_span(run.level)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Maps a range to the frames from `frame` on, all of it or nothing: by the largest pages that the alignment of both
    /// allows, none larger than `largest`.
    ///
    /// All tables that are missing are taken before the first page is mapped. A run of pages in one table costs one
    /// store each. On AArch64 and LoongArch64, whatever was unmapped there before has to be flushed first, as for
    /// [`map`](PageTable::map).
    ///
    /// ```
    /// # use portolan::{PageProperty, PageSize, PageTable, PhysAddr, VirtAddr, VirtRange, TableMemory, Error};
    /// # fn example<M: TableMemory>(table: &mut PageTable<M>) -> Result<(), Error> {
    /// let range = VirtRange::new(VirtAddr::new(0x1f_f000)?, 0x40_2000)?;
    /// table.map_range(range, PhysAddr::new(0x1f_f000), PageSize::Size1G, PageProperty::USER_RW)?;
    /// assert_eq!(table.query(VirtAddr::new(0x20_0000)?)?.size, PageSize::Size2M);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`] with `largest` if all pages are larger; [`Error::NotAligned`] if the
    /// range's start or size, or `frame`, is not a multiple of the smallest page; [`Error::UnsupportedProperty`];
    /// [`Error::PhysTooWide`]; [`Error::PastEnd`]; [`Error::AlreadyMapped`] for the first page that is in the way;
    /// [`Error::NoMemory`].
    pub fn map_range(
        &mut self,
        range: VirtRange<A>,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    ) -> (r: Result<(), Error>)
        ensures
            match r {
                Ok(()) => {
                    let lo = range.first()@;
                    let hi = lo + range.bytes();
                    &&& request::check_map_range(
                        old(self).phys_bits(),
                        range,
                        frame,
                        largest,
                        prop,
                    ) is None
                    &&& old(self)@.is_free(lo, hi)
                    &&& final(self)@ == old(self)@.map_range::<A>(
                        lo,
                        hi,
                        frame.0 as int,
                        largest,
                        stored::<B>(prop),
                    )
                    &&& final(self).steps_through(*old(self))
                },
                Err(e) => {
                    &&& request::is_map_range_error(
                        old(self)@,
                        old(self).phys_bits(),
                        range,
                        frame,
                        largest,
                        prop,
                        e,
                    )
                    &&& final(self).same_as(*old(self))
                },
            },
        no_unwind
    {
        self.check_map_range(range, frame, largest, prop)?;
        let (start, size) = (range.start(), range.size());
        if size == 0 {
            return Ok(());
        }
        let va = start.offset();
        proof {
            use_type_invariant(&*self);
        }
        match self.owned.tree.map_range(va, va + size, frame, largest, prop) {
            Ok(()) => {
                proof {
                    self.owned.tree.lemma_range_mapped(old(self).owned.tree);
                }
                Ok(())
            },
            Err(Hindrance::NoMemory) => Err(Error::NoMemory { addr: start.as_u64(), size }),
            Err(Hindrance::InTheWay(what)) => {
                let span = A::geometry().entry_span(what.level);
                proof {
                    range.lemma_last();
                    old(self).owned.tree.lemma_first_in_the_way(range, what);
                }
                let addr = (start.as_u64() + (what.at - va)) & !(span - 1);
                Err(Error::AlreadyMapped { addr, size: span })
            },
        }
    }

    /// Whether the range can be mapped if nothing is there.
    fn check_map_range(
        &self,
        range: VirtRange<A>,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    ) -> (r: Result<(), Error>)
        ensures
            match r {
                Ok(()) => {
                    let lo = range.first()@;
                    &&& request::check_map_range(
                        self.phys_bits(),
                        range,
                        frame,
                        largest,
                        prop,
                    ) is None
                    &&& range.bytes() > 0 ==> self.owned.tree.may_map_range(
                        lo,
                        lo + range.bytes(),
                        frame.0 as int,
                        largest,
                        prop,
                    )
                    &&& lo + range.bytes() <= u64::MAX
                },
                Err(e) => request::check_map_range(self.phys_bits(), range, frame, largest, prop)
                    == Some(e),
            },
        no_unwind
    {
        let (start, size) = (range.start(), range.size());
        let addr = start.as_u64();
        proof {
            A::lemma_geometry();
        }
        let unit = match A::size_at(1) {
            Some(smallest) if smallest.bytes() <= largest.bytes() => smallest.bytes(),
            _ => return Err(Error::UnsupportedSize { addr, size: largest.bytes() }),
        };
        if addr % unit != 0 || size % unit != 0 {
            return Err(Error::NotAligned { addr, size: unit });
        }
        if frame.0 % unit != 0 {
            return Err(Error::NotAligned { addr: frame.0, size: unit });
        }
        if !A::can_express(prop) {
            return Err(Error::UnsupportedProperty { addr, size });
        }
        proof {
            use_type_invariant(self);
        }
        if size > 0 && !self.owned.tree.has_frame(frame, size) {
            return Err(Error::PhysTooWide { addr: frame.0, size });
        }
        let limit = A::geometry().limit_bytes();
        if size > limit - start.offset() {
            return Err(Error::PastEnd { addr, size });
        }
        proof {
            self.owned.tree.lemma_check_range(range, frame, largest, prop);
        }
        Ok(())
    }
}

} // verus!
