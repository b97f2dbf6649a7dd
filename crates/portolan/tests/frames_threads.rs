//! References that are taken and given back by several threads at once.

#[path = "common/frames.rs"]
mod common;

use common::{Pool, Table, frame, free, slots, state};
use portolan::frame::{
    Dyn, FRAME_SIZE, Frame, FrameError, FrameMeta, Segment, UniqueFrame, Untyped,
};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

const ROUNDS: usize = 2_000;

/// Metadata that is seen only between its making and its dropping.
struct Alive {
    mark: u64,
}

const MARK: u64 = 0x5a5a_1234_cafe_f00d;

static LIVING: AtomicUsize = AtomicUsize::new(0);

impl Alive {
    fn new() -> Self {
        LIVING.fetch_add(1, SeqCst);
        Alive { mark: MARK }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        assert_eq!(std::mem::take(&mut self.mark), MARK);
        LIVING.fetch_sub(1, SeqCst);
    }
}

impl FrameMeta for Alive {
    const UNTYPED: bool = true;
}

/// All that may be said of a frame which others take, share and give back.
fn is_expected(error: FrameError) -> bool {
    matches!(
        error,
        FrameError::Free { .. } | FrameError::Busy { .. } | FrameError::Unique { .. }
    )
}

fn run(threads: usize, work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for n in 0..threads {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(n);
            });
        }
    });
}

/// Takes a frame by its address while the last reference is dropped: either there is one more, and the frame stays in
/// use, or it is gone.
#[test]
fn a_reference_is_had_or_the_frame_is_gone() {
    let mut slots = slots(1);
    let table: Table<'_> = free(&mut slots);
    let (had, gone, done) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    run(4, |n| {
        if n > 0 {
            while !done.load(SeqCst) {
                match Frame::<Pool, Alive>::from_in_use(&table, frame(0)) {
                    Ok(frame) => {
                        let frame = frame.expect("no other kind is put in");
                        assert_eq!(frame.meta().mark, MARK);
                        assert!((1..=4).contains(&frame.reference_count()));
                        had.fetch_add(1, SeqCst);
                    }
                    Err(error) => {
                        assert!(is_expected(error), "{error}");
                        gone.fetch_add(1, SeqCst);
                    }
                }
            }
            return;
        }
        while had.load(SeqCst) < ROUNDS || gone.load(SeqCst) < ROUNDS {
            match Frame::alloc(&table, Alive::new()) {
                Ok(frame) => {
                    thread::yield_now();
                    assert_eq!(frame.meta().mark, MARK);
                }
                // another has the last reference
                Err(error) => assert_eq!(error, FrameError::NoMemory { size: FRAME_SIZE }),
            }
            thread::yield_now();
        }
        done.store(true, SeqCst);
    });
    assert!(matches!(
        state(&table, frame(0)),
        Some(FrameError::Free { .. })
    ));
    assert_eq!(table.allocator().len(), 1);
}

/// Each thread's references are counted, whatever others do meanwhile.
#[test]
fn counts_are_exact_in_the_end() {
    let mut slots = slots(4);
    let table = free(&mut slots).with_limit(7);
    let segment = Segment::alloc(&table, 4, FRAME_SIZE, |_| ()).unwrap();
    run(4, |n| {
        for round in 0..ROUNDS {
            let frame = segment
                .frame_at((round + n) as u64 % 4 * FRAME_SIZE)
                .unwrap();
            // at most seven: one of the segment, and one or two of each thread
            let one = frame.try_clone();
            let two = frame.try_clone();
            assert!(frame.reference_count() <= 7);
            for refused in [one.as_ref().err(), two.as_ref().err()]
                .into_iter()
                .flatten()
            {
                assert!(matches!(refused, FrameError::Saturated { .. }), "{refused}");
            }
        }
    });
    for n in 0..4 {
        assert_eq!(
            segment.frame_at(n * FRAME_SIZE).unwrap().reference_count(),
            1
        );
    }
    drop(segment);
    assert_eq!(table.allocator().len(), 4);
}

/// Frames go through all hands: taken, shared, owned alone and given back, and none is lost or had twice.
#[test]
fn frames_come_back() {
    let mut slots = slots(3);
    let table = free(&mut slots);
    run(4, |n| {
        for round in 0..ROUNDS {
            match (n + round) % 3 {
                0 => {
                    let Ok(mut owner) = UniqueFrame::alloc(&table, Alive::new()) else {
                        continue;
                    };
                    assert_eq!(owner.meta_mut().mark, MARK);
                    let shared = owner.into_shared();
                    if let Ok(owner) = UniqueFrame::try_from_shared(shared) {
                        drop(owner.repurpose(()));
                    }
                }
                1 => {
                    let addr = frame((round % 3) as u64);
                    match Frame::<Pool, Dyn>::from_in_use(&table, addr) {
                        Ok(frame) => {
                            let frame = frame.expect("it may be of any kind");
                            assert!(frame.borrow().downcast::<Untyped>().is_some());
                            drop(frame.try_clone().unwrap());
                        }
                        Err(error) => assert!(is_expected(error), "{error}"),
                    }
                }
                _ => {
                    let taken = Segment::alloc(&table, 2, FRAME_SIZE, |_| Alive::new());
                    let Ok(segment) = taken else { continue };
                    let (low, high) = segment.split(FRAME_SIZE).ok().unwrap();
                    drop(low);
                    assert!(high.map(|frame| frame.meta().mark).eq([MARK]));
                }
            }
        }
    });
    assert_eq!(table.allocator().len(), 3);
    let all = Segment::alloc(&table, 3, FRAME_SIZE, |_| ()).unwrap();
    drop(all);
}
