//! Operations on address spaces that run out of memory for tables, at each of the places where they can.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{Computer, Config, Pinned, Pool, Root, Space, at, frame, on, range, segment, space};
use portolan::frame::{UFrame, USegment};
use portolan::space::{MappedItem, VmError};
use portolan::{Error, PageProperty, PageSize, PageTable, PhysAddr, X86_64};

const RW: PageProperty = PageProperty::USER_RW;
const RO: PageProperty = PageProperty::USER_RO;
const PAGE: u64 = 0x1000;
const LARGE: u64 = 0x20_0000;
const HUGE: u64 = 0x4000_0000;
/// All lower addresses.
const LOWER: u64 = 1 << 47;
/// Where a device has its registers.
const DEVICE: PhysAddr = PhysAddr::new(0x80_0000_0000);

/// What is mapped: addresses, sizes, and where it lies, of each page; whether it may be written to.
type Picture = Vec<(u64, u64, u64, bool)>;

fn picture(guard: &Pinned, space: &Space<'_>) -> Picture {
    let cursor = space.cursor(guard, &range(0, LOWER)).unwrap();
    let pages = cursor.map(Result::unwrap).filter_map(|slot| {
        let (item, prop) = slot.item?;
        let lies = match item {
            MappedItem::Frame(frame) => frame.paddr(),
            MappedItem::Segment(frames) => frames.paddr(),
            MappedItem::Io(addr) => addr,
        };
        Some((
            slot.range.start().as_u64(),
            slot.range.size(),
            lies.as_u64(),
            prop.write,
        ))
    });
    pages.collect()
}

/// Handles to what [`furnish`] maps.
struct Handles<'k> {
    small: [UFrame<'k, Pool>; 2],
    large: USegment<'k, Pool>,
}

impl Handles<'_> {
    fn counts(&self) -> [u64; 4] {
        let large = |offset| self.large.frame_at(offset).unwrap().reference_count();
        let [one, two] = self.small.each_ref().map(|frame| frame.reference_count());
        [one, two, large(0), large(LARGE - PAGE)]
    }
}

/// Maps a frame at 4 KiB, one beyond 1 GiB, a segment at 2 MiB, and 1 GiB of a device at 2 GiB.
fn furnish<'k>(guard: &Pinned, space: &Space<'k>) -> Handles<'k> {
    let machine = space.machine();
    let small = [frame(machine), frame(machine)];
    let large = segment(machine, LARGE);
    let mut cursor = space.cursor_mut(guard, &range(0, LOWER)).unwrap();
    for (addr, frame) in [PAGE, HUGE + PAGE].into_iter().zip(&small) {
        cursor.jump(at(addr)).unwrap();
        cursor.map(frame.try_clone().unwrap(), RW).unwrap();
    }
    cursor.jump(at(LARGE)).unwrap();
    cursor.map_segment(large.try_clone().unwrap(), RW).unwrap();
    cursor.jump(at(2 * HUGE)).unwrap();
    cursor.map_iomem(DEVICE, PageSize::Size1G, RW).unwrap();
    drop(cursor);
    Handles { small, large }
}

/// Runs `work` with memory for no table, for one, for two, and so on, until it succeeds. As long as it doesn't, it changes
/// nothing. Answers with how often that was.
fn until_it_succeeds<T>(
    guard: &Pinned,
    space: &Space<'_>,
    handles: &Handles<'_>,
    mut work: impl FnMut() -> Result<T, VmError>,
) -> (usize, T) {
    let machine = space.machine();
    let (hardware, pool) = (machine.cpus().hardware(), machine.frames().allocator());
    let now = || {
        (
            picture(guard, space),
            handles.counts(),
            hardware.tables(),
            pool.len(),
        )
    };
    let before = now();
    for tables in 0.. {
        hardware.limit_tables(Some(tables));
        let done = work();
        hardware.limit_tables(None);
        match done {
            Ok(done) => return (tables, done),
            Err(e) => {
                let is_memory = matches!(e, VmError::Paging(Error::NoMemory { .. }));
                assert!(is_memory, "{e:?} with memory for {tables}");
            }
        }
        assert_eq!(now(), before, "with memory for {tables}");
    }
    unreachable!()
}

/// Runs a test on a space with all kinds of pages.
fn on_furnished(test: impl for<'k> FnOnce(&'k Computer<'k>, &Pinned, &Space<'k>, &Handles<'k>)) {
    let config = Config {
        frames: 2 * (LARGE / PAGE) as usize,
        ..Config::default()
    };
    config.run::<X86_64>(|machine| {
        let space = space(machine);
        on(0, |guard| {
            let handles = furnish(guard, &space);
            test(machine, guard, &space, &handles);
        });
    });
}

#[test]
fn mapping_a_page() {
    on_furnished(|machine, guard, space, handles| {
        // where nothing is within 512 GiB, 1 GiB, 2 MiB, and where there is a last table
        for (addr, fails) in [(1 << 40, 3), (4 * HUGE, 2), (HUGE + LARGE, 1), (0, 0)] {
            let (failed, ()) = until_it_succeeds(guard, space, handles, || {
                let mut cursor = space.cursor_mut(guard, &range(addr, PAGE)).unwrap();
                let done = cursor.map(frame(machine), RW);
                assert_eq!(cursor.virt_addr().is_some(), done.is_err());
                done
            });
            assert_eq!(failed, fails);
        }
    });
}

#[test]
fn mapping_larger_pages() {
    on_furnished(|_, guard, space, handles| {
        let (failed, ()) = until_it_succeeds(guard, space, handles, || {
            let mut cursor = space.cursor_mut(guard, &range(1 << 40, LARGE)).unwrap();
            cursor.map_segment(handles.large.try_clone().unwrap(), RW)
        });
        assert_eq!(failed, 2);
        let (failed, ()) = until_it_succeeds(guard, space, handles, || {
            let mut cursor = space.cursor_mut(guard, &range(1 << 41, HUGE)).unwrap();
            cursor.map_iomem(DEVICE, PageSize::Size1G, RW)
        });
        assert_eq!(failed, 1);
    });
}

#[test]
fn unmapping_a_part_of_larger_pages() {
    on_furnished(|_, guard, space, handles| {
        // a part of the device's page, and of the segment's up to there: three tables, two of them for the device's
        let (addr, bytes) = (LARGE + PAGE, 2 * HUGE - LARGE);
        let (failed, pages) = until_it_succeeds(guard, space, handles, || {
            let mut cursor = space.cursor_mut(guard, &range(0, LOWER)).unwrap();
            cursor.jump(at(addr)).unwrap();
            let done = cursor.unmap(bytes);
            assert_eq!(cursor.virt_addr() == Some(at(addr)), done.is_err());
            done
        });
        assert_eq!((failed, pages), (3, 511 + 1 + 1));
        assert_eq!(handles.counts(), [2, 1, 2, 1]);
    });
}

#[test]
fn protecting_a_part_of_a_larger_page() {
    on_furnished(|_, guard, space, handles| {
        let (failed, changed) = until_it_succeeds(guard, space, handles, || {
            let mut cursor = space.cursor_mut(guard, &range(0, LOWER)).unwrap();
            cursor.jump(at(2 * HUGE + PAGE)).unwrap();
            cursor.protect_next(PAGE, |_| RO)
        });
        assert_eq!((failed, changed.unwrap().size()), (2, PAGE));
    });
}

#[test]
fn forking() {
    on_furnished(|machine, guard, space, handles| {
        let parent = picture(guard, space);
        let (failed, child) = until_it_succeeds(guard, space, handles, || {
            let table: Root =
                PageTable::new(machine::Tables::of(machine)).map_err(VmError::Paging)?;
            space.fork(guard, table)
        });
        // the root, one table below it, two below that, and two last ones
        assert_eq!(failed, 6);
        assert_eq!(handles.counts(), [3; 4]);
        let read_only = |pages: Picture| {
            pages
                .into_iter()
                .map(|(va, size, at, _)| (va, size, at, false))
        };
        assert_eq!(
            picture(guard, &child),
            read_only(parent).collect::<Vec<_>>()
        );
        drop(child);
        assert_eq!(handles.counts(), [2; 4]);
    });
}

#[test]
fn what_takes_only_away_needs_no_memory() {
    on_furnished(|machine, guard, space, _| {
        machine.cpus().hardware().limit_tables(Some(0));
        let mut cursor = space.cursor_mut(guard, &range(0, LOWER)).unwrap();
        assert_eq!(cursor.find_next(LOWER), Ok(Some(at(PAGE))));
        assert!(cursor.protect_next(PAGE, |_| RO).unwrap().is_some());
        cursor.jump(at(0)).unwrap();
        assert_eq!(cursor.unmap(HUGE), Ok(2));
        drop(cursor);
        space.clear(guard).unwrap();
    });
}

/// The page that is replaced may be lost, but nothing leaks.
#[test]
fn replacing_a_page() {
    for tables in 0..4 {
        on_furnished(|machine, guard, space, handles| {
            let hardware = machine.cpus().hardware();
            hardware.limit_tables(Some(tables));
            let mut cursor = space.cursor_mut(guard, &range(HUGE + PAGE, PAGE)).unwrap();
            let done = cursor.map(handles.small[0].try_clone().unwrap(), RW);
            drop(cursor);
            hardware.limit_tables(None);
            let now = picture(guard, space)
                .into_iter()
                .find(|page| page.0 == HUGE + PAGE);
            let lies = |n: usize| handles.small[n].paddr().as_u64();
            let expected = match (done, now) {
                (Ok(()), Some((_, _, frame, _))) if frame == lies(0) => [3, 1, 2, 2],
                (Err(_), Some((_, _, frame, _))) if frame == lies(1) => [2, 2, 2, 2],
                (Err(_), None) => [2, 1, 2, 2],
                (done, now) => panic!("{done:?}, and {now:x?} is mapped"),
            };
            assert_eq!(handles.counts(), expected);
        });
    }
}
