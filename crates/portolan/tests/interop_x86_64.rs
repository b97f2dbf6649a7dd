//! With the `x86_64` crate: each side's tables are read by the other, and what one can't say is refused.
#![cfg(feature = "x86_64")]

#[path = "common/properties.rs"]
mod properties;

use portolan::interop::x86_64::{
    FlagsError, LocalTlb, OffsetMemory, SharedAllocator, page_flags, page_mapping, page_property,
    page_size,
};
use portolan::{
    CachePolicy, Error, Invalidate, Mapping, PageProperty, PageSize, PageTable, PhysAddr, Tracking,
    VirtAddr, X86_64,
};
use properties::properties;
use std::cell::RefCell;
use std::sync::Mutex;
use x86_64::structures::paging::mapper::{MappedFrame, TranslateResult};
use x86_64::structures::paging::page_table::PageTableEntry;
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Mapper, OffsetPageTable, Page, PageTableFlags, PhysFrame,
    Size1GiB, Size2MiB, Size4KiB, Translate,
};

const SIZES: [PageSize; 3] = [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G];

const FRAME: PhysAddr = PhysAddr::new(0x12_4000_0000);

#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Frame([u64; 512]);

/// A machine's memory for tables: frame `n` is at physical address `4096 * n`. It is filled with ones.
struct Ram {
    frames: *mut [Frame],
}

impl Ram {
    fn new() -> Self {
        let frames = vec![Frame([u64::MAX; 512]); 32].into_boxed_slice();
        let frames = Box::into_raw(frames);
        frames.cast::<Frame>().expose_provenance();
        Ram { frames }
    }

    /// Where it is mapped.
    fn offset(&self) -> x86_64::VirtAddr {
        x86_64::VirtAddr::new(self.frames.addr() as u64)
    }

    /// Its frames, to be allocated; frame 0 is none of them.
    fn pool(&self) -> Pool {
        Pool((1..self.frames.len() as u64).collect())
    }

    /// The word in which the walk of `va` ends, at a page of `size`.
    fn leaf(&self, root: u64, va: u64, size: PageSize) -> u64 {
        let mut table = root;
        for shift in [39, 30, 21, 12] {
            let at = self.offset().as_u64() + (table & 0xf_ffff_ffff_f000);
            let index = (va >> shift) as usize & 511;
            // SAFETY: tables are in frames of this memory
            table = unsafe { (*std::ptr::with_exposed_provenance::<Frame>(at as usize)).0[index] };
            if size.bytes() == 1 << shift {
                break;
            }
        }
        table
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        // SAFETY: `new` made it of a box
        drop(unsafe { Box::from_raw(self.frames) });
    }
}

/// The frames that nobody has.
struct Pool(Vec<u64>);

// SAFETY: a frame is given to one user at a time
unsafe impl FrameAllocator<Size4KiB> for Pool {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        self.0.pop().map(PhysFrame::from_pfn)
    }
}

impl FrameDeallocator<Size4KiB> for Pool {
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        let number = frame.start_address().as_u64() / 4096;
        assert!(!self.0.contains(&number));
        self.0.push(number);
    }
}

/// Which address has the page of `size` in these tests: its own table on each level.
fn place(size: PageSize) -> u64 {
    match size {
        PageSize::Size4K => 0x7fff_ffff_f000,
        PageSize::Size2M => 0x4060_0000,
        _ => 0xffff_ff80_4000_0000,
    }
}

/// The crate's own way to map a page.
fn map_theirs(
    mapper: &mut OffsetPageTable<'_>,
    pool: &mut Pool,
    size: PageSize,
    flags: PageTableFlags,
) {
    fn map<S>(mapper: &mut OffsetPageTable<'_>, pool: &mut Pool, va: u64, flags: PageTableFlags)
    where
        S: x86_64::structures::paging::PageSize + std::fmt::Debug,
        for<'a> OffsetPageTable<'a>: Mapper<S>,
    {
        let page: Page<S> = VirtAddr::new(va).unwrap().try_into().unwrap();
        let frame: PhysFrame<S> = FRAME.try_into().unwrap();
        // SAFETY: nobody uses the page
        let flush = unsafe { mapper.map_to(page, frame, flags, pool) };
        flush
            .expect("there is nothing and memory is enough")
            .ignore();
    }
    match size {
        PageSize::Size4K => map::<Size4KiB>(mapper, pool, place(size), flags),
        PageSize::Size2M => map::<Size2MiB>(mapper, pool, place(size), flags),
        _ => map::<Size1GiB>(mapper, pool, place(size), flags),
    }
}

/// The crate's view of a page table with this root.
fn theirs<'a>(ram: &'a Ram, root: PhysFrame) -> OffsetPageTable<'a> {
    let at = ram.offset() + root.start_address().as_u64();
    // SAFETY: the root is a table in this memory, and nobody writes to it meanwhile
    unsafe {
        OffsetPageTable::new(
            &mut *std::ptr::with_exposed_provenance_mut(at.as_u64() as usize),
            ram.offset(),
        )
    }
}

/// An entry with this word.
fn entry(word: u64) -> PageTableEntry {
    let mut entry = PageTableEntry::new();
    entry.set_addr(
        x86_64::PhysAddr::zero(),
        PageTableFlags::from_bits_retain(word),
    );
    entry
}

#[test]
fn the_crate_reads_what_portolan_maps() {
    for prop in properties().filter(|prop| prop.read) {
        let ram = Ram::new();
        let pool = RefCell::new(ram.pool());
        // SAFETY: the offset is where all frames are, far below 2^48
        let memory = unsafe { OffsetMemory::new(&pool, ram.offset(), 48) };
        let mut table = PageTable::<_, X86_64, Tracking>::new(memory).unwrap();
        for size in SIZES {
            let va = VirtAddr::new(place(size)).unwrap();
            table.map(va, FRAME, size, prop).unwrap();
            let word = ram.leaf(table.root().as_u64(), place(size), size);
            let inside = va.checked_add(0x123).unwrap();
            let found = theirs(&ram, table.root_frame()).translate(inside.into());
            let TranslateResult::Mapped {
                frame,
                offset,
                flags: read,
            } = found
            else {
                panic!("{found:?}");
            };
            assert_eq!(
                (frame.start_address().into(), frame.size(), offset),
                (FRAME, size.bytes(), 0x123)
            );
            let mapping = Mapping {
                frame: FRAME,
                size,
                prop,
            };
            assert_eq!(page_mapping(&entry(word), size), Ok(mapping));
            let Ok(flags) = page_flags(prop, size) else {
                // the page attribute table's bit of large pages is one of the address to the crate, which drops it
                assert!(size != PageSize::Size4K && word & 0x1000 != 0);
                assert_ne!(page_property(read, size), Ok(prop));
                continue;
            };
            assert_eq!(flags.bits() | FRAME.as_u64(), word, "{size} {prop}");
            assert_eq!((read, page_property(read, size)), (flags, Ok(prop)));
        }
    }
}

#[test]
fn what_the_crate_maps_has_portolans_properties() {
    for prop in properties().filter(|prop| prop.read) {
        let ram = Ram::new();
        let mut pool = ram.pool();
        let root = pool.allocate_frame().unwrap();
        let mut mapper = theirs(&ram, root);
        mapper.level_4_table_mut().zero();
        for size in SIZES {
            let Ok(flags) = page_flags(prop, size) else {
                continue;
            };
            // `map_to` panics if bit 7 is set in a 4 KiB page
            if size == PageSize::Size4K && flags.contains(PageTableFlags::HUGE_PAGE) {
                continue;
            }
            map_theirs(&mut mapper, &mut pool, size, flags);
            let TranslateResult::Mapped { flags: read, .. } =
                mapper.translate(x86_64::VirtAddr::new(place(size)))
            else {
                panic!("{size} {prop}");
            };
            assert_eq!(page_property(read, size), Ok(prop));
            assert_eq!(
                ram.leaf(root.start_address().as_u64(), place(size), size),
                flags.bits() | FRAME.as_u64()
            );
        }
    }
}

#[test]
fn flags_say_exactly_their_properties() {
    // bits 11:0 and 63:52, those of software one by one
    let low = (0..0x200u64).flat_map(|low| [low, low | 1 << 63]);
    let others = [9, 10, 11].into_iter().chain(52..63).map(|n| 1u64 << n);
    for size in SIZES {
        for flags in low.clone().map(PageTableFlags::from_bits_retain) {
            match page_property(flags, size) {
                Ok(prop) => assert_eq!(page_flags(prop, size), Ok(flags)),
                Err(FlagsError::NotPresent) => assert!(!flags.contains(PageTableFlags::PRESENT)),
                Err(FlagsError::NotAPage) => {
                    assert!(size != PageSize::Size4K && !flags.contains(PageTableFlags::HUGE_PAGE));
                }
                // entries 6 and 7 of the page attribute table
                Err(FlagsError::Inexact { bits: 0x80 }) => {
                    assert!(size == PageSize::Size4K && flags.contains(PageTableFlags::NO_CACHE));
                }
                Err(other) => panic!("{flags:?}: {other}"),
            }
        }
        let known = page_flags(PageProperty::USER_RW, size).unwrap();
        for bits in others.clone() {
            let flags = known | PageTableFlags::from_bits_retain(bits);
            assert_eq!(
                page_property(flags, size),
                Err(FlagsError::Inexact { bits })
            );
        }
    }
}

#[test]
fn frames_have_only_the_bits_of_their_size() {
    let flags = page_flags(PageProperty::USER_RW, PageSize::Size2M).unwrap();
    let word = flags.bits() | FRAME.as_u64() | 0x6000;
    let refused = Err(FlagsError::Inexact { bits: 0x6000 });
    assert_eq!(page_mapping(&entry(word), PageSize::Size2M), refused);
    let word = PageTableFlags::from_bits_retain(flags.bits() | 0x1000);
    let refused = Err(FlagsError::Inexact { bits: 0x1000 });
    assert_eq!(page_property(word, PageSize::Size2M), refused);
}

#[test]
fn what_flags_cannot_say_is_refused() {
    let unreadable = PageProperty {
        read: false,
        ..PageProperty::KERNEL_RO
    };
    let refused = Err(FlagsError::UnsupportedProperty { prop: unreadable });
    assert_eq!(page_flags(unreadable, PageSize::Size4K), refused);
    let size = PageSize::Size16K;
    assert_eq!(
        page_flags(PageProperty::KERNEL_RO, size),
        Err(FlagsError::UnsupportedSize { size })
    );
    assert_eq!(
        page_property(PageTableFlags::PRESENT, size),
        Err(FlagsError::UnsupportedSize { size })
    );
    for cache in [CachePolicy::WriteCombining, CachePolicy::WriteProtected] {
        let prop = PageProperty {
            cache,
            ..PageProperty::KERNEL_RW
        };
        assert!(page_flags(prop, PageSize::Size4K).is_ok());
        let refused = Err(FlagsError::UnsupportedProperty { prop });
        assert_eq!(page_flags(prop, PageSize::Size2M), refused);
        assert_eq!(page_flags(prop, PageSize::Size1G), refused);
    }
}

#[test]
fn addresses_pages_and_frames_convert() {
    let high = x86_64::VirtAddr::new(0xffff_8000_0020_0000);
    let ours = VirtAddr::<X86_64>::from(high);
    assert_eq!(x86_64::VirtAddr::from(ours), high);
    let page: Page<Size2MiB> = ours.try_into().unwrap();
    assert_eq!(VirtAddr::from(page), ours);
    let too_fine = Error::NotAligned {
        addr: ours.as_u64(),
        size: 0x4000_0000,
    };
    assert_eq!(Page::<Size1GiB>::try_from(ours), Err(too_fine));

    let last = PhysAddr::new(0xf_ffff_ffff_f000);
    assert_eq!(
        PhysAddr::from(x86_64::PhysAddr::try_from(last).unwrap()),
        last
    );
    assert_eq!(
        PhysAddr::from(PhysFrame::<Size4KiB>::try_from(last).unwrap()),
        last
    );
    let addr = 1 << 52;
    assert_eq!(
        x86_64::PhysAddr::try_from(PhysAddr::new(addr)),
        Err(Error::PhysTooWide { addr, size: 0 })
    );
    let refused = PhysFrame::<Size4KiB>::try_from(PhysAddr::new(addr));
    assert_eq!(refused, Err(Error::PhysTooWide { addr, size: 4096 }));
    let refused = PhysFrame::<Size2MiB>::try_from(PhysAddr::new(0x1000));
    assert_eq!(
        refused,
        Err(Error::NotAligned {
            addr: 0x1000,
            size: 0x20_0000
        })
    );

    let sizes = [
        page_size::<Size4KiB>(),
        page_size::<Size2MiB>(),
        page_size::<Size1GiB>(),
    ];
    assert_eq!(sizes, SIZES);
    for size in sizes {
        let mapping = Mapping {
            frame: FRAME,
            size,
            prop: PageProperty::USER_RO,
        };
        let frame = MappedFrame::try_from(mapping).unwrap();
        assert_eq!(
            (frame.start_address().as_u64(), frame.size()),
            (FRAME.as_u64(), size.bytes())
        );
    }
}

#[test]
fn the_allocator_gets_its_frames_back() {
    let ram = Ram::new();
    let pool = RefCell::new(ram.pool());
    let all = pool.borrow().0.len();
    // SAFETY: the offset is where all frames are, far below 2^48
    let memory = unsafe { OffsetMemory::new(&pool, ram.offset(), 48) };
    let mut table = PageTable::<_, X86_64>::new(memory).unwrap();
    for size in SIZES {
        let va = VirtAddr::new(place(size)).unwrap();
        table.map(va, FRAME, size, PageProperty::USER_RW).unwrap();
    }
    assert_eq!(pool.borrow().0.len(), all - 1 - 3 - 2 - 1);
    let (_, flush) = table
        .unmap(
            VirtAddr::new(place(PageSize::Size4K)).unwrap(),
            PageSize::Size4K,
        )
        .unwrap();
    // SAFETY: no processor uses the table
    unsafe { flush.assume_flushed() };
    assert_eq!(pool.borrow().0.len(), all - 1 - 2 - 1);
    drop(table);
    assert_eq!(pool.borrow().0.len(), all);
}

#[test]
fn an_allocator_that_is_in_use_has_no_memory() {
    let ram = Ram::new();
    let pool = RefCell::new(ram.pool());
    // SAFETY: the offset is where all frames are, far below 2^48
    let memory = unsafe { OffsetMemory::new(&pool, ram.offset(), 48) };
    let mut table = PageTable::<_, X86_64>::new(memory).unwrap();
    let va = VirtAddr::new(0x1000).unwrap();
    let in_use = pool.borrow_mut();
    let refused = table.map(va, FRAME, PageSize::Size4K, PageProperty::USER_RW);
    assert_eq!(
        refused,
        Err(Error::NoMemory {
            addr: 0x1000,
            size: 4096
        })
    );
    drop(in_use);
    table
        .map(va, FRAME, PageSize::Size4K, PageProperty::USER_RW)
        .unwrap();
}

#[test]
fn a_kernels_own_lock_shares_an_allocator_between_processors() {
    #[derive(Clone, Copy)]
    struct Locked<'a>(&'a Mutex<Pool>);

    impl SharedAllocator for Locked<'_> {
        type Allocator = Pool;
        fn with<R>(&self, use_it: impl FnOnce(&mut Pool) -> R) -> Option<R> {
            self.0.lock().ok().map(|mut pool| use_it(&mut pool))
        }
    }

    let ram = Ram::new();
    let pool = Mutex::new(ram.pool());
    let all = pool.lock().unwrap().0.len();
    // SAFETY: the offset is where all frames are, far below 2^48
    let memory = unsafe { OffsetMemory::new(Locked(&pool), ram.offset(), 48) };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..50 {
                    let mut table = PageTable::<_, X86_64>::new(memory).unwrap();
                    let va = VirtAddr::new(place(PageSize::Size4K)).unwrap();
                    table
                        .map(va, FRAME, PageSize::Size4K, PageProperty::USER_RW)
                        .unwrap();
                    assert_eq!(table.query(va).unwrap().frame, FRAME);
                }
            });
        }
    });
    assert_eq!(pool.lock().unwrap().0.len(), all);
}

#[test]
fn flushes_may_be_paid_with_the_local_tlb() {
    // only compiled: the instruction is the kernel's
    fn pays<T: Invalidate<X86_64>>() {}
    pays::<LocalTlb>();
}
