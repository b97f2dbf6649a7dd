//! What a mapping allows and how it is cached.

use vstd::prelude::*;

mod used;

pub use used::UsedBits;

verus! {

/// How accesses to a page are cached.
///
/// On x86_64 these are entries 0 to 5 of the page attribute table (Intel SDM vol. 3, 13.12). The first four are the
/// processor's at reset; a kernel that uses the other two writes [`PAT`](crate::arch::x86_64::PAT) to `IA32_PAT`. Under
/// extended page tables they are memory types, [`UncacheableMinus`](CachePolicy::UncacheableMinus) excepted.
///
/// AArch64 has four of them, RISC-V and LoongArch64 three: [`WriteBack`](CachePolicy::WriteBack),
/// [`WriteCombining`](CachePolicy::WriteCombining) (Normal non-cacheable; NC of Svpbmt; weakly-ordered uncached),
/// [`Uncacheable`](CachePolicy::Uncacheable) (Device-nGnRE; IO of Svpbmt; strongly-ordered uncached), and on AArch64
/// [`WriteThrough`](CachePolicy::WriteThrough). A kernel on AArch64 writes [`MAIR`](crate::arch::aarch64::MAIR) to `MAIR_EL1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CachePolicy {
    /// Cached for reads and writes: ordinary memory.
    WriteBack,
    /// Cached for reads; writes go to memory at once.
    WriteThrough,
    /// Not cached, unless a memory type range register says write-combining.
    UncacheableMinus,
    /// Not cached: device registers.
    Uncacheable,
    /// Not cached; writes may be merged: frame buffers.
    WriteCombining,
    /// Cached for reads; writes invalidate.
    WriteProtected,
}

impl CachePolicy {
    /// Equality, with a contract.
    #[inline]
    pub(crate) fn is(self, other: CachePolicy) -> (r: bool)
        ensures
            r == (self == other),
        no_unwind
    {
        match self {
            CachePolicy::WriteBack => matches!(other, CachePolicy::WriteBack),
            CachePolicy::WriteThrough => matches!(other, CachePolicy::WriteThrough),
            CachePolicy::UncacheableMinus => matches!(other, CachePolicy::UncacheableMinus),
            CachePolicy::Uncacheable => matches!(other, CachePolicy::Uncacheable),
            CachePolicy::WriteCombining => matches!(other, CachePolicy::WriteCombining),
            CachePolicy::WriteProtected => matches!(other, CachePolicy::WriteProtected),
        }
    }
}

/// What a mapping allows, how it is cached, and whether it has been used.
///
/// These are the effective properties: a page table's upper levels never take away what a leaf grants. What they allow
/// to the kernel and to user mode is the mode's `rights`: on x86_64 and LoongArch64 a user page is the kernel's as well; on
/// AArch64 and RISC-V the kernel may load from it and store to it as user mode may, but executes nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageProperty {
    /// Loads are allowed. Every mapping on x86_64 and AArch64 allows them.
    pub read: bool,
    /// Stores are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub execute: bool,
    /// User mode may use the mapping. In tables for a guest: always, for both of the guest's modes.
    pub user: bool,
    /// The translation is the same in all address spaces and outlives a switch of the root.
    pub global: bool,
    /// The page has been used.
    pub accessed: bool,
    /// The page has been stored to.
    pub dirty: bool,
    /// How accesses are cached.
    pub cache: CachePolicy,
}

impl PageProperty {
    /// A page that the kernel reads.
    pub const KERNEL_RO: PageProperty = PageProperty {
        read: true,
        write: false,
        execute: false,
        user: false,
        global: false,
        accessed: false,
        dirty: false,
        cache: CachePolicy::WriteBack,
    };

    /// A page that the kernel reads and writes.
    pub const KERNEL_RW: PageProperty = PageProperty {
        read: true,
        write: true,
        execute: false,
        user: false,
        global: false,
        accessed: false,
        dirty: false,
        cache: CachePolicy::WriteBack,
    };

    /// A page that the kernel reads and executes.
    pub const KERNEL_RX: PageProperty = PageProperty {
        read: true,
        write: false,
        execute: true,
        user: false,
        global: false,
        accessed: false,
        dirty: false,
        cache: CachePolicy::WriteBack,
    };

    /// A page that user mode reads.
    pub const USER_RO: PageProperty = PageProperty {
        read: true,
        write: false,
        execute: false,
        user: true,
        global: false,
        accessed: false,
        dirty: false,
        cache: CachePolicy::WriteBack,
    };

    /// A page that user mode reads and writes.
    pub const USER_RW: PageProperty = PageProperty {
        read: true,
        write: true,
        execute: false,
        user: true,
        global: false,
        accessed: false,
        dirty: false,
        cache: CachePolicy::WriteBack,
    };

    /// A page that user mode reads and executes.
    pub const USER_RX: PageProperty = PageProperty {
        read: true,
        write: false,
        execute: true,
        user: true,
        global: false,
        accessed: false,
        dirty: false,
        cache: CachePolicy::WriteBack,
    };

    /// The same properties with at least the accessed and dirty bits of `seen`.
    pub open spec fn spec_keeping(self, seen: PageProperty) -> PageProperty {
        PageProperty {
            accessed: self.accessed || seen.accessed,
            dirty: self.dirty || seen.dirty,
            ..self
        }
    }

    /// The same properties with at least the accessed and dirty bits of `seen`.
    #[verifier::when_used_as_spec(spec_keeping)]
    #[inline]
    #[must_use]
    pub fn keeping(self, seen: PageProperty) -> (r: PageProperty)
        ensures
            r == self.spec_keeping(seen),
        no_unwind
    {
        PageProperty {
            read: self.read,
            write: self.write,
            execute: self.execute,
            user: self.user,
            global: self.global,
            accessed: self.accessed || seen.accessed,
            dirty: self.dirty || seen.dirty,
            cache: self.cache,
        }
    }

    /// The same properties without the right to write.
    pub open spec fn spec_read_only(self) -> PageProperty {
        PageProperty { write: false, ..self }
    }

    /// The same properties without the right to write.
    #[verifier::when_used_as_spec(spec_read_only)]
    #[inline]
    #[must_use]
    pub fn read_only(self) -> (r: PageProperty)
        ensures
            r == self.spec_read_only(),
        no_unwind
    {
        PageProperty { write: false, ..self }
    }

    /// The same properties, but for the accessed and dirty bits.
    pub open spec fn spec_alike(self, other: PageProperty) -> bool {
        other == PageProperty { accessed: other.accessed, dirty: other.dirty, ..self }
    }

    /// The same properties, but for the accessed and dirty bits.
    #[verifier::when_used_as_spec(spec_alike)]
    #[inline]
    #[must_use]
    pub fn alike(self, other: PageProperty) -> (r: bool)
        ensures
            r == self.spec_alike(other),
        no_unwind
    {
        self.read == other.read && self.write == other.write && self.execute == other.execute
            && self.user == other.user && self.global == other.global && self.cache.is(other.cache)
    }

    /// What hardware may make of these properties behind our back: accessed and dirty may have been set.
    pub open spec fn may_become(self, now: PageProperty) -> bool {
        now == self.keeping(now)
    }
}

/// A page's frame, size and properties: what [`query`](crate::PageTable::query) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The first byte's physical address, a multiple of the size.
    pub frame: crate::PhysAddr,
    /// How large the page is.
    pub size: crate::PageSize,
    /// What it allows.
    pub prop: PageProperty,
}

impl Mapping {
    /// What hardware may make of the mapping behind our back: accessed and dirty may have been set.
    pub open spec fn may_become(self, now: Mapping) -> bool {
        &&& now.frame == self.frame
        &&& now.size == self.size
        &&& self.prop.may_become(now.prop)
    }
}

} // verus!

impl core::fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::WriteBack => "write-back",
            Self::WriteThrough => "write-through",
            Self::UncacheableMinus => "uncacheable-minus",
            Self::Uncacheable => "uncacheable",
            Self::WriteCombining => "write-combining",
            Self::WriteProtected => "write-protected",
        })
    }
}

/// As `rw- user`: what is allowed, to whom, and what is out of the ordinary.
impl core::fmt::Display for PageProperty {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mark = |allowed: bool, letter: char| if allowed { letter } else { '-' };
        write!(
            f,
            "{}{}{} {}",
            mark(self.read, 'r'),
            mark(self.write, 'w'),
            mark(self.execute, 'x'),
            if self.user { "user" } else { "kernel" }
        )?;
        if self.global {
            f.write_str(" global")?;
        }
        if self.cache != CachePolicy::WriteBack {
            write!(f, " {}", self.cache)?;
        }
        Ok(())
    }
}
