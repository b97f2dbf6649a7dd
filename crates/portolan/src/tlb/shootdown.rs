//! The protocol of a shootdown.

use super::account::Account;
#[cfg(verus_only)]
use super::account::Request;
use super::active::ActiveSet;
use super::bits::{WORDS, lowest};
#[cfg(verus_only)]
use super::bits::{cpu_at, lemma_clear};
use super::cpus::CpuSet;
#[cfg(verus_only)]
use super::letter::{AskId, Reply, Round, is_share};
use super::letter::{Letter, Order, SlotId};
#[cfg(verus_only)]
use super::queue::{Idle, Sent};
use super::slot::{CpuSlot, Inbox};
use super::sync::Ticket;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
#[cfg(verus_only)]
use crate::hw::processor::cpu_of;
use crate::hw::processor::{Moment, invalidate_here, notify, this_cpu};
use crate::hw::{AtomicMode, MAX_CPUS, Processors};
use vstd::prelude::*;
use vstd::resource::frac_opt::Frac;

verus! {

/// Why a shootdown was refused. Nobody has been told of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShootdownError {
    /// There is no slot for a processor: for this one, or for one that uses the table.
    NoSuchCpu {
        /// Which one.
        cpu: usize,
    },
    /// This processor is in the middle of another one, which an interrupt handler has to leave alone; or a ticket of this
    /// processor's last one is being waited for elsewhere, and the next try may succeed.
    Busy {
        /// Which processor.
        cpu: usize,
    },
}

/// The processors of a machine, as they tell each other what to invalidate.
///
/// A kernel makes one, of an array with a slot for each processor, and keeps it in a static. It is used in atomic mode;
/// [`handle`](Shootdown::handle) is for interrupt handlers too, at any time, whatever the processor is in the middle of.
///
/// ```
/// use portolan::hw::{AtomicMode, Processors};
/// use portolan::tlb::{CpuSlot, Shootdown};
/// use portolan::{Advice, FlushRange, PhysAddr, X86_64};
/// # struct Lapic;
/// # impl Lapic { fn id() -> usize { 0 } fn send(_: usize, _: u8) {} }
/// # fn invlpg(_: u64) {}
/// # fn flush_all() {}
/// # fn write_cr3(_: u64) {}
///
/// /// Interrupts are off as long as there is one.
/// struct InterruptsOff;
///
/// // SAFETY: what runs with interrupts off is not moved
/// unsafe impl AtomicMode for InterruptsOff {
///     fn cpu(&self) -> usize {
///         Lapic::id()
///     }
/// }
///
/// struct Machine;
///
/// // SAFETY: no identifiers of address spaces are in use, and no page is global
/// unsafe impl Processors<X86_64> for Machine {
///     fn invalidate(&self, range: FlushRange<X86_64>) {
///         match range.advice(33) {
///             Advice::Pages { first, count, size } => {
///                 (0..count).for_each(|n| invlpg(first.as_u64() + n * size.bytes()));
///             }
///             Advice::All => flush_all(),
///         }
///     }
///     unsafe fn switch(&self, root: PhysAddr) {
///         write_cr3(root.as_u64());
///     }
///     fn leave(&self) {
///         write_cr3(0x1000);
///     }
///     fn notify(&self, cpu: usize) {
///         Lapic::send(cpu, 0xfd);
///     }
///     fn relax(&self) {
///         core::hint::spin_loop();
///     }
/// }
///
/// let mut slots: [CpuSlot<X86_64>; 4] = [const { CpuSlot::new() }; 4];
/// let shootdown = Shootdown::new(&mut slots);
/// assert_eq!(shootdown.cpus(), 4);
///
/// // in the handler of interrupt 0xfd
/// shootdown.handle(&InterruptsOff, &Machine);
/// ```
#[verifier::reject_recursive_types(A)]
pub struct Shootdown<'a, A: PagingMode> {
    slots: &'a [CpuSlot<A>],
    count: usize,
    ids: Ghost<Seq<SlotId>>,
}

impl<'a, A: PagingMode> Shootdown<'a, A> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.count <= MAX_CPUS
        &&& self.count <= self.slots@.len()
        &&& self.ids@.len() == self.count
        &&& forall|c: int| 0 <= c < self.count ==> self.is_set_up(#[trigger] self.slots@[c], c)
    }

    /// Whether `slot` is that of the processor `cpu`.
    spec fn is_set_up(self, slot: CpuSlot<A>, cpu: int) -> bool {
        &&& slot.outbox.inv()
        &&& slot.outbox.id() == self.ids@[cpu]
        &&& slot.inbox.inv()
        &&& slot.inbox.slots() == self.ids@
    }

    /// How many processors.
    pub closed spec fn len(self) -> nat {
        self.count as nat
    }

    /// The processors from 0 on, one for each slot; of slots past [`MAX_CPUS`] none.
    #[must_use]
    pub fn new(slots: &'a mut [CpuSlot<A>]) -> (r: Self)
        ensures
            r.len() <= MAX_CPUS,
            r.len() <= old(slots)@.len(),
    {
        let count = if slots.len() < MAX_CPUS {
            slots.len()
        } else {
            MAX_CPUS
        };
        let ghost mut ids = Seq::<SlotId>::empty();
        let mut c = 0;
        while c < count
            invariant
                c <= count <= slots@.len(),
                slots@.len() == old(slots)@.len(),
                ids.len() == c,
                forall|i: int|
                    0 <= i < c ==> (#[trigger] slots@[i]).outbox.inv() && slots@[i].outbox.id()
                        == ids[i],
            decreases count - c,
        {
            slots[c] = CpuSlot::idle();
            proof {
                ids = ids.push(slots@[c as int].outbox.id());
            }
            c += 1;
        }
        c = 0;
        while c < count
            invariant
                c <= count <= slots@.len(),
                slots@.len() == old(slots)@.len(),
                ids.len() == count,
                forall|i: int|
                    0 <= i < count ==> (#[trigger] slots@[i]).outbox.inv() && slots@[i].outbox.id()
                        == ids[i],
                forall|i: int|
                    0 <= i < c ==> (#[trigger] slots@[i]).inbox.inv() && slots@[i].inbox.slots()
                        == ids,
            decreases count - c,
        {
            slots[c].inbox = Inbox::new(Ghost(ids));
            c += 1;
        }
        Shootdown { slots, count, ids: Ghost(ids) }
    }

    /// How many processors there are.
    #[inline]
    #[must_use]
    pub fn cpus(&self) -> (r: usize)
        ensures
            r == self.len(),
    {
        self.count
    }

    /// This processor, if it has a slot.
    fn this<G: AtomicMode>(&self, guard: &G) -> (r: Option<usize>)
        ensures
            r matches Some(cpu) ==> cpu == cpu_of(guard) && cpu < self.len(),
    {
        match this_cpu(guard) {
            Some(cpu) if cpu < self.count => Some(cpu),
            _ => None,
        }
    }

    /// Answers what other processors ask of this one: invalidates what they say, and tells them.
    ///
    /// For the interrupt by which processors [notify](Processors::notify) each other, and for loops in which a processor
    /// waits with interrupts off for something that another one does.
    pub fn handle<G: AtomicMode, P: Processors<A>>(&self, guard: &G, machine: &P) {
        let Some(cpu) = self.this(guard) else {
            return;
        };
        let mut w = 0;
        while w < WORDS
            invariant
                cpu == cpu_of(guard),
                cpu < self.len(),
            decreases WORDS - w,
        {
            self.handle_word(guard, machine, cpu, w);
            w += 1;
        }
    }

    /// Answers what the processors from `64 * w` on ask.
    fn handle_word<G: AtomicMode, P: Processors<A>>(
        &self,
        guard: &G,
        machine: &P,
        cpu: usize,
        w: usize,
    )
        requires
            cpu == cpu_of(guard),
            cpu < self.len(),
            w < WORDS,
    {
        proof {
            use_type_invariant(self);
        }
        let (word, Tracked(shares)) = self.slots[cpu].inbox.take(w);
        let ghost id = AskId { slots: self.ids@, w: w as int };
        let mut left = word;
        while left != 0
            invariant
                self.inv(),
                cpu == cpu_of(guard),
                cpu < self.len(),
                id == (AskId { slots: self.ids@, w: w as int }),
                id.keeps(left, shares),
            decreases left,
        {
            let i = lowest(left);
            let by = w * 64 + i as usize;
            proof {
                lemma_clear(left, i as u64);
                assert(id.has_share(shares, cpu_at(w as int, i as u64)));
            }
            let tracked share = shares.tracked_remove(by as nat);
            self.handle_one(guard, machine, cpu, by, Tracked(share));
            left &= !(1u64 << (i as u64));
        }
    }

    /// Answers what the processor `by` asks.
    fn handle_one<G: AtomicMode, P: Processors<A>>(
        &self,
        guard: &G,
        machine: &P,
        cpu: usize,
        by: usize,
        Tracked(share): Tracked<Frac<Letter<A>>>,
    )
        requires
            cpu == cpu_of(guard),
            cpu < self.len(),
            by < self.len(),
            is_share(share, self.slot_id(by as int)),
    {
        proof {
            use_type_invariant(self);
        }
        let outbox = &self.slots[by].outbox;
        let order = outbox.read(Tracked(&share));
        let Tracked(quiet) = invalidate_here(
            guard,
            machine,
            order.root,
            order.range,
            Tracked(&share.borrow().since),
        );
        outbox.answer(cpu, Tracked(Reply { share, quiet }));
    }

    /// Which slot the processor `cpu` has.
    spec fn slot_id(self, cpu: int) -> SlotId {
        self.ids@[cpu]
    }

    /// Asks all processors that use a table to invalidate a range. This processor, if it is one of them, has done so when
    /// the function returns; [`sync`](Shootdown::sync) waits for the others. If an earlier request of this processor is
    /// still on its way, waits for the answers to that first. Not for interrupt handlers.
    ///
    /// The moment from which on they have to be quiet is noted first; it is not before `stored`, which is after the stores.
    pub(crate) fn dispatch<'s, G: AtomicMode, P: Processors<A>>(
        &'s self,
        guard: &G,
        machine: &P,
        active: &ActiveSet,
        range: FlushRange<A>,
        Tracked(stored): Tracked<Moment>,
    ) -> (r: Result<Ticket<'s, A>, ShootdownError>)
        ensures
            r matches Ok(ticket) ==> {
                &&& ticket.range() == range
                &&& ticket.root() == active.root()
                &&& ticket.since() >= stored.time()
            },
    {
        let Some(cpu) = self.this(guard) else {
            return Err(ShootdownError::NoSuchCpu { cpu: guard.cpu() });
        };
        let tracked since = stored.after();
        let (mut targets, Tracked(quiets)) = active.snapshot::<A>(Ghost(range), Tracked(&since));
        if let Some(cpu) = targets.next_from(self.count) {
            return Err(ShootdownError::NoSuchCpu { cpu });
        }
        proof {
            use_type_invariant(self);
        }
        let outbox = &self.slots[cpu].outbox;
        self.end(guard, machine, outbox);
        let Some((number, idle)) = outbox.claim() else {
            return Err(ShootdownError::Busy { cpu });
        };
        let Tracked(idle) = idle;
        let tracked Idle { pen, turn } = idle;
        let here = targets.remove(cpu);
        let order = Order { root: active.at(), range };
        let ghost of = Request {
            slot: outbox.id(),
            cpu: cpu as nat,
            round: Round { since, order, targets },
        };
        let account = outbox.post(
            order,
            &targets,
            Ghost(of),
            Tracked(since),
            Tracked(quiets),
            Tracked(pen),
        );
        let Tracked(mut account) = self.ask_all(machine, cpu, &targets, account);
        let ghost sent = account;
        if here {
            let Tracked(quiet) = invalidate_here(
                guard,
                machine,
                order.root,
                range,
                Tracked(&account.since),
            );
            proof {
                account.quiets.tracked_insert(cpu as nat, quiet);
            }
        }
        proof {
            assert forall|c: nat|
                c < MAX_CPUS && !targets.holds(c) implies #[trigger] account.is_settled(c) by {
                assert(sent.has_share(c));
                assert(account.quiets.contains_key(c));
            }
            assert(account.is_settled(cpu as nat));
        }
        let key = outbox.park(number, Tracked(Sent { account, turn }));
        Ok(Ticket::new(outbox, number, key))
    }

    /// Asks the processors `targets` for what `cpu` has posted.
    fn ask_all<P: Processors<A>>(
        &self,
        machine: &P,
        cpu: usize,
        targets: &CpuSet,
        Tracked(account): Tracked<Account<A>>,
    ) -> (r: Tracked<Account<A>>)
        requires
            cpu < self.len(),
            account.of@.slot == self.slot_id(cpu as int),
            forall|c: nat| #[trigger] targets.holds(c) ==> c < self.len(),
            forall|c: nat| c < MAX_CPUS ==> #[trigger] account.has_share(c),
        ensures
            r@ == (Account { shares: r@.shares, ..account }),
            forall|c: nat| c < MAX_CPUS && !targets.holds(c) ==> #[trigger] r@.has_share(c),
    {
        proof {
            use_type_invariant(self);
        }
        let tracked mut left = account;
        let mut from = 0;
        while let Some(to) = targets.next_from(from)
            invariant
                self.inv(),
                cpu < self.len(),
                account.of@.slot == self.slot_id(cpu as int),
                forall|c: nat| #[trigger] targets.holds(c) ==> c < self.len(),
                from <= MAX_CPUS,
                left == (Account { shares: left.shares, ..account }),
                forall|c: nat|
                    c < MAX_CPUS && (c >= from || !targets.holds(c)) ==> #[trigger] left.has_share(
                        c,
                    ),
            decreases MAX_CPUS - from,
        {
            let tracked share = left.give(to as nat);
            self.slots[to].inbox.ask(cpu, Tracked(share));
            notify::<A, P>(machine, to);
            from = to + 1;
        }
        Tracked(left)
    }
}

} // verus!

impl core::fmt::Display for ShootdownError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchCpu { cpu } => write!(f, "no slot for processor {cpu}"),
            Self::Busy { cpu } => {
                write!(f, "processor {cpu} is in the middle of another shootdown")
            }
        }
    }
}

impl core::error::Error for ShootdownError {}
