//! Readers and writers of the kernel's own memory.

use portolan::io::zerocopy::{FromBytes, Immutable, IntoBytes};
use portolan::io::{Infallible, IoError, NoUser, VmReader, VmWriter};

/// A reader of a slice.
fn reader(bytes: &[u8]) -> VmReader<'_, Infallible> {
    VmReader::from(bytes)
}

/// A writer of a slice.
fn writer(bytes: &mut [u8]) -> VmWriter<'_, Infallible> {
    VmWriter::from(bytes)
}

/// Bytes that are all different.
fn count(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| n as u8).collect()
}

#[test]
fn bytes_of_a_slice_are_read_one_after_the_other() {
    let source = count(10);
    let mut from = reader(&source);
    let (mut first, mut second) = ([0; 3], [0xff; 20]);
    assert_eq!(from.read(&mut writer(&mut first)), 3);
    assert_eq!((first, from.remain()), ([0, 1, 2], 7));
    let mut to = writer(&mut second);
    assert_eq!(from.read(&mut to), 7);
    assert_eq!((to.avail(), from.has_remain()), (13, false));
    assert_eq!(second[..7], source[3..]);
    assert_eq!(second[7..], [0xff; 13]);
}

#[test]
fn bytes_are_written_one_after_the_other() {
    let mut room = [0xff; 8];
    let mut to = writer(&mut room);
    assert_eq!(to.write(&mut reader(&[1, 2, 3])), 3);
    assert_eq!(to.write(&mut reader(&[4, 5])), 2);
    assert_eq!(to.avail(), 3);
    assert_eq!(to.write(&mut reader(&[6; 9])), 3);
    assert!(!to.has_avail());
    assert_eq!(room, [1, 2, 3, 4, 5, 6, 6, 6]);
}

#[test]
fn nothing_is_copied_where_nothing_is_left() {
    let mut room = [7; 4];
    assert_eq!(reader(&[]).read(&mut writer(&mut room)), 0);
    assert_eq!(reader(&[1]).read(&mut writer(&mut [])), 0);
    assert_eq!(room, [7; 4]);
    assert_eq!(reader(&[]).read_val::<()>(), Ok(()));
    assert_eq!(writer(&mut []).write_val(&[0u32; 0]), Ok(()));
}

#[test]
fn memory_that_the_kernel_vouches_for_is_read_and_written() {
    let mut words = [0u32; 4];
    let at = words.as_mut_ptr().cast::<u8>();
    // SAFETY: the array is there, and used by nobody else
    let (mut to, mut from) = unsafe {
        let to = VmWriter::from_kernel_space(at, 16);
        (to, VmReader::from_kernel_space(at, 16))
    };
    to.write_val(&0x0102_0304u32).unwrap();
    assert_eq!(from.read_val::<u32>(), Ok(0x0102_0304));
    assert_eq!(from.cursor().addr(), at.addr() + 4);
    assert_eq!(to.cursor().addr(), at.addr() + 4);
}

#[test]
fn values_are_read_from_their_bytes() {
    let mut bytes = vec![1];
    bytes.extend(0x1122_3344_5566_7788u64.to_ne_bytes());
    bytes.extend(0xaabbu16.to_ne_bytes());
    let mut from = reader(&bytes);
    assert_eq!(from.read_val::<u8>(), Ok(1));
    assert_eq!(from.read_val::<u64>(), Ok(0x1122_3344_5566_7788));
    assert_eq!(from.read_val::<u16>(), Ok(0xaabb));
}

#[test]
fn values_are_written_as_their_bytes() {
    #[derive(FromBytes, IntoBytes, Immutable)]
    #[repr(C)]
    struct Header {
        kind: u16,
        len: u16,
        tag: [u8; 3],
        end: u8,
    }
    let mut room = [0xff; 9];
    let mut to = writer(&mut room);
    let header = Header {
        kind: 0x0101,
        len: 0x0202,
        tag: *b"tag",
        end: 9,
    };
    to.write_val(&header).unwrap();
    assert_eq!(to.avail(), 1);
    assert_eq!(room, [1, 1, 2, 2, b't', b'a', b'g', 9, 0xff]);
}

#[test]
fn a_value_longer_than_what_remains_is_refused() {
    let bytes = count(7);
    let mut from = reader(&bytes);
    let short = IoError::TooShort { needed: 8, left: 7 };
    assert_eq!(from.read_val::<u64>(), Err(short));
    assert_eq!(from.read_once::<u64>(), Err(short));
    assert_eq!(from.remain(), 7);
    let mut room = [0xff; 7];
    let mut to = writer(&mut room);
    assert_eq!(to.write_val(&0u64), Err(short));
    assert_eq!(to.write_once(0u64), Err(short));
    assert_eq!(to.avail(), 7);
    assert_eq!(room, [0xff; 7]);
}

#[test]
fn limits_and_skips_leave_what_they_say() {
    let bytes = count(10);
    let mut from = reader(&bytes);
    assert_eq!(from.limit(20).remain(), 10);
    assert_eq!(from.limit(6).skip(2).remain(), 4);
    assert_eq!(
        from.try_skip(5),
        Err(IoError::TooShort { needed: 5, left: 4 })
    );
    assert_eq!(from.read_val::<[u8; 4]>(), Ok([2, 3, 4, 5]));
    assert_eq!(
        from.read_val::<u8>(),
        Err(IoError::TooShort { needed: 1, left: 0 })
    );
    let mut room = [0; 10];
    let mut to = writer(&mut room);
    assert_eq!(to.limit(6).skip(2).avail(), 4);
    assert_eq!(
        to.try_skip(usize::MAX),
        Err(IoError::TooShort {
            needed: usize::MAX,
            left: 4
        })
    );
    assert_eq!(to.write(&mut reader(&[1; 9])), 4);
    assert_eq!(room, [0, 0, 1, 1, 1, 1, 0, 0, 0, 0]);
}

#[test]
#[should_panic = "skip: 5 bytes needed, 4 left"]
fn a_reader_does_not_skip_more_than_is_left() {
    reader(&[0; 4]).skip(5);
}

#[test]
#[should_panic = "skip: 5 bytes needed, 4 left"]
fn a_writer_does_not_skip_more_than_is_left() {
    writer(&mut [0; 4]).skip(5);
}

#[test]
fn a_clone_has_a_cursor_of_its_own() {
    let bytes = count(4);
    let mut from = reader(&bytes);
    from.skip(1);
    let mut other = from.clone();
    assert_eq!(other.read_val::<[u8; 3]>(), Ok([1, 2, 3]));
    assert_eq!((from.remain(), from.read_val::<u8>()), (3, Ok(1)));
}

#[test]
fn a_writer_is_lent() {
    let mut room = [0; 4];
    let mut to = writer(&mut room);
    to.write_val(&1u8).unwrap();
    let mut lent = to.clone_exclusive();
    lent.write_val(&2u8).unwrap();
    lent.write_val(&3u8).unwrap();
    assert_eq!(to.avail(), 3);
    to.write_val(&4u8).unwrap();
    to.finish();
    assert_eq!(room, [1, 4, 3, 0]);
}

#[test]
fn zeros_are_filled_in() {
    let mut room = [0xff; 8];
    let mut to = writer(&mut room);
    to.skip(1);
    assert_eq!(to.fill_zeros(3), 3);
    assert_eq!(to.fill_zeros(0), 0);
    to.skip(1);
    assert_eq!(to.limit(2).fill_zeros(usize::MAX), 2);
    assert_eq!(room, [0xff, 0, 0, 0, 0xff, 0, 0, 0xff]);
}

#[test]
fn a_value_fills_what_is_left() {
    let mut words = [0u32; 4];
    let mut to = writer(words.as_mut_bytes());
    to.skip(4).limit(8);
    assert_eq!(to.fill(7u32), 2);
    assert!(!to.has_avail());
    assert_eq!(words, [0, 7, 7, 0]);
}

#[test]
fn what_values_do_not_fill_is_left() {
    let mut words = [0u32; 4];
    let mut to = writer(words.as_mut_bytes());
    to.skip(1);
    let addr = to.cursor().addr();
    assert_eq!(
        to.try_fill(7u32),
        Err(IoError::NotAligned { addr, align: 4 })
    );
    to.skip(3).limit(7);
    assert_eq!(
        to.try_fill(7u32),
        Err(IoError::NotMultiple { bytes: 7, size: 4 })
    );
    assert_eq!(
        to.try_fill(()),
        Err(IoError::NotMultiple { bytes: 7, size: 0 })
    );
    assert_eq!((to.avail(), words), (7, [0; 4]));
}

#[test]
#[should_panic = "fill: 3 bytes are not filled by values of 2"]
fn fill_panics_where_its_twin_refuses() {
    let mut words = [0u16; 2];
    writer(words.as_mut_bytes()).limit(3).fill(1u16);
}

#[test]
fn what_becomes_fallible_is_still_the_kernels() {
    let bytes = count(6);
    let mut room = [0; 6];
    let mut from = reader(&bytes).to_fallible::<NoUser>();
    let mut to = writer(&mut room).to_fallible::<NoUser>();
    assert_eq!(from.read_val::<u8>(), Ok(0));
    to.write_val(&9u8).unwrap();
    use portolan::io::{FallibleVmRead, FallibleVmWrite};
    assert_eq!(to.write_fallible(from.clone().limit(2)), Ok(2));
    from.skip(2);
    assert_eq!(from.read_fallible(&mut to), Ok(3));
    assert_eq!(to.fill_zeros(9), Ok(0));
    assert_eq!(room, [9, 1, 2, 3, 4, 5]);
}

#[cfg(feature = "alloc")]
#[test]
fn all_that_is_left_is_collected() {
    let bytes = count(6);
    let mut from = reader(&bytes);
    from.skip(2);
    assert_eq!(from.collect(), Ok(vec![2, 3, 4, 5]));
    assert_eq!((from.remain(), from.collect()), (0, Ok(vec![])));
}

#[test]
fn readers_are_as_small_as_they_can_be() {
    assert_eq!(size_of::<VmReader<'_, Infallible>>(), 16);
    assert_eq!(size_of::<VmWriter<'_, Infallible>>(), 16);
}
