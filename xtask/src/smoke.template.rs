//! Not a module of this program: the assumptions, used. See `smoke.rs`.

use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::arch::aarch64::stage2::AArch64Stage2;
use crate::arch::aarch64::{AArch64Lower, Granule4K48};
use crate::arch::ept::Ept;
use crate::arch::riscv::Sv39;
use crate::arch::x86_64::X86_64;
use crate::frame::alloc::FrameAllocator;
use crate::frame::token::{FrameRight, SlotId};
use crate::frame::{FrameTable, UniqueFrame};
use crate::hw::frame::{FrameMeta, MetaCell, trust_given, trust_raw};
use crate::hw::memory::{Frames, TableMemory, TablePerm};
use crate::hw::mmu::{Memory, Mmu, Rights, walk};
use crate::hw::processor::{
    Moment, Quiet, flushed_everywhere, fresh_number, identifiers_here, invalidate_here, leave_here, notify, relax,
    switch_here, this_cpu, trust_kernel_table, trust_unused,
};
use crate::hw::{AtomicMode, MAX_CPUS, Processors};
use crate::flush::FlushRange;
use crate::prop::PageProperty;
use crate::table::PageTable;
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// Every function of `Frames`, in a row: the contracts that stand for the kernel's memory.
fn group_frames<M: TableMemory, A: PagingMode>(memory: M, current: u64, new: u64) {
    let geometry = A::geometry();
    let index = geometry.index(0, 1);
    let mut frames = Frames::new::<A>(memory);
    let bits = frames.address_bits();
    proof {
        A::lemma_zero(bits, 1);
        A::lemma_settled(bits, 1, 0);
        A::lemma_geometry();
        A::geo().lemma_span(1);
    }
    if let Some((table, perm)) = frames.alloc::<A>(Ghost(1nat)) {
        if let Some((other, spare)) = frames.alloc::<A>(Ghost(1nat)) {
            let tracked mut perm = perm.get();
            let before = frames.read::<A>(table, index, Tracked(&perm));
            frames.write::<A>(table, index, current, Tracked(&mut perm));
            let between = frames.read::<A>(table, index, Tracked(&perm));
            let exchanged = frames.compare_exchange::<A>(table, index, current, new, Tracked(&mut perm));
            let after = frames.read::<A>(table, index, Tracked(&perm));
            let tracked spare = spare.get().relevel::<A>(1);
            let mut apart = frames.detach(Ghost(Set::empty().insert(other)));
            let same = apart.address_bits();
            apart.free::<A>(other, Tracked(spare));
            frames.free::<A>(table, Tracked(perm));
            assert(frames.held() =~= Set::<PhysAddr>::empty());
            assert(CLAIM);
        }
    }
}

/// Metadata of a frame, from its room to its end, the right to the frame's memory, and a reference from an address.
fn group_metadata<M: FrameMeta, N: FrameMeta>(slot: Ghost<SlotId>, meta: M, other: N) {
    let (cell, Tracked(perm)) = MetaCell::new();
    let tracked mut right = FrameRight { memory: None, meta: perm };
    let Tracked(memory) = trust_given(Ghost(slot@.addr), Tracked(&right));
    proof {
        right.memory = Some(memory);
    }
    cell.put(Tracked(&mut right.meta), meta);
    let same = cell.get::<M>(Tracked(&right.meta));
    let is_one = cell.holds::<M>(Tracked(&right.meta));
    let is_other = cell.holds::<N>(Tracked(&right.meta));
    let untyped = cell.is_untyped(Tracked(&right.meta));
    cell.clear(Tracked(&mut right.meta));
    cell.put(Tracked(&mut right.meta), other);
    let tracked token = trust_raw::<M>(slot@);
    assert(CLAIM);
}

/// A frame with one owner, whose metadata is changed, and which is given back when it is dropped.
fn group_owner<'a, F: FrameAllocator, M: FrameMeta>(
    table: &'a FrameTable<'a, F>,
    addr: PhysAddr,
    meta: M,
    next: M,
) {
    if let Ok(mut owner) = UniqueFrame::from_unused(table, addr, meta) {
        *owner.meta_mut() = next;
        let shared = owner.into_shared();
        if let Ok(more) = shared.try_clone() {
            let raw = more.into_raw();
            assert(CLAIM);
        }
    }
}

/// A table that no processor uses, used by one, which invalidates a range, leaves the table, comes back and keeps what its TLB
/// holds, and leaves again.
fn group_processors<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
    root: PhysAddr,
    range: FlushRange<A>,
) {
    if let Some(cpu) = this_cpu(guard) {
        let (number, Tracked(fresh)) = fresh_number();
        let tracked mut aways = trust_unused(fresh, root);
        let tracked mut using = trust_kernel_table(cpu as nat);
        proof {
            assert(aways.contains_key(cpu as nat));
        }
        let tracked away = aways.tracked_remove(cpu as nat);
        let tracked since = Moment::now();
        let tracked told = since.tell();
        let id = identifiers_here::<A, G, P>(guard, machine);
        let Tracked(none) = switch_here::<A, G, P>(guard, machine, root, id, false, Tracked(&mut using), Tracked(away));
        let Tracked(quiet) = invalidate_here::<A, G, P>(guard, machine, root, range, Tracked(&told));
        let Tracked(back) = leave_here::<A, G, P>(guard, machine, Tracked(&mut using));
        let tracked away = back.tracked_unwrap();
        let Tracked(none) = switch_here::<A, G, P>(guard, machine, root, id, id > 0, Tracked(&mut using), Tracked(away));
        let Tracked(back) = leave_here::<A, G, P>(guard, machine, Tracked(&mut using));
        proof {
            let tracked mut away = back.tracked_unwrap();
            let tracked later = away.quiet::<A>(&since, range);
            let tracked same = quiet.tell();
        }
        notify::<A, P>(machine, 1);
        relax::<A, P>(machine);
        assert(CLAIM);
    }
}

/// Every processor was quiet.
proof fn group_flushed<A: PagingMode>(
    tracked since: &Moment,
    tracked quiet: &Map<nat, Quiet<A>>,
    root: PhysAddr,
    range: FlushRange<A>,
)
    requires
        forall|c: nat|
            c < MAX_CPUS ==> #[trigger] quiet.contains_key(c) && quiet[c].says(c, *since, root, range),
{
    let tracked flushed = flushed_everywhere(since, quiet, root, range);
    let tracked part = flushed.narrow(range);
    assert(CLAIM);
}

/// The names without a definition, of values from nowhere.
proof fn group_names<M: TableMemory>(p: TablePerm, q: TablePerm, f: Frames<M>, g: Frames<M>)
    requires
        p.addr() != q.addr() || p.level() != q.level() || p.words() != q.words(),
        p.words().len() == 512,
        f.held().contains(p.addr()),
        f.held() != g.held(),
        f.phys_bits() == 52,
        g.phys_bits() == 36,
{
    assert(p != q);
    assert(f != g);
    assert(CLAIM);
}

/// What a paging mode promises, for any mode: its own modules prove it for each.
proof fn group_modes<A: PagingMode>(word: u64, now: u64, prop: PageProperty)
    requires
        A::geo().wf(),
        48 <= A::frame_bits(),
        A::wf(48, 1, word),
        A::may_become(1, word, now),
        now != word,
        A::entry(1, word) is Page,
{
    A::lemma_page_size(1);
    A::lemma_wf(48, 1, word);
    A::lemma_zero(48, 1);
    A::lemma_step(48, 1, word, now);
    A::lemma_progress(1, word, now);
    A::lemma_supports(prop, true, true);
    assert(CLAIM);
}

/// The definitions of the x86_64 walk, on words of every kind.
proof fn group_walk(memory: Memory, va: u64, word: u64, now: u64)
    requires
        X86_64::canonical(va),
        X86_64::may_become(1, word, now),
        X86_64::step(48, 4, memory(0x1000)) is Table,
        X86_64::step(48, 1, word) is Page,
        !(walk::<X86_64>(memory, 48, PhysAddr(0x1000), va) is NonCanonical),
{
    assert(X86_64::step(48, 1, 0) is NotPresent) by {
        assert(0u64 & (1u64 << 0) == 0) by (bit_vector);
    }
    assert(Rights::all().and(Rights::all()) == Rights::all());
    assert(CLAIM);
}

/// The definitions of the other walks, on a page's and a table's word each.
proof fn group_walks(page: Seq<u64>, table: Seq<u64>, phys_bits: u64)
    requires
        phys_bits == 40,
        page.len() == 4,
        table.len() == 4,
        Ept::step(phys_bits, 1, page[0]) is Page,
        Ept::step(phys_bits, 2, table[0]) is Table,
        Sv39::step(phys_bits, 1, page[1]) is Page,
        Sv39::step(phys_bits, 2, table[1]) is Table,
        AArch64Lower::<Granule4K48>::step(phys_bits, 1, page[2]) is Page,
        AArch64Lower::<Granule4K48>::step(phys_bits, 2, table[2]) is Table,
        AArch64Stage2::<Granule4K48>::step(phys_bits, 1, page[3]) is Page,
        AArch64Stage2::<Granule4K48>::step(phys_bits, 2, table[3]) is Table,
{
    assert(page[0] == page[0]);
    assert(CLAIM);
}

/// The operations of a page table in a row: the contracts and invariants that follow from the assumptions.
fn group_operations<M: TableMemory, A: PagingMode, B: AccessBits>(memory: M, va: VirtAddr<A>, prop: PageProperty) {
    if let Ok(mut table) = PageTable::<M, A, B>::new(memory) {
        if let Ok(()) = table.map(va, PhysAddr(0x20_0000), PageSize::Size4K, prop) {
            if let Ok(found) = table.query(va) {
                if let Ok((before, changed)) = table.protect(va, PageSize::Size4K, prop) {
                    if let Ok((last, gone)) = table.unmap(va, PageSize::Size4K) {
                        assert(CLAIM);
                    }
                }
            }
        }
    }
}

/// What vstd assumes of the collections and of powers of two.
proof fn group_vstd(s: Seq<u64>, m: Map<int, u64>, i: IMap<int, u64>, t: Set<int>, k: int)
    requires
        s.len() == 3,
        m.contains_key(k),
        t.contains(k),
{
    vstd::arithmetic::power2::lemma_pow2_pos(12);
    vstd::arithmetic::power2::lemma2_to64();
    vstd::bits::lemma_u64_pow2_no_overflow(12);
    assert(s.update(1, 7)[1] == 7);
    assert(s.push(7).drop_last() =~= s);
    assert(Seq::new(3, |j: int| s[j]) =~= s);
    assert(m.insert(k, 7).remove(k) =~= m.remove(k));
    assert(m.insert(k, 7).dom() =~= m.dom());
    assert(i.insert(k, 7)[k] == 7);
    assert(t.insert(k) =~= t);
    assert(!t.remove(k).contains(k));
    assert(pow2(12) == 4096);
    assert(CLAIM);
}

} // verus!
