//! Kernel halves that user tables share: after each operation on any of them, the walk from every user's root finds what
//! the tables say.

use portolan::arch::halves::Halves;
use portolan::{
    FlushRange, Invalidate, KernelHalf, PageProperty, PageSize, PageTable, PagingMode, PhysAddr,
    Sv39, Sv48, Sv57, UserHalf, VirtAddr, X86_64, X86_64La57,
};
use portolan_machine::Memory;
use portolan_machine::walk::{Regime, Walk, walk};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

const PHYS_BITS: u8 = 40;
const SIZES: [PageSize; 3] = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];

/// No processor keeps anything.
struct NoTlb;

// SAFETY: no processor uses the tables
unsafe impl<A: PagingMode> Invalidate<A> for NoTlb {
    fn invalidate(&self, _: FlushRange<A>) {}
}

/// Where the tables say that `va` is.
fn said<A: PagingMode>(table: &PageTable<Memory, A>, va: u64) -> Option<u64> {
    let found = table.query(VirtAddr::new(va).unwrap()).ok()?;
    Some(found.frame.as_u64() + va % found.size.bytes())
}

/// Maps or unmaps a page at `va`; errors change nothing.
fn change<A: PagingMode>(table: &mut PageTable<Memory, A>, va: u64, pick: u64) {
    let size = SIZES[(pick >> 8) as usize % SIZES.len()];
    let va = VirtAddr::new(va).unwrap().align_down(size);
    if pick & 1 == 0 {
        let frame = PhysAddr::new(((pick >> 16) % 512) << 30);
        let _ = table.map(va, frame, size, PageProperty::KERNEL_RW);
    } else if let Ok((_, flush)) = table.unmap(va, size) {
        flush.pay(&NoTlb);
    }
}

fn run<A: Halves>(regime: Regime) {
    let memory = Memory::sparse(PHYS_BITS);
    let mut kernel = PageTable::<_, KernelHalf<A>>::new(memory.clone()).unwrap();
    let mut users: Vec<PageTable<_, UserHalf<A>>> = Vec::new();
    let ends: Vec<_> = regime.ranges();
    let places = |n: usize| {
        let (first, last) = (*ends[n].start(), *ends[n].end() & !0xfff);
        let middle = (first + (last - first) / 2 + 1) & !0xfff;
        [
            first,
            first + 0x1000,
            first + 0x20_0000,
            middle - 0x1000,
            middle,
            last,
        ]
    };
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for step in 0..200 {
        let pick = rng.next_u64();
        let at = (pick >> 32) as usize;
        match pick >> 60 {
            0 if users.len() < 3 => {
                users.push(PageTable::sharing(memory.clone(), &kernel).unwrap());
            }
            1 if !users.is_empty() && step % 4 == 0 => drop(users.remove(at % users.len())),
            2..9 if !users.is_empty() => {
                let n = at % users.len();
                change(&mut users[n], places(0)[at % 6], pick);
            }
            _ => change(&mut kernel, places(1)[at % 6], pick),
        }
        for user in &users {
            let found = |va| {
                let read = |addr| Some(memory.load(PhysAddr::new(addr)));
                match walk(regime, PHYS_BITS, user.root().as_u64(), va, read) {
                    Walk::Page { phys, .. } => Some(phys),
                    Walk::Absent { .. } => None,
                    other => panic!("{va:#x}: {other:?}"),
                }
            };
            for va in places(0) {
                assert_eq!(found(va), said(user, va), "{va:#x} after step {step}");
            }
            for va in places(1) {
                assert_eq!(found(va), said(&kernel, va), "{va:#x} after step {step}");
            }
        }
    }
    drop(users);
    // SAFETY: no processor uses a table
    unsafe { kernel.destroy() };
    assert_eq!(memory.frames_held(), 0);
}

#[test]
fn walks_from_every_users_root_find_both_halves() {
    run::<X86_64>(Regime::X86_64 { levels: 4 });
    run::<X86_64La57>(Regime::X86_64 { levels: 5 });
    run::<Sv39>(Regime::Riscv { levels: 3 });
    run::<Sv48>(Regime::Riscv { levels: 4 });
    run::<Sv57>(Regime::Riscv { levels: 5 });
}
