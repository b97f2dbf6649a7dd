//! What interrupts a program that doesn't stop by itself, while others want to go on.

use crate::error::RunError;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// How long a program goes on undisturbed, in nanoseconds.
const TICK: i64 = 10_000_000;

/// A timer that signals the thread that made it, so that what it waits in is interrupted: the guest, above all.
pub(crate) struct Ticker {
    timer: libc::timer_t,
    is_running: bool,
}

/// The signal does no more than interrupt.
extern "C" fn interrupted(_: libc::c_int) {}

impl Ticker {
    /// A timer that doesn't run yet. It takes the signal [`libc::SIGRTMIN`] for itself.
    pub(crate) fn new() -> Result<Self, RunError> {
        let last = |call| RunError::host(call, io::Error::last_os_error());
        // SAFETY: the structure is plain data, for which zeros are right
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        let handler: extern "C" fn(libc::c_int) = interrupted;
        action.sa_sigaction = handler as usize;
        // SAFETY: the structure is complete, and the handler does nothing
        if unsafe { libc::sigaction(libc::SIGRTMIN(), &raw const action, ptr::null_mut()) } != 0 {
            return Err(last("sigaction"));
        }
        // SAFETY: as above
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGRTMIN();
        // SAFETY: asks for a number
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = ptr::null_mut();
        // SAFETY: the structures live until the call has ended
        let made =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        if made != 0 {
            return Err(last("timer_create"));
        }
        Ok(Ticker {
            timer,
            is_running: false,
        })
    }

    /// Lets it run, or not.
    pub(crate) fn set(&mut self, is_running: bool) {
        if std::mem::replace(&mut self.is_running, is_running) == is_running {
            return;
        }
        let interval = libc::timespec {
            tv_sec: 0,
            tv_nsec: if is_running { TICK } else { 0 },
        };
        let time = libc::itimerspec {
            it_interval: interval,
            it_value: interval,
        };
        // SAFETY: the timer is there until it is dropped. That it can't be set is no reason to stop: programs go on without it
        unsafe { libc::timer_settime(self.timer, 0, &raw const time, ptr::null_mut()) };
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // SAFETY: the timer is there, and nobody else has it
        unsafe { libc::timer_delete(self.timer) };
    }
}
