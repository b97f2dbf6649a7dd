//! Sequences of operations that shrink to the shortest one that goes wrong.

use portolan::{CachePolicy, PageProperty, PageSize, X86_64};
use portolan_machine::conformance::{Counts, check, model::Op};
use portolan_machine::{Caching, SoftConfig, SoftMachine};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;

const SIZES: [PageSize; 4] = [
    PageSize::Size4K,
    PageSize::Size2M,
    PageSize::Size1G,
    PageSize::Size64K,
];

fn prop() -> impl Strategy<Value = PageProperty> {
    let cache = select(vec![
        CachePolicy::WriteBack,
        CachePolicy::Uncacheable,
        CachePolicy::WriteProtected,
    ]);
    (any::<[bool; 7]>(), cache).prop_map(
        |([deny, write, execute, user, global, accessed, dirty], cache)| {
            PageProperty {
                // Rarely a property that no entry can express
                read: !(deny && dirty && accessed),
                write,
                execute,
                user,
                global,
                accessed,
                dirty,
                cache,
            }
        },
    )
}

/// Addresses close together, at the ends of both halves, aligned or not.
fn address() -> impl Strategy<Value = u64> {
    let start = select(vec![
        0,
        0x3fc0_0000,
        0x7fff_ffe0_0000,
        0xffff_8000_0000_0000,
        0xffff_ffff_ffe0_0000,
    ]);
    let page = prop_oneof![4 => Just(0u64), 4 => 0u64..3, 1 => select(vec![511u64, 512])];
    (start, page, select(vec![0u64, 0, 0, 0, 0, 8]))
        .prop_map(|(start, page, byte)| start + (page % 512) * 4096 + byte)
}

fn op() -> impl Strategy<Value = Op> {
    let size = || {
        select(vec![
            SIZES[0], SIZES[0], SIZES[0], SIZES[1], SIZES[1], SIZES[2], SIZES[3],
        ])
    };
    let aligned =
        |va: u64, size: PageSize, exact: bool| if exact { va & !(size.bytes() - 1) } else { va };
    let exact = || proptest::bool::weighted(0.9);
    let frame = 0u64..4;
    prop_oneof![
        4 => (address(), size(), exact(), frame, prop()).prop_map(move |(va, size, exact, frame, prop)| Op::Map {
            va: aligned(va, size, exact),
            frame: frame * 0x4000_0000,
            size,
            prop,
        }),
        2 => (address(), size(), exact()).prop_map(move |(va, size, exact)| Op::Unmap { va: aligned(va, size, exact), size }),
        2 => (address(), size(), exact(), prop()).prop_map(move |(va, size, exact, prop)| Op::Protect {
            va: aligned(va, size, exact),
            size,
            prop,
        }),
        1 => address().prop_map(|va| Op::Query { va }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_is_what_its_model_says(ops in proptest::collection::vec(op(), 1..40), seed: u64) {
        let machine = SoftMachine::new(SoftConfig { caching: Caching::Seeded(seed), ..SoftConfig::default() });
        if let Err(failure) = check::<X86_64, _>(&machine, &ops, &mut Counts::default()) {
            panic!("{failure}");
        }
    }
}
