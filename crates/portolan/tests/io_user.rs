//! Readers and writers of the memory of user programs.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{Computer, Cpus, Pinned, Space, Test, cpu, frame, on, on_machine, range, space};
use portolan::PageProperty;
use portolan::io::{
    Fallible, FallibleVmRead, FallibleVmWrite, IoError, UserReader, UserWriter, VmReader, VmWriter,
};
use portolan::space::{Cpu, VmError};

const PAGE: usize = 0x40_0000;
const RW: PageProperty = PageProperty::USER_RW;
const RO: PageProperty = PageProperty::USER_RO;
const KERNEL: PageProperty = PageProperty {
    user: false,
    ..PageProperty::USER_RW
};

/// A processor that uses an address space.
struct Program<'t, 'k> {
    guard: &'t Pinned,
    space: &'t Space<'k>,
    cpu: Cpu<'k, 'k, Test, &'t Space<'k>>,
}

impl<'k> Program<'_, 'k> {
    fn reader(&self, addr: usize, len: usize) -> UserReader<'_, Test> {
        self.space.reader(self.guard, &self.cpu, addr, len).unwrap()
    }

    fn writer(&self, addr: usize, len: usize) -> UserWriter<'_, Test> {
        self.space.writer(self.guard, &self.cpu, addr, len).unwrap()
    }

    fn refused(&self, addr: usize, len: usize) {
        let not_user = IoError::NotUser { addr, len };
        let reader = self.space.reader(self.guard, &self.cpu, addr, len);
        assert_eq!(reader.err(), Some(not_user), "{addr:#x} + {len:#x}");
        let writer = self.space.writer(self.guard, &self.cpu, addr, len);
        assert_eq!(writer.err(), Some(not_user), "{addr:#x} + {len:#x}");
        let both = self.space.reader_writer(self.guard, &self.cpu, addr, len);
        assert_eq!(both.err(), Some(not_user), "{addr:#x} + {len:#x}");
    }

    fn poke(&self, addr: usize, bytes: &[u8]) {
        let done = self
            .writer(addr, bytes.len())
            .write_fallible(&mut VmReader::from(bytes));
        assert_eq!(done, Ok(bytes.len()));
    }

    fn peek(&self, addr: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; len];
        let done = self
            .reader(addr, len)
            .read_fallible(&mut VmWriter::from(&mut bytes[..]));
        assert_eq!(done, Ok(len));
        bytes
    }
}

/// Why a reader is refused.
fn refused<'k>(
    guard: &Pinned,
    space: &Space<'k>,
    cpu: &Cpu<'_, 'k, Test, &Space<'k>>,
) -> Option<IoError> {
    space.reader(guard, cpu, PAGE, 1).err()
}

/// Maps pages one after the other from [`PAGE`] on, and runs a test on a processor that uses them.
fn with(pages: &[Option<PageProperty>], test: impl FnOnce(&Program<'_, '_>)) {
    on_machine(|machine| {
        on(0, |guard| {
            let space = space(machine);
            map(machine, guard, &space, pages);
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &space).unwrap();
            let space = &space;
            let mut program = Program { guard, space, cpu };
            test(&program);
            program.cpu.deactivate(guard).unwrap();
        });
    });
}

fn map<'k>(
    machine: &'k Computer<'k>,
    guard: &Pinned,
    space: &Space<'k>,
    pages: &[Option<PageProperty>],
) {
    for (n, prop) in pages.iter().enumerate() {
        if let Some(prop) = prop {
            let at = range((PAGE + n * 0x1000) as u64, 0x1000);
            let mut cursor = space.cursor_mut(guard, &at).unwrap();
            cursor.map(frame(machine), *prop).unwrap();
        }
    }
}

fn count(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

fn fault(addr: usize) -> IoError {
    IoError::PageFault { addr }
}

#[test]
fn a_program_reads_and_writes_what_the_kernel_does() {
    with(&[Some(RW); 3], |program| {
        let bytes = count(0x2000);
        program.poke(PAGE + 5, &bytes);
        assert_eq!(program.peek(PAGE + 5, 0x2000), bytes);
        assert_eq!(program.peek(PAGE, 5), [0; 5]);
        let mut reader = program.reader(PAGE + 5, 0x2000);
        assert_eq!(reader.read_val::<[u8; 3]>(), Ok([0, 1, 2]));
        assert_eq!(reader.cursor().addr(), PAGE + 8);
        // over the end of a page
        reader.skip(0x1000 - 10);
        let at = 0x1000 - 10 + 3;
        assert_eq!(
            reader.read_val::<[u8; 4]>(),
            Ok(bytes[at..at + 4].try_into().unwrap())
        );
    });
}

#[test]
fn addresses_that_no_program_has_are_refused() {
    with(&[Some(RW)], |program| {
        program.refused(0, 1);
        program.refused(0, usize::MAX);
        program.refused(0x8000_0000_0000, 1);
        program.refused(0x7fff_ffff_ffff, 2);
        program.refused(0x1234_5678_0000_0000, 1);
        program.refused(0xffff_8000_0000_0000, 1);
        program.refused(0xffff_8000_0000_0000, 0);
        program.refused(usize::MAX, 1);
        program.refused(usize::MAX, 0);
        program.refused(usize::MAX, 2);
        program.refused(PAGE, usize::MAX);
        program.refused(PAGE, usize::MAX - PAGE + 1);
        program.refused(PAGE, 0x8000_0000_0000 - PAGE + 1);
        program.refused(1, usize::MAX);
        program.refused(1, usize::MAX / 2 + 1);
    });
}

#[test]
fn the_whole_user_half_is_a_programs() {
    with(&[Some(RW)], |program| {
        let mut reader = program.reader(1, 0x7fff_ffff_ffff);
        assert_eq!(reader.remain(), 0x7fff_ffff_ffff);
        assert_eq!(reader.read_val::<u8>(), Err(fault(1)));
        let mut last = program.writer(0x7fff_ffff_ffff, 1);
        assert_eq!(last.write_val(&1u8), Err(fault(0x7fff_ffff_ffff)));
        assert_eq!(program.reader(0, 0).remain(), 0);
    });
}

#[test]
fn an_address_space_that_is_not_in_use_is_refused() {
    on_machine(|machine| {
        on(0, |guard| {
            let (used, other) = (space(machine), space(machine));
            let mut cpu = cpu(machine, guard);
            assert_eq!(refused(guard, &used, &cpu), Some(IoError::NotActive));
            cpu.activate(guard, &used).unwrap();
            assert_eq!(refused(guard, &used, &cpu), None);
            assert_eq!(refused(guard, &other, &cpu), Some(IoError::NotActive));
            assert_eq!(
                other.writer(guard, &cpu, PAGE, 1).err(),
                Some(IoError::NotActive)
            );
            let both = other.reader_writer(guard, &cpu, PAGE, 1);
            assert_eq!(both.err(), Some(IoError::NotActive));
            cpu.deactivate(guard).unwrap();
            assert_eq!(refused(guard, &used, &cpu), Some(IoError::NotActive));
        });
    });
}

#[test]
fn another_processors_value_shows_nothing() {
    on_machine(|machine| {
        let space = space(machine);
        let mut first = on(0, |guard| cpu(machine, guard));
        on(0, |guard| first.activate(guard, &space).unwrap());
        on(1, |guard| {
            let wrong = IoError::Cpu(VmError::WrongCpu { cpu: 1 });
            assert_eq!(space.reader(guard, &first, PAGE, 1).err(), Some(wrong));
        });
        on(0, |guard| first.deactivate(guard).unwrap());
    });
}

#[test]
fn a_page_that_is_missing_in_the_middle_ends_the_copy() {
    with(&[Some(RW), None, Some(RW)], |program| {
        let mut bytes = [0xee; 0x3000];
        let mut reader = program.reader(PAGE + 10, 0x2000);
        let mut writer = VmWriter::from(&mut bytes[..]);
        let done = 0x1000 - 10;
        let gone = fault(PAGE + 0x1000);
        assert_eq!(reader.read_fallible(&mut writer), Err((gone, done)));
        assert_eq!(
            (reader.remain(), writer.avail()),
            (0x2000 - done, 0x3000 - done)
        );
        // and again, from there
        assert_eq!(reader.read_fallible(&mut writer), Err((gone, 0)));
        assert!(bytes[..done].iter().all(|byte| *byte == 0));
        assert!(bytes[done..].iter().all(|byte| *byte == 0xee));
        assert_eq!(program.peek(PAGE + 0x2000, 0x1000), [0; 0x1000]);
    });
}

#[test]
fn a_page_that_is_read_only_in_the_middle_ends_the_copy() {
    for second in [Some(RO), Some(KERNEL), None] {
        with(&[Some(RW), second, Some(RW)], |program| {
            let bytes = count(0x1800);
            let mut writer = program.writer(PAGE + 0x800, 0x1800);
            let mut reader = VmReader::from(&bytes[..]);
            let refused = Err((fault(PAGE + 0x1000), 0x800));
            assert_eq!(writer.write_fallible(&mut reader), refused);
            assert_eq!((writer.avail(), reader.remain()), (0x1000, 0x1000));
            assert_eq!(program.peek(PAGE + 0x800, 0x800), bytes[..0x800]);
            assert_eq!(program.peek(PAGE + 0x2000, 0x1000), [0; 0x1000]);
        });
    }
}

#[test]
fn pages_of_the_kernels_are_not_read() {
    with(&[Some(KERNEL)], |program| {
        assert_eq!(program.reader(PAGE, 8).read_val::<u64>(), Err(fault(PAGE)));
        assert_eq!(program.reader(PAGE, 8).read_once::<u64>(), Err(fault(PAGE)));
        assert_eq!(program.writer(PAGE, 8).write_once(1u64), Err(fault(PAGE)));
    });
}

#[test]
fn a_page_that_becomes_read_only_is_not_written() {
    with(&[Some(RW)], |program| {
        program.poke(PAGE, &[1]);
        let mut writer = program.writer(PAGE, 2);
        {
            let at = range(PAGE as u64, 0x1000);
            let mut cursor = program.space.cursor_mut(program.guard, &at).unwrap();
            cursor
                .protect_next(0x1000, |prop| PageProperty {
                    write: false,
                    ..prop
                })
                .unwrap();
            cursor.flusher().sync_tlb_flush().unwrap();
        }
        assert_eq!(writer.write_val(&2u8), Err(fault(PAGE)));
        assert_eq!(program.peek(PAGE, 1), [1]);
    });
}

#[test]
fn a_value_that_faults_leaves_the_cursor() {
    with(&[Some(RW), None], |program| {
        let mut reader = program.reader(PAGE + 0xffd, 16);
        assert_eq!(reader.read_val::<u64>(), Err(fault(PAGE + 0x1000)));
        assert_eq!(reader.remain(), 16);
        let mut writer = program.writer(PAGE + 0xffd, 16);
        assert_eq!(writer.write_val(&u64::MAX), Err(fault(PAGE + 0x1000)));
        assert_eq!(writer.avail(), 16);
        assert_eq!(reader.read_val::<[u8; 3]>(), Ok([0xff; 3]));
    });
}

#[cfg(feature = "alloc")]
#[test]
fn a_collection_that_faults_leaves_the_cursor() {
    with(&[Some(RW), None], |program| {
        let mut reader = program.reader(PAGE, 0x1001);
        assert_eq!(reader.collect(), Err(fault(PAGE + 0x1000)));
        assert_eq!(reader.remain(), 0x1001);
        assert_eq!(reader.limit(0x1000).collect(), Ok(vec![0; 0x1000]));
        let mut large = program.reader(1, 0x7fff_ffff_ffff);
        assert_eq!(
            large.collect(),
            Err(IoError::NoMemory {
                bytes: 0x7fff_ffff_ffff
            })
        );
    });
}

#[test]
fn a_fill_ends_where_nothing_is_mapped() {
    with(&[Some(RW), None], |program| {
        program.poke(PAGE, &[0xff; 0x1000]);
        let mut writer = program.writer(PAGE + 0xf00, 0x200);
        assert_eq!(writer.fill_zeros(0x10), Ok(0x10));
        assert_eq!(
            writer.fill_zeros(usize::MAX),
            Err((fault(PAGE + 0x1000), 0xf0))
        );
        assert_eq!(writer.avail(), 0x100);
        assert_eq!(
            program.peek(PAGE + 0xeff, 0x101),
            [&[0xff][..], &[0; 0x100]].concat()
        );
    });
}

#[test]
fn bytes_go_from_one_program_to_the_other() {
    with(&[Some(RW); 5], |program| {
        let bytes = count(0x1333);
        program.poke(PAGE + 1, &bytes);
        let mut reader = program.reader(PAGE + 1, 0x1333);
        let mut writer = program.writer(PAGE + 0x2003, 0x1400);
        assert_eq!(reader.read_fallible(&mut writer), Ok(0x1333));
        assert_eq!((reader.remain(), writer.avail()), (0, 0xcd));
        assert_eq!(program.peek(PAGE + 0x2003, 0x1333), bytes);
    });
}

#[test]
fn both_programs_count_what_arrived() {
    let cases = [
        ([Some(RW), None, Some(RW), Some(RW)], PAGE + 0x1000),
        ([Some(RW), Some(RW), Some(RW), Some(RO)], PAGE + 0x3000),
    ];
    for (pages, addr) in cases {
        with(&pages, |program| {
            program.poke(PAGE + 0x300, &count(0xd00));
            let mut reader = program.reader(PAGE + 0x300, 0x1800);
            let mut writer = program.writer(PAGE + 0x2300, 0x1800);
            assert_eq!(reader.read_fallible(&mut writer), Err((fault(addr), 0xd00)));
            assert_eq!((reader.remain(), writer.avail()), (0xb00, 0xb00));
            assert_eq!(program.peek(PAGE + 0x2300, 0xd00), count(0xd00));
        });
    }
}

#[test]
fn functions_take_user_memory_and_the_kernels() {
    fn greet(to: &mut VmWriter<'_, Fallible<'_, Cpus>>) -> Result<usize, (IoError, usize)> {
        to.write_fallible(&mut VmReader::from(&b"hello"[..]))
    }
    with(&[Some(RW)], |program| {
        assert_eq!(greet(&mut program.writer(PAGE, 5)), Ok(5));
        let mut own = [0; 5];
        assert_eq!(
            greet(&mut VmWriter::from(&mut own[..]).to_fallible()),
            Ok(5)
        );
        assert_eq!((program.peek(PAGE, 5), own), (b"hello".to_vec(), *b"hello"));
    });
}
