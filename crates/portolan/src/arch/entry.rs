//! Entries: what the words of tables stand for.

use super::geometry::Geometry;
use crate::addr::{PageSize, PhysAddr};
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::hw::mmu::{Rights, Step, settled};
use crate::prop::PageProperty;
use vstd::prelude::*;

verus! {

/// What an entry of a table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    Empty,
    /// A table of the next lower level, of which `used` entries are in use.
    Table {
        /// Where the table is.
        table: PhysAddr,
        /// How many of its entries are not empty; 1 where the format has no room to note it.
        used: u16,
    },
    /// A page.
    Page {
        /// Where the page's frame is.
        frame: PhysAddr,
        /// What it allows.
        prop: PageProperty,
    },
}

impl Entry {
    /// What hardware may make of the entry: only a page's accessed and dirty bits change.
    pub open spec fn may_become(self, now: Entry) -> bool {
        match self {
            Entry::Page { frame, prop } => now is Page && now->frame == frame && prop.may_become(
                now->Page_prop,
            ),
            _ => now == self,
        }
    }

    /// Whether hardware may meet this and then `now` with nothing in between where live entries may not be resized: what is
    /// present stays a page or a table, at the same frame, with the same cache policy, and doesn't become global.
    pub open spec fn keeps_live(self, now: Entry) -> bool {
        match (self, now) {
            (Entry::Empty, _) | (_, Entry::Empty) => true,
            (Entry::Table { table, .. }, Entry::Table { table: then, .. }) => then == table,
            (Entry::Page { frame, prop }, Entry::Page { frame: then, prop: new }) => {
                &&& then == frame
                &&& new.cache == prop.cache
                &&& new.global ==> prop.global
            },
            _ => false,
        }
    }

    /// What the entry tells the walk: if it is a page, that this allows `rights`.
    pub open spec fn told(self, rights: Rights) -> Step {
        match self {
            Entry::Empty => Step::NotPresent,
            Entry::Table { table, .. } => Step::Table {
                table: table.0 as int,
                rights: Rights::all(),
                global: false,
            },
            Entry::Page { frame, prop } => Step::Page {
                frame: frame.0 as int,
                rights,
                global: prop.global,
                cache: prop.cache,
            },
        }
    }
}

/// Without the prover there is nothing to prove.
#[cfg(not(verus_only))]
impl<A: Encoding> EntryFormat for A {

}

/// Whether a table can be at this address on a machine with `phys_bits` bits of physical address.
pub open spec fn is_table_address<A: Mmu>(table: PhysAddr, phys_bits: u64) -> bool {
    is_frame_address(
        table,
        phys_bits,
        vstd::arithmetic::power2::pow2(A::geo().page_bits as nat) as int,
    )
}

/// Whether `size` bytes of a frame at this address exist on a machine with `phys_bits` bits of physical address.
pub open spec fn is_frame_address(frame: PhysAddr, phys_bits: u64, size: int) -> bool {
    &&& frame.0 as int % size == 0
    &&& frame.0 + size <= vstd::arithmetic::power2::pow2(phys_bits as nat)
}

/// How a paging mode's entries are written as 64-bit words.
pub trait Encoding: Mmu + Copy {
    /// The page size of a level, if its entries can be pages.
    spec fn page_size(level: nat) -> Option<PageSize>;

    /// Whether an entry can express `prop`.
    spec fn supports(prop: PageProperty) -> bool;

    /// What a page with these properties allows in each mode of the processor.
    spec fn rights(prop: PageProperty) -> Rights;

    /// How many bits of a physical address an entry can hold.
    spec fn frame_bits() -> u64;

    /// Whether the entry that refers to a table notes how many of the table's entries are in use.
    spec fn counts() -> bool;

    /// Whether a live entry may change what it is: a page to a table of the same pages, or back. Where it may not, the
    /// entry is cleared and flushed in between (AArch64: "break-before-make"; LoongArch64).
    spec fn resizes() -> bool;

    /// Whether the tables directly below the root are there from the start and stay, also while they are empty.
    spec fn pins() -> bool;

    /// A count that shrinks with each change that hardware makes to a word.
    spec fn unset(level: nat, word: u64) -> nat;

    /// What `word` stands for in a table of `level`.
    spec fn entry(level: nat, word: u64) -> Entry;

    /// Whether `word` is one that we write to a table of `level`: reserved bits zero, and upper levels allow all.
    spec fn wf(phys_bits: u64, level: nat, word: u64) -> bool;

    /// The shape of the tables.
    fn geometry() -> (r: Geometry)
        ensures
            r == Self::geo(),
            r.wf(),
        opens_invariants none
        no_unwind
    ;

    /// Whether the entry that refers to a table notes how many of the table's entries are in use.
    fn counting() -> (r: bool)
        ensures
            r == Self::counts(),
        opens_invariants none
        no_unwind
    ;

    /// Whether the tables directly below the root are there from the start and stay, also while they are empty.
    fn pinning() -> (r: bool)
        ensures
            r == Self::pins(),
        opens_invariants none
        no_unwind
    ;

    /// Whether a live entry may change what it is: a page to a table of the same pages, or back.
    fn resizing() -> (r: bool)
        ensures
            r == Self::resizes(),
        opens_invariants none
        no_unwind
    ;

    /// How many bits of a physical address an entry can hold.
    fn frame_limit() -> (r: u64)
        ensures
            r == Self::frame_bits(),
            r <= 56,
        no_unwind
    ;

    /// Whether `raw` is a virtual address of this mode.
    fn is_canonical(raw: u64) -> (r: bool)
        ensures
            r == Self::canonical(raw),
        no_unwind
    ;

    /// The virtual address of which `offset` holds the bits that index the tables.
    fn canonicalize(offset: u64) -> (r: u64)
        requires
            offset < Self::geo().limit(),
        ensures
            Self::canonical(r),
            r as int % Self::geo().limit() == offset,
        no_unwind
    ;

    /// The level whose entries are pages of `size`.
    fn level_of(size: PageSize) -> (r: Option<u8>)
        ensures
            match r {
                Some(l) => 1 <= l <= Self::geo().levels && Self::page_size(l as nat) == Some(size),
                None => forall|l: nat|
                    1 <= l <= Self::geo().levels ==> #[trigger] Self::page_size(l) != Some(size),
            },
        no_unwind
    ;

    /// The page size of `level`.
    fn size_at(level: u8) -> (r: Option<PageSize>)
        requires
            1 <= level <= Self::geo().levels,
        ensures
            r == Self::page_size(level as nat),
        no_unwind
    ;

    /// Whether an entry can express `prop`.
    fn can_express(prop: PageProperty) -> (r: bool)
        ensures
            r == Self::supports(prop),
        no_unwind
    ;

    /// What `word` stands for in a table of `level`.
    fn decode(level: u8, word: u64) -> (r: Entry)
        requires
            1 <= level <= Self::geo().levels,
        ensures
            r == Self::entry(level as nat, word),
        opens_invariants none
        no_unwind
    ;

    /// The word for a page in a table of `level`.
    fn page(Ghost(phys_bits): Ghost<u64>, level: u8, frame: PhysAddr, prop: PageProperty) -> (r:
        u64)
        requires
            1 <= level <= Self::geo().levels,
            Self::page_size(level as nat) is Some,
            phys_bits <= Self::frame_bits(),
            is_frame_address(frame, phys_bits, Self::geo().span(level as nat)),
            Self::supports(prop),
        ensures
            Self::entry(level as nat, r) == (Entry::Page { frame, prop }),
            Self::wf(phys_bits, level as nat, r),
        no_unwind
    ;

    /// The word, in a table of `level`, for a table of the next lower level.
    fn table(Ghost(phys_bits): Ghost<u64>, level: u8, table: PhysAddr, used: u16) -> (r: u64)
        requires
            1 < level <= Self::geo().levels,
            phys_bits <= Self::frame_bits(),
            is_table_address::<Self>(table, phys_bits),
            used <= Self::geo().entries((level - 1) as nat),
        ensures
            Self::entry(level as nat, r) == (Entry::Table {
                table,
                used: if Self::counts() {
                    used
                } else {
                    1
                },
            }),
            Self::wf(phys_bits, level as nat, r),
        no_unwind
    ;
}

/// An encoding in which hardware reads what [`decode`](Encoding::decode) does, as each mode proves.
pub trait EntryFormat: Encoding {
    /// The shape is one, and addresses leave room for flags.
    proof fn lemma_geometry()
        ensures
            Self::geo().wf(),
            Self::frame_bits() <= 56,
    ;

    /// Where tables stay, no page takes the place of one.
    proof fn lemma_pins()
        ensures
            Self::pins() ==> Self::page_size(Self::geo().levels as nat) is None,
    ;

    /// A page is as large as what an entry of its level covers. Entries of the lowest level are pages, and where there are
    /// pages, there are smaller ones one level down.
    proof fn lemma_page_size(level: nat)
        requires
            1 <= level <= Self::geo().levels,
        ensures
            Self::page_size(1) is Some,
            Self::page_size(level) matches Some(size) ==> size.bytes() == Self::geo().span(level),
            level > 1 && Self::page_size(level) is Some ==> Self::page_size(
                (level - 1) as nat,
            ) is Some,
            Self::geo().wf(),
    ;

    /// What follows from a word being one of ours: entries only where they can be, addresses that exist.
    proof fn lemma_wf(phys_bits: u64, level: nat, word: u64)
        requires
            1 <= level <= Self::geo().levels,
            phys_bits <= Self::frame_bits(),
            Self::wf(phys_bits, level, word),
        ensures
            match Self::entry(level, word) {
                Entry::Empty => word == 0,
                Entry::Table { table, used } => level > 1 && is_table_address::<Self>(
                    table,
                    phys_bits,
                ) && (Self::counts() || used == 1),
                Entry::Page { frame, prop } => Self::page_size(level) is Some && Self::supports(
                    prop,
                ) && is_frame_address(frame, phys_bits, Self::geo().span(level)),
            },
    ;

    /// The first address of an address's page is one of the mode's.
    proof fn lemma_align_down(raw: u64, size: PageSize)
        requires
            Self::canonical(raw),
        ensures
            Self::canonical((raw - raw as int % size.bytes() as int) as u64),
    ;

    /// Every mode can express that a page was used, and that it was not.
    proof fn lemma_supports(prop: PageProperty, accessed: bool, dirty: bool)
        ensures
            Self::supports(PageProperty { accessed, dirty, ..prop }) == Self::supports(prop),
    ;

    /// Every mode can express a page without the right to write.
    proof fn lemma_read_only(prop: PageProperty)
        requires
            Self::supports(prop),
        ensures
            Self::supports(prop.read_only()),
    ;

    /// A zeroed table is empty.
    proof fn lemma_zero(phys_bits: u64, level: nat)
        ensures
            Self::entry(level, 0) == Entry::Empty,
            Self::wf(phys_bits, level, 0),
    ;

    /// A page-aligned address as an entry is nothing to hardware: it is not present, and left alone.
    proof fn lemma_absent(phys_bits: u64, level: nat, word: u64)
        requires
            1 <= level <= Self::geo().levels,
            word % 4096 == 0,
        ensures
            settled::<Self>(level, word),
            Self::step(phys_bits, level, word) == Step::NotPresent,
    ;

    /// Hardware leaves alone what is empty, tables, and pages whose bits are set already.
    proof fn lemma_settled(phys_bits: u64, level: nat, word: u64)
        requires
            1 <= level <= Self::geo().levels,
            Self::wf(phys_bits, level, word),
            Self::entry(level, word) matches Entry::Page { prop, .. } ==> prop.accessed
                && prop.dirty,
        ensures
            settled::<Self>(level, word),
    ;

    /// Whatever hardware made of a word of ours, it still is one, and tells the walk what it stands for.
    proof fn lemma_step(phys_bits: u64, level: nat, word: u64, now: u64)
        requires
            1 <= level <= Self::geo().levels,
            phys_bits <= Self::frame_bits(),
            Self::wf(phys_bits, level, word),
            Self::may_become(level, word, now),
        ensures
            Self::wf(phys_bits, level, now),
            Self::entry(level, word).may_become(Self::entry(level, now)),
            Self::step(phys_bits, level, now) == Self::entry(level, word).told(
                Self::rights(Self::entry(level, word)->Page_prop),
            ),
    ;

    /// Hardware may leave a word as it is.
    proof fn lemma_reflexive(level: nat, word: u64)
        ensures
            Self::may_become(level, word, word),
    ;

    /// Hardware can change a word only so often: each change sets a bit for good.
    proof fn lemma_progress(level: nat, word: u64, now: u64)
        requires
            Self::may_become(level, word, now),
            now != word,
        ensures
            Self::unset(level, now) < Self::unset(level, word),
    ;
}

/// Nobody else implements the traits that have this one.
pub trait Sealed {

}

/// Who looks after the accessed and dirty bits of pages: [`Preset`] or [`Tracking`].
pub trait AccessBits: Copy + Sealed {
    /// Whether hardware sets them and we keep count.
    spec fn tracks() -> bool;

    /// Whether hardware sets them and we keep count.
    fn tracking() -> (r: bool)
        ensures
            r == Self::tracks(),
        no_unwind
    ;
}

/// What a table stores of `prop`: all of it if it tracks accessed and dirty bits; otherwise these bits are set.
pub open spec fn stored<B: AccessBits>(prop: PageProperty) -> PageProperty {
    if B::tracks() {
        prop
    } else {
        PageProperty { accessed: true, dirty: true, ..prop }
    }
}

/// Pages are mapped with the accessed and dirty bits set, so that hardware never writes to an entry, and a page table
/// can be changed by plain stores.
///
/// Not for processors with shadow stacks enabled (`CR4.CET`): to them a read-only page that is dirty is a shadow stack
/// (Intel SDM vol. 3, 5.6).
#[derive(Clone, Copy, Debug)]
pub struct Preset;

/// Pages are mapped with the accessed and dirty bits that the caller gives; hardware sets them as pages are used, and
/// no bit that it sets is ever lost: entries of pages are changed by compare-and-exchange.
#[derive(Clone, Copy, Debug)]
pub struct Tracking;

impl Sealed for Preset {

}

impl Sealed for Tracking {

}

impl AccessBits for Preset {
    open spec fn tracks() -> bool {
        false
    }

    #[inline(always)]
    fn tracking() -> bool {
        false
    }
}

impl AccessBits for Tracking {
    open spec fn tracks() -> bool {
        true
    }

    #[inline(always)]
    fn tracking() -> bool {
        true
    }
}

} // verus!
