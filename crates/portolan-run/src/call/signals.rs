//! Signals: what is to be done about them.

use super::{Answer, Call, Stop};
use crate::process::Wait;
use crate::signal::{self, Action, MOST, SIGKILL, SIGSTOP};
use crate::user::ProgramMemory;
use rustix::io::Errno;

const SIG_BLOCK: u64 = 0;
const SIG_UNBLOCK: u64 = 1;
const SIG_SETMASK: u64 = 2;

/// Bytes of a mask.
const MASK: u64 = 8;

impl Call<'_, '_, '_> {
    pub(super) fn rt_sigaction(&mut self) -> Answer {
        let [number, new, old, bytes, ..] = self.arguments;
        let number = u32::try_from(number).map_err(|_| Errno::INVAL)?;
        if bytes != MASK || number == 0 || number > MOST {
            return Err(Errno::INVAL.into());
        }
        if new != 0 && matches!(number, SIGKILL | SIGSTOP) {
            return Err(Errno::INVAL.into());
        }
        let action = match new {
            0 => None,
            new => Some(self.load::<Action>(new)?),
        };
        if old != 0 {
            let was = self.process.signals.action(number);
            self.store(old, &was)?;
        }
        if let Some(action) = action {
            self.process.signals.set_action(number, action);
        }
        Ok(0)
    }

    pub(super) fn rt_sigprocmask(&mut self) -> Answer {
        let [how, new, old, bytes, ..] = self.arguments;
        if bytes != MASK {
            return Err(Errno::INVAL.into());
        }
        let was = self.process.signals.mask;
        if new != 0 {
            let bits: u64 = self.load(new)?;
            let mask = match how {
                SIG_BLOCK => was | bits,
                SIG_UNBLOCK => was & !bits,
                SIG_SETMASK => bits,
                _ => return Err(Errno::INVAL.into()),
            };
            self.process.signals.set_mask(mask);
        }
        if old != 0 {
            self.store(old, &was)?;
        }
        Ok(0)
    }

    pub(super) fn rt_sigreturn(&mut self) -> Answer {
        let mut user = ProgramMemory {
            platform: self.system.platform,
            space: &mut self.process.space.borrow_mut(),
        };
        let (frame, signals) = (&mut self.process.frame, &mut self.process.signals);
        if signal::leave_handler(&mut user, frame, signals).is_err() {
            return Err(Stop::End(crate::process::End::Killed(signal::SIGSEGV)));
        }
        if let Some(vectors) = self.process.saved_vectors.pop() {
            self.system.hardware().vcpu().set_state(&vectors)?;
        }
        Err(Stop::Resume)
    }

    pub(super) fn rt_sigsuspend(&mut self) -> Answer {
        let [mask, bytes, ..] = self.arguments;
        if bytes != MASK {
            return Err(Errno::INVAL.into());
        }
        if self.process.suspended_mask.is_none() {
            let mask: u64 = self.load(mask)?;
            self.process.suspended_mask = Some(self.process.signals.mask);
            self.process.signals.set_mask(mask);
        }
        Err(Stop::Wait(vec![Wait::Process]))
    }

    pub(super) fn pause(&mut self) -> Answer {
        Err(Stop::Wait(vec![Wait::Process]))
    }

    /// There is no other stack for handlers.
    pub(super) fn sigaltstack(&mut self) -> Answer {
        const SS_DISABLE: u64 = 2;
        let [new, old, ..] = self.arguments;
        if new != 0 {
            let _: [u64; 3] = self.load(new)?;
        }
        if old != 0 {
            self.store(old, &[0, SS_DISABLE, 0])?;
        }
        Ok(0)
    }
}
