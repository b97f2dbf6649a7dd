//! Processors: which one runs, what its TLB may hold, and how others are reached.

use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
#[cfg(verus_only)]
use crate::hw::memory::Flushed;
use vstd::prelude::*;

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
    /// With identifiers of address spaces (PCID, ASID) those of the table used before may stay, if they are
    /// invalidated before that identifier is used the next time, whoever's it will be then.
    ///
    /// # Safety
    /// There is a table at `root`, and it stays there until another one is used.
    unsafe fn switch(&self, root: PhysAddr);

    /// Makes this processor use a table of the kernel's own, which maps nothing for user space. When it returns, the TLB
    /// holds nothing of the table used before, as for [`switch`](Processors::switch).
    fn leave(&self);

    /// Makes the processor `cpu` call `Shootdown::handle` soon: by an interrupt, which it
    /// takes at the latest when it leaves atomic mode.
    fn notify(&self, cpu: usize);

    /// Called again and again while this processor waits for another one: on x86_64 `PAUSE`.
    fn relax(&self);
}

/// A moment: what comes after it in the code of the processor that noted it, or of one that learned of it from there,
/// comes later.
#[verifier::external_body]
pub(crate) tracked struct Moment {
    _private: core::marker::PhantomData<()>,
}

/// That a processor's TLB, at some time after a moment, held no translation of the table at a root for a range, nor cached
/// entries of its upper tables if the range says so.
#[verifier::external_body]
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Quiet<A: PagingMode> {
    _private: core::marker::PhantomData<A>,
}

/// That a processor doesn't use the table at a root, and that its TLB holds nothing of it. There is one for each processor
/// and root, and none while the processor uses the table.
#[verifier::external_body]
pub(crate) tracked struct Away {
    _private: core::marker::PhantomData<()>,
}

/// Which table a processor uses. There is one for each processor.
#[verifier::external_body]
pub(crate) tracked struct Using {
    _private: core::marker::PhantomData<()>,
}

impl Moment {
    /// Which one.
    pub uninterp spec fn id(&self) -> int;

    /// Now.
    /// Trusted because it says nothing: what is known later is said of the moment by those who are given it.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn now() -> (tracked r: Self) {
        unimplemented!()
    }

    /// The same moment, for somebody else to know of.
    /// Trusted because that a moment has passed stays true.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn tell(tracked &self) -> (tracked r: Self)
        ensures
            r == *self,
    {
        unimplemented!()
    }
}

impl<A: PagingMode> Quiet<A> {
    /// Which processor.
    pub uninterp spec fn cpu(&self) -> nat;

    /// After which moment.
    pub uninterp spec fn since(&self) -> Moment;

    /// For which table: `None` for every one.
    pub uninterp spec fn root(&self) -> Option<PhysAddr>;

    /// For which range.
    pub uninterp spec fn range(&self) -> FlushRange<A>;

    /// Whether it says that `cpu` was quiet after `since`, for `range` of the table at `root`.
    pub(crate) open spec fn says(
        self,
        cpu: nat,
        since: Moment,
        root: PhysAddr,
        range: FlushRange<A>,
    ) -> bool {
        &&& self.cpu() == cpu
        &&& self.since() == since
        &&& self.root() is None || self.root() == Some(root)
        &&& self.range().covers(range)
    }

    /// The same, for somebody else to know of.
    /// Trusted because that a processor was quiet once after a moment stays true.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn tell(tracked &self) -> (tracked r: Self)
        ensures
            r == *self,
    {
        unimplemented!()
    }
}

impl Away {
    /// Which processor.
    pub uninterp spec fn cpu(&self) -> nat;

    /// Which table.
    pub uninterp spec fn root(&self) -> PhysAddr;

    /// A processor that doesn't use the table, after a moment that has passed, is quiet after it.
    /// Trusted because the TLB holds nothing of the table now, and now is after the moment.
    ///
    /// Exercised by `space::a_processor_that_left_is_not_asked`.
    #[verifier::external_body]
    pub(crate) proof fn quiet<A: PagingMode>(
        tracked &self,
        tracked since: &Moment,
        range: FlushRange<A>,
    ) -> (tracked r: Quiet<A>)
        ensures
            r.cpu() == self.cpu(),
            r.since() == *since,
            r.root() == Some(self.root()),
            r.range() == range,
    {
        unimplemented!()
    }
}

impl Using {
    /// Which processor.
    pub uninterp spec fn cpu(&self) -> nat;

    /// Which table: `None` for one of the kernel's own.
    pub uninterp spec fn root(&self) -> Option<PhysAddr>;
}

/// What each processor is to the table at `root`: none uses it.
/// Trusted because only `ActiveSet::new` calls it, for a table that has just been made, whose root was nobody's.
///
/// Exercised by `space::a_processor_that_left_is_not_asked`.
#[verifier::external_body]
pub(crate) proof fn trust_unused(root: PhysAddr) -> (tracked r: Map<nat, Away>)
    ensures
        forall|c: nat|
            c < MAX_CPUS ==> #[trigger] r.contains_key(c) && r[c].cpu() == c && r[c].root() == root,
{
    unimplemented!()
}

/// What this processor uses: a table of the kernel's own.
/// Trusted because only `Cpu::new` calls it, whose caller promises by `unsafe` that it is called once for each processor, when
/// it uses such a table.
///
/// Exercised by `space::a_processor_that_left_is_not_asked`.
#[verifier::external_body]
pub(crate) proof fn trust_kernel_table(cpu: nat) -> (tracked r: Using)
    ensures
        r.cpu() == cpu,
        r.root() is None,
{
    unimplemented!()
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

/// Invalidates in this processor's TLB.
/// Trusted because the machine promises it ([`Processors`]).
///
/// Exercised by `space::a_stale_translation_is_gone_after_sync`.
#[verifier::external_body]
#[inline]
pub(crate) fn invalidate_here<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
    range: FlushRange<A>,
    Tracked(since): Tracked<&Moment>,
) -> (r: Tracked<Quiet<A>>)
    ensures
        r@.cpu() == cpu_of(guard),
        r@.since() == *since,
        r@.root() is None,
        r@.range() == range,
    opens_invariants none
    no_unwind
{
    let _ = guard;
    machine.invalidate(range);
    Tracked(Quiet { _private: core::marker::PhantomData })
}

/// Makes this processor use the table at `root`; the one used before is used no more.
/// Trusted because the machine promises it ([`Processors`]).
///
/// Exercised by `space::a_processor_that_left_is_not_asked`.
#[verifier::external_body]
#[inline]
pub(crate) fn switch_here<A: PagingMode, G: AtomicMode, P: Processors<A>>(
    guard: &G,
    machine: &P,
    root: PhysAddr,
    Tracked(using): Tracked<&mut Using>,
    Tracked(away): Tracked<Away>,
) -> (r: Tracked<Option<Away>>)
    requires
        old(using).cpu() == cpu_of(guard),
        away.cpu() == cpu_of(guard),
        away.root() == root,
    ensures
        final(using).cpu() == old(using).cpu(),
        final(using).root() == Some(root),
        r@ is Some == old(using).root() is Some,
        r@ matches Some(away) ==> away.cpu() == old(using).cpu() && Some(away.root()) == old(
            using,
        ).root(),
    opens_invariants none
    no_unwind
{
    let _ = guard;
    // SAFETY: that it is away shows that there is a table, whose owner keeps it while it is in use
    unsafe { machine.switch(root) };
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
        final(using).root() is None,
        r@ is Some == old(using).root() is Some,
        r@ matches Some(away) ==> away.cpu() == old(using).cpu() && Some(away.root()) == old(
            using,
        ).root(),
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

/// Once every processor has been quiet after a moment, a range is flushed.
/// Trusted because that is what it means: after the moment at which each was quiet, its TLB holds what the table has said
/// since then.
///
/// Exercised by `space::a_stale_translation_is_gone_after_sync`.
#[verifier::external_body]
pub(crate) proof fn flushed_everywhere<A: PagingMode>(
    tracked since: &Moment,
    tracked quiet: &Map<nat, Quiet<A>>,
    root: PhysAddr,
    range: FlushRange<A>,
) -> (tracked r: Flushed<A>)
    requires
        forall|c: nat|
            c < MAX_CPUS ==> #[trigger] quiet.contains_key(c) && quiet[c].says(
                c,
                *since,
                root,
                range,
            ),
    ensures
        r.range() == range,
{
    unimplemented!()
}

} // verus!
