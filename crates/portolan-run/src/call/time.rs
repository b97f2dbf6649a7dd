//! What time it is: the host's.

use super::{Answer, Call};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_getres, clock_gettime};
use std::time::Duration;

/// A clock by its number.
fn clock(number: u64) -> Result<ClockId, Errno> {
    Ok(match number {
        0 => ClockId::Realtime,
        1 => ClockId::Monotonic,
        2 => ClockId::ProcessCPUTime,
        3 => ClockId::ThreadCPUTime,
        5 => ClockId::RealtimeCoarse,
        6 => ClockId::MonotonicCoarse,
        // what there is of the raw clock and the boot clock
        4 | 7 => ClockId::Monotonic,
        _ => return Err(Errno::INVAL),
    })
}

/// What a clock shows.
pub(super) fn now(number: u64) -> Result<Duration, Errno> {
    let time = clock_gettime(clock(number)?);
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

impl Call<'_, '_, '_> {
    pub(super) fn clock_gettime(&mut self) -> Answer {
        let [number, to, ..] = self.arguments;
        let time = clock_gettime(clock(number)?);
        self.store(to, &[time.tv_sec, time.tv_nsec])?;
        Ok(0)
    }

    pub(super) fn clock_getres(&mut self) -> Answer {
        let [number, to, ..] = self.arguments;
        let step = clock_getres(clock(number)?);
        if to != 0 {
            self.store(to, &[step.tv_sec, step.tv_nsec])?;
        }
        Ok(0)
    }

    pub(super) fn gettimeofday(&mut self) -> Answer {
        let [to, zone, ..] = self.arguments;
        let time = now(0)?;
        if to != 0 {
            self.store(to, &[time.as_secs(), time.subsec_micros().into()])?;
        }
        if zone != 0 {
            self.store(zone, &[0_u32; 2])?;
        }
        Ok(0)
    }

    pub(super) fn time(&mut self) -> Answer {
        let seconds = now(0)?.as_secs();
        match self.arguments[0] {
            0 => {}
            to => self.store(to, &seconds)?,
        }
        Ok(seconds)
    }
}
