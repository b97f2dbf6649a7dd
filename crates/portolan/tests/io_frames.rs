//! Frames, segments and slices of frames as bytes.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{cpu, frame, on, on_machine, range, segment, space};
use portolan::PageProperty;
use portolan::io::{IoError, UntypedMem, VmIo, VmIoFill, VmIoOnce, VmReader, VmWriter};
use std::sync::Arc;

fn count(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

#[test]
fn a_frame_keeps_what_was_written() {
    on_machine(|machine| {
        let frame = frame(machine);
        assert_eq!(
            (
                frame.size(),
                frame.reader().remain(),
                frame.writer().avail()
            ),
            (0x1000, 0x1000, 0x1000)
        );
        let bytes = count(100);
        frame.write_bytes(0xf9c, &bytes).unwrap();
        let mut back = [0; 101];
        frame.read_bytes(0xf9b, &mut back).unwrap();
        assert_eq!((back[0], &back[1..]), (0, &bytes[..]));
        let mut reader = frame.reader();
        reader.skip(0xf9c);
        assert_eq!(reader.read_val::<[u8; 2]>(), Ok([0, 1]));
    });
}

#[test]
fn a_segment_is_one_run_of_bytes() {
    on_machine(|machine| {
        let segment = segment(machine, 0x4000);
        assert_eq!(segment.size(), 0x4000);
        let bytes = count(0x2000);
        segment.write_bytes(0xfff, &bytes).unwrap();
        let mut back = vec![0; 0x2000];
        segment.read_bytes(0xfff, &mut back).unwrap();
        assert_eq!(back, bytes);
        segment.fill_zeros(0x1000, 0x1000).unwrap();
        assert_eq!(segment.read_val::<[u8; 2]>(0xfff), Ok([0, 0]));
        assert_eq!(segment.read_val::<u8>(0x2000), Ok(bytes[0x1001]));
        let (low, high) = segment.split(0x2000).unwrap();
        assert_eq!(high.read_val::<u8>(0), Ok(bytes[0x1001]));
        assert_eq!(low.write_once(0x1ff8, 7u64), Ok(()));
        assert_eq!(low.read_once(0x1ff8), Ok(7u64));
    });
}

#[test]
fn frames_that_lie_anywhere_are_one_object() {
    on_machine(|machine| {
        let mut frames: Vec<_> = (0..3).map(|_| frame(machine)).collect();
        frames.swap(0, 2);
        let bytes = count(0x1802);
        frames[..].write_bytes(0x7ff, &bytes).unwrap();
        let mut back = vec![0; 0x1802];
        frames[..].read_bytes(0x7ff, &mut back).unwrap();
        assert_eq!(back, bytes);
        assert_eq!(frames[1].read_val::<u8>(0), Ok(bytes[0x801]));
        assert_eq!(frames[2].read_val::<u8>(0), Ok(bytes[0x1801]));
        // the others are left alone
        assert_eq!(frames[1..].read_val::<u8>(0xfff), Ok(bytes[0x1800]));
        let out = IoError::OutOfRange {
            offset: 0x2fff,
            len: 2,
            size: 0x3000,
        };
        assert_eq!(frames[..].read_val::<u16>(0x2fff), Err(out));
        assert_eq!(frames[..].write_val(0x2fff, &1u16), Err(out));
        assert_eq!(frames[..].write_once(0x1ff8, 7u64), Ok(()));
        assert_eq!(frames[..].read_once(0x1ffc), Ok(0u32));
        assert_eq!(frames[1].read_once(0xff8), Ok(7u64));
        for offset in [0xffe, 0x1ffd] {
            let wrong = IoError::NotAligned {
                addr: offset,
                align: 4,
            };
            assert_eq!(frames[..].read_once::<u32>(offset), Err(wrong));
            assert_eq!(frames[..].write_once(offset, 1u32), Err(wrong));
        }
        assert_eq!(
            frames[..].read_once::<u32>(0x2ffe),
            Err(IoError::OutOfRange {
                offset: 0x2ffe,
                len: 4,
                size: 0x3000
            })
        );
        assert_eq!(frames[..].fill_zeros(0x800, 0x1000), Ok(()));
        assert_eq!(frames[1].read_val::<[u8; 2]>(0x7ff), Ok([0, bytes[0x1001]]));
        assert_eq!(
            frames[..].fill_zeros(0x2fff, 2),
            Err((
                IoError::OutOfRange {
                    offset: 0x2fff,
                    len: 2,
                    size: 0x3000
                },
                0
            ))
        );
        let none = IoError::OutOfRange {
            offset: 0,
            len: 1,
            size: 0,
        };
        assert_eq!(frames[..0].read_val::<u8>(0), Err(none));
        assert_eq!(frames[..0].read_bytes(0, &mut []), Ok(()));
    });
}

#[test]
fn what_is_out_of_range_is_refused_whole() {
    on_machine(|machine| {
        let frame = frame(machine);
        for (offset, len) in [
            (0xfff, 2),
            (0x1001, 0),
            (usize::MAX, 1),
            (usize::MAX, 0),
            (1, 0x1000),
        ] {
            let out = IoError::OutOfRange {
                offset,
                len,
                size: 0x1000,
            };
            let mut room = vec![0xee; len];
            assert_eq!(frame.read_bytes(offset, &mut room), Err(out));
            assert_eq!(frame.write_bytes(offset, &room), Err(out));
            assert_eq!(frame.fill_zeros(offset, len), Err((out, 0)));
            assert!(room.iter().all(|byte| *byte == 0xee));
        }
        let out = IoError::OutOfRange {
            offset: 0xffd,
            len: 4,
            size: 0x1000,
        };
        assert_eq!(frame.read_once::<u32>(0xffd), Err(out));
        assert_eq!(frame.write_once(0xffd, 1u32), Err(out));
        assert_eq!(frame.read_bytes(0x1000, &mut []), Ok(()));
        assert_eq!(frame.read_val::<[u64; 512]>(0), Ok([0; 512]));
    });
}

#[test]
fn values_are_read_at_offsets() {
    on_machine(|machine| {
        let frame = frame(machine);
        frame.write_val(3, &0x1122_3344u32).unwrap();
        assert_eq!(frame.read_val::<u32>(3), Ok(0x1122_3344));
        assert_eq!(frame.read_val::<[u8; 2]>(2).unwrap()[0], 0);
        let addr = frame.reader().cursor().addr() + 3;
        assert_eq!(
            frame.read_once::<u32>(3),
            Err(IoError::NotAligned { addr, align: 4 })
        );
    });
}

#[test]
fn slices_are_read_and_written() {
    on_machine(|machine| {
        let frame = frame(machine);
        frame.write_slice(8, &[1u32, 2, 3]).unwrap();
        let mut back = [0u32; 4];
        frame.read_slice(4, &mut back).unwrap();
        assert_eq!(back, [0, 1, 2, 3]);
        let out = IoError::OutOfRange {
            offset: 0xff8,
            len: 12,
            size: 0x1000,
        };
        assert_eq!(frame.write_slice(0xff8, &[1u32, 2, 3]), Err(out));
    });
}

#[test]
fn values_are_written_one_after_the_other() {
    on_machine(|machine| {
        let frame = frame(machine);
        assert_eq!(frame.write_vals(1, [1u16, 2].iter(), 0), Ok(2));
        assert_eq!(frame.read_val::<[u8; 6]>(0), Ok([0, 1, 0, 2, 0, 0]));
        assert_eq!(
            frame.write_vals(9, [[1u8, 1, 1], [2, 2, 2]].iter(), 4),
            Ok(2)
        );
        assert_eq!(
            frame.read_val::<[u8; 12]>(9),
            Ok([0, 0, 0, 1, 1, 1, 0, 2, 2, 2, 0, 0])
        );
        assert_eq!(frame.write_vals(0xff9, [7u32; 9].iter(), 4), Ok(1));
        let out = IoError::OutOfRange {
            offset: 0x1000,
            len: 4,
            size: 0x1000,
        };
        assert_eq!(frame.write_vals(0xffd, [7u32; 9].iter(), 4), Err(out));
        let wrong = IoError::NotPowerOfTwo { align: 3 };
        assert_eq!(frame.write_vals(0, [7u32; 9].iter(), 3), Err(wrong));
        assert_eq!(frame.write_vals(0xfff, [0u8; 0].iter(), 8), Ok(0));
        let end = IoError::OutOfRange {
            offset: usize::MAX,
            len: 1,
            size: usize::MAX,
        };
        assert_eq!(frame.write_vals(usize::MAX, [1u8].iter(), 2), Err(end));
    });
}

#[test]
fn pointers_to_objects_are_objects() {
    fn exercise(object: impl VmIoOnce + VmIoFill) {
        object.write_val(8, &5u64).unwrap();
        assert_eq!(object.read_val(8), Ok(5u64));
        object.write_once(16, 6u64).unwrap();
        assert_eq!(object.read_once(16), Ok(6u64));
        object.fill_zeros(0, 24).unwrap();
        assert_eq!(object.read_val(8), Ok([0u64; 2]));
    }
    on_machine(|machine| {
        let mut one = frame(machine);
        exercise(&one);
        exercise(&mut one);
        #[cfg(feature = "alloc")]
        {
            exercise(Box::new(one));
            exercise(Arc::new(segment(machine, 0x2000)));
        }
        #[cfg(not(feature = "alloc"))]
        drop((one, Arc::new(())));
    });
}

#[test]
fn a_program_sees_what_is_in_its_frames() {
    on_machine(|machine| {
        on(0, |guard| {
            const PAGE: usize = 0x40_0000;
            let (space, frame) = (space(machine), frame(machine));
            let at = range(PAGE as u64, 0x1000);
            let mapped = frame.try_clone().unwrap();
            space
                .cursor_mut(guard, &at)
                .unwrap()
                .map(mapped, PageProperty::USER_RW)
                .unwrap();
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &space).unwrap();
            let bytes = count(0x100);
            // from a file's page to a program
            frame.write_bytes(0, &bytes).unwrap();
            let mut writer = space.writer(guard, &cpu, PAGE + 0x800, 0x100).unwrap();
            frame.read(0, &mut writer).unwrap();
            assert_eq!(frame.read_val::<[u8; 2]>(0x8fe).unwrap(), bytes[0xfe..]);
            // and back, as far as the program has it
            let mut reader = space.reader(guard, &cpu, PAGE + 0xff0, 0x20).unwrap();
            let fault = IoError::PageFault {
                addr: PAGE + 0x1000,
            };
            assert_eq!(frame.write(0x100, &mut reader), Err((fault, 0x10)));
            assert_eq!(reader.remain(), 0x10);
            let frames = [frame];
            let mut reader = space.reader(guard, &cpu, PAGE, 0x1000).unwrap();
            assert_eq!(frames[..].write(0, &mut reader), Ok(()));
            let mut writer = space.writer(guard, &cpu, PAGE + 0xfff, 2).unwrap();
            assert_eq!(frames[..].read(0, &mut writer), Err((fault, 1)));
            cpu.deactivate(guard).unwrap();
        });
    });
}

#[test]
fn a_frame_is_copied_onto_itself() {
    on_machine(|machine| {
        let frame = frame(machine);
        frame.write_bytes(0, &count(0x100)).unwrap();
        let (mut from, mut to) = (frame.reader(), frame.writer());
        assert_eq!(from.read(&mut to), 0x1000);
        assert_eq!(frame.read_val::<[u8; 0x100]>(0).unwrap()[..], count(0x100));
        let mut own = [0; 4];
        assert_eq!(VmReader::from(&own[..0]).read(&mut frame.writer()), 0);
        assert_eq!(
            VmWriter::from(&mut own[..]).write(frame.reader().skip(5)),
            4
        );
        assert_eq!(own, [5, 6, 7, 8]);
    });
}
