//! Two machines with x86_64's 4 levels beside each other, on tables of arbitrary words.

use super::report::{Counts, Failure, Mismatch};
use crate::access::{Access, Kind, Privilege};
use crate::isa::Isa;
use crate::machine::{Machine, MachineError};
use crate::rng::{Rng, mix};
use portolan::{PageSize, PhysAddr, TableMemory};

/// The frame that well-formed entries lead to; those for large pages, to what is aligned in front of it.
const FRAME: u64 = 0x8060_5000;

/// One chain of tables, from a root down, on a machine.
struct Chain<'m> {
    machine: &'m dyn Machine,
    tables: Vec<PhysAddr>,
}

impl<'m> Chain<'m> {
    fn new(machine: &'m dyn Machine) -> Result<Self, MachineError> {
        let full = || MachineError::Host {
            call: "alloc_zeroed",
            reason: "no frames for tables".into(),
        };
        let table = |_| machine.memory().alloc_zeroed(4096).ok_or_else(full);
        let tables = (0..4).map(table).collect::<Result<Vec<_>, _>>()?;
        (0..machine.cpus()).try_for_each(|cpu| machine.set_root(cpu, Some(tables[0])))?;
        Ok(Chain { machine, tables })
    }

    /// Writes the entry of each table, root first: `bits` beside the address of the next table or of a page.
    fn write(&self, va: u64, bits: [u64; 4]) {
        for (depth, bits) in bits.into_iter().enumerate() {
            let shift = 39 - 9 * depth;
            let is_page = depth == 3 || depth > 0 && bits & 0x80 != 0;
            let target = if is_page {
                FRAME >> shift << shift
            } else {
                self.tables[depth + 1].as_u64()
            };
            let index = (va >> shift & 511) as usize;
            // SAFETY: the frame was allocated in `new` and is freed only in `drop`
            unsafe {
                self.machine
                    .memory()
                    .write(self.tables[depth], index, target | bits)
            };
        }
    }

    /// The dirty bits of the entries that may be pages.
    fn dirty(&self, va: u64) -> [bool; 3] {
        [1, 2, 3].map(|depth| {
            let index = va >> (39 - 9 * depth) & 511;
            self.machine.memory().load(PhysAddr::new(
                self.tables[depth as usize].as_u64() + 8 * index,
            )) & 0x40
                != 0
        })
    }
}

impl Drop for Chain<'_> {
    fn drop(&mut self) {
        for cpu in 0..self.machine.cpus() {
            // A machine that fails here fails again in whatever is asked of it next
            self.machine.set_root(cpu, None).ok();
        }
        for table in &self.tables {
            // SAFETY: the frame was allocated in `new`, and no root leads to it any more
            unsafe { self.machine.memory().free(*table, 4096) };
        }
    }
}

/// Makes the same accesses on two machines with 4 levels and as wide physical addresses, through chains of tables whose
/// entries have `cases` times other, arbitrary bits, wrong ones among them. Outcomes and dirty bits must be the same.
///
/// The page table under test has no part in this: it is the machines that are compared.
///
/// # Errors
/// The first difference; what `reference` did is what is expected.
pub fn agree(
    reference: &dyn Machine,
    machine: &dyn Machine,
    seed: u64,
    cases: u32,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let fail = |what| Failure {
        part: format!("machines agree, seed {seed:#x}"),
        history: Vec::new(),
        what: Box::new(what),
    };
    let broken = |error| fail(Mismatch::Machine(error));
    let expected_chain = Chain::new(reference).map_err(broken)?;
    let chain = Chain::new(machine).map_err(broken)?;
    let mut rng = Rng::new(mix(seed));
    let huge = reference.supports(PageSize::Size1G) && machine.supports(PageSize::Size1G);
    for case in 0..cases {
        let va = loop {
            let va = ((rng.next() << 16) as i64 >> 16) as u64 & !7;
            if !machine.reserved().iter().any(|range| range.contains(&va)) {
                break va;
            }
        };
        let bits = [4, 3, 2, 1].map(|level| arbitrary_bits(&mut rng, level, huge));
        expected_chain.write(va, bits);
        chain.write(va, bits);
        reference.invalidate_all(0).map_err(broken)?;
        machine.invalidate_all(0).map_err(broken)?;
        let offset_bits = if bits[1] & 0x80 != 0 {
            30
        } else if bits[2] & 0x80 != 0 {
            21
        } else {
            12
        };
        let target =
            PhysAddr::new(FRAME >> offset_bits << offset_bits | va & ((1 << offset_bits) - 1));
        reference
            .memory()
            .store(target, Isa::X86_64.code_word(case));
        machine.memory().store(target, Isa::X86_64.code_word(case));
        let each = |kind| {
            Privilege::ALL.map(|privilege| Access {
                va,
                kind,
                privilege,
                value: Isa::X86_64.code_word(!case),
            })
        };
        let accesses: Vec<Access> = [Kind::Load, Kind::Fetch, Kind::Store]
            .into_iter()
            .flat_map(each)
            .collect();
        let expected = reference.access(0, &accesses).map_err(broken)?;
        let got = machine.access(0, &accesses).map_err(broken)?;
        for ((access, expected), got) in accesses.into_iter().zip(expected).zip(got) {
            counts.access(&access, &got);
            if expected != got {
                return Err(fail(Mismatch::Access {
                    cpu: 0,
                    access,
                    expected: vec![expected],
                    got,
                }));
            }
        }
        let (expected, got) = (expected_chain.dirty(va), chain.dirty(va));
        if expected != got {
            let bits =
                |dirty: [bool; 3]| dirty.iter().fold(0, |sum, bit| sum << 1 | u64::from(*bit));
            return Err(fail(Mismatch::Memory {
                addr: va,
                expected: bits(expected),
                got: bits(got),
            }));
        }
        // The entries must be gone before the next chain of tables is made for another address
        expected_chain.write_nothing(va);
        chain.write_nothing(va);
    }
    Ok(())
}

impl Chain<'_> {
    fn write_nothing(&self, va: u64) {
        for (depth, table) in self.tables.iter().enumerate() {
            // SAFETY: the frame was allocated in `new` and is freed only in `drop`
            unsafe {
                self.machine
                    .memory()
                    .write(*table, (va >> (39 - 9 * depth) & 511) as usize, 0)
            };
        }
    }
}

/// Bits of an entry beside its address: mostly present and granting everything, now and then not, now and then with
/// bits that are reserved, and always with some that are ignored.
fn arbitrary_bits(rng: &mut Rng, level: u32, huge: bool) -> u64 {
    let mut bits = 0x7;
    for bit in [0, 1, 2, 63, 63] {
        if rng.one_in(10) {
            bits ^= 1 << bit;
        }
    }
    // Cache policies, accessed, dirty, and the ignored ones: 9 to 11 and 52 to 62
    bits |= rng.next() & 0x7ff0_0000_0000_0e78;
    let page = level == 1 || (level == 2 || level == 3 && huge) && rng.one_in(4);
    if page {
        // Global, and PAT or PS
        bits |= rng.next() & 0x100 | if level == 1 { rng.next() & 0x80 } else { 0x80 };
    } else if level == 4 && rng.one_in(12) {
        bits |= 0x80;
    }
    if rng.one_in(8) {
        // Bits 51:48 are reserved on processors with narrower addresses, and so are the low ones of a large frame
        let low = if page && level > 1 {
            12 + rng.below(u64::from(9 * (level - 1)))
        } else {
            51
        };
        bits |= 1 << rng.pick(&[low, 51]);
    }
    bits
}
