//! What the host writes to the guest's area: the programs, and the tables that are not under test.
//!
//! The hypervisor runs in an identity mapping of the lowest 4 GiB. Its guest sees each guest-physical address below
//! 1 TiB at the same linear address, so that an access is one to a guest-physical address. The upper half of these
//! has the guest's own program and page tables.

use super::{monitor, vmcs};
use crate::guest::{mailbox, write_bytes};
use crate::memory::Memory;
use portolan::PhysAddr;

/// Where the guest's own guest-physical addresses start, and which slot of the root serves them.
pub(super) const OWN: u64 = SLOT << 39;
pub(super) const SLOT: u64 = 1;

// Offsets in the area: tables of the hypervisor, of the guest, and the own part of the extended page tables
pub(super) const HOST_PML4: u64 = 0xd000;
const HOST_PDPT: u64 = 0xe000;
pub(super) const GUEST_PML4: u64 = 0x1_1000;
const GUEST_PDPT: u64 = 0x1_2000;
const GUEST_OWN_PDPT: u64 = 0x1_3000;
const EPT_PDPT: u64 = mailbox::TABLES;
const EPT_PD: u64 = mailbox::TABLES + 0x1000;
const EPT_PT: u64 = mailbox::TABLES + 0x2000;

/// Entries of ordinary page tables: present, writable, for user mode, accessed; dirty, large.
const TABLE: u64 = 0x27;
const LARGE_PAGE: u64 = 0xe7;
/// Entries of the extended page tables (Intel SDM vol. 3, 30.3.2): accessed; write-back and dirty.
const EPT_TABLE: u64 = 0x107;
const EPT_PAGE: u64 = 0x330;
const EPT_READ_WRITE: u64 = 0b011;
const EPT_READ_EXECUTE: u64 = 0b101;

/// The entry of the own slot of the root.
pub(super) fn slot_entry(area: u64) -> u64 {
    (area + EPT_PDPT) | EPT_TABLE
}

/// Writes all of it, and that it is there.
pub(super) fn write(memory: &Memory, area: u64) {
    let put = |offset, word| memory.store(PhysAddr::new(area + offset), word);
    write_bytes(memory, area + mailbox::CODE, monitor::image());
    write_bytes(memory, area + monitor::GUEST, monitor::guest_image());
    let end = [monitor::NO_FIELD, 0, 0];
    let fields = vmcs::fields(area).into_iter().chain([end]).flatten();
    for (offset, word) in (monitor::FIELDS..).step_by(8).zip(fields) {
        put(offset, word);
    }
    put(HOST_PML4, (area + HOST_PDPT) | TABLE);
    for gib in 0..4 {
        put(HOST_PDPT + 8 * gib, gib << 30 | LARGE_PAGE);
    }
    put(GUEST_PML4, (OWN + GUEST_PDPT) | TABLE);
    put(GUEST_PML4 + 8 * SLOT, (OWN + GUEST_OWN_PDPT) | TABLE);
    for gib in 0..512 {
        put(GUEST_PDPT + 8 * gib, gib << 30 | LARGE_PAGE);
    }
    put(GUEST_OWN_PDPT, OWN | LARGE_PAGE);
    put(EPT_PDPT, (area + EPT_PD) | EPT_TABLE);
    put(EPT_PD, (area + EPT_PT) | EPT_TABLE);
    // With accessed and dirty flags, the processor's use of the guest's tables counts as stores (30.3.3.2)
    for (offset, rights) in [
        (monitor::GUEST, EPT_READ_EXECUTE),
        (GUEST_PML4, EPT_READ_WRITE),
        (GUEST_PDPT, EPT_READ_WRITE),
        (GUEST_OWN_PDPT, EPT_READ_WRITE),
    ] {
        put(EPT_PT + offset / 512, (area + offset) | EPT_PAGE | rights);
    }
    put(monitor::CR3, area + HOST_PML4);
    put(monitor::ENTRY, area + mailbox::CODE);
    put(monitor::VMXON_ADDR, area + monitor::VMXON);
    put(monitor::VMCS_ADDR, area + monitor::VMCS);
    put(monitor::READY, 1);
}
