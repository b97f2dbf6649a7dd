//! Sequences of operations that shrink to the shortest one that goes wrong.

mod common;

use common::{ARM_4K, ARM_STAGE_2, SV39};
use portolan::{
    AArch64Lower, AArch64Stage2, CachePolicy, Ept, PageProperty, PageSize, PagingMode, Sv39, X86_64,
};
use portolan_machine::conformance::{Counts, check, model::Op};
use portolan_machine::walk::Regime;
use portolan_machine::{Caching, SoftConfig, SoftMachine};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;

fn is_aarch64(regime: Regime) -> bool {
    matches!(regime, Regime::Arm1 { .. } | Regime::Arm2 { .. })
}

/// Mostly properties that every mode can express; where memory is a guest's, all pages are user pages.
fn prop(regime: Regime) -> impl Strategy<Value = PageProperty> {
    let guests = matches!(regime, Regime::Ept | Regime::Arm2 { .. });
    let mut caches = vec![CachePolicy::WriteBack; 2];
    if !is_aarch64(regime) {
        caches.extend([CachePolicy::Uncacheable, CachePolicy::WriteProtected]);
    }
    let cache = select(caches);
    (any::<[bool; 7]>(), cache).prop_map(
        move |([deny, write, execute, user, global, accessed, dirty], cache)| {
            let odd = deny && dirty && accessed;
            PageProperty {
                // Rarely a property that no entry can express
                read: !odd,
                write,
                execute,
                user: user || guests && !odd,
                global: global && !guests,
                accessed,
                dirty,
                cache,
            }
        },
    )
}

/// Addresses close together, at the ends of what is translated and where the next table begins, aligned or not.
fn address(regime: Regime) -> impl Strategy<Value = u64> {
    let (small, next) = (regime.span(1), regime.span(2));
    let ends = |range: std::ops::RangeInclusive<u64>| [*range.start(), range.end() - (next - 1)];
    let mut starts: Vec<u64> = regime.ranges().into_iter().flat_map(ends).collect();
    starts.push(starts[0] + (regime.span(3.min(regime.levels())) - next));
    let pages = next / small;
    let page = prop_oneof![4 => Just(0u64), 4 => 0u64..3, 1 => select(vec![pages - 1, pages])];
    (select(starts), page, select(vec![0u64, 0, 0, 0, 0, 8]))
        .prop_map(move |(start, page, byte)| start + (page % pages) * small + byte)
}

/// A page's size: mostly the smallest, now and then one that the regime lacks.
fn size(regime: Regime) -> impl Strategy<Value = PageSize> {
    let own = regime.page_sizes();
    let odd = match own[0] {
        PageSize::Size64K => PageSize::Size4K,
        _ => PageSize::Size64K,
    };
    prop_oneof![3 => Just(own[0]), 3 => select(own), 1 => Just(odd)]
}

fn op(regime: Regime) -> impl Strategy<Value = Op> {
    prop_oneof![3 => page_op(regime), 1 => range_op(regime), 1 => resize(regime)]
}

fn page_op(regime: Regime) -> impl Strategy<Value = Op> {
    let aligned =
        |va: u64, size: PageSize, exact: bool| if exact { va & !(size.bytes() - 1) } else { va };
    let exact = || proptest::bool::weighted(0.9);
    let (size, prop) = (|| size(regime), || prop(regime));
    let address = || address(regime);
    prop_oneof![
        4 => (address(), size(), exact(), 0u64..4, prop()).prop_map(move |(va, size, exact, frame, prop)| Op::Map {
            va: aligned(va, size, exact),
            frame: frame * 0x4000_0000,
            size,
            prop,
        }),
        2 => (address(), size(), exact()).prop_map(move |(va, size, exact)| Op::Unmap { va: aligned(va, size, exact), size }),
        2 => (address(), size(), exact(), prop()).prop_map(move |(va, size, exact, prop)| Op::Protect {
            va: aligned(va, size, exact),
            size,
            // On AArch64, no page becomes global in place, as none is cached otherwise
            prop: PageProperty { global: prop.global && !is_aarch64(regime), ..prop },
        }),
        1 => address().prop_map(|va| Op::Query { va }),
    ]
}

/// Up to a few pages; now and then what is not a multiple of a page, or nothing at all.
fn range_op(regime: Regime) -> impl Strategy<Value = Op> {
    let small = regime.span(1);
    let bytes = move || {
        (0u64..6, proptest::bool::weighted(0.1))
            .prop_map(move |(pages, odd)| pages * small + if odd { 8 } else { 0 })
    };
    let (size, address) = (move || size(regime), move || address(regime));
    prop_oneof![
        2 => (address(), bytes(), 0u64..4, 0u64..4, size(), prop(regime)).prop_map(move |(va, bytes, frame, page, largest, prop)| Op::MapRange {
            va,
            bytes,
            frame: frame * 0x4000_0000 + page * small,
            largest,
            prop,
        }),
        1 => (address(), bytes()).prop_map(|(va, bytes)| Op::UnmapRange { va, bytes }),
        // All of what a table of the lowest level covers
        1 => address().prop_map(move |va| Op::UnmapRange { va: va & !(regime.span(2) - 1), bytes: regime.span(2) }),
        1 => (address(), bytes(), prop(regime)).prop_map(move |(va, bytes, prop)| Op::ProtectRange {
            va,
            bytes,
            prop: PageProperty { global: prop.global && !is_aarch64(regime), ..prop },
        }),
    ]
}

/// Another size for the pages at an address that is a multiple of it.
fn resize(regime: Regime) -> impl Strategy<Value = Op> {
    (address(regime), size(regime), any::<bool>()).prop_map(|(va, size, split)| {
        let va = va & !(size.bytes() - 1);
        if split {
            Op::Split { va, size }
        } else {
            Op::Collapse { va, size }
        }
    })
}

fn sequences_are_what_their_model_says<A: PagingMode>(regime: Regime, cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let ops = proptest::collection::vec(op(regime), 1..40);
    proptest!(config, |(ops in ops, seed: u64)| {
        let machine = SoftMachine::new(SoftConfig {
            regime,
            caching: Caching::Seeded(seed),
            ..SoftConfig::default()
        });
        if let Err(failure) = check::<A, _>(&machine, &ops, &mut Counts::default()) {
            panic!("{failure}");
        }
    });
}

#[test]
fn any_sequence_of_operations_on_x86_64() {
    sequences_are_what_their_model_says::<X86_64>(Regime::X86_64 { levels: 4 }, 32);
}

#[test]
fn any_sequence_of_operations_on_extended_page_tables() {
    sequences_are_what_their_model_says::<Ept>(Regime::Ept, 16);
}

#[test]
fn any_sequence_of_operations_on_aarch64() {
    sequences_are_what_their_model_says::<AArch64Lower>(ARM_4K, 16);
    sequences_are_what_their_model_says::<AArch64Stage2>(ARM_STAGE_2, 16);
}

#[test]
fn any_sequence_of_operations_on_riscv() {
    sequences_are_what_their_model_says::<Sv39>(SV39, 16);
}
