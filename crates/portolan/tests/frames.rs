//! Frames: who has references to them, what is noted of them, and where they go.

#[path = "common/frames.rs"]
mod common;

use common::{BASE, Pool, TableMeta, frame, free, reserved, slots, state, unused};
use portolan::PhysAddr;
use portolan::frame::{
    FRAME_SIZE, Frame, FrameError, FrameMeta, FrameTable, MetaSlot, Segment, UFrame, UniqueFrame,
    Untyped,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Metadata that says when it is dropped.
struct Noted<'a> {
    number: u64,
    dropped: &'a AtomicUsize,
}

impl FrameMeta for Noted<'static> {
    const UNTYPED: bool = false;
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_slot_is_64_bytes() {
    assert_eq!(size_of::<MetaSlot>(), 64);
}

#[test]
fn zeroed_memory_is_slots() {
    let mut memory = vec![0u64; 4 * 8];
    // SAFETY: it is as long as four slots, aligned to words, and any bytes are slots
    let slots = unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), 4) };
    let table = free(slots);
    let one = Frame::alloc(&table, TableMeta(3)).unwrap();
    assert_eq!((one.meta().0, table.allocator().len()), (3, 3));
}

#[test]
fn a_table_starts_with_all_frames_reserved() {
    let mut slots = slots(3);
    let table = reserved(&mut slots);
    for n in 0..3 {
        let addr = frame(n).as_u64();
        let error = Some(FrameError::Reserved { addr });
        assert_eq!(state(&table, frame(n)), error);
        assert_eq!(Frame::from_unused(&table, frame(n), ()).err(), error);
        assert_eq!(UniqueFrame::from_unused(&table, frame(n), ()).err(), error);
    }
    let error = FrameError::Reserved { addr: BASE };
    assert_eq!(table.free(frame(0)..frame(3)), Err(error));
}

#[test]
fn a_table_that_would_wrap_or_is_not_aligned_is_refused() {
    let new = |base, count| {
        FrameTable::new(PhysAddr::new(base), &mut slots(count), Pool::default()).err()
    };
    assert_eq!(
        new(0x1001, 1),
        Some(FrameError::NotAligned { addr: 0x1001 })
    );
    let last = u64::MAX - 0xfff;
    assert_eq!(new(last, 1), Some(FrameError::Wrapping { addr: last }));
    assert_eq!(new(last, 0), None);
    assert_eq!(new(last - 0x2000, 2), None);
    assert_eq!(
        new(last - 0x2000, 3),
        Some(FrameError::Wrapping {
            addr: last - 0x2000
        })
    );
}

#[test]
fn a_frame_is_added_once() {
    let mut slots = slots(4);
    let table = reserved(&mut slots);
    // SAFETY: the frames are made up
    let add = |from, to| unsafe { table.add(frame(from)..frame(to)) };
    assert_eq!(add(1, 3), Ok(()));
    assert_eq!(
        add(2, 4),
        Err(FrameError::Unused {
            addr: frame(2).as_u64()
        })
    );
    assert_eq!(
        add(0, 4),
        Err(FrameError::Unused {
            addr: frame(1).as_u64()
        })
    );
    // all or none
    assert_eq!(
        state(&table, frame(0)),
        Some(FrameError::Reserved { addr: BASE })
    );
    assert_eq!(
        state(&table, frame(3)),
        Some(FrameError::Reserved {
            addr: frame(3).as_u64()
        })
    );
    table.free(frame(1)..frame(2)).unwrap();
    assert_eq!(
        add(1, 2),
        Err(FrameError::Free {
            addr: frame(1).as_u64()
        })
    );
    assert_eq!(table.allocator().len(), 1);
}

#[test]
fn addresses_that_are_no_frames_are_refused() {
    let mut slots = slots(2);
    let table = unused(&mut slots);
    let misaligned = PhysAddr::new(BASE + 1);
    let error = Some(FrameError::NotAligned { addr: BASE + 1 });
    assert_eq!(state(&table, misaligned), error);
    assert_eq!(Frame::from_unused(&table, misaligned, ()).err(), error);
    for addr in [
        0,
        BASE - FRAME_SIZE,
        BASE + 2 * FRAME_SIZE,
        u64::MAX - 0xfff,
    ] {
        let error = Some(FrameError::OutOfRange { addr });
        assert_eq!(state(&table, PhysAddr::new(addr)), error);
        assert_eq!(
            Frame::from_unused(&table, PhysAddr::new(addr), ()).err(),
            error
        );
        assert_eq!(
            UniqueFrame::from_unused(&table, PhysAddr::new(addr), ()).err(),
            error
        );
    }
}

#[test]
fn ranges_that_are_no_frames_are_refused() {
    let mut slots = slots(4);
    let table = unused(&mut slots);
    let refused = |start: u64, end: u64| {
        let range = PhysAddr::new(start)..PhysAddr::new(end);
        let error = Segment::from_unused(&table, range.clone(), |_| ())
            .err()
            .unwrap();
        assert_eq!(table.free(range.clone()), Err(error));
        // SAFETY: the frames are made up
        assert_eq!(unsafe { table.add(range) }, Err(error));
        error
    };
    let end = BASE + 4 * FRAME_SIZE;
    assert_eq!(
        refused(BASE + 8, end),
        FrameError::NotAligned { addr: BASE + 8 }
    );
    assert_eq!(
        refused(BASE, end - 1),
        FrameError::NotAligned { addr: end - 1 }
    );
    assert_eq!(refused(BASE, BASE), FrameError::Empty { addr: BASE });
    assert_eq!(refused(end, BASE), FrameError::Wrapping { addr: end });
    assert_eq!(
        refused(BASE, end + FRAME_SIZE),
        FrameError::OutOfRange { addr: BASE }
    );
    let before = BASE - FRAME_SIZE;
    assert_eq!(
        refused(before, end),
        FrameError::OutOfRange { addr: before }
    );
    assert_eq!(
        refused(0, u64::MAX - 0xfff),
        FrameError::OutOfRange { addr: 0 }
    );
}

#[test]
fn references_are_counted() {
    let mut slots = slots(1);
    let table = unused(&mut slots);
    let one = Frame::from_unused(&table, frame(0), ()).unwrap();
    assert_eq!((one.paddr(), one.reference_count()), (frame(0), 1));
    let error = FrameError::InUse { addr: BASE };
    assert_eq!(Frame::from_unused(&table, frame(0), ()).err(), Some(error));
    assert_eq!(table.free(frame(0)..frame(1)), Err(error));
    let two = one.try_clone().unwrap();
    let three = UFrame::from_in_use(&table, frame(0)).unwrap().unwrap();
    assert_eq!(two.reference_count(), 3);
    drop(one);
    assert_eq!(two.reference_count(), 2);
    let borrowed = three.borrow();
    assert_eq!(
        (borrowed.paddr(), borrowed.reference_count()),
        (frame(0), 2)
    );
    let four = borrowed.try_clone().unwrap();
    assert_eq!(two.reference_count(), 3);
    drop((two, three, four));
    assert_eq!(table.allocator().len(), 1);
}

#[test]
fn the_last_reference_gives_the_frame_back() {
    let mut slots = slots(2);
    let table = free(&mut slots);
    assert_eq!(table.allocator().len(), 2);
    let a = Frame::alloc(&table, ()).unwrap();
    let b = Frame::alloc(&table, ()).unwrap();
    assert_eq!(
        Frame::alloc(&table, ()).err(),
        Some(FrameError::NoMemory { size: 0x1000 })
    );
    let c = b.try_clone().unwrap();
    drop(b);
    assert_eq!(table.allocator().len(), 0);
    drop(c);
    assert_eq!(table.allocator().len(), 1);
    assert_eq!(
        state(&table, frame(1)),
        Some(FrameError::Free {
            addr: frame(1).as_u64()
        })
    );
    drop(a);
    assert_eq!(table.allocator().len(), 2);
}

#[test]
fn a_saturated_count_is_an_error() {
    let mut slots = slots(1);
    let table = unused(&mut slots).with_limit(3);
    let one = Frame::from_unused(&table, frame(0), ()).unwrap();
    let two = one.try_clone().unwrap();
    let three = one.try_clone().unwrap();
    let error = FrameError::Saturated { addr: BASE };
    assert_eq!(one.try_clone().err(), Some(error));
    assert_eq!(two.borrow().try_clone().err(), Some(error));
    assert_eq!(state(&table, frame(0)), Some(error));
    assert_eq!(one.reference_count(), 3);
    drop(three);
    assert_eq!(one.reference_count(), 2);
    drop(one.try_clone().unwrap());
    drop((one, two));
    assert_eq!(table.allocator().len(), 1);
}

#[test]
fn a_limit_is_at_least_one() {
    let mut slots = slots(1);
    let table = unused(&mut slots).with_limit(0);
    let one = Frame::from_unused(&table, frame(0), ()).unwrap();
    assert_eq!(
        one.try_clone().err(),
        Some(FrameError::Saturated { addr: BASE })
    );
    drop(one);
    let table = table.with_limit(u64::MAX);
    let one = Frame::alloc(&table, ()).unwrap();
    assert!(one.try_clone().is_ok());
}

#[test]
fn a_raw_frame_keeps_its_count() {
    let mut slots = slots(1);
    let table = unused(&mut slots);
    let one = Frame::from_unused(&table, frame(0), TableMeta(7)).unwrap();
    let two = one.try_clone().unwrap();
    let raw = one.into_raw();
    assert_eq!(two.reference_count(), 2);
    // SAFETY: it is taken back once
    let one = unsafe { Frame::<_, TableMeta>::from_raw(&table, raw) }.unwrap();
    assert_eq!(one.meta().0, 7);
    drop(two);
    assert_eq!(one.reference_count(), 1);
    drop(one);
    assert_eq!(table.allocator().len(), 1);
    // SAFETY: it is refused
    let error = unsafe { Frame::<_, TableMeta>::from_raw(&table, frame(1)) }.err();
    assert_eq!(
        error,
        Some(FrameError::OutOfRange {
            addr: frame(1).as_u64()
        })
    );
}

#[test]
fn metadata_is_kept_and_dropped_once() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let noted = |number| Noted {
        number,
        dropped: &DROPPED,
    };
    let mut slots = slots(2);
    let table = unused(&mut slots);
    let one = Frame::from_unused(&table, frame(0), noted(1)).unwrap();
    let other = Frame::from_unused(&table, frame(1), noted(2)).unwrap();
    let two = one.try_clone().unwrap();
    assert_eq!(
        (
            one.meta().number,
            two.borrow().meta().number,
            other.meta().number
        ),
        (1, 1, 2)
    );
    drop(one);
    assert_eq!(DROPPED.load(SeqCst), 0);
    drop(two);
    assert_eq!(DROPPED.load(SeqCst), 1);
    // what is refused is dropped as well
    assert!(Frame::from_unused(&table, frame(1), noted(3)).is_err());
    assert_eq!(DROPPED.load(SeqCst), 2);
    drop(other.into_dyn());
    assert_eq!(DROPPED.load(SeqCst), 3);
}

#[test]
fn a_frame_of_any_kind_turns_out_to_be_what_it_is() {
    let mut slots = slots(2);
    let table = unused(&mut slots);
    let typed = Frame::from_unused(&table, frame(0), TableMeta(1)).unwrap();
    let plain = Frame::from_unused(&table, frame(1), ()).unwrap();

    assert!(
        Frame::<_, Untyped>::from_in_use(&table, frame(0))
            .unwrap()
            .is_none()
    );
    assert!(
        Frame::<_, ()>::from_in_use(&table, frame(0))
            .unwrap()
            .is_none()
    );
    assert!(
        Frame::<_, TableMeta>::from_in_use(&table, frame(0))
            .unwrap()
            .is_some()
    );
    assert!(
        Frame::<_, Untyped>::from_in_use(&table, frame(1))
            .unwrap()
            .is_some()
    );
    assert_eq!((typed.reference_count(), plain.reference_count()), (1, 1));

    let Err(typed) = typed.downcast::<Untyped>() else {
        panic!("a typed frame")
    };
    let any = typed.into_dyn();
    assert!(any.borrow().downcast::<()>().is_none());
    let Err(any) = any.downcast::<()>() else {
        panic!("another type")
    };
    assert_eq!(any.downcast::<TableMeta>().ok().unwrap().meta().0, 1);

    let user: UFrame<'_, Pool> = plain.into_untyped();
    assert!(user.borrow().downcast::<TableMeta>().is_none());
    assert_eq!(user.downcast::<()>().ok().unwrap().reference_count(), 1);
    assert_eq!(table.allocator().len(), 2);
}

#[test]
fn a_unique_frame_changes_its_metadata() {
    let mut slots = slots(1);
    let table = unused(&mut slots);
    let mut owner = UniqueFrame::from_unused(&table, frame(0), TableMeta(1)).unwrap();
    let error = FrameError::Unique { addr: BASE };
    assert_eq!(state(&table, frame(0)), Some(error));
    assert_eq!(Frame::from_unused(&table, frame(0), ()).err(), Some(error));
    owner.meta_mut().0 += 4;
    assert_eq!((owner.meta().0, owner.paddr()), (5, frame(0)));

    let shared = owner.into_shared();
    assert_eq!((shared.meta().0, shared.reference_count()), (5, 1));
    let second = shared.try_clone().unwrap();
    let Err(shared) = UniqueFrame::try_from_shared(shared) else {
        panic!("there are two")
    };
    assert_eq!(shared.reference_count(), 2);
    drop(second);
    let owner = UniqueFrame::try_from_shared(shared).ok().unwrap();
    assert_eq!(owner.meta().0, 5);
    drop(owner);
    assert_eq!(
        state(&table, frame(0)),
        Some(FrameError::Free { addr: BASE })
    );
    assert_eq!(table.allocator().len(), 1);
}

#[test]
fn a_unique_frame_is_put_to_another_use() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let mut slots = slots(1);
    let table = free(&mut slots);
    let owner = UniqueFrame::alloc(
        &table,
        Noted {
            number: 0,
            dropped: &DROPPED,
        },
    )
    .unwrap();
    let owner = owner.repurpose(TableMeta(9));
    assert_eq!((DROPPED.load(SeqCst), owner.meta().0), (1, 9));
    owner.reset_as_unused();
    assert_eq!(
        state(&table, frame(0)),
        Some(FrameError::Unused { addr: BASE })
    );
    assert_eq!(table.allocator().len(), 0);
    drop(Frame::from_unused(&table, frame(0), ()).unwrap());
    assert_eq!(table.allocator().len(), 1);
}

#[test]
fn an_allocator_that_lies_is_refused() {
    let mut slots = slots(4);
    let table = free(&mut slots);
    let used = Frame::alloc(&table, ()).unwrap();
    let lie = |addr| {
        table.allocator().lie(addr);
        Frame::alloc(&table, ()).err().unwrap()
    };
    assert_eq!(lie(BASE), FrameError::InUse { addr: BASE });
    assert_eq!(lie(BASE + 4), FrameError::NotAligned { addr: BASE + 4 });
    assert_eq!(lie(0), FrameError::OutOfRange { addr: 0 });
    assert_eq!(used.reference_count(), 1);
    table.allocator().lie(BASE - FRAME_SIZE * 2);
    let error = Segment::alloc(&table, 3, FRAME_SIZE, |_| ()).err();
    assert_eq!(
        error,
        Some(FrameError::OutOfRange {
            addr: BASE - FRAME_SIZE * 2
        })
    );
    table.allocator().lie(u64::MAX - 0xfff);
    let error = Segment::alloc(&table, 3, FRAME_SIZE, |_| ()).err();
    assert_eq!(
        error,
        Some(FrameError::Wrapping {
            addr: u64::MAX - 0xfff
        })
    );
    assert_eq!(table.allocator().len(), 3);
}
