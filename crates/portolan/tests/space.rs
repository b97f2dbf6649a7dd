//! Address spaces, processors and their TLBs: what a kernel's machine is trusted to do, and what follows for an address space.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{
    Computer, Config, Finish, Pinned, Pool, Space, Test, cpu, frame, on, on_machine, range, root,
    space, use_space, wait_for,
};
use portolan::frame::{FRAME_SIZE, Frame, FrameTable, MetaSlot, UFrame};
use portolan::space::{Cpu, CursorMut, VmError};
use portolan::tlb::{ShootdownError, TlbFlushOp};
use portolan::{PageProperty, PageSize, PhysAddr, VirtAddr, X86_64};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

const PAGE: u64 = 0x40_0000;
const RW: PageProperty = PageProperty::USER_RW;

/// Maps a frame at [`PAGE`], and answers with where it lies.
fn map<'k>(guard: &Pinned, space: &Space<'k>, frame: UFrame<'k, Pool>) -> PhysAddr {
    let addr = frame.paddr();
    let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
    cursor.map(frame, RW).unwrap();
    addr
}

/// Unmaps what is at [`PAGE`].
fn unmap(guard: &Pinned, space: &Space<'_>) {
    let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
    assert_eq!(cursor.unmap(0x1000), Ok(1));
}

/// Runs `test` on processor 0, as long as processor 1 uses `space` and has loaded what is at [`PAGE`].
fn while_used<'k>(machine: &'k Computer<'k>, space: &Space<'k>, test: impl FnOnce(&Pinned)) {
    let hardware = machine.cpus().hardware();
    hardware.watch(PAGE);
    thread::scope(|scope| {
        let _ends = Finish(hardware);
        scope.spawn(|| use_space(machine, 1, space));
        wait_for(hardware, || hardware.cached(1, PAGE).is_some());
        on(0, test);
    });
}

#[test]
fn a_stale_translation_is_gone_after_sync() {
    on_machine(|machine| {
        let (hardware, pool) = (machine.cpus().hardware(), machine.frames().allocator());
        let space = space(machine);
        let addr = on(0, |guard| map(guard, &space, frame(machine)));
        while_used(machine, &space, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            cursor.unmap(0x1000).unwrap();
            let stale = hardware.cached(1, PAGE).unwrap();
            assert_eq!((stale.frame, pool.has(addr)), (addr.as_u64(), false));
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!((hardware.cached(1, PAGE), pool.has(addr)), (None, true));
        });
    });
}

#[test]
fn what_was_dispatched_is_over_after_sync() {
    on_machine(|machine| {
        let (hardware, pool) = (machine.cpus().hardware(), machine.frames().allocator());
        let space = space(machine);
        let addr = on(0, |guard| map(guard, &space, frame(machine)));
        while_used(machine, &space, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            cursor.unmap(0x1000).unwrap();
            cursor.flusher().dispatch_tlb_flush().unwrap();
            assert!(!pool.has(addr));
            cursor.flusher().sync_tlb_flush().unwrap();
            assert_eq!((hardware.cached(1, PAGE), pool.has(addr)), (None, true));
            assert_eq!(hardware.notified(1), 1);
        });
    });
}

#[test]
fn a_processor_that_left_is_not_asked() {
    on_machine(|machine| {
        let hardware = machine.cpus().hardware();
        hardware.watch(PAGE);
        let (space, other) = (space(machine), space(machine));
        on(0, |guard| map(guard, &space, frame(machine)));
        on(1, |guard| {
            let mut cpu = cpu(machine, guard);
            for leave in [true, false] {
                cpu.activate(guard, &space).unwrap();
                assert!(hardware.cached(1, PAGE).is_some());
                if leave {
                    cpu.deactivate(guard).unwrap();
                } else {
                    cpu.activate(guard, &other).unwrap();
                }
                assert_eq!(hardware.cached(1, PAGE), None);
                on(0, |guard| {
                    unmap(guard, &space);
                    map(guard, &space, frame(machine));
                });
            }
            cpu.deactivate(guard).unwrap();
        });
        assert_eq!(
            (hardware.notified(1), hardware.invalidated(1).len()),
            (0, 0)
        );
    });
}

#[test]
fn a_processor_that_there_is_not_is_refused() {
    on_machine(|machine| {
        let space = space(machine);
        let addr = on(0, |guard| map(guard, &space, frame(machine)));
        for number in [2, 255, 256, usize::MAX] {
            on(number, |guard| {
                // SAFETY: there is no such processor
                let refused = unsafe { Cpu::<Test, &Space<'_>>::new(machine, guard) };
                let said = number.min(256);
                assert_eq!(refused.err(), Some(VmError::WrongCpu { cpu: said }));
                let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
                cursor.flusher().issue_tlb_flush(TlbFlushOp::All);
                let no_such = ShootdownError::NoSuchCpu { cpu: number };
                let refused = cursor.flusher().sync_tlb_flush();
                assert_eq!(refused, Err(VmError::Shootdown(no_such)));
            });
        }
        assert!(!machine.frames().allocator().has(addr));
    });
}

#[test]
fn a_processor_does_not_act_for_another_one() {
    on_machine(|machine| {
        let space = space(machine);
        let mut first = on(0, |guard| cpu(machine, guard));
        on(1, |guard| {
            let wrong = Err(VmError::WrongCpu { cpu: 1 });
            assert_eq!(first.activate(guard, &space), wrong);
            assert_eq!(first.deactivate(guard), wrong);
        });
        on(0, |guard| {
            for _ in 0..2 {
                first.activate(guard, &space).unwrap();
            }
            first.deactivate(guard).unwrap();
            first.deactivate(guard).unwrap();
        });
    });
}

#[test]
fn cursors_on_the_same_range_wait_for_each_other() {
    on_machine(|machine| {
        let hardware = machine.cpus().hardware();
        let (space, there) = (space(machine), AtomicBool::new(false));
        on(0, |guard| {
            let cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    on(1, |guard| {
                        let cursor = space.cursor(guard, &range(PAGE, 0x1000)).unwrap();
                        there.store(true, SeqCst);
                        assert!(cursor.query().unwrap().item.is_some());
                    });
                });
                wait_for(hardware, || hardware.relaxed(1) > 100);
                assert!(!there.load(SeqCst));
                let mut cursor = cursor;
                cursor.map(frame(machine), RW).unwrap();
                assert!(!there.load(SeqCst));
            });
            assert!(there.load(SeqCst));
        });
    });
}

#[test]
fn cursors_on_disjoint_ranges_live_at_the_same_time() {
    on_machine(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let over = |page: u64| range(PAGE + page * 0x1000, 0x1000);
            let mut cursors = [2, 0, 1].map(|page| space.cursor_mut(guard, &over(page)).unwrap());
            for mapped in 0..3 {
                let new = frame(machine);
                cursors[mapped].map(new, RW).unwrap();
                for (number, cursor) in cursors.iter_mut().enumerate() {
                    cursor.jump(over([2, 0, 1][number]).start()).unwrap();
                    assert_eq!(cursor.query().unwrap().item.is_some(), number <= mapped);
                }
            }
            for cursor in &mut cursors {
                assert_eq!(cursor.unmap(0x1000), Ok(1));
            }
        });
        // on two processors that use it, as long as both have one
        let (there, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..2 {
                let (space, there, done) = (&space, &there, &done);
                scope.spawn(move || {
                    on(number, |guard| {
                        let mut cpu = cpu(machine, guard);
                        cpu.activate(guard, space).unwrap();
                        let own = range(PAGE + number as u64 * 0x1000, 0x1000);
                        let mut cursor = space.cursor_mut(guard, &own).unwrap();
                        meet(machine, guard, there);
                        for _ in 0..100 {
                            map_write_unmap(machine, &mut cursor, own.start());
                        }
                        meet(machine, guard, done);
                        drop(cursor);
                        cpu.deactivate(guard).unwrap();
                    });
                });
            }
        });
    });
}

/// Maps a frame at `va`, writes to it, and unmaps it.
fn map_write_unmap<'k>(
    machine: &'k Computer<'k>,
    cursor: &mut CursorMut<'_, 'k, Test, Pinned>,
    va: VirtAddr<X86_64>,
) {
    let (new, hardware) = (frame(machine), machine.cpus().hardware());
    let lies = new.paddr().as_u64();
    cursor.jump(va).unwrap();
    cursor.map(new, RW).unwrap();
    cursor.flusher().sync_tlb_flush().unwrap();
    assert_eq!(hardware.write(va.as_u64()), Some(lies));
    cursor.jump(va).unwrap();
    assert_eq!(cursor.unmap(0x1000), Ok(1));
    cursor.flusher().sync_tlb_flush().unwrap();
    assert_eq!(hardware.write(va.as_u64()), None);
}

/// Takes interrupts until both processors are here.
fn meet(machine: &Computer<'_>, guard: &Pinned, here: &AtomicUsize) {
    here.fetch_add(1, SeqCst);
    wait_for(machine.cpus().hardware(), || {
        if machine.cpus().hardware().take_interrupt() {
            machine.shootdown().handle(guard, machine.cpus());
        }
        here.load(SeqCst) == 2
    });
}

#[test]
fn a_processor_that_waits_for_a_cursor_answers_meanwhile() {
    on_machine(|machine| {
        let hardware = machine.cpus().hardware();
        let space = space(machine);
        on(0, |guard| {
            map(guard, &space, frame(machine));
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    on(1, |guard| {
                        let mut cpu = cpu(machine, guard);
                        cpu.activate(guard, &space).unwrap();
                        drop(space.cursor(guard, &range(PAGE, 0x1000)).unwrap());
                        cpu.deactivate(guard).unwrap();
                    });
                });
                wait_for(hardware, || hardware.relaxed(1) > 0);
                cursor.unmap(0x1000).unwrap();
                cursor.flusher().sync_tlb_flush().unwrap();
                assert_eq!(hardware.invalidated(1), [(PAGE, 0x1000)]);
                drop(cursor);
            });
        });
    });
}

#[test]
fn a_flusher_that_is_dropped_pays() {
    on_machine(|machine| {
        let (hardware, pool) = (machine.cpus().hardware(), machine.frames().allocator());
        let space = space(machine);
        let addr = on(0, |guard| map(guard, &space, frame(machine)));
        while_used(machine, &space, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            cursor.unmap(0x1000).unwrap();
            drop(cursor);
            assert_eq!((hardware.cached(1, PAGE), pool.has(addr)), (None, true));
        });
    });
}

#[test]
fn a_frame_given_to_a_flusher_is_kept_until_it_is_synced() {
    on_machine(|machine| {
        let (pool, space) = (machine.frames().allocator(), space(machine));
        on(0, |guard| {
            let kept = frame(machine).into_dyn();
            let addr = kept.paddr();
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            let mut flusher = cursor.flusher();
            flusher.issue_tlb_flush_with(TlbFlushOp::Address(machine::at(PAGE)), kept);
            assert!(!pool.has(addr));
            flusher.dispatch_tlb_flush().unwrap();
            assert!(!pool.has(addr));
            flusher.sync_tlb_flush().unwrap();
            assert!(pool.has(addr));
        });
    });
}

#[test]
fn what_is_noted_after_a_dispatch_waits_until_that_is_synced() {
    on_machine(|machine| {
        let (pool, space) = (machine.frames().allocator(), space(machine));
        on(0, |guard| {
            let kept = [frame(machine).into_dyn(), frame(machine).into_dyn()];
            let addrs = kept.each_ref().map(|kept| kept.paddr());
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            let mut flusher = cursor.flusher();
            for kept in kept {
                flusher.issue_tlb_flush_with(TlbFlushOp::Address(machine::at(PAGE)), kept);
                flusher.dispatch_tlb_flush().unwrap();
            }
            assert_eq!(addrs.map(|addr| pool.has(addr)), [true, false]);
            flusher.sync_tlb_flush().unwrap();
            assert!(pool.has(addrs[1]));
        });
    });
}

#[test]
fn a_space_that_is_dropped_gives_its_frames_back() {
    on_machine(|machine| {
        let (hardware, pool) = (machine.cpus().hardware(), machine.frames().allocator());
        let space = space(machine);
        let addr = on(0, |guard| map(guard, &space, frame(machine)));
        let kept = frame(machine);
        let also = on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(0x7000, 0x1000)).unwrap();
            cursor.map(kept.try_clone().unwrap(), RW).unwrap();
            kept.paddr()
        });
        drop(space);
        assert!(pool.has(addr) && !pool.has(also) && hardware.tables() == 0);
        assert_eq!(kept.reference_count(), 1);
    });
}

/// The processor can reach the tables still, and by its TLB the frames.
#[test]
fn a_space_that_a_processor_uses_for_ever_is_kept_for_ever() {
    for pages in [0, 1] {
        let (hardware, left) = Config::default().run_leaky(|machine| {
            machine.cpus().hardware().watch(PAGE);
            let space = space(machine);
            on(1, |guard| {
                if pages > 0 {
                    map(guard, &space, frame(machine));
                }
                let mut cpu = cpu(machine, guard);
                cpu.activate(guard, &space).unwrap();
            });
            drop(space);
        });
        assert_eq!(left, pages);
        assert!(hardware.tables() > 0);
    }
}

/// Who forgets a cursor with what it owes keeps its range for ever, and with it all that is in the address space.
#[test]
fn a_space_whose_flusher_was_forgotten_is_kept_for_ever() {
    let (hardware, left) = Config::default().run_leaky(|machine| {
        let space = space(machine);
        on(0, |guard| {
            map(guard, &space, frame(machine));
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            cursor.unmap(0x1000).unwrap();
            mem::forget(cursor);
        });
        drop(space);
    });
    assert_eq!(left, 1);
    assert!(hardware.tables() > 0);
}

#[test]
fn clear_unmaps_everything() {
    on_machine(|machine| {
        let (hardware, pool) = (machine.cpus().hardware(), machine.frames().allocator());
        let space = space(machine);
        on(0, |guard| map(guard, &space, frame(machine)));
        while_used(machine, &space, |guard| {
            let top = range(0xffff_ffff_ffff_f000, 0x1000);
            space
                .cursor_mut(guard, &top)
                .unwrap()
                .map(frame(machine), RW)
                .unwrap();
            space.clear(guard).unwrap();
            assert_eq!(
                (hardware.cached(1, PAGE), pool.len(), hardware.tables()),
                (None, 16, 1)
            );
            space.clear(guard).unwrap();
        });
    });
}

/// Also if its address is that of a frame of the right table.
#[test]
fn a_frame_of_another_table_is_refused() {
    on_machine(|machine| {
        let mut slots = [MetaSlot::new()];
        let (addr, pool) = (frame(machine).paddr(), Pool::new(machine.cpus().hardware()));
        let other = FrameTable::new(addr, &mut slots, pool).unwrap();
        // SAFETY: the frame is made up, and no memory is used by its address
        unsafe { other.add(addr..PhysAddr::new(addr.as_u64() + FRAME_SIZE)) }.unwrap();
        let stranger = Frame::from_unused(&other, addr, ()).unwrap().into_untyped();
        let space = space(machine);
        on(0, |guard| {
            let mut cursor = space.cursor_mut(guard, &range(PAGE, 0x1000)).unwrap();
            let refused = cursor.map(stranger.try_clone().unwrap(), RW);
            assert_eq!(
                refused,
                Err(VmError::ForeignFrame {
                    addr: addr.as_u64()
                })
            );
            assert_eq!(cursor.virt_addr(), Some(machine::at(PAGE)));
            assert!(cursor.query().unwrap().item.is_none());
        });
        assert_eq!(stranger.reference_count(), 1);
    });
}

#[test]
fn a_table_with_pages_is_no_address_space() {
    on_machine(|machine| {
        let mut table = root(machine);
        let (va, size) = (machine::at(PAGE), PageSize::Size4K);
        table.map(va, PhysAddr::new(0x5000), size, RW).unwrap();
        let refused = Space::new(machine, table);
        assert_eq!(refused.err(), Some(VmError::NotEmpty { addr: PAGE }));
    });
}
