//! Which address space a processor uses.

use super::error::VmError;
use super::identifiers::Identifiers;
use super::kernel::{Kernel, Machine};
use super::vm_space::VmSpace;
use crate::addr::PhysAddr;
use crate::hw::processor::{Away, Using, identifiers_here, leave_here, switch_here, this_cpu};
#[cfg(verus_only)]
use crate::hw::processor::{Table, cpu_of, identifiers_of, trust_kernel_table};
use crate::hw::{AtomicMode, MAX_CPUS};
use crate::io::IoError;
#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use vstd::prelude::*;

verus! {

/// What refers to an address space and keeps it alive: a reference, or a counted one.
pub trait SpaceRef<'k, K: Kernel>: Sealed {
    /// Which address space.
    spec fn space(&self) -> VmSpace<'k, K>;

    /// The address space.
    fn get(&self) -> (r: &VmSpace<'k, K>)
        ensures
            *r == self.space(),
        no_unwind
    ;
}

impl<'k, K: Kernel> SpaceRef<'k, K> for &VmSpace<'k, K> {
    open spec fn space(&self) -> VmSpace<'k, K> {
        **self
    }

    #[inline(always)]
    fn get(&self) -> (r: &VmSpace<'k, K>) {
        self
    }
}

/// A counted reference, as kernels with a heap have.
#[cfg(feature = "alloc")]
impl<'k, K: Kernel> SpaceRef<'k, K> for Arc<VmSpace<'k, K>> {
    open spec fn space(&self) -> VmSpace<'k, K> {
        **self
    }

    #[inline(always)]
    fn get(&self) -> (r: &VmSpace<'k, K>) {
        self
    }
}

/// The address space that a processor uses, the identifiers that it has for this and others, and the right to use another one.
#[verifier::reject_recursive_types(S)]
struct InUse<S> {
    space: ManuallyDrop<Option<S>>,
    ids: Identifiers,
    using: Tracked<Using>,
}

/// A processor, as it uses one address space after the other. A kernel has one for each processor, where only that one gets
/// at it.
///
/// The address space in use is kept alive. If the value is dropped, it stays so for ever.
///
/// # Identifiers
/// If the processor has [identifiers](crate::Processors::identifiers) of address spaces, it uses up to 6 of them, and what its
/// TLB holds of the spaces that it used last stays there. When it comes back to one of these, it keeps that, unless something was
/// taken away there meanwhile. It is not told of that before: nobody waits for a processor that uses another address space,
/// nor for one to be dropped that has only been used.
#[verifier::reject_recursive_types(K)]
#[verifier::reject_recursive_types(S)]
pub struct Cpu<'a, 'k, K: Kernel, S: SpaceRef<'k, K>> {
    machine: &'a Machine<'k, K>,
    cpu: usize,
    /// `None` only if a function that the kernel supplies has unwound.
    in_use: Option<InUse<S>>,
}

impl<'a, 'k, K: Kernel, S: SpaceRef<'k, K>> Cpu<'a, 'k, K, S> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.cpu < MAX_CPUS
        &&& self.in_use matches Some(now) ==> {
            &&& now.using@.cpu() == self.cpu
            &&& now.using@.table() == Self::table_of(now.space@)
            &&& now.ids.inv(now.using@)
            &&& now.ids.count() <= identifiers_of(&self.machine.processors(), self.cpu as nat)
        }
    }

    /// The table of an address space, if there is one.
    spec fn table_of(space: Option<S>) -> Option<Table> {
        match space {
            Some(space) => Some(space.space().active_set().table()),
            None => None,
        }
    }

    /// The number of the processor.
    pub closed spec fn number(self) -> nat {
        self.cpu as nat
    }

    /// Whether no operation has unwound.
    pub closed spec fn is_live(self) -> bool {
        self.in_use is Some
    }

    /// The root of the table in use, if it is an address space's.
    pub closed spec fn root(self) -> Option<PhysAddr> {
        match self.in_use->0.using@.table() {
            Some(table) => Some(table.root),
            None => None,
        }
    }

    /// This processor, which uses a table of the kernel's own.
    ///
    /// # Errors
    /// [`VmError::WrongCpu`] if the machine has no slot for it.
    ///
    /// # Safety
    /// It is called once for each processor, when that one uses a table of the kernel's own, which maps nothing for user
    /// space, and its TLB holds nothing else; from then on it goes over to other tables by this value only.
    pub unsafe fn new<G: AtomicMode>(machine: &'a Machine<'k, K>, guard: &G) -> (r: Result<
        Self,
        VmError,
    >)
        ensures
            match r {
                Ok(this) => {
                    &&& this.number() == cpu_of(guard)
                    &&& this.is_live()
                    &&& this.root() is None
                },
                Err(e) => e is WrongCpu,
            },
    {
        let cpu = match this_cpu(guard) {
            Some(cpu) if cpu < machine.shootdown().cpus() => cpu,
            Some(cpu) => return Err(VmError::WrongCpu { cpu }),
            None => return Err(VmError::WrongCpu { cpu: MAX_CPUS }),
        };
        let tracked using = trust_kernel_table(cpu as nat);
        let ids = Identifiers::new(identifiers_here::<K::Mode, G, K::Cpus>(guard, machine.cpus()));
        let now = InUse { space: ManuallyDrop::new(None), ids, using: Tracked(using) };
        Ok(Cpu { machine, cpu, in_use: Some(now) })
    }

    /// Makes the processor use `space`, and lets go of the one used before. Of the latter its TLB then holds nothing that it
    /// uses, unless it comes back to it and nothing was taken away there meanwhile.
    ///
    /// The processor is one of those that are told of what changes in `space` before it uses it, and of those that are told of
    /// what changes in the other as long as it uses that.
    ///
    /// # Errors
    /// [`VmError::WrongCpu`] if this processor is another one; [`VmError::Poisoned`].
    pub fn activate<G: AtomicMode>(&mut self, guard: &G, space: S) -> (r: Result<(), VmError>)
        ensures
            final(self).number() == old(self).number(),
            match r {
                Ok(()) => final(self).is_live() && final(self).root() == Some(
                    space.space().root_table(),
                ),
                Err(e) => {
                    &&& *final(self) == *old(self)
                    &&& e is WrongCpu || e is Poisoned
                },
            },
    {
        self.check(guard)?;
        let root = space.get().active().at();
        if self.uses(root) {
            return Ok(());
        }
        proof {
            use_type_invariant(&*self);
        }
        let number = space.get().active().number();
        let Some((fresh, Tracked(away))) = space.get().active().add(self.cpu) else {
            return Err(VmError::WrongCpu { cpu: self.cpu });
        };
        proof {
            use_type_invariant(&*self);
        }
        let mut before = None;
        core::mem::swap(&mut self.in_use, &mut before);
        let Some(before) = before else {
            return Err(VmError::Poisoned);
        };
        let InUse { space: last, ids: mut all, using: Tracked(mut using) } = before;
        let (id, same) = all.pick(number, Ghost(using));
        let Tracked(gone) = switch_here::<K::Mode, G, K::Cpus>(
            guard,
            self.machine.cpus(),
            root,
            id,
            same && fresh,
            Tracked(&mut using),
            Tracked(away),
        );
        let kept = all.are_there();
        self.in_use = Some(
            InUse { space: ManuallyDrop::new(Some(space)), ids: all, using: Tracked(using) },
        );
        Self::let_go(self.cpu, ManuallyDrop::into_inner(last), kept, Tracked(gone));
        Ok(())
    }

    /// Makes the processor use a table of the kernel's own, and lets go of the address space used before, of which its TLB then
    /// holds nothing that it uses, as for [`activate`](Cpu::activate).
    ///
    /// # Errors
    /// Those of [`activate`](Cpu::activate).
    pub fn deactivate<G: AtomicMode>(&mut self, guard: &G) -> (r: Result<(), VmError>)
        ensures
            final(self).number() == old(self).number(),
            match r {
                Ok(()) => final(self).is_live() && final(self).root() is None,
                Err(e) => {
                    &&& *final(self) == *old(self)
                    &&& e is WrongCpu || e is Poisoned
                },
            },
    {
        self.check(guard)?;
        proof {
            use_type_invariant(&*self);
        }
        let mut before = None;
        core::mem::swap(&mut self.in_use, &mut before);
        let Some(before) = before else {
            return Err(VmError::Poisoned);
        };
        let InUse { space: last, ids: all, using: Tracked(mut using) } = before;
        let ghost was = using;
        let Tracked(gone) = leave_here::<K::Mode, G, K::Cpus>(
            guard,
            self.machine.cpus(),
            Tracked(&mut using),
        );
        proof {
            all.lemma_same(was, using);
        }
        let kept = all.are_there();
        self.in_use = Some(
            InUse { space: ManuallyDrop::new(None), ids: all, using: Tracked(using) },
        );
        Self::let_go(self.cpu, ManuallyDrop::into_inner(last), kept, Tracked(gone));
        Ok(())
    }

    /// How user memory is reached here, and that this processor uses the table at `root`.
    ///
    /// # Errors
    /// [`IoError::NotActive`] if it doesn't; [`IoError::Cpu`] with those of [`activate`](Cpu::activate).
    #[inline]
    pub(crate) fn serve<G: AtomicMode>(&self, guard: &G, root: PhysAddr) -> (r: Result<
        (&K::Cpus, Tracked<&Using>),
        IoError,
    >)
        ensures
            match r {
                Ok((_, using)) => {
                    &&& using@.cpu() == cpu_of(guard)
                    &&& using@.root() == Some(root)
                    &&& self.root() == Some(root)
                },
                Err(IoError::NotActive) => self.root() != Some(root),
                Err(e) => e matches IoError::Cpu(e) && (e is WrongCpu || e is Poisoned),
            },
    {
        if let Err(e) = self.check(guard) {
            return Err(IoError::Cpu(e));
        }
        if !self.uses(root) {
            return Err(IoError::NotActive);
        }
        proof {
            use_type_invariant(self);
        }
        match &self.in_use {
            #[cfg_attr(not(verus_only), expect(unused_variables, reason = "the proof's"))]
            Some(now) => Ok((self.machine.cpus(), Tracked(now.using.borrow()))),
            None => Err(IoError::Cpu(VmError::Poisoned)),
        }
    }

    /// Whether this processor runs the code.
    fn check<G: AtomicMode>(&self, guard: &G) -> (r: Result<(), VmError>)
        ensures
            match r {
                Ok(()) => self.number() == cpu_of(guard) && self.is_live(),
                Err(e) => e is WrongCpu || e is Poisoned,
            },
    {
        if self.in_use.is_none() {
            return Err(VmError::Poisoned);
        }
        match this_cpu(guard) {
            Some(cpu) if cpu == self.cpu => Ok(()),
            Some(cpu) => Err(VmError::WrongCpu { cpu }),
            None => Err(VmError::WrongCpu { cpu: MAX_CPUS }),
        }
    }

    /// Whether the processor uses the table at `root`.
    fn uses(&self, root: PhysAddr) -> (r: bool)
        requires
            self.is_live(),
        ensures
            r == (self.root() == Some(root)),
    {
        proof {
            use_type_invariant(self);
        }
        match &self.in_use {
            Some(now) => match &*now.space {
                Some(space) => space.get().active().at().0 == root.0,
                None => false,
            },
            None => false,
        }
    }

    /// The processor doesn't use `space` any more. What its TLB holds of it may be `kept`.
    fn let_go(cpu: usize, space: Option<S>, kept: bool, Tracked(gone): Tracked<Option<Away>>)
        requires
            cpu < MAX_CPUS,
            gone is Some == space is Some,
            gone matches Some(away) ==> {
                &&& away.cpu() == cpu
                &&& away.table() == space->0.space().active_set().table()
                &&& away.returns()
            },
    {
        if let Some(space) = space {
            space.get().active().remove(cpu, kept, Tracked(gone.tracked_unwrap()));
        }
    }
}

/// Nobody else implements the trait that has this one.
pub trait Sealed {

}

impl<K: Kernel> Sealed for &VmSpace<'_, K> {

}

#[cfg(feature = "alloc")]
impl<K: Kernel> Sealed for Arc<VmSpace<'_, K>> {

}

} // verus!
