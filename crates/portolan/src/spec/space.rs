//! The abstract address space: what a page table means, with nothing of how it is stored.
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::arch::halves::{Halves, KernelHalf, UserHalf};
#[cfg(verus_only)]
use crate::hw::mmu::{Mmu, Walk};
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::prop::{PageProperty, UsedBits};
#[cfg(verus_only)]
use crate::{PageSize, PhysAddr};
use vstd::prelude::*;

#[cfg(verus_only)]
pub mod copy;
#[cfg(verus_only)]
pub(crate) mod cut;
#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub mod within;

verus! {

/// An address space: the pages that are mapped, each by its first address.
///
/// Addresses are counted from the start of what the table covers, as [`VirtAddr`](crate::VirtAddr)'s `va@` is.
pub ghost struct AddressSpace {
    /// The mappings.
    pub pages: IMap<int, Mapping>,
}

impl AddressSpace {
    /// Nothing is mapped.
    pub open spec fn empty() -> Self {
        AddressSpace { pages: IMap::empty() }
    }

    /// Whether a page starts at `base` and covers `va`.
    pub open spec fn covers(self, base: int, va: int) -> bool {
        self.pages.contains_key(base) && base <= va < base + self.pages[base].size.bytes()
    }

    /// Where the page that covers `va` starts.
    pub open spec fn base(self, va: int) -> int {
        choose|base: int| self.covers(base, va)
    }

    /// The mapping that covers `va`.
    pub open spec fn lookup(self, va: int) -> Option<Mapping> {
        if exists|base: int| self.covers(base, va) {
            Some(self.pages[self.base(va)])
        } else {
            None
        }
    }

    /// Whether anything is mapped in the `size` bytes from `va`.
    pub open spec fn overlaps(self, va: int, size: int) -> bool {
        exists|at: int| va <= at < va + size && #[trigger] self.lookup(at) is Some
    }

    /// Whether `va` is the first address from `from` on that is mapped.
    pub open spec fn is_next(self, from: int, va: int) -> bool {
        &&& from <= va
        &&& self.is_free(from, va)
        &&& self.lookup(va) is Some
    }

    /// Whether the page at `base` is the first that reaches past `from`.
    pub open spec fn is_next_page(self, from: int, base: int) -> bool {
        &&& self.pages.contains_key(base)
        &&& from < base + self.pages[base].size.bytes()
        &&& self.is_free(from, base)
    }

    /// Whether all of the `size` bytes from `base` on are as `va`, one of them: its page, or a hole.
    pub open spec fn is_extent(self, va: int, base: int, size: int) -> bool {
        &&& base <= va < base + size
        &&& match self.lookup(va) {
            Some(m) => base == self.base(va) && size == m.size.bytes(),
            None => self.is_free(base, base + size),
        }
    }

    /// Whether the page that starts at `va` is of this size.
    pub open spec fn has(self, va: int, size: PageSize) -> bool {
        self.pages.contains_key(va) && self.pages[va].size == size
    }

    /// What hardware may make of the address space behind our back: accessed and dirty may have been set.
    pub open spec fn may_become(self, now: Self) -> bool {
        &&& now.pages.dom() == self.pages.dom()
        &&& forall|va: int| #[trigger]
            self.pages.contains_key(va) ==> self.pages[va].may_become(now.pages[va])
    }

    /// None of the pages that start from `lo` to below `hi` has one of `bits` set, as far as software knows.
    pub open spec fn is_unused(self, lo: int, hi: int, bits: UsedBits) -> bool {
        forall|base: int|
            lo <= base < hi && #[trigger] self.pages.contains_key(base)
                ==> !self.pages[base].prop.has_any(bits)
    }

    /// What is mapped both here and in `now` is so by the same page of the same frame, with the same cache policy, and has
    /// not become global: what a processor may meet without break-before-make.
    pub open spec fn keeps_live(self, now: Self) -> bool {
        forall|va: int|
            self.lookup(va) is Some && #[trigger] now.lookup(va) is Some ==> {
                let (was, is) = (self.lookup(va)->0, now.lookup(va)->0);
                &&& now.base(va) == self.base(va)
                &&& is.size == was.size
                &&& is.frame == was.frame
                &&& is.prop.cache == was.prop.cache
                &&& is.prop.global ==> was.prop.global
            }
    }

    /// Where the byte at `va` lies, and what may be done there.
    pub open spec fn translate(self, va: int) -> Option<(int, PageProperty)> {
        match self.lookup(va) {
            Some(m) => Some((m.frame.0 + (va - self.base(va)), m.prop)),
            None => None,
        }
    }

    /// Whether nothing is mapped from `lo` to below `hi`.
    pub open spec fn is_free(self, lo: int, hi: int) -> bool {
        forall|va: int| lo <= va < hi ==> #[trigger] self.translate(va) is None
    }

    /// At `va`, `now` is as this, but for accessed and dirty bits that hardware may have set.
    pub open spec fn agrees(self, now: Self, va: int) -> bool {
        match (self.translate(va), now.translate(va)) {
            (Some(was), Some(is)) => was.0 == is.0 && was.1.may_become(is.1),
            (None, None) => true,
            _ => false,
        }
    }

    /// At each address `mid` is as this, but for bits that hardware may have set, or as `new`: never a third.
    pub open spec fn passes(self, mid: Self, new: Self) -> bool {
        forall|va: int| #[trigger] self.agrees(mid, va) || new.agrees(mid, va)
    }

    /// One more page.
    pub open spec fn map(
        self,
        va: int,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> Self {
        AddressSpace { pages: self.pages.insert(va, Mapping { frame, size, prop }) }
    }

    /// `n` neighbouring pages of `size` more, from `va` on, of frames that follow each other from `frame` on.
    pub open spec fn map_run(
        self,
        va: int,
        frame: int,
        size: PageSize,
        n: nat,
        prop: PageProperty,
    ) -> Self
        decreases n,
    {
        if n == 0 {
            self
        } else {
            let done = (n - 1) * size.bytes();
            self.map_run(va, frame, size, (n - 1) as nat, prop).map(
                va + done,
                PhysAddr((frame + done) as u64),
                size,
                prop,
            )
        }
    }

    /// The range from `va` to `hi` mapped to the frames from `frame` on, by the largest pages that fit, none larger than
    /// `largest`.
    pub open spec fn map_range<A: EntryFormat>(
        self,
        va: int,
        hi: int,
        frame: int,
        largest: PageSize,
        prop: PageProperty,
    ) -> Self
        decreases
                (if va < hi {
                    hi - va
                } else {
                    0
                }),
    {
        if va >= hi {
            self
        } else {
            let size = A::page_size(fit::<A>(va, hi, frame, largest, A::geo().levels as nat))->0;
            self.map(va, PhysAddr(frame as u64), size, prop).map_range::<A>(
                va + size.bytes(),
                hi,
                frame + size.bytes(),
                largest,
                prop,
            )
        }
    }

    /// One page less.
    pub open spec fn unmap(self, va: int) -> Self {
        AddressSpace { pages: self.pages.remove(va) }
    }

    /// Whether `va` is where one of the pages of `part` starts that a page of `whole` at `base` can be divided into.
    pub open spec fn is_part(base: int, whole: PageSize, part: PageSize, va: int) -> bool {
        base <= va < base + whole.bytes() && (va - base) % part.bytes() as int == 0
    }

    /// The page at `base` as smaller pages of `part`.
    pub open spec fn split(self, base: int, part: PageSize) -> Self {
        let whole = self.pages[base];
        AddressSpace {
            pages: IMap::new(
                |va: int|
                    self.pages.contains_key(va) && va != base || Self::is_part(
                        base,
                        whole.size,
                        part,
                        va,
                    ),
                |va: int|
                    if Self::is_part(base, whole.size, part, va) {
                        Mapping {
                            frame: PhysAddr((whole.frame.0 + (va - base)) as u64),
                            size: part,
                            prop: whole.prop,
                        }
                    } else {
                        self.pages[va]
                    },
            ),
        }
    }

    /// Whether a page of `part` at `va` fits one of `whole` at `base`: its frame lies as far from the first page's as its
    /// address, and it has the first page's properties, but for the accessed and dirty bits.
    pub open spec fn fits(self, base: int, whole: PageSize, part: PageSize, va: int) -> bool {
        let (first, here) = (self.pages[base], self.pages[va]);
        &&& self.has(base, part)
        &&& self.has(va, part)
        &&& first.frame.0 as int % whole.bytes() as int == 0
        &&& here.frame.0 == first.frame.0 + (va - base)
        &&& here.prop.alike(first.prop)
    }

    /// Whether pages of `part` at `base` could be one of `whole`.
    pub open spec fn is_uniform(self, base: int, whole: PageSize, part: PageSize) -> bool {
        forall|va: int| #[trigger]
            Self::is_part(base, whole, part, va) ==> self.fits(base, whole, part, va)
    }

    /// The pages at `base` as one of `whole`, at the first page's frame.
    pub open spec fn collapse(self, base: int, whole: PageSize, prop: PageProperty) -> Self {
        AddressSpace {
            pages: IMap::new(
                |va: int|
                    va == base || self.pages.contains_key(va) && !(base <= va < base
                        + whole.bytes()),
                |va: int|
                    if va == base {
                        Mapping { frame: self.pages[base].frame, size: whole, prop }
                    } else {
                        self.pages[va]
                    },
            ),
        }
    }

    /// No page starts from `lo` to below `hi`.
    pub open spec fn unmap_range(self, lo: int, hi: int) -> Self {
        AddressSpace {
            pages: IMap::new(
                |va: int| self.pages.contains_key(va) && !(lo <= va < hi),
                |va: int| self.pages[va],
            ),
        }
    }

    /// How many of the bytes from `lo` to below `hi` are mapped.
    pub open spec fn mapped_bytes(self, lo: int, hi: int) -> nat
        decreases hi - lo,
    {
        if hi <= lo {
            0
        } else {
            self.mapped_bytes(lo, hi - 1) + if self.lookup(hi - 1) is Some {
                1nat
            } else {
                0
            }
        }
    }

    /// Whether a page lies partly in `lo..hi` and partly outside.
    pub open spec fn is_cut(self, lo: int, hi: int) -> bool {
        exists|base: int| #[trigger]
            self.pages.contains_key(base) && base < hi && lo < base + self.pages[base].size.bytes()
                && !(lo <= base && base + self.pages[base].size.bytes() <= hi)
    }

    /// `now` is this with the properties `prop` for all pages that start from `lo` to below `hi`; accessed and dirty bits
    /// that were set stay set.
    pub open spec fn may_protect_range(
        self,
        lo: int,
        hi: int,
        prop: PageProperty,
        now: Self,
    ) -> bool {
        &&& now.pages.dom() == self.pages.dom()
        &&& forall|va: int| #[trigger]
            self.pages.contains_key(va) ==> {
                let (was, is) = (self.pages[va], now.pages[va]);
                if lo <= va < hi {
                    exists|seen: PageProperty| #[trigger]
                        was.prop.may_become(seen) && is == Mapping {
                            prop: prop.keeping(seen),
                            ..was
                        }
                } else {
                    is == was
                }
            }
    }

    /// The page at `va` with other properties.
    pub open spec fn protect(self, va: int, prop: PageProperty) -> Self {
        AddressSpace { pages: self.pages.insert(va, Mapping { prop, ..self.pages[va] }) }
    }
}

/// Whether a page of level `l` can map `va` to `frame` in a range that ends at `hi`, and is no larger than `largest`.
pub open spec fn fits<A: EntryFormat>(
    va: int,
    hi: int,
    frame: int,
    largest: PageSize,
    l: nat,
) -> bool {
    &&& A::page_size(l) matches Some(size)
    &&& size.bytes() <= largest.bytes()
    &&& va % size.bytes() as int == 0
    &&& frame % size.bytes() as int == 0
    &&& va + size.bytes() <= hi
}

/// The highest level from `l` down whose pages fit; 1 if none above it.
pub open spec fn fit<A: EntryFormat>(va: int, hi: int, frame: int, largest: PageSize, l: nat) -> nat
    decreases l,
{
    if l <= 1 {
        1
    } else if fits::<A>(va, hi, frame, largest, l) {
        l
    } else {
        fit::<A>(va, hi, frame, largest, (l - 1) as nat)
    }
}

/// What the walk of a mapped address answers.
pub open spec fn page_walk<A: EntryFormat>(m: Mapping, offset: int) -> Walk {
    Walk::Page {
        phys: m.frame.0 + offset,
        rights: A::rights(m.prop),
        global: m.prop.global,
        cache: m.prop.cache,
    }
}

/// What an address space says of a virtual address, as hardware would.
pub open spec fn translation<A: EntryFormat>(space: AddressSpace, va: u64) -> Walk {
    if A::canonical(va) {
        let at = va as int % A::geo().limit();
        match space.lookup(at) {
            Some(m) => page_walk::<A>(m, at % m.size.bytes() as int),
            None => Walk::NotPresent,
        }
    } else {
        Walk::NonCanonical
    }
}

/// What two address spaces say together, as hardware would: one in the lower half of the addresses, one in the upper.
pub open spec fn translation_in_halves<A: Halves>(
    user: AddressSpace,
    kernel: AddressSpace,
    va: u64,
) -> Walk {
    if va < UserHalf::<A>::geo().limit() {
        translation::<UserHalf<A>>(user, va)
    } else {
        translation::<KernelHalf<A>>(kernel, va)
    }
}

} // verus!
