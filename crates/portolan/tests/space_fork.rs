//! Copies of an address space that share its frames until one of the two is written to.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{
    Computer, Config, Finish, Pinned, Pool, Space, at, cpu, frame, on, on_machine, range, root,
    segment, space, use_space, wait_for,
};
use portolan::frame::UFrame;
use portolan::space::{MappedItem, VmError};
use portolan::{PageProperty, PageSize, PhysAddr, X86_64};
use std::collections::BTreeMap;
use std::thread;

const RW: PageProperty = PageProperty::USER_RW;
const RO: PageProperty = PageProperty::USER_RO;
const PAGE: u64 = 0x1000;
const LARGE: u64 = 0x20_0000;

/// Maps a frame, and answers with a handle to it.
fn map<'k>(guard: &Pinned, space: &Space<'k>, addr: u64, prop: PageProperty) -> UFrame<'k, Pool> {
    let handle = frame(space.machine());
    let mut cursor = space.cursor_mut(guard, &range(addr, PAGE)).unwrap();
    cursor.map(handle.try_clone().unwrap(), prop).unwrap();
    handle
}

/// The frame that is mapped at `addr`, and whether it may be written to.
fn mapped<'k>(guard: &Pinned, space: &Space<'k>, addr: u64) -> Option<(UFrame<'k, Pool>, bool)> {
    let cursor = space.cursor(guard, &range(addr, PAGE)).unwrap();
    match cursor.query().unwrap().item? {
        (MappedItem::Frame(frame), prop) => Some((frame, prop.write)),
        _ => None,
    }
}

#[test]
fn both_sides_share_the_frames_and_neither_may_write() {
    on_machine(|machine| {
        let parent = space(machine);
        on(0, |guard| {
            let places = [(0, RW), (5 * LARGE, RO), (0xffff_8000_0000_0000, RW)];
            let frames = places.map(|(addr, prop)| (addr, map(guard, &parent, addr, prop)));
            let child = parent.fork(guard, root(machine)).unwrap();
            assert_ne!(child.root(), parent.root());
            for (addr, handle) in &frames {
                assert_eq!(handle.reference_count(), 3);
                for space in [&parent, &child] {
                    let (frame, write) = mapped(guard, space, *addr).unwrap();
                    assert_eq!((frame.paddr(), write), (handle.paddr(), false));
                }
            }
            assert!(mapped(guard, &child, PAGE).is_none());
            drop(parent);
            assert!(
                frames
                    .iter()
                    .all(|(_, handle)| handle.reference_count() == 2)
            );
            drop(child);
            assert!(
                frames
                    .iter()
                    .all(|(_, handle)| handle.reference_count() == 1)
            );
        });
    });
}

#[test]
fn larger_pages_and_device_pages_are_shared() {
    let config = Config {
        frames: 512,
        ..Config::default()
    };
    config.run::<X86_64>(|machine| {
        let parent = space(machine);
        on(0, |guard| {
            let all = segment(machine, LARGE);
            let mut cursor = parent.cursor_mut(guard, &range(0, 2 * LARGE)).unwrap();
            cursor.map_segment(all.try_clone().unwrap(), RW).unwrap();
            cursor
                .map_iomem(PhysAddr::new(0xfe00_0000), PageSize::Size4K, RW)
                .unwrap();
            drop(cursor);
            let child = parent.fork(guard, root(machine)).unwrap();
            let count = |offset| all.frame_at(offset).unwrap().reference_count();
            assert_eq!([0, LARGE - PAGE].map(count), [3, 3]);
            let mut cursor = child.cursor_mut(guard, &range(0, 2 * LARGE)).unwrap();
            assert_eq!(cursor.unmap(PAGE), Ok(1));
            cursor.jump(at(LARGE)).unwrap();
            let slot = cursor.query().unwrap();
            let is_device =
                |(item, _)| matches!(item, MappedItem::Io(addr) if addr.as_u64() == 0xfe00_0000);
            assert!(slot.item.is_some_and(is_device));
            drop(cursor);
            assert_eq!([0, PAGE].map(count), [2, 3]);
        });
    });
}

#[test]
fn processors_that_use_the_parent_do_not_write_any_more() {
    on_machine(|machine| {
        let hardware = machine.cpus().hardware();
        hardware.watch(0);
        let parent = space(machine);
        on(0, |guard| drop(map(guard, &parent, 0, RW)));
        thread::scope(|scope| {
            let _ends = Finish(hardware);
            scope.spawn(|| use_space(machine, 1, &parent));
            wait_for(hardware, || {
                hardware.cached(1, 0).is_some_and(|page| page.write)
            });
            let child = on(0, |guard| parent.fork(guard, root(machine))).unwrap();
            assert!(!hardware.cached(1, 0).unwrap().write);
            drop(child);
        });
    });
}

#[test]
fn a_table_with_pages_is_no_child() {
    on_machine(|machine| {
        let parent = space(machine);
        on(0, |guard| {
            let handle = map(guard, &parent, 0, RW);
            let mut table = root(machine);
            let small = PageSize::Size4K;
            table
                .map(at(LARGE), PhysAddr::new(0x5000), small, RW)
                .unwrap();
            let refused = parent.fork(guard, table);
            assert_eq!(refused.err(), Some(VmError::NotEmpty { addr: LARGE }));
            assert_eq!(handle.reference_count(), 2);
            assert!(mapped(guard, &parent, 0).unwrap().1);
        });
    });
}

#[test]
fn a_space_without_pages_has_a_child_without_pages() {
    on_machine(|machine| {
        let parent = space(machine);
        on(0, |guard| {
            let child = parent.fork(guard, root(machine)).unwrap();
            assert_eq!(machine.cpus().hardware().tables(), 2);
            let grandchild = child.fork(guard, root(machine)).unwrap();
            drop(child);
            drop(map(guard, &grandchild, 0, RW));
            assert!(mapped(guard, &parent, 0).is_none());
        });
    });
}

/// What frames hold, by their addresses.
type Memory = BTreeMap<u64, u64>;

/// Stores `value` at `addr`, as a program does; a write fault copies the page, unless nobody shares it any more.
fn store<'k>(guard: &Pinned, space: &Space<'k>, memory: &mut Memory, addr: u64, value: u64) {
    let hardware = space.machine().cpus().hardware();
    if hardware.write(addr).is_none() {
        copy_on_write(guard, space, memory, addr);
    }
    let lies = hardware
        .write(addr)
        .expect("the page may be written to now");
    memory.insert(lies, value);
}

/// Handles a write fault at `addr`.
fn copy_on_write<'k>(guard: &Pinned, space: &Space<'k>, memory: &mut Memory, addr: u64) {
    let mut cursor = space.cursor_mut(guard, &range(addr, PAGE)).unwrap();
    let slot = cursor.query().unwrap();
    let Some((MappedItem::Frame(shared), prop)) = slot.item else {
        panic!("a frame")
    };
    let writable = PageProperty {
        write: true,
        ..prop
    };
    // the page's reference, and the one that `query` has answered with
    if shared.reference_count() == 2 {
        let changed = cursor.protect_next(PAGE, |_| writable).unwrap();
        assert!(changed.is_some());
        return;
    }
    let copy = frame(space.machine());
    let bytes = memory[&shared.paddr().as_u64()];
    memory.insert(copy.paddr().as_u64(), bytes);
    cursor.map(copy, writable).unwrap();
}

#[test]
fn a_write_fault_copies_the_page() {
    on_machine(|machine| {
        let parent = space(machine);
        on(0, |guard| {
            let mut memory = Memory::new();
            drop(map(guard, &parent, 0, RW));
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &parent).unwrap();
            store(guard, &parent, &mut memory, 0, 1);
            let child = parent.fork(guard, root(machine)).unwrap();
            store(guard, &parent, &mut memory, 0, 2);
            assert_eq!(load(machine, &memory), 2);
            cpu.deactivate(guard).unwrap();
            assert_eq!(machine.frames().allocator().len(), 14);
            write_in_child(guard, &child, &mut memory);
            assert_eq!(machine.frames().allocator().len(), 14);
        });
    });
}

/// What the processor reads at 0.
fn load(machine: &Computer<'_>, memory: &Memory) -> u64 {
    memory[&machine.cpus().hardware().read(0).unwrap()]
}

/// The child still has what was there before; it is the last one that has the frame, which is not copied.
fn write_in_child(guard: &Pinned, child: &Space<'_>, memory: &mut Memory) {
    on(1, |second| {
        let mut cpu = cpu(child.machine(), second);
        cpu.activate(second, child).unwrap();
        assert_eq!(load(child.machine(), memory), 1);
        store(second, child, memory, 0, 3);
        assert_eq!(load(child.machine(), memory), 3);
        cpu.deactivate(second).unwrap();
    });
    let (last, write) = mapped(guard, child, 0).unwrap();
    assert_eq!((last.reference_count(), write), (2, true));
}
