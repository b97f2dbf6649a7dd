//! Frames that an address space maps: how often they are counted, how long they live, and what is no frame.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{
    Computer, Config, Pinned, Pool, Space, at, frame, on, on_machine, range, segment, space,
};
use portolan::frame::{FrameError, UFrame};
use portolan::space::{CursorMut, MappedItem, VmError};
use portolan::{AArch64Lower, Error, PageProperty, PageSize, PagingMode, PhysAddr, X86_64};

const RW: PageProperty = PageProperty::USER_RW;
const PAGE: u64 = 0x1000;
const LARGE: u64 = 0x20_0000;
const HUGE: u64 = 0x4000_0000;
/// Where a device has its registers.
const DEVICE: PhysAddr = PhysAddr::new(0xfe00_0000);

/// A machine with as many frames as are in so many bytes.
fn with_memory(bytes: u64) -> Config {
    Config {
        frames: (bytes / PAGE) as usize,
        ..Config::default()
    }
}

/// Does something with a cursor over `bytes` from `addr`.
fn change<'k, A: PagingMode + 'static, R>(
    space: &Space<'k, A>,
    (addr, bytes): (u64, u64),
    work: impl FnOnce(&mut CursorMut<'_, 'k, machine::Test<A>, Pinned>) -> R,
) -> R {
    on(0, |guard| {
        work(&mut space.cursor_mut(guard, &range(addr, bytes)).unwrap())
    })
}

/// What is mapped at `addr`: where it lies, and how many bytes the page's frames have; a device has none.
fn mapped(space: &Space<'_>, addr: u64) -> Option<(PhysAddr, u64)> {
    on(0, |guard| {
        let cursor = space.cursor(guard, &range(addr, PAGE)).unwrap();
        let slot = cursor.query().unwrap();
        let offset = addr - slot.range.start().as_u64();
        slot.item.map(|(item, _)| match item {
            MappedItem::Frame(frame) => (frame.paddr(), PAGE),
            MappedItem::Segment(all) => (PhysAddr::new(all.paddr().as_u64() + offset), all.size()),
            MappedItem::Io(addr) => (PhysAddr::new(addr.as_u64() + offset), 0),
        })
    })
}

#[test]
fn a_frame_stays_alive_while_it_is_mapped() {
    on_machine(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        let handle = frame(machine);
        let addr = handle.paddr();
        change(&space, (0, PAGE), |cursor| {
            cursor.map(handle.try_clone().unwrap(), RW).unwrap();
        });
        assert_eq!(handle.reference_count(), 2);
        drop(handle);
        assert!(!pool.has(addr));
        change(&space, (0, PAGE), |cursor| {
            cursor.unmap(PAGE).unwrap();
            assert!(!pool.has(addr));
            cursor.flusher().sync_tlb_flush().unwrap();
            assert!(pool.has(addr));
        });
    });
}

#[test]
fn a_frame_mapped_twice_is_counted_twice() {
    on_machine(|machine| {
        let (one, other) = (space(machine), space(machine));
        let handle = frame(machine);
        let places = [(&one, 0), (&one, LARGE), (&other, 0)];
        for (n, (space, addr)) in places.into_iter().enumerate() {
            change(space, (addr, PAGE), |cursor| {
                cursor.map(handle.try_clone().unwrap(), RW).unwrap();
            });
            assert_eq!(handle.reference_count(), n as u64 + 2);
        }
        change(&one, (0, PAGE), |cursor| cursor.unmap(PAGE).unwrap());
        assert_eq!(handle.reference_count(), 3);
        drop(one);
        assert_eq!(handle.reference_count(), 2);
        on(0, |guard| other.clear(guard)).unwrap();
        assert_eq!(handle.reference_count(), 1);
    });
}

#[test]
fn a_page_that_is_replaced_lives_until_the_flush_is_synced() {
    Config::default().run::<X86_64>(replace);
    Config::default().run::<AArch64Lower>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        let (old, new) = (frame(machine), frame(machine));
        let addr = old.paddr();
        change(&space, (0, PAGE), |cursor| {
            cursor.map(old, RW).unwrap();
            cursor.jump(at(0)).unwrap();
            cursor.map(new, RW).unwrap();
            cursor.flusher().sync_tlb_flush().unwrap();
            assert!(pool.has(addr));
        });
    });
}

/// Maps a frame over a frame, while a processor has loaded the old one.
fn replace<'k>(machine: &'k Computer<'k>) {
    let (space, pool) = (space(machine), machine.frames().allocator());
    let (old, new) = (frame(machine), frame(machine));
    let (was, now) = (old.paddr(), new.paddr());
    change(&space, (PAGE, PAGE), |cursor| {
        cursor.map(old, RW).unwrap();
        cursor.jump(at(PAGE)).unwrap();
        cursor.map(new, RW).unwrap();
        assert_eq!((cursor.virt_addr(), pool.has(was)), (None, false));
        cursor.flusher().sync_tlb_flush().unwrap();
        assert_eq!((pool.has(was), pool.has(now)), (true, false));
    });
    assert_eq!(mapped(&space, PAGE), Some((now, PAGE)));
}

#[test]
fn a_page_of_another_size_is_not_replaced() {
    with_memory(6 * LARGE).run::<X86_64>(|machine| {
        let space = space(machine);
        let (small, large) = (frame(machine), segment(machine, LARGE));
        let lies = small.paddr();
        change(&space, (0, 2 * LARGE), |cursor| {
            cursor.jump(at(0x5000)).unwrap();
            cursor.map(small, RW).unwrap();
            cursor.jump(at(0)).unwrap();
            let refused = cursor.map_segment(large.try_clone().unwrap(), RW);
            let is_refused = matches!(refused, Err(VmError::Paging(Error::AlreadyMapped { .. })));
            assert!(is_refused, "{refused:?}");
            cursor.jump(at(LARGE)).unwrap();
            cursor.map_segment(large.try_clone().unwrap(), RW).unwrap();
            cursor.jump(at(LARGE + 0x3000)).unwrap();
            assert!(cursor.map(frame(machine), RW).is_err());
            cursor.jump(at(LARGE)).unwrap();
            assert!(cursor.map(frame(machine), RW).is_err());
            assert_eq!(cursor.virt_addr(), Some(at(LARGE)));
        });
        assert_eq!(mapped(&space, 0x5000), Some((lies, PAGE)));
        assert_eq!(mapped(&space, LARGE), Some((large.paddr(), LARGE)));
        assert_eq!(large.frame_at(0).unwrap().reference_count(), 2);
    });
}

#[test]
fn a_larger_page_is_replaced_by_one_of_its_size() {
    with_memory(4 * LARGE).run::<X86_64>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        change(&space, (0, LARGE), |cursor| {
            for _ in 0..3 {
                cursor.map_segment(segment(machine, LARGE), RW).unwrap();
                cursor.jump(at(0)).unwrap();
            }
            assert_eq!(pool.len(), 512);
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!(pool.len(), 3 * 512);
        });
    });
}

/// The middle 4 KiB of a page that the cursor's range covers exactly, or that reaches out of it on both sides.
#[test]
fn unmapping_the_middle_of_a_large_page_gives_one_frame_back() {
    with_memory(LARGE).run::<X86_64>(|machine| unmap_middle(machine, LARGE));
    with_memory(HUGE).run::<X86_64>(|machine| unmap_middle(machine, HUGE));
}

fn unmap_middle<'k>(machine: &'k Computer<'k>, size: u64) {
    let (space, pool) = (space(machine), machine.frames().allocator());
    let all = segment(machine, size);
    let start = all.paddr().as_u64();
    let middle = size / 2;
    let count = |offset| all.frame_at(offset).unwrap().reference_count();
    change(&space, (HUGE, size), |cursor| {
        cursor.map_segment(all.try_clone().unwrap(), RW).unwrap();
        cursor.jump(at(HUGE + middle)).unwrap();
        assert_eq!(cursor.unmap(PAGE), Ok(1));
        assert_eq!(cursor.virt_addr(), Some(at(HUGE + middle + PAGE)));
    });
    let counts = [0, middle - PAGE, middle, middle + PAGE, size - PAGE].map(count);
    assert_eq!(counts, [2, 2, 1, 2, 2]);
    assert_eq!(mapped(&space, HUGE + middle), None);
    let before = PhysAddr::new(start + middle - PAGE);
    assert_eq!(mapped(&space, HUGE + middle - PAGE).unwrap().0, before);
    change(&space, (HUGE + PAGE, PAGE), |cursor| {
        assert_eq!(cursor.unmap(PAGE), Ok(1))
    });
    assert_eq!([0, PAGE, 2 * PAGE].map(count), [2, 1, 2]);
    drop(all);
    assert_eq!((pool.len(), pool.has(before)), (2, false));
    change(&space, (HUGE, size), |cursor| {
        assert!(cursor.unmap(size).unwrap() > 0)
    });
    assert_eq!(pool.len() as u64, size / PAGE);
}

#[test]
fn device_pages_are_not_counted() {
    with_memory(2 * LARGE).run::<X86_64>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        change(&space, (LARGE, 2 * LARGE), |cursor| {
            cursor.map_iomem(DEVICE, PageSize::Size4K, RW).unwrap();
            cursor.jump(at(2 * LARGE)).unwrap();
            cursor.map_iomem(DEVICE, PageSize::Size2M, RW).unwrap();
        });
        assert_eq!(pool.len(), 1024);
        assert_eq!(mapped(&space, LARGE), Some((DEVICE, 0)));
        assert_eq!(
            mapped(&space, 2 * LARGE + PAGE),
            Some((PhysAddr::new(0xfe00_1000), 0))
        );
        change(&space, (LARGE, 2 * LARGE), |cursor| {
            assert_eq!(cursor.unmap(2 * LARGE), Ok(2))
        });
    });
}

#[test]
fn a_device_page_and_a_frame_replace_each_other() {
    on_machine(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        change(&space, (0, PAGE), |cursor| {
            cursor.map(frame(machine), RW).unwrap();
            cursor.jump(at(0)).unwrap();
            cursor.map_iomem(DEVICE, PageSize::Size4K, RW).unwrap();
            assert_eq!(pool.len(), 15);
            cursor.jump(at(0)).unwrap();
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!(pool.len(), 16);
            cursor.map(frame(machine), RW).unwrap();
        });
        assert_eq!(pool.len(), 15);
    });
}

/// Not without break-before-make, which a cursor doesn't do of its own accord.
#[test]
fn a_part_of_a_page_is_not_changed_on_aarch64() {
    with_memory(LARGE).run::<AArch64Lower>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        change(&space, (0, LARGE), |cursor| {
            cursor.map_segment(segment(machine, LARGE), RW).unwrap();
            cursor.jump(at(PAGE)).unwrap();
            let is_refused = |e| matches!(e, Some(VmError::Paging(Error::BreakBeforeMake { .. })));
            assert!(is_refused(cursor.unmap(PAGE).err()));
            assert!(is_refused(cursor.protect_next(PAGE, |prop| prop).err()));
            assert_eq!((cursor.virt_addr(), pool.len()), (Some(at(PAGE)), 0));
            cursor.jump(at(0)).unwrap();
            assert_eq!(cursor.unmap(LARGE), Ok(1));
        });
    });
}

#[test]
fn memory_is_no_device() {
    // the frames start in the middle of a large page, and end there
    let config = Config {
        base: HUGE + LARGE / 2,
        ..with_memory(2 * LARGE)
    };
    config.run::<X86_64>(|machine| {
        let space = space(machine);
        let (first, end) = (HUGE + LARGE / 2, HUGE + LARGE / 2 + 2 * LARGE);
        let refused = [
            (first, PageSize::Size4K),
            (end - PAGE, PageSize::Size4K),
            (HUGE, PageSize::Size2M),
            (HUGE + LARGE, PageSize::Size2M),
            (HUGE + 2 * LARGE, PageSize::Size2M),
            (HUGE, PageSize::Size1G),
        ];
        let taken = [(first - PAGE, PageSize::Size4K), (end, PageSize::Size4K)];
        change(&space, (HUGE, HUGE), |cursor| {
            for (addr, size) in refused {
                let no = VmError::IsMemory { addr };
                assert_eq!(cursor.map_iomem(PhysAddr::new(addr), size, RW), Err(no));
                assert_eq!(cursor.virt_addr(), Some(at(HUGE)));
            }
            for (addr, size) in taken {
                cursor.map_iomem(PhysAddr::new(addr), size, RW).unwrap();
            }
        });
    });
}

#[test]
fn what_processors_have_to_be_told_is_batched() {
    let config = Config {
        frames: 200,
        ..Config::default()
    };
    config.run::<X86_64>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        change(&space, (0, 200 * PAGE), |cursor| {
            // every other frame, so that no two are given back as one
            let mut frames: Vec<UFrame<'_, Pool>> = (0..200).map(|_| frame(machine)).collect();
            frames.reverse();
            frames
                .into_iter()
                .for_each(|frame| cursor.map(frame, RW).unwrap());
            cursor.jump(at(0)).unwrap();
            assert_eq!(cursor.unmap(200 * PAGE), Ok(200));
            assert!(pool.len() < 200);
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!(pool.len(), 200);
        });
    });
}

#[test]
fn holes_and_devices_between_frames_are_unmapped_with_them() {
    with_memory(40 * PAGE).run::<X86_64>(|machine| {
        let (space, pool) = (space(machine), machine.frames().allocator());
        change(&space, (0, 200 * PAGE), |cursor| {
            for n in 0..40 {
                cursor.jump(at(n * 4 * PAGE)).unwrap();
                cursor.map(frame(machine), RW).unwrap();
                cursor.map_iomem(DEVICE, PageSize::Size4K, RW).unwrap();
            }
            assert_eq!(pool.len(), 0);
            cursor.jump(at(0)).unwrap();
            assert_eq!(cursor.unmap(200 * PAGE), Ok(80));
            assert_eq!(pool.len(), 32);
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!(pool.len(), 40);
            cursor.jump(at(0)).unwrap();
            assert_eq!(cursor.find_next(200 * PAGE), Ok(None));
        });
    });
}

#[test]
fn a_count_that_is_full_is_an_error_that_leaks_nothing() {
    let config = Config {
        references: 2,
        ..with_memory(2 * LARGE)
    };
    config.run::<X86_64>(|machine| {
        let space = space(machine);
        let all = segment(machine, LARGE);
        let last = all.slice(LARGE - PAGE..LARGE).unwrap();
        let full = FrameError::Saturated {
            addr: all.paddr().as_u64() + LARGE - PAGE,
        };
        assert_eq!(all.try_clone().err(), Some(full));
        drop(last);
        change(&space, (0, LARGE), |cursor| {
            cursor.map_segment(all.try_clone().unwrap(), RW)
        })
        .unwrap();
        let full = VmError::Frame(FrameError::Saturated {
            addr: all.paddr().as_u64(),
        });
        change(&space, (0, PAGE), |cursor| {
            assert_eq!(cursor.query().err(), Some(full))
        });
        let refused = on(0, |guard| space.fork(guard, machine::root(machine)));
        assert_eq!(refused.err(), Some(full));
        for offset in [0, LARGE - PAGE] {
            assert_eq!(all.frame_at(offset).unwrap().reference_count(), 2);
        }
        drop(all);
        change(&space, (0, PAGE), |cursor| assert!(cursor.query().is_ok()));
    });
}

/// The count of the first frame is not full, that of the last is.
#[test]
fn a_count_that_is_full_halfway_is_an_error_that_leaks_nothing() {
    let config = Config {
        references: 3,
        frames: 4,
        ..Config::default()
    };
    config.run::<X86_64>(|machine| {
        let space = space(machine);
        let frames = [(); 4].map(|()| frame(machine));
        change(&space, (0, 4 * PAGE), |cursor| {
            for frame in &frames {
                cursor.map(frame.try_clone().unwrap(), RW).unwrap();
            }
        });
        let counts = || frames.each_ref().map(|frame| frame.reference_count());
        let more = frames[2].try_clone().unwrap();
        let refused = on(0, |guard| space.fork(guard, machine::root(machine)));
        let full = FrameError::Saturated {
            addr: more.paddr().as_u64(),
        };
        assert_eq!(
            (refused.err(), counts()),
            (Some(VmError::Frame(full)), [2, 2, 3, 2])
        );
        drop(more);
        let child = on(0, |guard| space.fork(guard, machine::root(machine))).unwrap();
        assert_eq!(counts(), [3; 4]);
        drop(child);
        assert_eq!(counts(), [2; 4]);
    });
}
