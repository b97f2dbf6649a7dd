//! Processors: which one runs, what its TLB may hold, and how others are reached.

use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use core::sync::atomic::{AtomicU64, Ordering};
use vstd::prelude::*;

mod evidence;

pub(crate) use evidence::{Away, Fresh, Moment, Quiet, Table, Using};
#[cfg(verus_only)]
pub(crate) use evidence::{flushed_everywhere, trust_kernel_table, trust_unused};

verus! {

/// How many processors a machine can have: they are counted from 0.
pub const MAX_CPUS: usize = 256;

/// A value that shows that the code stays on one processor, in atomic mode: it is not moved to another one, nor preempted,
/// as long as the value is borrowed. Kernels have such values: guards that keep preemption or interrupts off.
///
/// # Safety
/// [`cpu`](AtomicMode::cpu) is the number of the processor that runs the code, and stays so as long as the value is
/// borrowed. No two processors have the same number.
pub unsafe trait AtomicMode {
    /// The number of this processor.
    fn cpu(&self) -> usize;
}

/// The machine's processors, as their TLBs are told of what has changed.
///
/// All functions but [`notify`](Processors::notify) concern the processor that runs them, which is in atomic mode.
///
/// # Identifiers of address spaces
/// Processors may hold translations under identifiers (PCID on x86_64, ASID on AArch64, RISC-V and LoongArch64): an access is
/// answered only by what is held under the one in use. Then those of a table that is not in use may stay, and a processor that
/// comes back to it finds them. A machine that has identifiers says so by [`identifiers`](Processors::identifiers), and supplies
/// [`switch_as`](Processors::switch_as) and [`invalidate_for`](Processors::invalidate_for), too; for one that has none, or
/// leaves them unused, what these do by themselves is right. Identifiers are a processor's own: another one may use the same for
/// another table, so on AArch64 `TTBR0_EL1.CnP` is 0. They don't keep global translations apart: pages of user space are not
/// mapped as global.
///
/// On x86_64, with 0 as the kernel's own:
///
/// ```
/// use portolan::hw::Processors;
/// use portolan::{FlushRange, PhysAddr, X86_64};
/// # fn has_pcid() -> bool { true }
/// # fn read_cr3() -> u64 { 0 }
/// # fn write_cr3(_: u64) {}
/// # fn invpcid_all() {}
///
/// struct Machine;
///
/// // SAFETY: CR4.PCIDE is set if there are PCIDs, and no page of user space is global
/// unsafe impl Processors<X86_64> for Machine {
///     fn identifiers(&self) -> usize {
///         if has_pcid() { 4095 } else { 0 }
///     }
///     unsafe fn switch_as(&self, root: PhysAddr, id: usize, keep: bool) {
///         write_cr3(root.as_u64() | id as u64 | u64::from(keep) << 63);
///     }
///     fn invalidate_for(&self, root: PhysAddr, range: FlushRange<X86_64>) {
///         if read_cr3() & 0xf_ffff_ffff_f000 == root.as_u64() {
///             self.invalidate(range);
///         } else {
///             invpcid_all();
///         }
///     }
///     // the others as without
/// #   fn invalidate(&self, _: FlushRange<X86_64>) {}
/// #   unsafe fn switch(&self, root: PhysAddr) { write_cr3(root.as_u64()) }
/// #   fn leave(&self) { write_cr3(0x1000) }
/// #   fn notify(&self, _: usize) {}
/// #   fn relax(&self) {}
/// }
/// ```
///
/// # Safety
/// Each function does what it says, and none unwinds. What a processor stores before it calls `notify` for another one, or
/// before it writes a word atomically, that one sees in what it does thereupon (the order of x86_64; elsewhere with the
/// barriers that the architecture's manual demands before an invalidation).
pub unsafe trait Processors<A: PagingMode> {
    /// Invalidates in this processor's TLB all translations that serve an address of `range`, and, if [tables wait to be
    /// given back](FlushRange::frees_tables), all cached entries of upper tables for one. Global translations too.
    fn invalidate(&self, range: FlushRange<A>);

    /// Makes this processor use the table at `root`. When it returns, the TLB holds no translation of the table that was
    /// used before, nor cached entries of its upper tables, except global ones of a kernel's half.
    ///
    /// # Safety
    /// There is a table at `root`, and it stays there until another one is used.
    unsafe fn switch(&self, root: PhysAddr);

    /// Makes this processor use a table of the kernel's own, which maps nothing for user space. When it returns, no access is
    /// answered by what the TLB holds of the table used before: it holds nothing of it, as for [`switch`](Processors::switch),
    /// or, with [`identifiers`](Processors::identifiers), the kernel's table has one of its own, as 0.
    fn leave(&self);

    /// How many identifiers this processor has for tables of user space: they are counted from 1. Always the same number. If
    /// it is 0, [`switch`](Processors::switch) is called, and otherwise [`switch_as`](Processors::switch_as).
    fn identifiers(&self) -> usize {
        0
    }

    /// Makes this processor use the table at `root` under the identifier `id`. From then on the TLB holds what it loads under
    /// that one, and what it held under others stays there, answering no access.
    ///
    /// If `keep`, what it holds under `id` is of this table, and may stay. If not, it is invalidated, translations and cached
    /// entries of upper tables, before an access is answered by it, also one that the processor makes ahead of time:
    /// - x86_64: `MOV` to `CR3` with the PCID in bits 11:0 and `keep` in bit 63 (Intel SDM vol. 3, 5.10.1 and 5.10.4.1);
    /// - AArch64: unless `keep`, `TLBI ASIDE1`, `DSB NSH`; then the root and the ASID into `TTBR0_EL1` by one `MSR`, `ISB` (Arm
    ///   ARM, D8.16 and D8.17);
    /// - RISC-V: unless `keep`, `SFENCE.VMA` with `x0` and the ASID; then the root and the ASID into `satp` by one `CSRW`
    ///   (privileged specification, "Supervisor Memory-Management Fence Instruction");
    /// - LoongArch64: unless `keep`, `INVTLB` 4 with the ASID (LoongArch Reference Manual, Volume 1, 4.2.4); then `CSR.ASID` and
    ///   `CSR.PGDL`, from a place that user space's addresses play no part in.
    ///
    /// # Safety
    /// As for [`switch`](Processors::switch). `id` is from 1 to [`identifiers`](Processors::identifiers). If `keep`, all that the
    /// TLB holds under `id` may be used of the table at `root`.
    unsafe fn switch_as(&self, root: PhysAddr, id: usize, keep: bool) {
        let _ = (id, keep);
        // SAFETY: the caller promises it
        unsafe { self.switch(root) }
    }

    /// Does what [`invalidate`](Processors::invalidate) does, to what the TLB holds of the table at `root`, under whichever
    /// identifier. This is what is called.
    ///
    /// If the processor uses the table at `root`, that is what it holds under the identifier in use. If it uses another one, by
    /// now, it is what it holds under all others than that: on x86_64 `INVPCID` of type 3, for all identifiers (Intel SDM
    /// vol. 3, 5.10.4.1); elsewhere by address, if instructions have a form for all identifiers, as `TLBI VAAE1` and `SFENCE.VMA`
    /// with an address and `x0`. That is rare.
    fn invalidate_for(&self, root: PhysAddr, range: FlushRange<A>) {
        let _ = root;
        self.invalidate(range);
    }

    /// Makes the processor `cpu` call `Shootdown::handle` soon: by an interrupt, which it
    /// takes at the latest when it leaves atomic mode.
    fn notify(&self, cpu: usize);

    /// Called again and again while this processor waits for another one: on x86_64 `PAUSE`.
    fn relax(&self);
}

/// A number for a table that is about to be used.
/// Trusted because each is given once: there are enough for a new one each nanosecond for centuries.
///
/// Exercised by `space_ids::a_root_that_lies_where_another_lay_is_flushed`.
#[verifier::external_body]
#[inline]
pub(crate) fn fresh_number() -> (r: (u64, Tracked<Fresh>))
    ensures
        r.0 > 0,
        r.1@.number() == r.0,
    opens_invariants none
    no_unwind
{
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    (number, Tracked(Fresh { _private: core::marker::PhantomData }))
}

/// The processor that a value in atomic mode is for.
pub uninterp spec fn cpu_of<G>(guard: &G) -> nat;

/// The number of this processor, or `None` if it is too large.
/// Trusted because the guard promises it ([`AtomicMode`]).
///
/// Exercised by `space::a_processor_that_there_is_not_is_refused`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn this_cpu<G: AtomicMode>(guard: &G) -> (r: Option<usize>)
    ensures
        r matches Some(cpu) ==> cpu == cpu_of(guard) && cpu < MAX_CPUS,
    opens_invariants none
    no_unwind
{
    let cpu = guard.cpu();
    if cpu < MAX_CPUS {
        Some(cpu)
    } else {
        None
    }
}

/// How many identifiers a processor has.
pub uninterp spec fn identifiers_of<P>(machine: &P, cpu: nat) -> nat;

/// How many identifiers this processor has.
/// Trusted because the machine promises that it is always the same number ([`Processors`]).
///
/// Exercised by `space_ids::identifiers_are_those_that_the_processor_has`.
#[verifier::external_body]
#[inline]
pub(crate) fn identifiers_here<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
) -> (r: usize)
    ensures
        r == identifiers_of(machine, cpu_of(guard)),
    opens_invariants none
    no_unwind
{
    let _ = guard;
    machine.identifiers()
}

/// Invalidates in this processor's TLB what it holds of the table at `root`.
/// Trusted because the machine promises it ([`Processors`]).
///
/// Exercised by `space::a_stale_translation_is_gone_after_sync`.
#[verifier::external_body]
#[inline]
pub(crate) fn invalidate_here<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
    root: PhysAddr,
    range: FlushRange<A>,
    Tracked(since): Tracked<&Moment>,
) -> (r: Tracked<Quiet<A>>)
    ensures
        r@.cpu() == cpu_of(guard),
        r@.since() == *since,
        r@.root() == root,
        r@.range() == range,
    opens_invariants none
    no_unwind
{
    let _ = guard;
    machine.invalidate_for(root, range);
    Tracked(Quiet { _private: core::marker::PhantomData })
}

/// Makes this processor use the table at `root`; the one used before is used no more. Under the identifier `id`, or under none
/// if that is 0; if `keep`, the TLB keeps what it holds under it.
/// Trusted because the machine promises it ([`Processors`]). What it may keep it has loaded from this very table (`holds`), and
/// whoever took something away there since then has either found the processor among those who use the table, and had it
/// invalidated, or has taken from it the right to keep anything (`returns`).
///
/// Exercised by `space_ids::translations_survive_a_switch_and_back`.
#[verifier::external_body]
#[inline]
pub(crate) fn switch_here<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
    root: PhysAddr,
    id: usize,
    keep: bool,
    Tracked(using): Tracked<&mut Using>,
    Tracked(away): Tracked<Away>,
) -> (r: Tracked<Option<Away>>)
    requires
        old(using).cpu() == cpu_of(guard),
        away.cpu() == cpu_of(guard),
        away.table().root == root,
        id <= identifiers_of(machine, cpu_of(guard)),
        id == 0 ==> !keep,
        keep ==> away.returns() && old(using).holds(id as nat) == Some(away.table().number),
    ensures
        final(using).enters(*old(using), away.table(), id as nat, keep),
        old(using).leaves(r@),
    opens_invariants none
    no_unwind
{
    let _ = guard;
    if id == 0 {
        // SAFETY: that it is away shows that there is a table, whose owner keeps it while it is in use
        unsafe { machine.switch(root) };
    } else {
        // SAFETY: the same; there is such an identifier, and what it is kept for is this table, from which nothing was taken
        // since it was left
        unsafe { machine.switch_as(root, id, keep) };
    }
    Tracked(None)
}

/// Makes this processor use a table of the kernel's own; the one used before is used no more.
/// Trusted because the machine promises it ([`Processors`]).
///
/// Exercised by `space::a_processor_that_left_is_not_asked`.
#[verifier::external_body]
#[inline]
pub(crate) fn leave_here<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
    Tracked(using): Tracked<&mut Using>,
) -> (r: Tracked<Option<Away>>)
    requires
        old(using).cpu() == cpu_of(guard),
    ensures
        final(using).cpu() == old(using).cpu(),
        final(using).table() is None,
        forall|id: nat| #[trigger] final(using).holds(id) == old(using).holds(id),
        old(using).leaves(r@),
    opens_invariants none
    no_unwind
{
    let _ = guard;
    machine.leave();
    Tracked(None)
}

/// Makes another processor handle what it is asked.
/// Trusted because nothing is promised of it: who isn't reached doesn't answer.
///
/// Exercised by `space::a_stale_translation_is_gone_after_sync`.
#[verifier::external_body]
#[inline]
pub(crate) fn notify<A: PagingMode, P: Processors<A>>(machine: &P, cpu: usize)
    opens_invariants none
    no_unwind
{
    machine.notify(cpu);
}

/// Waits a little.
/// Trusted because nothing is promised of it.
///
/// Exercised by `space::cursors_on_the_same_range_wait_for_each_other`.
#[verifier::external_body]
#[inline]
pub(crate) fn relax<A: PagingMode, P: Processors<A>>(machine: &P)
    opens_invariants none
    no_unwind
{
    machine.relax();
}

} // verus!

/// The number of the next table.
static NEXT: AtomicU64 = AtomicU64::new(1);
