//! Frames that follow each other.

#[path = "common/frames.rs"]
mod common;

use common::{BASE, Pool, TableMeta, frame, free, slots, state, unused};
use portolan::PhysAddr;
use portolan::frame::{
    Dyn, FRAME_SIZE, Frame, FrameAllocator, FrameError, FrameTable, Segment, USegment, Untyped,
};
use std::cell::Cell;
use std::sync::Mutex;

#[test]
fn a_segment_counts_each_of_its_frames() {
    let mut slots = slots(8);
    let table = unused(&mut slots);
    let seen = Cell::new(0);
    let segment = Segment::from_unused(&table, frame(1)..frame(7), |addr: PhysAddr| {
        assert_eq!(addr, frame(1 + seen.replace(seen.get() + 1)));
        TableMeta(seen.get() as u8)
    })
    .unwrap();
    assert_eq!(
        (segment.paddr(), segment.size()),
        (frame(1), 6 * FRAME_SIZE)
    );
    for n in 0..6 {
        let borrowed = segment.frame_at(n * FRAME_SIZE).unwrap();
        assert_eq!(borrowed.paddr(), frame(n + 1));
        assert_eq!(
            (borrowed.meta().0, borrowed.reference_count()),
            (n as u8 + 1, 1)
        );
    }
    let at = |offset| segment.frame_at(offset).err();
    assert_eq!(
        at(6 * FRAME_SIZE),
        Some(FrameError::OutOfRange {
            addr: 6 * FRAME_SIZE
        })
    );
    assert_eq!(at(8), Some(FrameError::NotAligned { addr: 8 }));
    drop(segment);
    assert_eq!(table.allocator().len(), 6);
}

#[test]
fn a_segment_with_a_frame_in_use_changes_nothing() {
    let mut slots = slots(4);
    let table = unused(&mut slots);
    let used = Frame::from_unused(&table, frame(2), ()).unwrap();
    let error = Segment::from_unused(&table, frame(0)..frame(4), |_| ()).err();
    assert_eq!(
        error,
        Some(FrameError::InUse {
            addr: frame(2).as_u64()
        })
    );
    for n in [0, 1, 3] {
        assert_eq!(
            state(&table, frame(n)),
            Some(FrameError::Unused {
                addr: frame(n).as_u64()
            })
        );
    }
    assert_eq!((used.reference_count(), table.allocator().len()), (1, 0));
}

#[test]
fn a_segment_is_split() {
    let mut slots = slots(6);
    let table = free(&mut slots);
    let segment = Segment::alloc(&table, 6, FRAME_SIZE, |_| ()).unwrap();
    let Err((segment, error)) = segment.split(1) else {
        panic!("not aligned")
    };
    assert_eq!(error, FrameError::NotAligned { addr: 1 });
    let Err((segment, error)) = segment.split(0) else {
        panic!("nothing before")
    };
    assert_eq!(error, FrameError::Empty { addr: 0 });
    let Err((segment, error)) = segment.split(6 * FRAME_SIZE) else {
        panic!("nothing after")
    };
    assert_eq!(
        error,
        FrameError::OutOfRange {
            addr: 6 * FRAME_SIZE
        }
    );
    let (low, high) = segment.split(2 * FRAME_SIZE).ok().unwrap();
    assert_eq!((low.paddr(), low.size()), (frame(0), 2 * FRAME_SIZE));
    assert_eq!((high.paddr(), high.size()), (frame(2), 4 * FRAME_SIZE));
    drop(low);
    assert_eq!(table.allocator().len(), 2);
    assert_eq!(high.frame_at(0).unwrap().reference_count(), 1);
    drop(high);
    assert_eq!(table.allocator().len(), 6);
}

#[test]
fn a_slice_has_references_of_its_own() {
    let mut slots = slots(4);
    let table = free(&mut slots);
    let segment: USegment<'_, Pool> = Segment::alloc(&table, 4, FRAME_SIZE, |_| ())
        .unwrap()
        .into_untyped();
    let slice = |from: u64, to: u64| segment.slice(from * FRAME_SIZE..to * FRAME_SIZE);
    let part = slice(1, 3).unwrap();
    assert_eq!((part.paddr(), part.size()), (frame(1), 2 * FRAME_SIZE));
    let counts = |segment: &USegment<'_, Pool>| {
        [0, 1, 2, 3].map(|n| segment.frame_at(n * FRAME_SIZE).unwrap().reference_count())
    };
    assert_eq!(counts(&segment), [1, 2, 2, 1]);
    let all = segment.try_clone().unwrap();
    assert_eq!(counts(&segment), [2, 3, 3, 2]);
    drop(part);
    assert_eq!(counts(&all), [2, 2, 2, 2]);
    assert_eq!(
        slice(0, 5).err(),
        Some(FrameError::OutOfRange {
            addr: 5 * FRAME_SIZE
        })
    );
    assert_eq!(
        slice(2, 2).err(),
        Some(FrameError::Empty {
            addr: 2 * FRAME_SIZE
        })
    );
    assert_eq!(
        slice(3, 2).err(),
        Some(FrameError::Wrapping {
            addr: 3 * FRAME_SIZE
        })
    );
    assert_eq!(
        segment.slice(0..1).err(),
        Some(FrameError::NotAligned { addr: 1 })
    );
    assert_eq!(counts(&segment), [2, 2, 2, 2]);
}

#[test]
fn a_slice_that_saturates_takes_no_reference() {
    let mut slots = slots(3);
    let table = free(&mut slots).with_limit(2);
    let segment = Segment::alloc(&table, 3, FRAME_SIZE, |_| ()).unwrap();
    let last = segment
        .frame_at(2 * FRAME_SIZE)
        .unwrap()
        .try_clone()
        .unwrap();
    let error = FrameError::Saturated {
        addr: frame(2).as_u64(),
    };
    assert_eq!(segment.try_clone().err(), Some(error));
    assert_eq!(segment.frame_at(0).unwrap().reference_count(), 1);
    assert_eq!(last.reference_count(), 2);
}

#[test]
fn a_segment_gives_its_frames_one_by_one() {
    let mut slots = slots(3);
    let table = free(&mut slots);
    let mut segment = Segment::alloc(&table, 3, FRAME_SIZE, |_| ()).unwrap();
    let first = segment.next().unwrap();
    assert_eq!((first.paddr(), first.reference_count()), (frame(0), 1));
    assert_eq!(
        (segment.paddr(), segment.size()),
        (frame(1), 2 * FRAME_SIZE)
    );
    let rest: Vec<_> = segment.by_ref().map(|frame| frame.paddr()).collect();
    assert_eq!(rest, [frame(1), frame(2)]);
    assert!(segment.next().is_none());
    assert_eq!((segment.size(), table.allocator().len()), (0, 2));
    drop((segment, first));
    assert_eq!(table.allocator().len(), 3);
}

#[test]
fn a_segment_is_of_a_kind_if_all_its_frames_are() {
    let mut slots = slots(3);
    let table = free(&mut slots);
    let segment = Segment::alloc(&table, 3, FRAME_SIZE, |_| TableMeta(1)).unwrap();
    let Err(segment) = segment.downcast::<Untyped>() else {
        panic!("all are typed")
    };
    let any = segment.downcast::<Dyn>().ok().unwrap();
    let Err(any) = any.downcast::<()>() else {
        panic!("another type")
    };
    let same = any.downcast::<TableMeta>().ok().unwrap();
    assert_eq!(same.frame_at(0).unwrap().meta().0, 1);
    assert_eq!(table.allocator().len(), 0);
}

#[test]
fn a_raw_segment_keeps_its_counts() {
    let mut slots = slots(3);
    let table = free(&mut slots);
    let segment = Segment::alloc(&table, 3, FRAME_SIZE, |_| ()).unwrap();
    let raw = segment.into_raw();
    assert_eq!(raw, frame(0)..frame(3));
    assert_eq!(table.allocator().len(), 0);
    // SAFETY: each part is taken back once
    let low = unsafe { USegment::from_raw(&table, raw.start..frame(1)) }.unwrap();
    // SAFETY: as above
    let high = unsafe { USegment::from_raw(&table, frame(1)..raw.end) }.unwrap();
    assert_eq!(high.frame_at(0).unwrap().reference_count(), 1);
    drop((low, high));
    assert_eq!(table.allocator().len(), 3);
}

/// An allocator that notes what comes back.
#[derive(Default)]
struct Log(Mutex<Vec<(PhysAddr, usize)>>);

impl FrameAllocator for Log {
    fn alloc(&self, _: usize, _: u64) -> Option<PhysAddr> {
        None
    }

    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        self.0.lock().unwrap().push((addr, frames));
    }
}

#[test]
fn neighbours_go_back_to_the_allocator_at_once() {
    let mut slots = slots(8);
    let table = FrameTable::new(PhysAddr::new(BASE), &mut slots, Log::default()).unwrap();
    // SAFETY: the frames are made up, and no memory is used by their addresses
    unsafe { table.add(frame(0)..frame(8)) }.unwrap();
    let segment = Segment::from_unused(&table, frame(0)..frame(8), |_| ()).unwrap();
    let shared = segment.frame_at(3 * FRAME_SIZE).unwrap().try_clone();
    drop(segment);
    let back = &table.allocator().0;
    assert_eq!(*back.lock().unwrap(), [(frame(0), 3), (frame(4), 4)]);
    drop(shared);
    assert_eq!(back.lock().unwrap().last(), Some(&(frame(3), 1)));
}

#[test]
fn a_run_is_aligned_as_was_asked_for() {
    let mut slots = slots(16);
    let table = free(&mut slots);
    let _first = Frame::alloc(&table, ()).unwrap();
    let segment = Segment::alloc(&table, 4, 4 * FRAME_SIZE, |_| ()).unwrap();
    assert_eq!(segment.paddr(), frame(4));
    let alloc = |frames| Segment::alloc(&table, frames, FRAME_SIZE, |_| ()).err();
    assert_eq!(alloc(0), Some(FrameError::Empty { addr: 0 }));
    assert_eq!(
        alloc(9),
        Some(FrameError::NoMemory {
            size: 9 * FRAME_SIZE
        })
    );
    assert_eq!(
        alloc(usize::MAX),
        Some(FrameError::NoMemory { size: u64::MAX })
    );
}
