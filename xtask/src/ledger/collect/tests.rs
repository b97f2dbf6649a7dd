use super::*;

const FILE: &str = r#"
    verus! {
        /// What a kernel gives.
        ///
        /// # Safety
        /// Reads what was written.
        pub unsafe trait Memory {
            /// Reads.
            ///
            /// # Safety
            /// It is ours.
            unsafe fn read(&self) -> u64;
        }

        /// A right.
        #[verifier::external_body]
        tracked struct Perm {}

        impl Perm {
            /// Where.
            uninterp spec fn addr(&self) -> int;
        }

        impl<M: Memory> Frames<M> {
            /// A word.
            /// Exercised by `soft::reads`.
            #[verifier::external_body]
            fn read(&self, m: &M) -> (r: u64)
                ensures r < 3
            {
                // SAFETY: it is ours
                let r = unsafe { m.read() };
                r
            }

            fn proven(&self) -> (r: u64) ensures r == 1 { 1 }
        }

        /// Ends.
        pub assume_specification[ core::mem::swap ](a: u64);

        /// So it is.
        #[verifier::external_body]
        broadcast proof fn axiom_so() ensures true {}
    }
    impl<M> core::fmt::Debug for Frames<M> {
        fn fmt(&self) {}
    }
    #[cfg(test)]
    mod tests {
        fn only_here() {}
    }
"#;

#[test]
fn everything_trusted_is_listed_once() {
    let source = source("f.rs", FILE).unwrap();
    assert!(source.complaints.is_empty(), "{:?}", source.complaints);
    let listed: Vec<(Kind, &str)> = source
        .entries
        .iter()
        .map(|entry| (entry.kind, entry.name.as_str()))
        .collect();
    let expected = [
        (Kind::UnsafeTrait, "Memory"),
        (Kind::UnsafeFn, "Memory::read"),
        (Kind::Opaque, "Perm"),
        (Kind::Undefined, "Perm::addr"),
        (Kind::Contract, "Frames::read"),
        (Kind::UnsafeBlock, "Frames::read"),
        (Kind::Foreign, "core::mem::swap"),
        (Kind::Axiom, "axiom_so"),
        (Kind::Unproven, "Debug for Frames"),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn reasons_and_tests_come_from_the_comments() {
    let source = source("f.rs", FILE).unwrap();
    let reasons: Vec<&str> = source
        .entries
        .iter()
        .map(|entry| entry.reason.as_str())
        .collect();
    let expected = [
        "Reads what was written.",
        "It is ours.",
        "A right.",
        "Where.",
        "A word.",
        "it is ours",
        "Ends.",
        "So it is.",
        "",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(source.entries[4].tests, ["soft::reads"]);
}

#[test]
fn an_assumption_where_none_is_expected_is_a_complaint() {
    let source = source("f.rs", "verus! { #[verifier::external_body] mod m {} }").unwrap();
    assert_eq!(source.complaints.len(), 1);
}

#[test]
fn verified_code_makes_up_nothing() {
    let source = source(
        "f.rs",
        "verus! { fn f() { let tracked p = Tracked::assume_new(); } }",
    )
    .unwrap();
    assert_eq!(
        source.complaints,
        ["f.rs:1: f makes up a tracked value in verified code"]
    );
}
