//! Kernel halves and the user tables that share them: what processors find, what is refused, what is given back.

mod common;

use common::{Heap, NoTlb};
use portolan::arch::halves::Halves;
use portolan::{
    Error, KernelHalf, PageProperty, PageSize, PageTable, PhysAddr, Preset, Sv39, Sv48, Sv57,
    Tracking, UserHalf, VirtAddr, VirtRange, X86_64, X86_64La57,
};

/// A root, and the tables directly below it.
const KERNEL_TABLES: usize = 1 + 256;

type Kernel<'a, A> = PageTable<&'a Heap, KernelHalf<A>>;
type User<'a, A> = PageTable<&'a Heap, UserHalf<A>>;

/// How a processor reads the words of tables, as far as it matters here.
#[derive(Clone, Copy)]
enum Reader {
    X86 { levels: u32 },
    Riscv { levels: u32 },
}

impl Reader {
    fn levels(self) -> u32 {
        match self {
            Reader::X86 { levels } | Reader::Riscv { levels } => levels,
        }
    }

    /// The first address of the upper half.
    fn upper(self) -> u64 {
        u64::MAX << (11 + 9 * self.levels())
    }

    /// What a word refers to: whether that is a page, and where it is.
    fn refers(self, level: u32, word: u64) -> Option<(bool, u64)> {
        match self {
            Reader::X86 { .. } => (word & 1 != 0)
                .then_some((level == 1 || word & 0x80 != 0, word & 0x000f_ffff_ffff_f000)),
            Reader::Riscv { .. } => {
                (word & 1 != 0).then_some((word & 0xa != 0, (word & 0x003f_ffff_ffff_fc00) << 2))
            }
        }
    }

    /// Where the walk from `root` finds `va`.
    fn walk(self, heap: &Heap, root: PhysAddr, va: u64) -> Option<u64> {
        let mut table = root.as_u64();
        for level in (1..=self.levels()).rev() {
            let word = heap.word(table, (va >> (3 + 9 * level)) as usize & 0x1ff);
            let (page, addr) = self.refers(level, word)?;
            if page {
                return Some(addr + (va & ((1 << (3 + 9 * level)) - 1)));
            }
            table = addr;
        }
        None
    }
}

fn kernel_at<A: Halves>(va: u64) -> VirtAddr<KernelHalf<A>> {
    VirtAddr::new(va).unwrap()
}

fn user_at<A: Halves>(va: u64) -> VirtAddr<UserHalf<A>> {
    VirtAddr::new(va).unwrap()
}

/// What is mapped and unmapped in the kernel half, before and after users came, is what all of them see.
fn all_see<A: Halves>(reader: Reader) {
    let heap = Heap::default();
    let mut kernel = Kernel::<A>::new(&heap).unwrap();
    let (first, last) = (reader.upper(), u64::MAX - 0xfff);
    let rw = PageProperty::KERNEL_RW;
    kernel
        .map(
            kernel_at(first),
            PhysAddr::new(0x5000),
            PageSize::Size4K,
            rw,
        )
        .unwrap();
    let mut users = [0, 1, 2].map(|_| User::<A>::sharing(&heap, &kernel).unwrap());
    let frame = PhysAddr::new(0x20_0000);
    kernel
        .map(kernel_at(last & !0x1f_ffff), frame, PageSize::Size2M, rw)
        .unwrap();
    for (n, user) in users.iter_mut().enumerate() {
        let own = PhysAddr::new(0x9000 + 0x1000 * n as u64);
        user.map(
            user_at(0x7000),
            own,
            PageSize::Size4K,
            PageProperty::USER_RW,
        )
        .unwrap();
    }
    for (n, user) in users.iter().enumerate() {
        let walk = |va| reader.walk(&heap, user.root(), va);
        assert_eq!(walk(0x7123), Some(0x9123 + 0x1000 * n as u64));
        assert_eq!(walk(first + 0x10), Some(0x5010));
        assert_eq!(walk(first + 0x1000), None);
        assert_eq!(walk(u64::MAX), Some(0x3f_ffff));
    }
    let (_, flush) = kernel.unmap(kernel_at(first), PageSize::Size4K).unwrap();
    flush.pay(&NoTlb);
    for user in &users {
        assert_eq!(reader.walk(&heap, user.root(), first), None);
        assert_eq!(reader.walk(&heap, user.root(), u64::MAX), Some(0x3f_ffff));
    }
    drop(users);
    assert_eq!(kernel.query(kernel_at(last)).unwrap().frame, frame);
}

#[test]
fn user_tables_see_what_is_mapped_in_the_kernel_half_later() {
    all_see::<X86_64>(Reader::X86 { levels: 4 });
    all_see::<X86_64La57>(Reader::X86 { levels: 5 });
    all_see::<Sv39>(Reader::Riscv { levels: 3 });
    all_see::<Sv48>(Reader::Riscv { levels: 4 });
    all_see::<Sv57>(Reader::Riscv { levels: 5 });
}

#[test]
fn a_kernel_half_has_its_tables_from_the_start_and_keeps_them() {
    let heap = Heap::default();
    let mut kernel = Kernel::<X86_64>::new(&heap).unwrap();
    assert_eq!(heap.len(), KERNEL_TABLES);
    let va = kernel_at(0xffff_c000_0000_0000);
    let frame = PhysAddr::new(0x4000_0000);
    for size in [PageSize::Size4K, PageSize::Size2M, PageSize::Size1G] {
        kernel
            .map(va, frame, size, PageProperty::KERNEL_RO)
            .unwrap();
        let (_, flush) = kernel.unmap(va, size).unwrap();
        assert_eq!(flush.frees_tables(), size != PageSize::Size1G);
        flush.pay(&NoTlb);
        assert_eq!(heap.len(), KERNEL_TABLES);
    }
    let range = VirtRange::new(va, 0x1_0000_0000).unwrap();
    kernel
        .map_range(range, frame, PageSize::Size2M, PageProperty::KERNEL_RO)
        .unwrap();
    assert_eq!(heap.len(), KERNEL_TABLES + 4);
    kernel.unmap_range(range).unwrap().1.pay(&NoTlb);
    assert_eq!(heap.len(), KERNEL_TABLES);
    assert_eq!(kernel.mappings(range).unwrap().count(), 0);
    assert_eq!(kernel.tables().count(), KERNEL_TABLES);
}

#[test]
fn a_user_table_gives_back_its_own_tables_only() {
    let heap = Heap::default();
    let mut kernel = Kernel::<Sv48>::new(&heap).unwrap();
    let va = kernel_at(0xffff_ffff_8000_0000);
    let rw = PageProperty::KERNEL_RW;
    kernel
        .map(va, PhysAddr::new(0), PageSize::Size4K, rw)
        .unwrap();
    let before = heap.len();
    let mut user = User::<Sv48>::sharing(&heap, &kernel).unwrap();
    assert_eq!(heap.len(), before + 1);
    user.map(
        user_at(0),
        PhysAddr::new(0),
        PageSize::Size4K,
        PageProperty::USER_RW,
    )
    .unwrap();
    assert_eq!(heap.len(), before + 4);
    drop(user);
    assert_eq!(heap.len(), before);
    assert!(kernel.query(va).is_ok());
    drop(kernel);
    assert_eq!(heap.len(), before, "others may still share it");
}

#[test]
fn a_kernel_half_that_nobody_shares_can_be_destroyed() {
    let heap = Heap::default();
    let mut kernel = Kernel::<X86_64La57>::new(&heap).unwrap();
    let va = kernel_at(0xff00_0000_0000_0000);
    let rw = PageProperty::KERNEL_RW;
    kernel
        .map(va, PhysAddr::new(0), PageSize::Size4K, rw)
        .unwrap();
    drop(User::<X86_64La57>::sharing(&heap, &kernel).unwrap());
    // SAFETY: no processor uses a table
    unsafe { kernel.destroy() };
    assert_eq!(heap.len(), 0);
}

#[test]
fn running_out_of_memory_leaks_nothing() {
    let heap = Heap::default();
    let no_memory = Error::NoMemory {
        addr: 0,
        size: 0x1000,
    };
    for n in (0..KERNEL_TABLES).step_by(16) {
        heap.limit(n);
        assert_eq!(Kernel::<Sv39>::new(&heap).err(), Some(no_memory));
        assert_eq!(heap.len(), 0);
    }
    for n in [0, 1, 2, KERNEL_TABLES - 1] {
        heap.limit(n);
        assert_eq!(Kernel::<X86_64>::new(&heap).err(), Some(no_memory));
        assert_eq!(heap.len(), 0);
    }
    heap.limit(KERNEL_TABLES);
    let mut kernel = Kernel::<X86_64>::new(&heap).unwrap();
    assert_eq!(
        User::<X86_64>::sharing(&heap, &kernel).err(),
        Some(no_memory)
    );
    let (va, size) = (kernel_at(0xffff_8000_0000_0000), PageSize::Size4K);
    for n in 0..2 {
        heap.limit(n);
        let error = kernel.map(va, PhysAddr::new(0), size, PageProperty::KERNEL_RO);
        let addr = va.as_u64();
        assert_eq!(error, Err(Error::NoMemory { addr, size: 0x1000 }));
        assert_eq!(heap.len(), KERNEL_TABLES);
    }
}

#[test]
fn addresses_of_the_other_half_are_refused() {
    let refused = |addr| Some(Error::NotCanonical { addr, size: 0 });
    for addr in [0xffff_8000_0000_0000, u64::MAX, 0x8000_0000_0000] {
        assert_eq!(VirtAddr::<UserHalf<X86_64>>::new(addr).err(), refused(addr));
    }
    for addr in [0, 0x7fff_ffff_ffff, 0x8000_0000_0000, 0xffff_7fff_ffff_ffff] {
        assert_eq!(
            VirtAddr::<KernelHalf<X86_64>>::new(addr).err(),
            refused(addr)
        );
    }
    for addr in [0x40_0000_0000, 0xffff_ffc0_0000_0000] {
        assert_eq!(VirtAddr::<UserHalf<Sv39>>::new(addr).err(), refused(addr));
    }
    let last = VirtAddr::<UserHalf<Sv39>>::new(0x3f_ffff_f000).unwrap();
    assert!(VirtRange::new(last, 0x1000).is_ok());
    assert_eq!(
        VirtRange::new(last, 0x2000).err(),
        Some(Error::PastEnd {
            addr: 0x3f_ffff_f000,
            size: 0x2000
        })
    );
}

#[test]
fn an_entry_of_the_root_is_never_a_page() {
    let heap = Heap::default();
    let mut kernel = Kernel::<Sv39>::new(&heap).unwrap();
    let addr = 0xffff_ffc0_0000_0000;
    let (at, size, rw) = (kernel_at(addr), PageSize::Size1G, PageProperty::KERNEL_RW);
    let unsupported = Err(Error::UnsupportedSize {
        addr,
        size: 0x4000_0000,
    });
    assert_eq!(kernel.map(at, PhysAddr::new(0), size, rw), unsupported);
    // by the largest pages that the half has
    let range = VirtRange::new(at, 0x4000_0000).unwrap();
    kernel.map_range(range, PhysAddr::new(0), size, rw).unwrap();
    assert_eq!(kernel.query(at).unwrap().size, PageSize::Size2M);
    assert_eq!(heap.len(), KERNEL_TABLES);
    let mut larger = Kernel::<Sv48>::new(&heap).unwrap();
    let at = kernel_at(0xffff_8000_0000_0000);
    larger.map(at, PhysAddr::new(0), size, rw).unwrap();
}

#[test]
fn a_machine_with_other_physical_addresses_is_refused() {
    let (narrow, wide) = (Heap::new(40, 0x1000), Heap::new(48, 0x1000));
    let kernel = Kernel::<X86_64>::new(&wide).unwrap();
    let error = Error::PhysTooWide {
        addr: kernel.root().as_u64(),
        size: 0x1000,
    };
    assert_eq!(User::<X86_64>::sharing(&narrow, &kernel).err(), Some(error));
    assert_eq!(narrow.len(), 0);
}

#[test]
fn a_table_that_tracks_bits_shares_one_that_does_not() {
    let heap = Heap::default();
    let reader = Reader::X86 { levels: 4 };
    let mut kernel = PageTable::<&Heap, KernelHalf<X86_64>, Preset>::new(&heap).unwrap();
    let user = PageTable::<&Heap, UserHalf<X86_64>, Tracking>::sharing(&heap, &kernel).unwrap();
    let at = 0xffff_ffff_8000_0000;
    let rw = PageProperty::KERNEL_RW;
    kernel
        .map(kernel_at(at), PhysAddr::new(0x8000), PageSize::Size4K, rw)
        .unwrap();
    assert_eq!(reader.walk(&heap, user.root(), at), Some(0x8000));
}
