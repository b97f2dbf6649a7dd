//! Who a process is, what it may use, and where it is.

use super::{Answer, Call};
use crate::elf::USER_END;
use crate::user::CHUNK;
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;
use zerocopy::{FromZeros, Immutable, IntoBytes};

const ARCH_SET_GS: u64 = 0x1001;
const ARCH_SET_FS: u64 = 0x1002;
const ARCH_GET_FS: u64 = 0x1003;
const ARCH_GET_GS: u64 = 0x1004;

const RLIMIT_STACK: u64 = 3;
const RLIMIT_NOFILE: u64 = 7;
const RLIMITS: u64 = 16;

/// Bytes of a name in `struct utsname`.
const NAME: usize = 65;

/// `struct sysinfo`.
#[derive(FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct Info {
    uptime: u64,
    loads: [u64; 3],
    total: u64,
    free: u64,
    /// Shared, buffers, swap and free swap.
    none: [u64; 4],
    processes: u16,
    padding: [u16; 3],
    high: [u64; 2],
    unit: u32,
    end: u32,
}

impl Call<'_, '_, '_> {
    pub(super) fn getpid(&mut self) -> Answer {
        Ok(self.process.group.into())
    }

    pub(super) fn gettid(&mut self) -> Answer {
        Ok(self.process.id.into())
    }

    pub(super) fn getppid(&mut self) -> Answer {
        Ok(self.process.parent.into())
    }

    /// Each process is a group of its own.
    pub(super) fn getpgrp(&mut self) -> Answer {
        self.getpid()
    }

    pub(super) fn getpgid(&mut self) -> Answer {
        self.getpid()
    }

    pub(super) fn getsid(&mut self) -> Answer {
        self.getpid()
    }

    pub(super) fn setpgid(&mut self) -> Answer {
        Ok(0)
    }

    pub(super) fn setsid(&mut self) -> Answer {
        self.getpid()
    }

    pub(super) fn getuid(&mut self) -> Answer {
        Ok(rustix::process::getuid().as_raw().into())
    }

    pub(super) fn geteuid(&mut self) -> Answer {
        Ok(rustix::process::geteuid().as_raw().into())
    }

    pub(super) fn getgid(&mut self) -> Answer {
        Ok(rustix::process::getgid().as_raw().into())
    }

    pub(super) fn getegid(&mut self) -> Answer {
        Ok(rustix::process::getegid().as_raw().into())
    }

    pub(super) fn getgroups(&mut self) -> Answer {
        Ok(0)
    }

    pub(super) fn set_tid_address(&mut self) -> Answer {
        self.process.clear_on_exit = self.arguments[0];
        self.gettid()
    }

    /// Nobody dies with a lock that others see.
    pub(super) fn set_robust_list(&mut self) -> Answer {
        const HEAD: u64 = 24;
        if self.arguments[1] != HEAD {
            return Err(Errno::INVAL.into());
        }
        Ok(0)
    }

    pub(super) fn arch_prctl(&mut self) -> Answer {
        let [what, addr, ..] = self.arguments;
        let process = &mut *self.process;
        match what {
            ARCH_SET_FS | ARCH_SET_GS if addr >= USER_END => return Err(Errno::PERM.into()),
            ARCH_SET_FS => process.fs_base = addr,
            ARCH_SET_GS => process.gs_base = addr,
            ARCH_GET_FS => {
                let base = process.fs_base;
                self.store(addr, &base)?;
                return Ok(0);
            }
            ARCH_GET_GS => {
                let base = process.gs_base;
                self.store(addr, &base)?;
                return Ok(0);
            }
            _ => return Err(Errno::INVAL.into()),
        }
        self.system
            .hardware()
            .vcpu()
            .set_bases(process.fs_base, process.gs_base)?;
        Ok(0)
    }

    pub(super) fn prlimit64(&mut self) -> Answer {
        let [of, which, new, old, ..] = self.arguments;
        if of != 0 && of != u64::from(self.process.group) {
            return Err(Errno::PERM.into());
        }
        if new != 0 {
            let _: [u64; 2] = self.load(new)?;
            return Err(Errno::PERM.into());
        }
        if old == 0 {
            return Ok(0);
        }
        self.limit(which, old)
    }

    pub(super) fn getrlimit(&mut self) -> Answer {
        let [which, to, ..] = self.arguments;
        self.limit(which, to)
    }

    fn limit(&mut self, which: u64, to: u64) -> Answer {
        let limit = match which {
            RLIMIT_STACK => [8 << 20, u64::MAX],
            RLIMIT_NOFILE => [crate::files::MOST_FILES as u64; 2],
            0..RLIMITS => [u64::MAX; 2],
            _ => return Err(Errno::INVAL.into()),
        };
        self.store(to, &limit)?;
        Ok(0)
    }

    pub(super) fn getrusage(&mut self) -> Answer {
        self.store(self.arguments[1], &[0_u64; 18])?;
        Ok(0)
    }

    pub(super) fn uname(&mut self) -> Answer {
        let host = rustix::system::uname();
        let names = [
            host.sysname(),
            host.nodename(),
            host.release(),
            host.version(),
            host.machine(),
            host.domainname(),
        ];
        let mut all = [[0_u8; NAME]; 6];
        for (to, name) in all.iter_mut().zip(names) {
            let bytes = name.to_bytes();
            let count = bytes.len().min(NAME - 1);
            to[..count].copy_from_slice(&bytes[..count]);
        }
        self.store(self.arguments[0], &all)?;
        Ok(0)
    }

    pub(super) fn sysinfo(&mut self) -> Answer {
        let mut info = Info::new_zeroed();
        let frames = self.system.platform.machine.frames().allocator();
        let (_, bytes) = self.system.platform.memory.host();
        info.uptime = super::time::now(1)?.as_secs();
        info.total = bytes;
        info.free = bytes.saturating_sub(crate::memory::FRAMES + 4096 * frames.out().0 as u64);
        info.processes = 1 + self.system.processes.len() as u16;
        info.unit = 1;
        self.store(self.arguments[0], &info)?;
        Ok(0)
    }

    pub(super) fn sched_getaffinity(&mut self) -> Answer {
        let [_, bytes, to, ..] = self.arguments;
        if bytes < 8 || !bytes.is_multiple_of(8) {
            return Err(Errno::INVAL.into());
        }
        self.store(to, &1_u64)?;
        Ok(8)
    }

    pub(super) fn getrandom(&mut self) -> Answer {
        let [addr, bytes, flags, ..] = self.arguments;
        let flags = GetRandomFlags::from_bits(flags as u32).ok_or(Errno::INVAL)?;
        crate::user::bounds(addr, bytes)?;
        let mut done = 0;
        let mut random = [0; 256];
        while done < bytes.min(CHUNK as u64) {
            let part = (bytes - done).min(random.len() as u64) as usize;
            let count = rustix::rand::getrandom(&mut random[..part], flags)?;
            match self.with_user(|user| user.write(addr + done, &random[..count])) {
                Ok(()) => done += count as u64,
                Err(short) if done + short.done as u64 == 0 => {
                    return Err(Errno::from(short).into());
                }
                Err(short) => return Ok(done + short.done as u64),
            }
        }
        Ok(done)
    }
}
