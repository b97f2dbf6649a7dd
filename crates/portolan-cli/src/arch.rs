//! The translation regimes that there are page tables for.

use clap::ValueEnum;
use portolan::{PagingMode, X86_64, X86_64La57};
use portolan_machine::walk::Regime;
use serde::Serialize;

/// A translation regime, and the paging mode that is made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
pub enum Arch {
    /// x86_64 with 4 levels
    #[value(name = "x86_64")]
    #[serde(rename = "x86_64")]
    X86_64,
    /// x86_64 with 5 levels
    #[value(name = "x86_64-la57")]
    #[serde(rename = "x86_64-la57")]
    X86_64La57,
}

/// Something that is done with any paging mode.
pub trait Visit {
    /// What comes of it.
    type Answer;

    /// Does it.
    fn visit<A: PagingMode>(self) -> Self::Answer;
}

impl Arch {
    /// All of them.
    pub fn all() -> &'static [Arch] {
        Arch::value_variants()
    }

    /// What processors do with the words.
    pub fn regime(self) -> Regime {
        match self {
            Arch::X86_64 => Regime::X86_64 { levels: 4 },
            Arch::X86_64La57 => Regime::X86_64 { levels: 5 },
        }
    }

    /// The widest physical addresses that its entries hold and that a machine in software has.
    pub fn widest(self) -> u8 {
        match self.regime() {
            Regime::Arm1 { .. } | Regime::Arm2 { .. } => 48,
            Regime::X86_64 { .. } | Regime::Ept | Regime::Riscv { .. } => 52,
        }
    }

    /// The name of the paging mode.
    pub fn mode(self) -> &'static str {
        match self {
            Arch::X86_64 => "X86_64",
            Arch::X86_64La57 => "X86_64La57",
        }
    }

    /// Where the walk is described.
    pub fn manual(self) -> &'static str {
        match self {
            Arch::X86_64 | Arch::X86_64La57 => "Intel SDM vol. 3, ch. 5",
        }
    }

    /// Does something with the paging mode.
    pub fn visit<V: Visit>(self, visit: V) -> V::Answer {
        match self {
            Arch::X86_64 => visit.visit::<X86_64>(),
            Arch::X86_64La57 => visit.visit::<X86_64La57>(),
        }
    }
}

/// As it is on the command line.
impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
