//! What the tour maps: a small program, and the kernel half of its address space.

use portolan::{CachePolicy, Mapping, PageProperty, PageSize, PhysAddr};

/// Pages of one kind that follow each other, in virtual and in physical memory.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Its name.
    pub name: &'static str,
    /// The first virtual address.
    pub va: u64,
    /// How many pages.
    pub pages: u64,
    /// How large each is.
    pub size: PageSize,
    /// The first physical address.
    pub frame: u64,
    /// What is allowed.
    pub prop: PageProperty,
}

/// The kernel's pages are the same in all address spaces.
const fn global(prop: PageProperty) -> PageProperty {
    PageProperty {
        global: true,
        ..prop
    }
}

/// All regions, by address.
pub const IMAGE: [Region; 8] = [
    small("code", 0x40_0000, 3, 0x4000_0000, PageProperty::USER_RX),
    small("rodata", 0x40_3000, 1, 0x4000_3000, PageProperty::USER_RO),
    small("data", 0x40_4000, 2, 0x4000_4000, PageProperty::USER_RW),
    large("heap", 0x80_0000, 0x4020_0000, PageProperty::USER_RW),
    small(
        "stack",
        0x7fff_ffff_c000,
        3,
        0x4000_8000,
        PageProperty::USER_RW,
    ),
    large(
        "kernel",
        0xffff_ffff_8000_0000,
        0x4040_0000,
        global(PageProperty::KERNEL_RX),
    ),
    small(
        "kdata",
        0xffff_ffff_8020_0000,
        2,
        0x4000_c000,
        global(PageProperty::KERNEL_RW),
    ),
    small("device", 0xffff_ffff_ffd0_0000, 1, 0xfed0_0000, DEVICE),
];

const DEVICE: PageProperty = PageProperty {
    cache: CachePolicy::Uncacheable,
    ..global(PageProperty::KERNEL_RW)
};

const fn small(name: &'static str, va: u64, pages: u64, frame: u64, prop: PageProperty) -> Region {
    Region {
        name,
        va,
        pages,
        size: PageSize::Size4K,
        frame,
        prop,
    }
}

const fn large(name: &'static str, va: u64, frame: u64, prop: PageProperty) -> Region {
    Region {
        name,
        va,
        pages: 1,
        size: PageSize::Size2M,
        frame,
        prop,
    }
}

impl Region {
    /// Its pages.
    pub fn pages(self) -> impl Iterator<Item = (u64, Mapping)> {
        let bytes = self.size.bytes();
        (0..self.pages).map(move |n| {
            let frame = PhysAddr::new(self.frame + n * bytes);
            (
                self.va + n * bytes,
                Mapping {
                    frame,
                    size: self.size,
                    prop: self.prop,
                },
            )
        })
    }

    fn covers(&self, va: u64) -> bool {
        va.checked_sub(self.va)
            .is_some_and(|at| at < self.pages * self.size.bytes())
    }
}

/// The page below the stack, where nothing is mapped.
pub const GUARD: u64 = 0x7fff_ffff_b000;

/// Where a new region is tried: its top-level slot is empty, so it takes three tables.
pub const ELSEWHERE: u64 = 0x1000_0000_0000;

/// The first address between the halves.
pub const NOT_CANONICAL: u64 = 0x8000_0000_0000;

/// What is at an address.
pub fn region_at(va: u64) -> &'static str {
    match IMAGE.iter().find(|region| region.covers(va)) {
        Some(region) => region.name,
        None if va & !0xfff == GUARD => "guard",
        None => "",
    }
}

/// The addresses at which the tour works.
pub fn used() -> Vec<u64> {
    IMAGE
        .iter()
        .map(|region| region.va)
        .chain([GUARD, ELSEWHERE])
        .collect()
}
