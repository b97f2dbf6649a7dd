//! Frames from buddies.
#![cfg(feature = "buddy_system_allocator")]

use portolan::PhysAddr;
use portolan::frame::{FRAME_SIZE, Frame, FrameError, FrameTable, MetaSlot, Segment};
use portolan::interop::buddy_system_allocator::BuddyFrames;

type Buddies = BuddyFrames<spin::Mutex<()>>;

/// A table of as many frames from `base` on, all of them with the allocator.
fn table(base: u64, slots: &mut [MetaSlot]) -> FrameTable<'_, Buddies> {
    let end = PhysAddr::new(base + slots.len() as u64 * FRAME_SIZE);
    let base = PhysAddr::new(base);
    let table = FrameTable::new(base, slots, Buddies::new()).unwrap();
    // SAFETY: the frames are made up
    unsafe { table.add(base..end) }.unwrap();
    table.free(base..end).unwrap();
    table
}

fn slots(count: usize) -> Vec<MetaSlot> {
    (0..count).map(|_| MetaSlot::new()).collect()
}

#[test]
fn all_frames_are_handed_out_once_and_come_back() {
    for base in [0, 0x3000, 0x1_0000_0000] {
        let mut slots = slots(37);
        let table = table(base, &mut slots);
        for _ in 0..3 {
            assert_eq!(table.allocator().available(), 37);
            let mut frames: Vec<_> = (0..37).map(|_| Frame::alloc(&table, ()).unwrap()).collect();
            assert_eq!(
                Frame::alloc(&table, ()).err(),
                Some(FrameError::NoMemory { size: 0x1000 })
            );
            frames.sort_by_key(|frame| frame.paddr());
            frames.dedup_by_key(|frame| frame.paddr());
            assert_eq!(frames.len(), 37);
        }
    }
}

#[test]
fn what_is_left_over_of_a_block_is_free() {
    let mut slots = slots(16);
    let table = table(0x1_0000, &mut slots);
    let five = Segment::alloc(&table, 5, FRAME_SIZE, |_| ()).unwrap();
    assert_eq!(table.allocator().available(), 11);
    let rest: Vec<_> = (0..11).map(|_| Frame::alloc(&table, ()).unwrap()).collect();
    assert_eq!(table.allocator().available(), 0);
    drop((five, rest));
    assert_eq!(table.allocator().available(), 16);
}

#[test]
fn buddies_that_come_back_are_one_block_again() {
    let mut slots = slots(1024);
    let table = table(0x40_0000, &mut slots);
    let huge = || Segment::alloc(&table, 512, 0x20_0000, |_| ());
    for _ in 0..3 {
        let (one, two) = (huge().unwrap(), huge().unwrap());
        assert_eq!(one.paddr().as_u64() % 0x20_0000, 0);
        assert_eq!(two.paddr().as_u64() % 0x20_0000, 0);
        assert_eq!(huge().err(), Some(FrameError::NoMemory { size: 0x20_0000 }));
        // frame by frame, in no order
        let (even, odd): (Vec<_>, Vec<_>) =
            one.partition(|frame| (frame.paddr().as_u64() / FRAME_SIZE).is_multiple_of(2));
        drop((odd, two, even));
    }
    assert!(Segment::alloc(&table, 1024, FRAME_SIZE, |_| ()).is_ok());
}

#[test]
fn frames_that_were_never_handed_out_come_in_as_well() {
    let mut slots = slots(4);
    let first = PhysAddr::new(0x1000);
    let end = PhysAddr::new(0x5000);
    let table = FrameTable::new(first, &mut slots, Buddies::new()).unwrap();
    // SAFETY: the frames are made up
    unsafe { table.add(first..end) }.unwrap();
    drop(Segment::from_unused(&table, first..end, |_| ()).unwrap());
    assert_eq!(table.allocator().available(), 4);
    assert_eq!(
        Segment::alloc(&table, usize::MAX / 2, 1, |_| ()).err(),
        Some(FrameError::NoMemory { size: u64::MAX })
    );
}
