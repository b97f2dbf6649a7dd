//! The walk from a user table's root: in the lower half it is that of the user table, in the upper half that of the
//! kernel half which it shares.

use super::{holds, lemma_walk};
use crate::addr::PhysAddr;
use crate::arch::entry::EntryFormat;
use crate::arch::halves::proof::{lemma_half, lemma_half_limit, lemma_high};
use crate::arch::halves::{Half, Halves, Kernel, KernelHalf, Side, User, UserHalf};
use crate::arith::lemma_quotient;
use crate::hw::mmu::{Memory, Mmu, Rights, Step, Walk, walk, walk_from};
use crate::spec::space::translation_in_halves;
use crate::table::perms::{Perms, model, perm_ok, space, walkable};
use crate::table::root::{Root, is_fixed, refers, top};
use vstd::prelude::*;

verus! {

/// Below the root, a half's walk is the whole's.
proof fn lemma_below<A: Halves, S: Side>(
    memory: Memory,
    phys_bits: u64,
    l: nat,
    table: int,
    va: int,
    rights: Rights,
    global: bool,
)
    requires
        l < A::geo().levels,
    ensures
        walk_from::<A>(memory, phys_bits, l, table, va, rights, global) == walk_from::<Half<A, S>>(
            memory,
            phys_bits,
            l,
            table,
            va,
            rights,
            global,
        ),
    decreases l,
{
    lemma_half::<A, S>();
    let index = (va / A::geo().span(l)) % A::geo().entries(l);
    if let Step::Table { table: next, rights: more, global: outlives } = A::step(
        phys_bits,
        l,
        memory(table + 8 * index),
    ) {
        if l > 1 {
            lemma_below::<A, S>(
                memory,
                phys_bits,
                (l - 1) as nat,
                next,
                va,
                rights.and(more),
                global || outlives,
            );
        }
    }
}

/// Where two roots tell the walk the same for an address, it goes on the same way.
proof fn lemma_from_root<A: Halves, S: Side>(
    memory: Memory,
    phys_bits: u64,
    a: int,
    b: int,
    va: int,
)
    requires
        ({
            let level = A::geo().levels as nat;
            let at = va / A::geo().span(level);
            A::step(phys_bits, level, memory(a + 8 * (at % A::geo().entries(level)))) == A::step(
                phys_bits,
                level,
                memory(b + 8 * (at % Half::<A, S>::geo().entries(level))),
            )
        }),
    ensures
        walk_from::<A>(memory, phys_bits, A::geo().levels as nat, a, va, Rights::all(), false)
            == walk_from::<Half<A, S>>(
            memory,
            phys_bits,
            A::geo().levels as nat,
            b,
            va,
            Rights::all(),
            false,
        ),
{
    let level = A::geo().levels as nat;
    lemma_half::<A, S>();
    let index = (va / A::geo().span(level)) % A::geo().entries(level);
    if let Step::Table { table: next, rights: more, global: outlives } = A::step(
        phys_bits,
        level,
        memory(a + 8 * index),
    ) {
        lemma_below::<A, S>(
            memory,
            phys_bits,
            (level - 1) as nat,
            next,
            va,
            Rights::all().and(more),
            false || outlives,
        );
    }
}

/// The root's index of an address in the lower half is the half's, in the upper half it is that many entries further on.
proof fn lemma_root_index<A: Halves>(va: u64)
    requires
        A::canonical(va),
    ensures
        ({
            let level = A::geo().levels as nat;
            let (at, entries) = (
                va as int / A::geo().span(level),
                UserHalf::<A>::geo().entries(level),
            );
            &&& 0 <= at % entries < entries
            &&& at % A::geo().entries(level) == if va < UserHalf::<A>::geo().limit() {
                at % entries
            } else {
                entries + at % entries
            }
        }),
{
    let level = A::geo().levels as nat;
    let (geo, half) = (A::geo(), UserHalf::<A>::geo());
    lemma_half::<A, User>();
    lemma_half::<A, Kernel>();
    lemma_half_limit::<A, User>();
    geo.lemma_span(level);
    half.lemma_span(level);
    geo.lemma_hardware_index(va as int, level);
    let (s, at) = (geo.span(level), va as int / geo.span(level));
    if va < half.limit() {
        lemma_quotient(va as int, s, 256);
    } else {
        lemma_high::<A, User>(va);
        let low = va as int % geo.limit();
        vstd::arithmetic::div_mod::lemma_mod_bound(va as int, geo.limit());
        lemma_quotient(low, s, 256);
    }
}

/// The walk of an address in the lower half.
proof fn lemma_walk_lower<A: Halves>(memory: Memory, phys_bits: u64, root: PhysAddr, va: u64)
    requires
        va < UserHalf::<A>::geo().limit(),
    ensures
        walk::<A>(memory, phys_bits, root, va) == walk::<UserHalf<A>>(memory, phys_bits, root, va),
{
    lemma_half::<A, User>();
    lemma_half_limit::<A, User>();
    lemma_root_index::<A>(va);
    lemma_from_root::<A, User>(memory, phys_bits, root.0 as int, root.0 as int, va as int);
}

/// What the words of the two roots for an address in the upper half tell the walk.
proof fn lemma_shared_step<A: Halves>(
    user: (Perms, Root),
    kernel: (Perms, Root),
    phys_bits: u64,
    memory: Memory,
    i: int,
)
    requires
        walkable::<UserHalf<A>>(user.0, phys_bits, user.1),
        walkable::<KernelHalf<A>>(kernel.0, phys_bits, kernel.1),
        holds::<UserHalf<A>>(memory, user.0),
        holds::<KernelHalf<A>>(memory, kernel.0),
        user.1.fixed@.shared == kernel.1.fixed@.pinned,
        kernel.1.fixed@.pinned.len() == UserHalf::<A>::geo().entries(A::geo().levels as nat),
        0 <= i < UserHalf::<A>::geo().entries(A::geo().levels as nat),
    ensures
        A::step(
            phys_bits,
            A::geo().levels as nat,
            memory(user.1.addr.0 + 8 * (UserHalf::<A>::geo().entries(A::geo().levels as nat) + i)),
        ) == A::step(phys_bits, A::geo().levels as nat, memory(kernel.1.addr.0 + 8 * i)),
{
    let level = A::geo().levels as nat;
    let entries = UserHalf::<A>::geo().entries(level);
    lemma_half::<A, User>();
    lemma_half::<A, Kernel>();
    let (u, k) = (user.0[top::<UserHalf<A>>()], kernel.0[top::<KernelHalf<A>>()]);
    let (mu, mk) = (model::<UserHalf<A>>(user.0), model::<KernelHalf<A>>(kernel.0));
    assert(mu.nodes.contains_key(mu.root()) && mk.nodes.contains_key(mk.root()));
    assert(user.0.contains_key(top::<UserHalf<A>>()));
    assert(kernel.0.contains_key(top::<KernelHalf<A>>()));
    reveal(is_fixed);
    let table = kernel.1.fixed@.pinned[i];
    assert(refers::<UserHalf<A>>(phys_bits, u.words()[entries + i], user.1.fixed@.shared[i]));
    assert(refers::<KernelHalf<A>>(phys_bits, k.words()[i], table));
    let (seen, own) = (memory(u.addr().0 + 8 * (entries + i)), memory(k.addr().0 + 8 * i));
    assert(UserHalf::<A>::may_become(level, u.words()[entries + i], seen));
    assert(KernelHalf::<A>::may_become(level, k.words()[i], own));
    A::lemma_step(phys_bits, level, u.words()[entries + i], seen);
    A::lemma_step(phys_bits, level, k.words()[i], own);
}

/// The walk from a root that shares a kernel half.
pub(crate) proof fn lemma_walk_shared<A: Halves>(
    user: (Perms, Root),
    kernel: (Perms, Root),
    phys_bits: u64,
    memory: Memory,
    va: u64,
)
    requires
        walkable::<UserHalf<A>>(user.0, phys_bits, user.1),
        walkable::<KernelHalf<A>>(kernel.0, phys_bits, kernel.1),
        holds::<UserHalf<A>>(memory, user.0),
        holds::<KernelHalf<A>>(memory, kernel.0),
        user.1.fixed@.shared == kernel.1.fixed@.pinned,
        kernel.1.fixed@.pinned.len() == UserHalf::<A>::geo().entries(A::geo().levels as nat),
    ensures
        walk::<A>(memory, phys_bits, user.1.addr, va) == translation_in_halves::<A>(
            space::<UserHalf<A>>(user.0),
            space::<KernelHalf<A>>(kernel.0),
            va,
        ),
{
    lemma_half::<A, User>();
    lemma_half::<A, Kernel>();
    if va < UserHalf::<A>::geo().limit() {
        lemma_walk_lower::<A>(memory, phys_bits, user.1.addr, va);
        lemma_walk::<UserHalf<A>>(user.0, phys_bits, user.1, memory, va);
    } else if A::canonical(va) {
        let level = A::geo().levels as nat;
        let i = (va as int / A::geo().span(level)) % UserHalf::<A>::geo().entries(level);
        lemma_root_index::<A>(va);
        lemma_shared_step::<A>(user, kernel, phys_bits, memory, i);
        lemma_from_root::<A, Kernel>(
            memory,
            phys_bits,
            user.1.addr.0 as int,
            kernel.1.addr.0 as int,
            va as int,
        );
        lemma_walk::<KernelHalf<A>>(kernel.0, phys_bits, kernel.1, memory, va);
    }
}

} // verus!
