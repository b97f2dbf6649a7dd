//! What a guest of the host's processor sees of tables that the host changes.

use portolan::{PhysAddr, TableMemory};
use portolan_machine::access::{Access, Outcome, Privilege};
use portolan_machine::{KvmConfig, KvmMachine, Machine};

/// An entry that grants everything.
const ALL: u64 = 0x67;

/// A host that shadows tables and learns of changes late may have what a freed table said. It must not come back with the
/// frame, in a table that is linked where nothing was, for which nobody has to invalidate anything.
#[test]
fn a_table_frame_that_is_used_again_says_nothing_old() {
    for late in [false, true] {
        let config = KvmConfig {
            late,
            ..KvmConfig::default()
        };
        let machine = match KvmMachine::new(config) {
            Ok(machine) => machine,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let memory = machine.memory().clone();
        let table = || memory.alloc_zeroed(4096).expect("there is memory");
        let put = |table, index, addr: PhysAddr| {
            // SAFETY: the tables are this test's, and hold what it expects of them
            unsafe { memory.write(table, index, addr.as_u64() | ALL) }
        };
        let [root, upper, middle] = [table(), table(), table()];
        put(root, 0, upper);
        put(upper, 0, middle);
        let frame = |number: u64| PhysAddr::new((2 << 30) + number * 4096);
        // pages that follow each other in a table of their own, at a place that nothing was at, one time after the other; the
        // host knows of the first table, and of those after it only if it has to
        for time in 0..8 {
            memory.store(frame(time), time);
            let leaf = table();
            (4..8).for_each(|index| put(leaf, index, frame(time)));
            put(middle, time as usize, leaf);
            if time == 0 {
                machine.set_root(0, Some(root)).unwrap();
            }
            let loads =
                [4, 5, 6, 7].map(|page| Access::load(time << 21 | page << 12, Privilege::User));
            let got = machine.access(0, &loads).unwrap();
            assert_eq!(got, [Outcome::Loaded(time); 4], "late: {late}");
            // SAFETY: as above
            unsafe { memory.write(middle, time as usize, 0) };
            machine.invalidate_all(0).unwrap();
            // SAFETY: no processor walks a table that is not linked any more, and of which its TLB has nothing
            unsafe { memory.free(leaf, 4096) };
        }
    }
}

/// Two roots under identifiers of their own: each says what it says when it is loaded again, with what was known of it or
/// without, and what changed meanwhile is seen without.
#[test]
fn each_identifier_has_its_own_translations() {
    let machine = match KvmMachine::new(KvmConfig::default()) {
        Ok(machine) => machine,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    if machine.identifiers() < 2 {
        return eprintln!("skipped: the host's guests have no PCID");
    }
    let memory = machine.memory().clone();
    let table = || memory.alloc_zeroed(4096).expect("there is memory");
    let put = |table, index, addr: PhysAddr| {
        // SAFETY: the tables are this test's, and hold what it expects of them
        unsafe { memory.write(table, index, addr.as_u64() | ALL) }
    };
    let frame = |number: u64| PhysAddr::new((2 << 30) + number * 4096);
    (0..3).for_each(|number| memory.store(frame(number), number));
    let space = |number| {
        let tables = [table(), table(), table(), table()];
        tables.windows(2).for_each(|pair| put(pair[0], 0, pair[1]));
        put(tables[3], 1, frame(number));
        (tables[0], tables[3])
    };
    let spaces = [space(0), space(1)];
    let read = |id: usize, keep| {
        machine.set_root_as(0, spaces[id - 1].0, id, keep).unwrap();
        machine
            .access(0, &[Access::load(0x1000, Privilege::User)])
            .unwrap()
    };
    for keep in [false, true, true] {
        assert_eq!(read(1, keep), [Outcome::Loaded(0)]);
        assert_eq!(read(2, keep), [Outcome::Loaded(1)]);
    }
    put(spaces[0].1, 1, frame(2));
    assert_eq!(read(2, true), [Outcome::Loaded(1)]);
    assert_eq!(read(1, false), [Outcome::Loaded(2)]);
    machine.set_root(0, None).unwrap();
}
