//! The strictness of table frames.

use portolan::{PhysAddr, TableMemory};
use portolan_machine::Memory;

#[test]
fn frames_are_aligned_zeroed_and_counted() {
    let memory = Memory::sparse(48);
    let tables: Vec<_> = [4096, 16384, 4096]
        .map(|bytes| (memory.alloc_zeroed(bytes).unwrap(), bytes))
        .into();
    assert_eq!(memory.frames_held(), 3);
    for (table, bytes) in tables {
        assert!(table.as_u64().is_multiple_of(bytes as u64) && memory.is_table(table.as_u64()));
        for index in 0..bytes / 8 {
            // SAFETY: the frame is held and has this word
            assert_eq!(unsafe { memory.read(table, index) }, 0);
            // SAFETY: as above
            unsafe { memory.write(table, index, u64::MAX) };
        }
        // SAFETY: the frame is held, and not used again
        unsafe { memory.free(table, bytes) };
    }
    assert_eq!(memory.frames_held(), 0);
    let again = memory.alloc_zeroed(4096).unwrap();
    assert!((0..512).all(|index| memory.load(PhysAddr::new(again.as_u64() + 8 * index)) == 0));
}

#[test]
fn the_request_that_was_named_is_refused_and_no_other() {
    let memory = Memory::sparse(48);
    memory.refuse_after(2);
    let given: Vec<_> = (0..5)
        .map(|_| memory.alloc_zeroed(4096).is_some())
        .collect();
    assert_eq!(given, [true, true, false, true, true]);
    assert_eq!((memory.requests(), memory.frames_held()), (5, 4));
    memory.refuse_after(0);
    memory.refuse_none();
    assert!(memory.alloc_zeroed(4096).is_some());
}

#[test]
#[should_panic(expected = "is used, but not allocated")]
fn use_after_free_is_a_panic() {
    let memory = Memory::sparse(48);
    let table = memory.alloc_zeroed(4096).unwrap();
    // SAFETY: the frame is held
    unsafe { memory.free(table, 4096) };
    // SAFETY: not safe, which is what has to be noticed; the memory is a model, so nothing else is at stake
    unsafe { memory.read(table, 0) };
}

#[test]
#[should_panic(expected = "is freed, but None are held")]
fn double_free_is_a_panic() {
    let memory = Memory::sparse(48);
    let table = memory.alloc_zeroed(4096).unwrap();
    // SAFETY: the frame is held
    unsafe { memory.free(table, 4096) };
    // SAFETY: not safe, which is what has to be noticed; the memory is a model, so nothing else is at stake
    unsafe { memory.free(table, 4096) };
}

#[test]
fn words_are_compared_before_they_are_exchanged() {
    let memory = Memory::sparse(48);
    let table = memory.alloc_zeroed(4096).unwrap();
    // SAFETY: the frame is held
    let answers = unsafe {
        [
            memory.compare_exchange(table, 5, 0, 1),
            memory.compare_exchange(table, 5, 0, 2),
        ]
    };
    assert_eq!(answers, [Ok(0), Err(1)]);
}
