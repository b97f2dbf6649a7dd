//! What the virtual-machine control structure is set to (Intel SDM vol. 3, ch. 26; the encodings of its fields are in
//! appendix B).

use super::{layout, monitor};

/// MSRs (Intel SDM vol. 4, table 2-2, and vol. 3, appendix A).
pub(super) const IA32_FEATURE_CONTROL: u32 = 0x3a;
pub(super) const IA32_VMX_BASIC: u32 = 0x480;
const IA32_VMX_PINBASED_CTLS: u32 = 0x481;
const IA32_VMX_PROCBASED_CTLS: u32 = 0x482;
const IA32_VMX_EXIT_CTLS: u32 = 0x483;
const IA32_VMX_ENTRY_CTLS: u32 = 0x484;
const IA32_VMX_PROCBASED_CTLS2: u32 = 0x48b;

// Fields that the hypervisor's program names
pub(super) const GUEST_CS: u32 = 0x0802;
pub(super) const GUEST_SS: u32 = 0x0804;
pub(super) const EPTP: u32 = 0x201a;
pub(super) const GUEST_PHYSICAL_ADDRESS: u32 = 0x2400;
pub(super) const EXIT_REASON: u32 = 0x4402;
pub(super) const EXIT_INTERRUPTION: u32 = 0x4404;
pub(super) const GUEST_CS_RIGHTS: u32 = 0x4816;
pub(super) const GUEST_SS_RIGHTS: u32 = 0x4818;
pub(super) const EXIT_QUALIFICATION: u32 = 0x6400;
pub(super) const GUEST_LINEAR_ADDRESS: u32 = 0x640a;
pub(super) const GUEST_RIP: u32 = 0x681e;
pub(super) const GUEST_RFLAGS: u32 = 0x6820;

// The others
const GUEST_ES: u32 = 0x0800;
const HOST_ES: u32 = 0x0c00;
const HOST_CS: u32 = 0x0c02;
const HOST_TR: u32 = 0x0c0c;
const LINK_POINTER: u32 = 0x2800;
const PIN_BASED: u32 = 0x4000;
const PROCESSOR_BASED: u32 = 0x4002;
const EXCEPTION_BITMAP: u32 = 0x4004;
const PAGE_FAULT_MASK: u32 = 0x4006;
const PAGE_FAULT_MATCH: u32 = 0x4008;
const CR3_TARGETS: u32 = 0x400a;
const EXIT_CONTROLS: u32 = 0x400c;
const EXIT_MSR_STORES: u32 = 0x400e;
const EXIT_MSR_LOADS: u32 = 0x4010;
const ENTRY_CONTROLS: u32 = 0x4012;
const ENTRY_MSR_LOADS: u32 = 0x4014;
const ENTRY_INTERRUPTION: u32 = 0x4016;
const SECONDARY: u32 = 0x401e;
const GUEST_ES_LIMIT: u32 = 0x4800;
const GUEST_GDTR_LIMIT: u32 = 0x4810;
const GUEST_IDTR_LIMIT: u32 = 0x4812;
const GUEST_ES_RIGHTS: u32 = 0x4814;
const GUEST_TR_RIGHTS: u32 = 0x4822;
const GUEST_INTERRUPTIBILITY: u32 = 0x4824;
const GUEST_ACTIVITY: u32 = 0x4826;
const GUEST_SYSENTER_CS: u32 = 0x482a;
const HOST_SYSENTER_CS: u32 = 0x4c00;
const CR0_MASK: u32 = 0x6000;
const CR4_SHADOW: u32 = 0x6006;
const GUEST_CR0: u32 = 0x6800;
const GUEST_CR3: u32 = 0x6802;
const GUEST_CR4: u32 = 0x6804;
const GUEST_ES_BASE: u32 = 0x6806;
const GUEST_DR7: u32 = 0x681a;
const GUEST_RSP: u32 = 0x681c;
const GUEST_PENDING_DEBUG: u32 = 0x6822;
const GUEST_SYSENTER_EIP: u32 = 0x6826;
const HOST_CR0: u32 = 0x6c00;
const HOST_CR3: u32 = 0x6c02;
const HOST_CR4: u32 = 0x6c04;
const HOST_FS_BASE: u32 = 0x6c06;
const HOST_SYSENTER_EIP: u32 = 0x6c12;
const HOST_RSP: u32 = 0x6c14;
const HOST_RIP: u32 = 0x6c16;

/// Exit reasons (appendix C).
pub(super) const REASON_EXCEPTION: u64 = 0;
pub(super) const REASON_EPT_VIOLATION: u64 = 48;
pub(super) const REASON_EPT_MISCONFIGURATION: u64 = 49;

/// Processor-based controls (26.6.2): HLT exits, there are secondary controls, and of these only EPT.
const HLT_EXITS: u64 = 1 << 7;
const HAS_SECONDARY: u64 = 1 << 31;
const ENABLE_EPT: u64 = 1 << 1;
/// Exit and entry controls (26.7.1 and 26.8.1): the hypervisor and its guest are in 64-bit mode.
const HOST_IS_64_BIT: u64 = 1 << 9;
const GUEST_IS_64_BIT: u64 = 1 << 9;

/// Access rights of segments (26.4.1).
const UNUSABLE: u64 = 1 << 16;
const CODE_64_BIT: u16 = 0xa09b;
const STACK: u16 = 0xc093;
const BUSY_TSS: u64 = 0x8b;

/// A selector that the processor wants to be there and never looks up.
const SELECT_TSS: u64 = 0x20;

/// The guest's segments of code and stack at a privilege level: two selectors, and the rights of both.
pub(super) fn segments(level: u16) -> u64 {
    let selectors = [monitor::SELECT_CODE | level, monitor::SELECT_DATA | level];
    let rights = [CODE_64_BIT | level << 5, STACK | level << 5];
    let words = selectors.into_iter().chain(rights);
    words.rev().fold(0, |all, word| all << 16 | u64::from(word))
}

/// The fields: encoding, value, and the MSR whose lower half has the bits that must be set and whose upper half those that
/// may be (appendix A.3 to A.5), or 0.
pub(super) fn fields(area: u64) -> Vec<[u64; 3]> {
    let mut fields: Vec<(u32, u64, u32)> = vec![
        (PIN_BASED, 0, IA32_VMX_PINBASED_CTLS),
        (
            PROCESSOR_BASED,
            HLT_EXITS | HAS_SECONDARY,
            IA32_VMX_PROCBASED_CTLS,
        ),
        (SECONDARY, ENABLE_EPT, IA32_VMX_PROCBASED_CTLS2),
        (EXIT_CONTROLS, HOST_IS_64_BIT, IA32_VMX_EXIT_CTLS),
        (ENTRY_CONTROLS, GUEST_IS_64_BIT, IA32_VMX_ENTRY_CTLS),
    ];
    let zeros = [
        PAGE_FAULT_MASK,
        PAGE_FAULT_MATCH,
        CR3_TARGETS,
        EXIT_MSR_STORES,
        EXIT_MSR_LOADS,
        ENTRY_MSR_LOADS,
        ENTRY_INTERRUPTION,
    ];
    let plain = [(EXCEPTION_BITMAP, 0xffff_ffff), (LINK_POINTER, u64::MAX)];
    let masks = (CR0_MASK..=CR4_SHADOW).step_by(2);
    let zeros = zeros.into_iter().chain(masks).map(|field| (field, 0));
    let all = zeros.chain(plain).chain(guest()).chain(host(area));
    fields.extend(all.map(|(field, value)| (field, value, 0)));
    let words = |(field, value, msr)| [u64::from(field), value, u64::from(msr)];
    fields.into_iter().map(words).collect()
}

/// The guest's state; what differs between accesses is written before each.
fn guest() -> Vec<(u32, u64)> {
    let mut fields = vec![
        (GUEST_CR0, monitor::CR0.into()),
        (GUEST_CR3, layout::OWN + layout::GUEST_PML4),
        (GUEST_CR4, monitor::CR4.into()),
        (GUEST_DR7, 0x400),
        (GUEST_GDTR_LIMIT, 0),
        (GUEST_IDTR_LIMIT, 0),
        (GUEST_INTERRUPTIBILITY, 0),
        (GUEST_ACTIVITY, 0),
        (GUEST_SYSENTER_CS, 0),
        (GUEST_RSP, 0),
    ];
    // ES, CS, SS, DS, FS, GS, LDTR and TR, of which only CS, SS and TR are used
    for segment in 0..8 {
        fields.extend([
            (GUEST_ES + 2 * segment, 0),
            (GUEST_ES_LIMIT + 2 * segment, 0xffff_ffff),
            (GUEST_ES_RIGHTS + 2 * segment, UNUSABLE),
        ]);
    }
    fields.extend([
        (GUEST_ES + 2 * 7, SELECT_TSS),
        (GUEST_ES_LIMIT + 2 * 7, 0x67),
        (GUEST_TR_RIGHTS, BUSY_TSS),
    ]);
    // The bases of these, of GDTR and of IDTR, and what follows RFLAGS
    let bases = (GUEST_ES_BASE..GUEST_DR7).step_by(2);
    let rest = (GUEST_PENDING_DEBUG..=GUEST_SYSENTER_EIP).step_by(2);
    fields.extend(bases.chain(rest).map(|field| (field, 0)));
    fields
}

/// The hypervisor's state when its guest has come back.
fn host(area: u64) -> Vec<(u32, u64)> {
    let mut fields = vec![
        (HOST_CR0, monitor::CR0.into()),
        (HOST_CR3, area + layout::HOST_PML4),
        (HOST_CR4, monitor::CR4.into()),
        (HOST_SYSENTER_CS, 0),
        (HOST_RSP, area + monitor::STACK_TOP),
        (HOST_RIP, area + monitor::exit()),
    ];
    // ES, CS, SS, DS, FS and GS; then their bases, those of the descriptor tables, and SYSENTER's
    let selectors = (HOST_ES..HOST_TR).step_by(2);
    let bases = (HOST_FS_BASE..=HOST_SYSENTER_EIP).step_by(2);
    fields.extend(selectors.map(|field| (field, u64::from(monitor::SELECT_DATA))));
    fields.extend(bases.map(|field| (field, 0)));
    fields.extend([
        (HOST_CS, monitor::SELECT_CODE.into()),
        (HOST_TR, SELECT_TSS),
    ]);
    fields
}
