//! Words of each kind, and the addresses that they serve.

use crate::bench::Bench;
use crate::format::{combinations, format};
use portolan_machine::Machine;
use std::ops::Range;

/// Every combination of rights, accessed and dirty bits at every page size; and those of the smallest page below tables
/// that take away what they can, in every combination.
pub fn rights<M: Machine>(mut bench: Bench<M>) {
    let regime = bench.regime();
    let format = format(regime);
    let mask: u64 = format.page_bits.iter().sum();
    for bits in combinations(format.page_bits) {
        for level in regime.page_levels() {
            let word = bench.page(*level) & !mask | bits;
            bench.check(&bench.chain(*level, word, 0));
        }
        for above in combinations(format.table_bits) {
            let word = bench.page(1) & !mask | bits;
            bench.check(&bench.chain(1, word, above));
        }
    }
    bench.finish("rights");
}

/// Every value of every field of an entry for a page, at every page size.
pub fn fields<M: Machine>(mut bench: Bench<M>) {
    let regime = bench.regime();
    for level in regime.page_levels() {
        for (lowest, count) in format(regime).fields {
            for value in 0..1u64 << count {
                let mask = ((1 << count) - 1) << lowest;
                let word = bench.page(*level) & !mask | value << lowest;
                bench.check(&bench.chain(*level, word, 0));
            }
        }
    }
    bench.finish("fields");
}

/// Some bits of every kind of entry at every level, turned over one at a time.
pub fn flips<M: Machine>(mut bench: Bench<M>, bits: Range<u32>) {
    let regime = bench.regime();
    for level in 1..=regime.levels() {
        for bit in bits.clone() {
            let word = bench.page(level) ^ 1 << bit;
            bench.check(&bench.chain(level, word, 0));
            if level > 1 {
                let mut chain = bench.chain(1, bench.page(1), 0);
                chain[usize::from(regime.levels() - level)].2 ^= 1 << bit;
                bench.check(&chain);
            }
        }
    }
    bench.finish("flips");
}

/// A small page at the edges of what is translated, and the same addresses with a bit of each weight turned over: most
/// are not mapped, some not canonical.
pub fn addresses<M: Machine>(mut bench: Bench<M>) {
    let regime = bench.regime();
    let top = 1 << (regime.va_bits() - 1);
    for edge in [0x1230, top - 0x1230, top + 0x1230, 2 * top - 0x1230] {
        let served = regime.extended(edge);
        if !bench.is_usable(served) {
            continue;
        }
        bench.va = served;
        let chain = bench.chain(1, bench.page(1), 0);
        for va in (12..64).map(|bit| served ^ 1 << bit).chain([served]) {
            if bench.is_usable(va) {
                bench.va = va;
                bench.check(&chain);
            }
        }
        bench.va = served;
        bench.write(&bench.chain(1, 0, 0));
    }
    bench.finish("addresses");
}

/// Chains of tables in which a few bits, of any entries, are turned over: which, comes from a seed.
pub fn random<M: Machine>(mut bench: Bench<M>, seed: u64, chains: u32) {
    let regime = bench.regime();
    let mut state = seed;
    for _ in 0..chains {
        let level = regime.page_levels()[below(&mut state, regime.page_levels().len() as u64)];
        let mut chain = bench.chain(level, bench.page(level), 0);
        for _ in 0..1 + below(&mut state, 4) {
            let entry = below(&mut state, chain.len() as u64);
            // Every other one among the bits that mean most
            let bits = if below(&mut state, 2) == 0 { 12 } else { 64 };
            chain[entry].2 ^= 1 << below(&mut state, bits);
        }
        bench.check(&chain);
    }
    bench.finish("random words");
}

/// The next number below `n` (xorshift: Marsaglia, 2003); the state must not be 0.
fn below(state: &mut u64, n: u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    ((u128::from(*state) * u128::from(n)) >> 64) as usize
}
