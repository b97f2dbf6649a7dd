//! The runs of random tables are what walks find, address by address.

use super::cache::Policies;
use super::image::Image;
use super::runs::{Run, Want, runs};
use super::survey::survey;
use super::target::{ARCHITECTURES, Target};
use portolan_machine::walk::{Regime, Region, Walk, walk};
use std::io::Write;

/// Numbers without a pattern (Marsaglia, Xorshift RNGs).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

const ROOT: u64 = 0x1_0000;
const WORDS: usize = 0x6_0000 / 8;

/// Sparse tables of 64 KiB and less, which refer to each other and to pages.
fn tables(random: &mut Random, regime: Regime) -> Vec<u64> {
    let mut words = vec![0; WORDS];
    for _ in 0..400 {
        // Most entries are near the beginning of a table, and most tables are below the root
        let table = 1 + random.below(5);
        let index = random.next() & random.next() & random.next() & 0xff;
        let next = (2 + random.next() % 4) << 16;
        let low = [0x03, 0x07, 0x05, 0x27, 0xe7, 0x701, 0x743][random.below(7)];
        let word = match (random.next() % 8, regime) {
            (0, _) => random.next(),
            (1, Regime::Riscv { .. }) => (0x8000_0000 + (index << 12)) >> 2 | 0x5f,
            (1, _) => 0x8000_0000 | index << 21 | low | 0x80,
            (_, Regime::Riscv { .. }) => next >> 2 | [1, 0x21, 0xcf, 0x0b][random.below(4)],
            _ => next | low,
        };
        words[table * 0x2000 + index as usize] = word;
    }
    words
}

/// What the runs say of an address: the physical one, and rights and the like as text.
fn at(runs: &[Run], va: u64) -> Option<(u64, String)> {
    runs.iter().find_map(|run| {
        let (times, stride) = run
            .series
            .map_or((1, 0), |series| (series.times, series.stride.0));
        let from = va.checked_sub(run.start.0)?;
        let nth = from.checked_div(stride).unwrap_or(0);
        let into = from - nth * stride;
        let kind = format!("{:?} {} {}", run.rights, run.global, run.cache);
        (nth < times && into < run.bytes).then(|| (run.frame.0 + into, kind))
    })
}

fn expected(words: &[u64], target: &Target, va: u64) -> Option<(u64, String)> {
    let read = |addr: u64| words.get((addr / 8) as usize).copied();
    match walk(target.regime, target.phys_bits, target.root, va, read) {
        Walk::Page {
            phys, leaf, rights, ..
        } => Some((phys, format!("{rights:?} {} {}", leaf.global, leaf.cache))),
        _ => None,
    }
}

#[test]
fn runs_are_what_walks_find() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut mapped, mut compared) = (0, 0);
    for (_, regime) in ARCHITECTURES.into_iter().cycle().take(34) {
        let regime = match regime {
            Regime::Arm1 {
                granule, va_bits, ..
            } if random.below(2) == 0 => Regime::Arm1 {
                granule,
                va_bits,
                region: Region::Upper,
            },
            Regime::LoongArch {
                granule, va_bits, ..
            } if random.below(2) == 0 => Regime::LoongArch {
                granule,
                va_bits,
                region: Region::Upper,
            },
            regime => regime,
        };
        let target = Target {
            regime,
            phys_bits: 40,
            policies: Policies::OWN,
            root: ROOT,
        };
        let words = tables(&mut random, regime);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        file.write_all(&bytes).unwrap();
        let mut image = Image::open(file.path(), None).unwrap();
        let (survey, _) = survey(&mut image, &target).unwrap();
        let all = Want::All { limit: 1_000 };
        let found = runs(&mut image, &target, &survey, all).unwrap();
        let sum = survey.below(target.start());
        let complete = found.shown == sum.runs;
        let last = found.runs.last().map_or(0, |run| run.start.0);
        let mut probes: Vec<u64> = (0..60)
            .filter_map(|_| found.runs.get(random.below(found.runs.len().max(1))))
            .flat_map(|run| [run.start.0, run.end.0, run.end.0.wrapping_add(1)])
            .collect();
        probes.extend((0..200).map(|_| {
            let sparse = random.next() & random.next() & random.next();
            regime.extended(sparse)
        }));
        for va in probes {
            if regime.canonical(va) && (complete || va < last) {
                let page = at(&found.runs, va);
                assert_eq!(page, expected(&words, &target, va), "{regime:?} {va:#x}");
                mapped += usize::from(page.is_some());
                compared += 1;
            }
        }
    }
    assert!(
        mapped > 500 && compared > 2 * mapped / 3,
        "{mapped} {compared}"
    );
}
