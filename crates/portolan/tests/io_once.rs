//! Accesses of one instruction.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{cpu, frame, on, on_machine, range, space};
use portolan::PageProperty;
use portolan::io::zerocopy::IntoBytes;
use portolan::io::{IoError, UntypedMem, VmReader, VmWriter};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const PAGE: usize = 0x40_0000;

#[test]
fn each_width_is_read_and_written_at_once() {
    let mut words = [0u64; 2];
    let mut to = VmWriter::from(words.as_mut_bytes());
    to.write_once(0x11u8).unwrap();
    to.skip(1).write_once(0x2222u16).unwrap();
    to.write_once(0x3333_3333u32).unwrap();
    to.write_once(0x4444_4444_4444_4444u64).unwrap();
    let mut from = VmReader::from(words.as_bytes());
    assert_eq!(from.read_once(), Ok(0x11u8));
    assert_eq!(from.read_once(), Ok(0u8));
    assert_eq!(from.read_once(), Ok(0x2222u16));
    assert_eq!(from.read_once(), Ok(0x3333_3333u32));
    assert_eq!(from.read_once(), Ok(0x4444_4444_4444_4444u64));
    assert_eq!(
        from.read_once::<u8>(),
        Err(IoError::TooShort { needed: 1, left: 0 })
    );
}

#[test]
fn what_is_misaligned_is_not_read_at_once() {
    let mut words = [0u64; 2];
    let start = words.as_bytes().as_ptr().addr();
    for (skip, align) in [(1, 2), (2, 4), (4, 8), (7, 8)] {
        let wrong = IoError::NotAligned {
            addr: start + skip,
            align,
        };
        let mut to = VmWriter::from(words.as_mut_bytes());
        to.skip(skip);
        let left = to.avail();
        match align {
            2 => assert_eq!(to.write_once(0u16), Err(wrong)),
            4 => assert_eq!(to.write_once(0u32), Err(wrong)),
            _ => {
                assert_eq!(to.write_once(0u64), Err(wrong));
                // its bytes are aligned, but could be torn
                assert_eq!(to.write_once([0u8; 8]), Err(wrong));
                assert_eq!(to.atomic_compare_exchange(0u64, 1), Err(wrong));
            }
        }
        assert_eq!(to.avail(), left);
        let mut from = VmReader::from(words.as_bytes());
        from.skip(skip);
        match align {
            2 => assert_eq!(from.read_once::<u16>(), Err(wrong)),
            4 => assert_eq!(from.read_once::<u32>(), Err(wrong)),
            _ => {
                assert_eq!(from.read_once::<u64>(), Err(wrong));
                assert_eq!(from.atomic_load::<u64>(), Err(wrong));
            }
        }
        assert_eq!(from.remain(), left);
    }
}

#[test]
fn only_what_is_expected_is_exchanged() {
    let mut words = [5u32, 6];
    let mut to = VmWriter::from(words.as_mut_bytes());
    to.skip(4);
    assert_eq!(to.atomic_compare_exchange(5u32, 7), Ok(Err(6)));
    assert_eq!(to.atomic_compare_exchange(6u32, 7), Ok(Ok(6)));
    assert_eq!(to.atomic_compare_exchange(0u32, 0), Ok(Err(7)));
    assert_eq!(to.avail(), 4);
    let short = IoError::TooShort { needed: 8, left: 4 };
    assert_eq!(to.atomic_compare_exchange(0u64, 0), Err(short));
    assert_eq!(words, [5, 7]);
}

#[test]
fn a_fault_is_no_value() {
    on_machine(|machine| {
        on(0, |guard| {
            let space = space(machine);
            let map = |addr: usize, prop| {
                let at = range(addr as u64, 0x1000);
                let mut cursor = space.cursor_mut(guard, &at).unwrap();
                cursor.map(frame(machine), prop).unwrap();
            };
            map(PAGE, PageProperty::USER_RW);
            map(PAGE + 0x1000, PageProperty::USER_RO);
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &space).unwrap();
            let at = |addr| space.reader_writer(guard, &cpu, addr, 8).unwrap();
            let (mut reader, mut writer) = at(PAGE);
            writer.write_once(u32::MAX).unwrap();
            let (_, mut word) = at(PAGE);
            assert_eq!(reader.atomic_load(), Ok(u32::MAX));
            assert_eq!(word.atomic_compare_exchange(u32::MAX, 0), Ok(Ok(u32::MAX)));
            assert_eq!(word.atomic_compare_exchange(u32::MAX, 1), Ok(Err(0)));
            assert_eq!((reader.atomic_load(), reader.remain()), (Ok(0u32), 8));
            assert_eq!((word.avail(), writer.avail()), (8, 4));

            let (mut reader, mut writer) = at(PAGE + 0x1000);
            let fault = IoError::PageFault {
                addr: PAGE + 0x1000,
            };
            assert_eq!(reader.atomic_load(), Ok(0u32));
            assert_eq!(writer.atomic_compare_exchange(0u32, 1), Err(fault));
            assert_eq!(writer.atomic_compare_exchange(7u32, 1), Err(fault));
            assert_eq!(writer.write_once(0u32), Err(fault));

            let (mut reader, mut writer) = at(PAGE + 0x2000);
            let fault = IoError::PageFault {
                addr: PAGE + 0x2000,
            };
            assert_eq!(reader.atomic_load::<u64>(), Err(fault));
            assert_eq!(reader.read_once::<u64>(), Err(fault));
            assert_eq!(writer.atomic_compare_exchange(0u64, 1), Err(fault));
            assert_eq!((reader.remain(), writer.avail()), (8, 8));
            cpu.deactivate(guard).unwrap();
        });
    });
}

/// A thread stores words of equal bytes while this one checks that it only sees such.
fn never_torn(store: impl Fn(&mut VmWriter<'_, portolan::io::Infallible>, u64) + Sync) {
    on_machine(|machine| {
        let frame = frame(machine);
        let (shared, stop) = (&frame, AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0u64;
                while !stop.load(SeqCst) {
                    n = n.wrapping_add(1);
                    store(
                        &mut shared.writer(),
                        u64::from(n as u8) * 0x0101_0101_0101_0101,
                    );
                }
            });
            for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
                let word: u64 = shared.reader().read_once().unwrap();
                assert_eq!(word, (word & 0xff) * 0x0101_0101_0101_0101);
            }
            stop.store(true, SeqCst);
        });
    });
}

#[test]
fn what_is_loaded_once_is_never_torn() {
    never_torn(|writer, word| {
        let was = writer.clone_exclusive().atomic_compare_exchange(0u64, word);
        if let Ok(Err(was)) = was {
            writer.atomic_compare_exchange(was, word).unwrap().unwrap();
        }
    });
}

#[test]
fn what_is_stored_once_is_never_torn() {
    never_torn(|writer, word| writer.write_once(word).unwrap());
}
