//! The theorem.
//!
//! A page table of this crate lives in memory as 64-bit words. The processor walks them as its manual says
//! ([`walk`]): it starts at the root, knows nothing of our code, and may set accessed and dirty bits whenever it likes.
//! [`PageTable`]'s abstraction `table@` is an [`AddressSpace`]: a map from pages to frames with properties.

use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat};
use crate::arch::halves::{Halves, KernelHalf, UserHalf};
use crate::hw::memory::TableMemory;
use crate::hw::mmu::{Memory, reaches, walk};
use crate::spec::processors::proof::{lemma_apart, lemma_gone, lemma_said};
use crate::spec::processors::{Processors, Step, Translation, Use, is_run, was_quiet};
use crate::spec::space::{translation, translation_in_halves};
use crate::table::PageTable;
use vstd::prelude::*;

verus! {

/// **Walk is view.** Whatever memory holds besides the tables, and whichever accessed and dirty bits hardware has set
/// in them, for every 64-bit number taken as a virtual address the walk answers what the address space says: the
/// physical address, what may be done there, and how it is cached; a fault where nothing is mapped.
pub proof fn theorem_walk<M: TableMemory, A: PagingMode, B: AccessBits>(
    tracked table: &PageTable<M, A, B>,
    memory: Memory,
    va: u64,
)
    requires
        table.is_in(memory),
    ensures
        walk::<A>(memory, table.phys_bits(), table.root_table(), va) == translation::<A>(
            table@,
            va,
        ),
{
    table.lemma_walk(memory, va);
}

/// **No third answer.** The same holds after each single store of each operation, with the address space that
/// `history()` has for that moment. Operations on one page ensure [`steps_from`](PageTable::steps_from): it is the one
/// before the operation, but for accessed and dirty bits that hardware had set, or the one after. Operations on a range
/// ensure [`steps_through`](PageTable::steps_through): in it, each address is as before, but for such bits, or as after.
pub proof fn theorem_stores<M: TableMemory, A: PagingMode, B: AccessBits>(
    tracked table: &PageTable<M, A, B>,
    k: int,
    memory: Memory,
    va: u64,
)
    requires
        0 <= k < table.history().len(),
        table.was_in(k, memory),
    ensures
        walk::<A>(memory, table.phys_bits(), table.root_table(), va) == translation::<A>(
            table.history()[k],
            va,
        ),
{
    table.lemma_walk_after(k, memory, va);
}

/// **Break-before-make.** Where live entries may not be resized (AArch64, LoongArch64), no single store changes a live
/// translation: what is mapped before and after it, is so by the same page of the same frame, with the same cache policy, and has not
/// become global ([`keeps_live`](crate::spec::space::AddressSpace::keeps_live)). Whoever changes any of these meets a moment
/// at which nothing is mapped there. The last store's moment is now.
pub proof fn theorem_break_before_make<M: TableMemory, A: PagingMode, B: AccessBits>(
    tracked table: &PageTable<M, A, B>,
    k: int,
)
    requires
        0 <= k < table.history().len(),
    ensures
        !A::resizes() && k > 0 ==> table.history()[k - 1].keeps_live(table.history()[k]),
        k == table.history().len() - 1 ==> table.history()[k] == table@,
{
    table.lemma_live(k);
}

/// **What the kernel maps, all see.** Where a user table shares a kernel half
/// ([`shares`](PageTable::shares): so it does once [`sharing`](PageTable::sharing) made it, whatever is done to either, for
/// each operation ensures that [`fixed`](PageTable::fixed) stays), the processor's walk from the user table's root answers
/// in the lower half what the user table's address space says, in the upper half what the kernel half's does.
pub proof fn theorem_share<M: TableMemory, K: TableMemory, A: Halves, B: AccessBits, C: AccessBits>(
    tracked user: &PageTable<M, UserHalf<A>, B>,
    tracked kernel: &PageTable<K, KernelHalf<A>, C>,
    memory: Memory,
    va: u64,
)
    requires
        user.shares(*kernel),
        user.is_in(memory),
        kernel.is_in(memory),
    ensures
        walk::<A>(memory, user.phys_bits(), user.root_table(), va) == translation_in_halves::<A>(
            user@,
            kernel@,
            va,
        ),
{
    user.lemma_walk_shared(kernel, memory, va);
}

/// **Nothing lost.** The frames that a page table holds are exactly the tables that some walk reaches: none is lost,
/// also when memory runs out, and none that was given back, or waits in a [`Flush`](crate::Flush), can be reached.
pub proof fn theorem_frames<M: TableMemory, A: PagingMode, B: AccessBits>(
    tracked table: &PageTable<M, A, B>,
    memory: Memory,
    frame: PhysAddr,
)
    requires
        table.is_in(memory),
    ensures
        table.frames().contains(frame) <==> exists|va: int|
            0 <= va < A::geo().limit() && #[trigger] reaches::<A>(
                memory,
                table.phys_bits(),
                A::geo().levels as nat,
                table.root_table().0 as int,
                va,
                frame.0 as int,
            ),
{
    table.lemma_frames(memory, frame);
}

/// **What a processor may use.** On a machine whose TLBs load what the table in use says, and lose what they like, at any
/// moment, and hold it under the identifier in use: each translation that answers an access is one of the table in use, and
/// that table said it at a moment since which the processor neither invalidated the address, nor was away from the table with
/// the duty to invalidate before it comes back. So a root that lies where another table's lay, and an identifier that was
/// another table's, give no access to what that one mapped.
pub proof fn theorem_stale(
    run: Seq<Processors>,
    steps: Seq<Step>,
    n: int,
    cpu: nat,
    now: Use,
    t: Translation,
) -> (i: int)
    requires
        is_run(run, steps),
        0 <= n < run.len(),
        (run[n].using)(cpu) == Some(now),
        (run[n].holds)(cpu, now.id, t),
    ensures
        t.table == now.table,
        0 <= i <= n,
        run[i].backs(t),
        !was_quiet(run, steps, i, n, cpu, t.table, t.va),
{
    assert(run[n].serves(cpu, now.id, now.table));
    lemma_apart(run, steps, n);
    lemma_said(run, steps, n, cpu, t)
}

/// **Shot down is gone.** A translation that its table has not said since a moment, after which each processor invalidated
/// the address, or at some time neither used the table nor might go back to it without invalidating, is used by none: no TLB
/// holds it under the identifier in use, nor under one that its processor goes back to and keeps. It may lie under others
/// still, where no access meets it before it is invalidated. Such a moment comes before each
/// [`sync_tlb_flush`](crate::space::TlbFlusher::sync_tlb_flush) returns, and only thereafter frames and tables are released.
pub proof fn theorem_shootdown(
    run: Seq<Processors>,
    steps: Seq<Step>,
    since: int,
    n: int,
    t: Translation,
)
    requires
        is_run(run, steps),
        0 <= since <= n < run.len(),
        forall|i: int| since <= i <= n ==> !(#[trigger] run[i]).backs(t),
        forall|cpu: nat| #[trigger] was_quiet(run, steps, since, n, cpu, t.table, t.va),
    ensures
        forall|cpu: nat| !#[trigger] run[n].reaches(cpu, t),
{
    assert forall|cpu: nat| !#[trigger] run[n].reaches(cpu, t) by {
        assert(was_quiet(run, steps, since, n, cpu, t.table, t.va));
        lemma_gone(run, steps, since, n, cpu, t);
    }
}

/// **User memory.** Where user I/O reads or writes a byte at `va` ([`Access`](crate::hw::user::Access) with a root), the
/// processor does it by a translation that its TLB holds for the table in use, with the rights of a program
/// ([`permits`](Processors::permits)): that is what the machine promises. So the address space of this table mapped `va` to that
/// byte, for programs to read or write, at a moment since which the processor was not quiet of it: a shootdown that has ended
/// ([`theorem_shootdown`]) keeps user I/O from what was taken away, as it keeps programs. What the words of the tables were at
/// that moment is [`theorem_walk`].
pub proof fn theorem_user_access<A: EntryFormat>(
    run: Seq<Processors>,
    steps: Seq<Step>,
    n: int,
    cpu: nat,
    now: Use,
    write: bool,
    t: Translation,
) -> (i: int)
    requires
        is_run(run, steps),
        0 <= n < run.len(),
        run[n].permits::<A>(cpu, now, write, t),
    ensures
        0 <= i <= n,
        !was_quiet(run, steps, i, n, cpu, now.table, t.va),
        (run[i].spaces)(now.table).translate(t.va) matches Some((phys, prop)) && {
            &&& phys == t.to.0
            &&& if write {
                A::rights(prop).user.write
            } else {
                A::rights(prop).user.read
            }
        },
{
    theorem_stale(run, steps, n, cpu, now, t)
}

/// The theorems are about something: there is a memory that holds a page table, whatever is mapped in it.
pub proof fn theorem_memory<M: TableMemory, A: PagingMode, B: AccessBits>(
    tracked table: &PageTable<M, A, B>,
)
    ensures
        exists|memory: Memory| table.is_in(memory),
{
    table.lemma_memory();
}

} // verus!
