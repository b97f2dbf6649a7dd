//! What a regime has: addresses, sizes of pages, and properties that an entry can express. All of it by the manuals, and
//! nothing by the library under test.

use crate::walk::{Allowed, Regime, Rights};
use portolan::{CachePolicy, PageProperty, PageSize};

/// All cache policies.
pub(super) const CACHES: [CachePolicy; 6] = [
    CachePolicy::WriteBack,
    CachePolicy::WriteThrough,
    CachePolicy::UncacheableMinus,
    CachePolicy::Uncacheable,
    CachePolicy::WriteCombining,
    CachePolicy::WriteProtected,
];

/// The level whose entries are pages of `size`.
pub(super) fn level_of(regime: Regime, size: PageSize) -> Option<u8> {
    let mut levels = regime.page_levels().iter().copied();
    levels.find(|level| regime.span(*level) == size.bytes())
}

/// How many bits of a physical address an entry can hold.
pub(super) fn widest(regime: Regime) -> u8 {
    match regime {
        Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. } => 48,
        Regime::X86_64 { .. } | Regime::Ept => 52,
        Regime::Riscv { .. } => 56,
    }
}

/// Whether what is mapped is memory of a guest, to which the guest's own modes make no difference.
fn is_for_guests(regime: Regime) -> bool {
    matches!(regime, Regime::Ept | Regime::Arm2 { .. })
}

/// Whether an entry can express `prop`.
pub(super) fn expresses(regime: Regime, prop: PageProperty) -> bool {
    use CachePolicy::{UncacheableMinus, WriteProtected, WriteThrough};
    let PageProperty {
        read,
        write,
        execute,
        user,
        global,
        cache,
        ..
    } = prop;
    match regime {
        Regime::X86_64 { .. } => read,
        // SDM vol. 3, 30.3.2: an entry without rights is none; what is writable is readable
        Regime::Ept => user && !global && (read || execute && !write) && cache != UncacheableMinus,
        // Arm ARM, D8.4.1: what EL1 may not read, nobody may
        Regime::Arm1 { .. } => read && !matches!(cache, UncacheableMinus | WriteProtected),
        // Hardware has pages that can't be read (D8.4.2); the library doesn't offer them
        Regime::Arm2 { .. } => {
            read && user && !global && !matches!(cache, UncacheableMinus | WriteProtected)
        }
        // Privileged specification, 10.3.1: an entry without rights is a table; what is writable is readable
        Regime::Riscv { .. } => {
            (read || execute && !write)
                && !matches!(cache, UncacheableMinus | WriteProtected | WriteThrough)
        }
        // Volume 1, 5.4.2: NR, D and NX say each one thing
        Regime::LoongArch { .. } => {
            !matches!(cache, UncacheableMinus | WriteProtected | WriteThrough)
        }
    }
}

/// The nearest to `prop` where all memory is a guest's.
pub(super) fn fitting(regime: Regime, prop: PageProperty) -> PageProperty {
    if is_for_guests(regime) {
        PageProperty {
            user: true,
            global: false,
            ..prop
        }
    } else {
        prop
    }
}

/// The nearest to `prop` that a page of properties `was` can be made while processors may be using it. On AArch64 and
/// LoongArch64 a page has to be unmapped first to be cached otherwise or to become global.
pub(super) fn in_place(regime: Regime, was: PageProperty, prop: PageProperty) -> PageProperty {
    if resizes(regime) {
        prop
    } else {
        PageProperty {
            global: prop.global && was.global,
            cache: was.cache,
            ..prop
        }
    }
}

/// Whether hardware ignores enough bits of an entry that refers to a table for a count of the table's entries. RISC-V
/// leaves two to software (privileged specification, 10.3.1).
pub(super) fn counts(regime: Regime) -> bool {
    !matches!(regime, Regime::Riscv { .. })
}

/// Whether a page can become smaller ones while processors may be using it, and smaller ones one. On AArch64 and
/// LoongArch64 it has to be unmapped first.
pub(super) fn resizes(regime: Regime) -> bool {
    !regime.breaks_before_make()
}

/// The combination of read, write, execute, user and global that `bits` names.
pub(super) fn combination(bits: u32, cache: CachePolicy) -> PageProperty {
    PageProperty {
        read: bits & 1 == 0,
        write: bits & 2 != 0,
        execute: bits & 4 != 0,
        user: bits & 8 != 0,
        global: bits & 16 != 0,
        accessed: false,
        dirty: false,
        cache,
    }
}

/// All combinations with a cache policy.
pub(super) fn combinations(cache: CachePolicy) -> impl Iterator<Item = PageProperty> {
    (0..32).map(move |bits| combination(bits, cache))
}

/// What a page of these properties allows to whom.
pub(super) fn granted(regime: Regime, prop: PageProperty) -> Rights {
    let PageProperty {
        read,
        write,
        execute,
        user,
        ..
    } = prop;
    let own = Allowed {
        read,
        write,
        execute,
    };
    // Elsewhere than on x86_64 and LoongArch64, a kernel doesn't execute what belongs to programs
    let kernel = match regime {
        Regime::Arm1 { .. } | Regime::Riscv { .. } if user => Allowed {
            execute: false,
            ..own
        },
        _ => own,
    };
    let user = if user { own } else { Allowed::NONE };
    Rights { kernel, user }
}

/// Whether the entry of such a page tells whether it was stored to: on AArch64 the bit is that which allows stores, so
/// that of a page that does not allow them, hardware knows nothing, and on LoongArch64 of none.
pub(super) fn tells_dirty(regime: Regime, prop: PageProperty) -> bool {
    match regime {
        Regime::Arm1 { .. } | Regime::Arm2 { .. } => prop.write,
        _ => regime.marks(),
    }
}
