//! Waiting: for a time, or until somebody wakes the process.

use super::{Answer, Call, Stop};
use crate::process::Wait;
use rustix::io::Errno;
use std::time::{Duration, Instant};

const FUTEX_WAIT: u64 = 0;
const FUTEX_WAKE: u64 = 1;
const FUTEX_WAIT_BITSET: u64 = 9;
const FUTEX_WAKE_BITSET: u64 = 10;
/// The bits that say what is waited for.
const FUTEX_OPERATION: u64 = 0x7f;
const FUTEX_CLOCK_REALTIME: u64 = 0x100;

const CLOCK_REALTIME: u64 = 0;
const TIMER_ABSTIME: u64 = 1;

impl Call<'_, '_, '_> {
    /// A `struct timespec` as a duration.
    pub(super) fn load_duration(&mut self, addr: u64) -> Result<Duration, Errno> {
        let [seconds, nanos]: [i64; 2] = self.load(addr)?;
        let seconds = u64::try_from(seconds).map_err(|_| Errno::INVAL)?;
        match u32::try_from(nanos) {
            Ok(nanos) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
            _ => Err(Errno::INVAL),
        }
    }

    pub(super) fn sched_yield(&mut self) -> Answer {
        // once, and then the others have had their turn
        if self.is_alone() || std::mem::replace(&mut self.process.woken, true) {
            return Ok(0);
        }
        Err(Stop::Wait(vec![Wait::Time(Instant::now())]))
    }

    pub(super) fn nanosleep(&mut self) -> Answer {
        let length = self.load_duration(self.arguments[0])?;
        self.sleep(length)
    }

    pub(super) fn clock_nanosleep(&mut self) -> Answer {
        let [clock, flags, time, ..] = self.arguments;
        let mut length = self.load_duration(time)?;
        if flags & TIMER_ABSTIME != 0 && self.process.deadline.is_none() {
            length = length.saturating_sub(super::time::now(clock)?);
        }
        self.sleep(length)
    }

    /// Waits so long, from when it is called first.
    fn sleep(&mut self, length: Duration) -> Answer {
        let now = Instant::now();
        let until = now.checked_add(length).ok_or(Errno::INVAL)?;
        let until = *self.process.deadline.get_or_insert(until);
        if now >= until {
            return Ok(0);
        }
        Err(Stop::Wait(vec![Wait::Time(until)]))
    }

    pub(super) fn futex(&mut self) -> Answer {
        let [addr, operation, value, timeout, ..] = self.arguments;
        if !addr.is_multiple_of(4) {
            return Err(Errno::INVAL.into());
        }
        crate::user::bounds(addr, 4)?;
        match operation & FUTEX_OPERATION {
            FUTEX_WAIT | FUTEX_WAIT_BITSET => self.futex_wait(addr, value as u32, timeout),
            FUTEX_WAKE | FUTEX_WAKE_BITSET => {
                let space = self.process.space.clone();
                let most = value as u32 as usize;
                Ok(self.system.wake(&space, addr, most) as u64)
            }
            _ => Err(Errno::NOSYS.into()),
        }
    }

    fn futex_wait(&mut self, addr: u64, expected: u32, timeout: u64) -> Answer {
        let operation = self.arguments[1];
        if self.process.woken {
            return Ok(0);
        }
        let now = Instant::now();
        if self.process.futex.is_none() {
            let word: u32 = self.load(addr)?;
            if word != expected {
                return Err(Errno::AGAIN.into());
            }
            if timeout != 0 {
                let mut length = self.load_duration(timeout)?;
                // one of the two has the time itself, the other how long it is until then
                if operation & FUTEX_OPERATION == FUTEX_WAIT_BITSET {
                    let is_real = operation & FUTEX_CLOCK_REALTIME != 0;
                    let clock = if is_real { CLOCK_REALTIME } else { 1 };
                    length = length.saturating_sub(super::time::now(clock)?);
                }
                self.process.deadline = now.checked_add(length);
            }
            self.process.futex = Some(addr);
        }
        match self.process.deadline {
            Some(deadline) if now >= deadline => Err(Errno::TIMEDOUT.into()),
            Some(deadline) => Err(Stop::Wait(vec![Wait::Process, Wait::Time(deadline)])),
            None => Err(Stop::Wait(vec![Wait::Process])),
        }
    }
}
