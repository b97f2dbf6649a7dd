//! The translation regimes that there are page tables for.

use clap::ValueEnum;
use portolan::arch::aarch64::{
    Granule4K39, Granule4K48, Granule16K47, Granule16K48, Granule64K42, Granule64K48,
};
use portolan::arch::halves::Halves;
use portolan::arch::loongarch::{Pages4K39, Pages4K47, Pages16K47};
use portolan::{
    AArch64Lower, AArch64Stage2, AArch64Upper, Ept, LoongArchLower, LoongArchUpper, PagingMode,
    Sv39, Sv48, Sv57, X86_64, X86_64La57,
};
use portolan_machine::walk::{Granule, Regime, Region};
use serde::{Serialize, Serializer};

/// Something that is done with any paging mode.
pub trait Visit {
    /// What comes of it.
    type Answer;

    /// Does it.
    fn visit<A: PagingMode + 'static>(self) -> Self::Answer;
}

/// Something that is done with any paging mode whose root table covers a user and a kernel half.
pub trait VisitHalves {
    /// What comes of it.
    type Answer;

    /// Does it.
    fn visit<A: Halves + Send + Sync + 'static>(self) -> Self::Answer;
}

/// Stage 1 of AArch64.
const fn stage_1(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::Arm1 {
        granule,
        va_bits,
        region,
    }
}

/// LoongArch64.
const fn loongarch(granule: Granule, va_bits: u8, region: Region) -> Regime {
    Regime::LoongArch {
        granule,
        va_bits,
        region,
    }
}

/// Makes [`Arch`] of its variants: what they are called, the paging mode, and the regime that it is for.
macro_rules! arches {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal: $mode:ty, $regime:expr;)*) => {
        /// A translation regime, and the paging mode that is made for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub enum Arch {
            $($(#[doc = $doc])* #[value(name = $name)] $variant,)*
        }

        impl Arch {
            /// What processors do with the words.
            pub fn regime(self) -> Regime {
                match self {
                    $(Arch::$variant => $regime,)*
                }
            }

            /// The paging mode, as a program names it.
            pub fn mode(self) -> &'static str {
                match self {
                    $(Arch::$variant => stringify!($mode),)*
                }
            }

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Arch::$variant => $name,)*
                }
            }

            /// Does something with the paging mode.
            pub fn visit<V: Visit>(self, visit: V) -> V::Answer {
                match self {
                    $(Arch::$variant => visit.visit::<$mode>(),)*
                }
            }
        }
    };
}

arches! {
    /// x86_64 with 4 levels
    X86_64 = "x86_64": X86_64, Regime::X86_64 { levels: 4 };
    /// x86_64 with 5 levels
    X86_64La57 = "x86_64-la57": X86_64La57, Regime::X86_64 { levels: 5 };
    /// Intel's extended page tables
    Ept = "ept": Ept, Regime::Ept;
    /// AArch64, 4 KiB granule, 39 bits, TTBR0
    Aarch64By4K39 = "aarch64-4k-39":
        AArch64Lower<Granule4K39>, stage_1(Granule::Size4K, 39, Region::Lower);
    /// AArch64, 4 KiB granule, 39 bits, TTBR1
    Aarch64By4K39Upper = "aarch64-4k-39-upper":
        AArch64Upper<Granule4K39>, stage_1(Granule::Size4K, 39, Region::Upper);
    /// AArch64, 4 KiB granule, 48 bits, TTBR0
    Aarch64By4K48 = "aarch64-4k-48":
        AArch64Lower<Granule4K48>, stage_1(Granule::Size4K, 48, Region::Lower);
    /// AArch64, 4 KiB granule, 48 bits, TTBR1
    Aarch64By4K48Upper = "aarch64-4k-48-upper":
        AArch64Upper<Granule4K48>, stage_1(Granule::Size4K, 48, Region::Upper);
    /// AArch64, 16 KiB granule, 47 bits, TTBR0
    Aarch64By16K47 = "aarch64-16k-47":
        AArch64Lower<Granule16K47>, stage_1(Granule::Size16K, 47, Region::Lower);
    /// AArch64, 16 KiB granule, 47 bits, TTBR1
    Aarch64By16K47Upper = "aarch64-16k-47-upper":
        AArch64Upper<Granule16K47>, stage_1(Granule::Size16K, 47, Region::Upper);
    /// AArch64, 16 KiB granule, 48 bits, TTBR0
    Aarch64By16K48 = "aarch64-16k-48":
        AArch64Lower<Granule16K48>, stage_1(Granule::Size16K, 48, Region::Lower);
    /// AArch64, 16 KiB granule, 48 bits, TTBR1
    Aarch64By16K48Upper = "aarch64-16k-48-upper":
        AArch64Upper<Granule16K48>, stage_1(Granule::Size16K, 48, Region::Upper);
    /// AArch64, 64 KiB granule, 42 bits, TTBR0
    Aarch64By64K42 = "aarch64-64k-42":
        AArch64Lower<Granule64K42>, stage_1(Granule::Size64K, 42, Region::Lower);
    /// AArch64, 64 KiB granule, 42 bits, TTBR1
    Aarch64By64K42Upper = "aarch64-64k-42-upper":
        AArch64Upper<Granule64K42>, stage_1(Granule::Size64K, 42, Region::Upper);
    /// AArch64, 64 KiB granule, 48 bits, TTBR0
    Aarch64By64K48 = "aarch64-64k-48":
        AArch64Lower<Granule64K48>, stage_1(Granule::Size64K, 48, Region::Lower);
    /// AArch64, 64 KiB granule, 48 bits, TTBR1
    Aarch64By64K48Upper = "aarch64-64k-48-upper":
        AArch64Upper<Granule64K48>, stage_1(Granule::Size64K, 48, Region::Upper);
    /// AArch64 stage 2, 4 KiB granule, 39 bits
    Aarch64Stage2By39 = "aarch64-stage2-39":
        AArch64Stage2<Granule4K39>, Regime::Arm2 { ipa_bits: 39 };
    /// AArch64 stage 2, 4 KiB granule, 48 bits
    Aarch64Stage2By48 = "aarch64-stage2-48":
        AArch64Stage2<Granule4K48>, Regime::Arm2 { ipa_bits: 48 };
    /// RISC-V with 3 levels
    Sv39 = "sv39": Sv39, Regime::Riscv { levels: 3 };
    /// RISC-V with 4 levels
    Sv48 = "sv48": Sv48, Regime::Riscv { levels: 4 };
    /// RISC-V with 5 levels
    Sv57 = "sv57": Sv57, Regime::Riscv { levels: 5 };
    /// LoongArch64, 4 KiB pages, 39 bits, PGDL
    LoongArchBy4K39 = "loongarch64-4k-39":
        LoongArchLower<Pages4K39>, loongarch(Granule::Size4K, 39, Region::Lower);
    /// LoongArch64, 4 KiB pages, 39 bits, PGDH
    LoongArchBy4K39Upper = "loongarch64-4k-39-upper":
        LoongArchUpper<Pages4K39>, loongarch(Granule::Size4K, 39, Region::Upper);
    /// LoongArch64, 4 KiB pages, 47 bits, PGDL
    LoongArchBy4K47 = "loongarch64-4k-47":
        LoongArchLower<Pages4K47>, loongarch(Granule::Size4K, 47, Region::Lower);
    /// LoongArch64, 4 KiB pages, 47 bits, PGDH
    LoongArchBy4K47Upper = "loongarch64-4k-47-upper":
        LoongArchUpper<Pages4K47>, loongarch(Granule::Size4K, 47, Region::Upper);
    /// LoongArch64, 16 KiB pages, 47 bits, PGDL
    LoongArchBy16K47 = "loongarch64-16k-47":
        LoongArchLower<Pages16K47>, loongarch(Granule::Size16K, 47, Region::Lower);
    /// LoongArch64, 16 KiB pages, 47 bits, PGDH
    LoongArchBy16K47Upper = "loongarch64-16k-47-upper":
        LoongArchUpper<Pages16K47>, loongarch(Granule::Size16K, 47, Region::Upper);
}

impl Arch {
    /// Does something with the paging mode, if its root table covers a user and a kernel half.
    pub fn visit_halves<V: VisitHalves>(self, visit: V) -> Option<V::Answer> {
        match self {
            Arch::X86_64 => Some(visit.visit::<X86_64>()),
            Arch::X86_64La57 => Some(visit.visit::<X86_64La57>()),
            Arch::Sv39 => Some(visit.visit::<Sv39>()),
            Arch::Sv48 => Some(visit.visit::<Sv48>()),
            Arch::Sv57 => Some(visit.visit::<Sv57>()),
            _ => None,
        }
    }
}

impl Arch {
    /// All of them.
    pub fn all() -> &'static [Arch] {
        Arch::value_variants()
    }

    /// The widest physical addresses that its entries hold and that a machine in software has.
    pub fn widest(self) -> u8 {
        match self.regime() {
            Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. } => 48,
            Regime::X86_64 { .. } | Regime::Ept | Regime::Riscv { .. } => 52,
        }
    }

    /// Where the walk is described.
    pub fn manual(self) -> &'static str {
        match self.regime() {
            Regime::X86_64 { .. } => "Intel SDM vol. 3, ch. 5",
            Regime::Ept => "Intel SDM vol. 3, 30.3",
            Regime::Arm1 { .. } | Regime::Arm2 { .. } => "Arm ARM, D8",
            Regime::Riscv { .. } => "RISC-V privileged architecture, ch. 10",
            Regime::LoongArch { .. } => "LoongArch manual vol. 1, 5.4",
        }
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Arch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
