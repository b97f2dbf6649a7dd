//! Signals: what a process wants done about them, and the frames that their handlers run in
//! (`arch/x86/include/asm/sigframe.h` and `include/uapi/asm-generic/ucontext.h` of Linux).

use crate::elf::USER_END;
use crate::monitor::{SELECT_USER_CODE, SELECT_USER_DATA};
use crate::user::ProgramMemory;
use kvm_bindings::kvm_regs;
use rustix::io::Errno;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

pub(crate) const SIGILL: u32 = 4;
pub(crate) const SIGTRAP: u32 = 5;
pub(crate) const SIGBUS: u32 = 7;
pub(crate) const SIGFPE: u32 = 8;
pub(crate) const SIGKILL: u32 = 9;
pub(crate) const SIGSEGV: u32 = 11;
pub(crate) const SIGPIPE: u32 = 13;
pub(crate) const SIGCHLD: u32 = 17;
const SIGCONT: u32 = 18;
pub(crate) const SIGSTOP: u32 = 19;
const SIGTSTP: u32 = 20;
const SIGTTIN: u32 = 21;
const SIGTTOU: u32 = 22;
const SIGURG: u32 = 23;
const SIGWINCH: u32 = 28;
/// Signals are numbered from 1 to this.
pub(crate) const MOST: u32 = 64;

const SA_NODEFER: u64 = 0x4000_0000;
const SA_RESETHAND: u64 = 0x8000_0000;
const SA_RESTART: u64 = 0x1000_0000;
const SA_RESTORER: u64 = 0x0400_0000;

const DEFAULT: u64 = 0;
const IGNORE: u64 = 1;

/// What is to be done about a signal, as `rt_sigaction` has it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub(crate) struct Action {
    pub(crate) handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

/// What comes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Terminate,
    Handle(Action),
}

impl Effect {
    /// Whether a system call that is interrupted is to be made again.
    pub(crate) fn restarts(self) -> bool {
        match self {
            Effect::Handle(action) => action.flags & SA_RESTART != 0,
            _ => true,
        }
    }
}

/// A process's signals.
#[derive(Clone)]
pub(crate) struct Signals {
    actions: [Action; MOST as usize + 1],
    /// Those that wait until they are let through, a bit for each.
    pub(crate) mask: u64,
    pending: u64,
}

impl Default for Signals {
    fn default() -> Self {
        Signals {
            actions: [Action::default(); MOST as usize + 1],
            mask: 0,
            pending: 0,
        }
    }
}

/// The bit of a signal in a mask.
fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Those that can't be held back.
const UNMASKABLE: u64 = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1);

impl Signals {
    /// What is to be done about a signal.
    pub(crate) fn action(&self, signal: u32) -> Action {
        self.actions[signal as usize]
    }

    /// Sets what is to be done about a signal.
    pub(crate) fn set_action(&mut self, signal: u32, action: Action) {
        self.actions[signal as usize] = action;
    }

    /// Sets which signals wait.
    pub(crate) fn set_mask(&mut self, mask: u64) {
        self.mask = mask & !UNMASKABLE;
    }

    /// What comes of a signal.
    pub(crate) fn effect(&self, signal: u32) -> Effect {
        let action = self.action(signal);
        match action.handler {
            IGNORE => Effect::Nothing,
            DEFAULT => match signal {
                SIGCHLD | SIGCONT | SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU | SIGURG | SIGWINCH => {
                    Effect::Nothing
                }
                _ => Effect::Terminate,
            },
            _ => Effect::Handle(action),
        }
    }

    /// Notes a signal, unless nothing is to be done about it.
    pub(crate) fn send(&mut self, signal: u32) {
        if self.effect(signal) != Effect::Nothing {
            self.pending |= bit(signal);
        }
    }

    /// A signal that is due, which is not noted any longer.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let due = self.pending & !self.mask;
        if due == 0 {
            return None;
        }
        let signal = due.trailing_zeros() + 1;
        self.pending &= !bit(signal);
        Some(signal)
    }

    /// Whether a signal is due.
    pub(crate) fn is_due(&self) -> bool {
        self.pending & !self.mask != 0
    }

    /// Whether a system call that the signals that are due interrupt is to be made again.
    pub(crate) fn next_restarts(&self) -> bool {
        let due = self.pending & !self.mask;
        let signals = (1..=MOST).filter(|signal| due & bit(*signal) != 0);
        signals
            .map(|signal| self.effect(signal))
            .all(Effect::restarts)
    }

    /// Whether a fault's signal can be handled: it isn't held back, and there is a handler.
    pub(crate) fn handles(&self, signal: u32) -> bool {
        self.mask & bit(signal) == 0 && matches!(self.effect(signal), Effect::Handle(_))
    }

    /// For a copy of the process: nothing is noted.
    pub(crate) fn forked(&self) -> Self {
        Signals {
            pending: 0,
            ..self.clone()
        }
    }

    /// For a new program, which has no handlers: nothing is to be done any more about what was ignored.
    pub(crate) fn reset(&mut self) {
        for action in &mut self.actions {
            if action.handler != IGNORE {
                *action = Action::default();
            }
        }
    }
}

/// `struct sigcontext`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Context {
    r8_to_r15: [u64; 8],
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    selectors: [u16; 4],
    code: u64,
    vector: u64,
    old_mask: u64,
    cr2: u64,
    state: u64,
    reserved: [u64; 8],
}

/// `struct rt_sigframe`, without the vector registers, which the host keeps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SignalFrame {
    restorer: u64,
    flags: u64,
    link: u64,
    stack: [u64; 3],
    context: Context,
    mask: u64,
    info: Info,
}

/// `siginfo_t`, of a fault.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    signal: u32,
    errno: u32,
    code: u32,
    padding: u32,
    addr: u64,
    rest: [u64; 13],
}

/// Where a handler's frame must not reach: the part of the stack that functions use without saying so.
const RED_ZONE: u64 = 128;

/// Makes a process run a signal's handler. It returns to where `frame` is now, with the signals in `mask` held back; `addr` is
/// what a fault was at.
pub(crate) fn enter_handler(
    user: &mut ProgramMemory<'_, '_>,
    frame: &mut kvm_regs,
    signals: &mut Signals,
    signal: u32,
    action: Action,
    (mask, addr): (u64, u64),
) -> Result<(), Errno> {
    if action.flags & SA_RESTORER == 0 {
        return Err(Errno::FAULT);
    }
    let mut saved = SignalFrame::new_zeroed();
    saved.restorer = action.restorer;
    saved.mask = mask;
    saved.context = Context {
        r8_to_r15: [
            frame.r8, frame.r9, frame.r10, frame.r11, frame.r12, frame.r13, frame.r14, frame.r15,
        ],
        rdi: frame.rdi,
        rsi: frame.rsi,
        rbp: frame.rbp,
        rbx: frame.rbx,
        rdx: frame.rdx,
        rax: frame.rax,
        rcx: frame.rcx,
        rsp: frame.rsp,
        rip: frame.rip,
        rflags: frame.rflags,
        selectors: [SELECT_USER_CODE, 0, 0, SELECT_USER_DATA],
        code: 0,
        vector: 0,
        old_mask: mask,
        cr2: addr,
        state: 0,
        reserved: [0; 8],
    };
    saved.info.signal = signal;
    saved.info.addr = addr;
    // as if the handler had been called: 8 below a multiple of 16
    let below = frame
        .rsp
        .wrapping_sub(RED_ZONE + size_of::<SignalFrame>() as u64);
    let at = (below / 16 * 16).wrapping_sub(8);
    user.write_val(at, &saved)?;
    let info = at + core::mem::offset_of!(SignalFrame, info) as u64;
    let context = at + core::mem::offset_of!(SignalFrame, flags) as u64;
    (frame.rdi, frame.rsi, frame.rdx) = (signal.into(), info, context);
    (frame.rsp, frame.rip, frame.rax) = (at, action.handler, 0);
    frame.rflags = 0x202;
    let own = if action.flags & SA_NODEFER == 0 {
        bit(signal)
    } else {
        0
    };
    signals.set_mask(signals.mask | action.mask | own);
    if action.flags & SA_RESETHAND != 0 {
        signals.set_action(signal, Action::default());
    }
    Ok(())
}

/// Returns from a handler: the registers are those in its frame.
pub(crate) fn leave_handler(
    user: &mut ProgramMemory<'_, '_>,
    frame: &mut kvm_regs,
    signals: &mut Signals,
) -> Result<(), Errno> {
    let at = frame.rsp.wrapping_sub(8);
    let saved: SignalFrame = user.read_val(at)?;
    let context = &saved.context;
    if context.rip >= USER_END {
        return Err(Errno::FAULT);
    }
    [
        frame.r8, frame.r9, frame.r10, frame.r11, frame.r12, frame.r13, frame.r14, frame.r15,
    ] = context.r8_to_r15;
    (frame.rdi, frame.rsi, frame.rbp) = (context.rdi, context.rsi, context.rbp);
    (frame.rbx, frame.rdx, frame.rax) = (context.rbx, context.rdx, context.rax);
    (frame.rcx, frame.rsp, frame.rip) = (context.rcx, context.rsp, context.rip);
    frame.rflags = sanitized(context.rflags);
    signals.set_mask(saved.mask);
    Ok(())
}

/// The flags that programs may set, and those that are always set.
fn sanitized(rflags: u64) -> u64 {
    const PROGRAM: u64 = 0x24_0dd5;
    rflags & PROGRAM | 0x202
}
