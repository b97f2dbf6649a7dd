//! What the tour maps: a small program, and the kernel that it runs on, where the regime has addresses for them.

use portolan::{CachePolicy, Mapping, PageProperty, PageSize, PhysAddr};
use portolan_machine::Isa;
use portolan_machine::walk::Regime;

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

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// How the processor walks.
    pub regime: Regime,
    /// The smallest pages.
    pub small: PageSize,
    /// The next larger ones.
    pub large: PageSize,
    /// The first address.
    base: u64,
    /// The end of what programs have.
    half: u64,
    /// The first of the kernel's pages.
    kernel: u64,
}

/// The first physical address that is used for pages.
const FRAMES: u64 = 0x4000_0000;
/// The physical address of a device's registers.
const DEVICE: u64 = 0xfed0_0000;

impl Scene {
    /// Programs have the lower half of the addresses, the kernel the end of the last 2 GiB.
    pub fn new(regime: Regime) -> Self {
        let size = |level| regime.page_size(level).unwrap_or(PageSize::Size4K);
        let ranges = regime.ranges();
        let base = ranges.first().map_or(0, |range| *range.start());
        let end = ranges.last().map_or(0, |range| *range.end());
        Scene {
            regime,
            small: size(1),
            large: size(2),
            base,
            half: base + (1 << (regime.va_bits() - 1)),
            kernel: end - ((1 << 31) - 1),
        }
    }

    /// The kernel's pages are the same in all address spaces. A guest's memory is the guest's, whichever mode it is in.
    fn kernels(&self, prop: PageProperty) -> PageProperty {
        let global = PageProperty {
            global: true,
            ..prop
        };
        match self.regime {
            Regime::Ept | Regime::Arm2 { .. } => PageProperty { user: true, ..prop },
            _ => global,
        }
    }

    /// All regions, by address.
    pub fn image(&self) -> [Region; 8] {
        let (small, large) = (self.small.bytes(), self.large.bytes());
        let [code, heap, kernel] = [self.base + 2 * large, self.base + 4 * large, self.kernel];
        let (rx, ro, rw) = (
            PageProperty::USER_RX,
            PageProperty::USER_RO,
            PageProperty::USER_RW,
        );
        let kernel_rx = self.kernels(PageProperty::KERNEL_RX);
        let kernel_rw = self.kernels(PageProperty::KERNEL_RW);
        let device = PageProperty {
            cache: CachePolicy::Uncacheable,
            ..kernel_rw
        };
        let page = |name, va, pages, nth, prop| Region {
            name,
            va,
            pages,
            size: self.small,
            frame: FRAMES + nth * small,
            prop,
        };
        let large_page = |name, va, nth, prop| Region {
            name,
            va,
            pages: 1,
            size: self.large,
            frame: FRAMES + nth * large,
            prop,
        };
        [
            page("code", code, 3, 0, rx),
            page("rodata", code + 3 * small, 1, 3, ro),
            page("data", code + 4 * small, 2, 4, rw),
            large_page("heap", heap, 1, rw),
            page("stack", self.half - 4 * small, 3, 8, rw),
            large_page("kernel", kernel, 2, kernel_rx),
            page("kdata", kernel + large, 2, 12, kernel_rw),
            Region {
                frame: DEVICE,
                ..page("device", kernel + 0x7fd0_0000, 1, 0, device)
            },
        ]
    }

    /// The region of a name, which is one of those there are.
    fn region(&self, name: &str) -> Region {
        let image = self.image();
        let found = image.iter().find(|region| region.name == name);
        *found.unwrap_or(&image[0])
    }

    /// The address of a byte in a region.
    pub fn at(&self, name: &str, byte: u64) -> u64 {
        self.region(name).va + byte
    }

    /// The physical address of a byte in a region.
    pub fn frame_at(&self, name: &str, byte: u64) -> u64 {
        self.region(name).frame + byte
    }

    /// The last word of the stack.
    pub fn stack_top(&self) -> u64 {
        self.at("stack", 3 * self.small.bytes() - 8)
    }

    /// The page below the stack, where nothing is mapped.
    pub fn guard(&self) -> u64 {
        self.half - 5 * self.small.bytes()
    }

    /// Where a new region is tried: if the root has many slots, this one is empty, and it takes a table of each level below.
    pub fn elsewhere(&self) -> u64 {
        self.base + (self.half - self.base) / 8
    }

    /// An address between code and heap, where nothing is mapped.
    pub fn free(&self) -> u64 {
        self.at("code", self.large.bytes() / 2)
    }

    /// A frame that no region has.
    pub fn free_frame(&self) -> u64 {
        FRAMES + 4 * self.large.bytes()
    }

    /// The first address behind those that are translated.
    pub fn not_canonical(&self) -> u64 {
        self.regime.ranges()[0].end().wrapping_add(1)
    }

    /// What is at an address.
    pub fn region_at(&self, va: u64) -> &'static str {
        match self.image().iter().find(|region| region.covers(va)) {
            Some(region) => region.name,
            None if va & !(self.small.bytes() - 1) == self.guard() => "guard",
            None => "",
        }
    }

    /// The addresses at which the tour works.
    pub fn used(&self) -> Vec<u64> {
        let regions = self.image().map(|region| region.va);
        let others = [self.guard(), self.elsewhere()];
        regions.into_iter().chain(others).collect()
    }

    /// What memory holds where the program reads, by physical address.
    pub fn contents(&self) -> [(u64, u64); 5] {
        let isa = Isa::of(self.regime);
        [
            (self.frame_at("code", self.small.bytes()), isa.code_word(7)),
            (self.frame_at("rodata", 0x10), 42),
            (self.frame_at("heap", 0x1f_0000), 0x0b1ec7),
            (self.frame_at("kernel", 0x1000), isa.code_word(60)),
            (self.frame_at("device", 0xf0), 0x1a77),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_x86_64_things_are_where_kernels_have_them() {
        let scene = Scene::new(Regime::X86_64 { levels: 4 });
        let expected = [
            (0x40_0000, 0x4000_0000),
            (0x40_3000, 0x4000_3000),
            (0x40_4000, 0x4000_4000),
            (0x80_0000, 0x4020_0000),
            (0x7fff_ffff_c000, 0x4000_8000),
            (0xffff_ffff_8000_0000, 0x4040_0000),
            (0xffff_ffff_8020_0000, 0x4000_c000),
            (0xffff_ffff_ffd0_0000, 0xfed0_0000),
        ];
        assert_eq!(
            scene.image().map(|region| (region.va, region.frame)),
            expected
        );
        assert_eq!(scene.guard(), 0x7fff_ffff_b000);
        assert_eq!(scene.not_canonical(), 0x8000_0000_0000);
    }
}
