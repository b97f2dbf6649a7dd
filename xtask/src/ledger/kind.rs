//! The kinds of things that the ledger lists.

/// What is listed, in the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A proof function without a proof.
    Axiom,
    /// A function whose body the prover doesn't see: `external_body`.
    Contract,
    /// A contract or a definition for an item of another crate.
    Foreign,
    /// A function or loop that is not shown to end.
    Termination,
    /// A type that the prover doesn't look into.
    Opaque,
    /// A specification function without a definition.
    Undefined,
    /// A trait whose implementers promise something.
    UnsafeTrait,
    /// A function whose callers promise something.
    UnsafeFn,
    /// An implementation of such a trait.
    UnsafeImpl,
    /// A place that calls such functions.
    UnsafeBlock,
    /// Executable code outside of `verus!`.
    Unproven,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 11] = [
        Kind::Axiom,
        Kind::Contract,
        Kind::Foreign,
        Kind::Termination,
        Kind::Opaque,
        Kind::Undefined,
        Kind::UnsafeTrait,
        Kind::UnsafeFn,
        Kind::UnsafeImpl,
        Kind::UnsafeBlock,
        Kind::Unproven,
    ];

    /// What one of them is called.
    pub fn one(self) -> &'static str {
        match self {
            Kind::Axiom => "axiom",
            Kind::Contract => "trusted contract",
            Kind::Foreign => "specification of foreign code",
            Kind::Termination => "assumption that code ends",
            Kind::Opaque => "opaque type",
            Kind::Undefined => "undefined name",
            Kind::UnsafeTrait => "unsafe trait",
            Kind::UnsafeFn => "unsafe function",
            Kind::UnsafeImpl => "unsafe implementation",
            Kind::UnsafeBlock => "unsafe block",
            Kind::Unproven => "unproven code",
        }
    }

    /// What stands over a list of them.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Axiom => "Axioms",
            Kind::Contract => "Functions trusted to keep their contract",
            Kind::Foreign => "Specifications of foreign code",
            Kind::Termination => "Code assumed to end",
            Kind::Opaque => "Types that the prover doesn't look into",
            Kind::Undefined => "Names without a definition",
            Kind::UnsafeTrait => "Unsafe traits: what implementers promise",
            Kind::UnsafeFn => "Unsafe functions: what callers promise",
            Kind::UnsafeImpl => "Unsafe implementations",
            Kind::UnsafeBlock => "Unsafe blocks",
            Kind::Unproven => "Executable code outside of the proofs",
        }
    }

    /// What they are, where that isn't plain.
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::Axiom => "Statements that proofs use without a proof.",
            Kind::Contract => {
                "The prover reads the contract and not the body, which is a few lines to be read by eye."
            }
            Kind::Foreign => "What proofs suppose of code in other crates.",
            Kind::Termination => "Not shown to return; if it does, its contract holds.",
            Kind::Opaque => "Proofs know of a value only what contracts say.",
            Kind::Undefined => {
                "Proofs suppose nothing of them; they get their meaning in contracts above."
            }
            Kind::UnsafeTrait => "A kernel promises this when it writes `unsafe impl`.",
            Kind::UnsafeFn => "Who calls them promises this when it writes `unsafe`.",
            Kind::UnsafeImpl => "Promises that the crate itself makes.",
            Kind::UnsafeBlock => "Why each may call what it calls.",
            Kind::Unproven => {
                "Compiled and run, but not verified: formatting, comparing, converting. Verified code can't call it, and no \
                 proof speaks of it."
            }
        }
    }

    /// Whether a proof is worth less if one of these is wrong.
    pub fn is_assumption(self) -> bool {
        matches!(
            self,
            Kind::Axiom | Kind::Contract | Kind::Foreign | Kind::Termination
        )
    }

    /// Whether it may not stand just anywhere: in the hardware folder, or where [`Kind::may_be_a_kernels`] says.
    pub fn only_in_hw(self) -> bool {
        !matches!(self, Kind::UnsafeFn | Kind::Unproven | Kind::Termination)
    }

    /// Whether it may also stand where a kernel's side is implemented: it assumes nothing, and does what a kernel's own
    /// code would do.
    pub fn may_be_a_kernels(self) -> bool {
        matches!(self, Kind::UnsafeImpl | Kind::UnsafeBlock)
    }

    /// Whether a test has to be named.
    pub fn needs_test(self) -> bool {
        self.is_assumption()
    }

    /// Where its reason has to be written.
    pub fn where_the_reason_stands(self) -> &'static str {
        match self {
            Kind::UnsafeTrait | Kind::UnsafeFn => "its documentation needs a section `# Safety`",
            Kind::UnsafeImpl | Kind::UnsafeBlock => "a comment `// SAFETY:` above it is needed",
            _ => "its documentation is needed",
        }
    }
}
