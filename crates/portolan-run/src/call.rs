//! System calls: which there are, and what comes of one.

use crate::error::RunError;
use crate::process::{End, Process, State, Wait};
use crate::space::Space;
use crate::system::System;
use crate::trace;
use crate::user::ProgramMemory;
use rustix::io::Errno;
use std::cell::RefMut;
use zerocopy::{FromBytes, Immutable, IntoBytes};

mod descriptors;
mod exec;
mod files;
mod identity;
mod memory;
mod processes;
mod signals;
mod sleep;
mod stat;
mod stream;
mod time;

/// The instruction that makes a system call.
pub(crate) const INSTRUCTION: [u8; 2] = [0x0f, 0x05];

/// Why a system call has no value.
pub(crate) enum Stop {
    /// It has failed.
    Error(Errno),
    /// It has to be tried again when one of these may have happened.
    Wait(Vec<Wait>),
    /// The process has ended.
    End(End),
    /// The process goes on with registers of its own.
    Resume,
    /// No process can go on.
    Fatal(RunError),
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Stop::Error(error)
    }
}

/// What a system call comes to.
pub(crate) type Answer = Result<u64, Stop>;

/// A system call that is being served.
pub(crate) struct Call<'c, 'a, 'k> {
    pub(crate) system: &'c mut System<'a, 'k>,
    pub(crate) process: &'c mut Process<'k>,
    pub(crate) arguments: [u64; 6],
}

impl<'k> Call<'_, '_, 'k> {
    /// The process's address space.
    fn space(&self) -> RefMut<'_, Space<'k>> {
        self.process.space.borrow_mut()
    }

    /// Does something with the process's memory.
    fn with_user<T>(&mut self, work: impl FnOnce(&mut ProgramMemory<'_, 'k>) -> T) -> T {
        work(&mut ProgramMemory {
            platform: self.system.platform,
            space: &mut self.process.space.borrow_mut(),
        })
    }

    /// A value of the process's.
    fn load<T: FromBytes + IntoBytes>(&mut self, addr: u64) -> Result<T, Errno> {
        self.with_user(|user| user.read_val(addr))
    }

    /// Puts a value into the process's memory.
    fn store<T: IntoBytes + Immutable>(&mut self, addr: u64, value: &T) -> Result<(), Errno> {
        self.with_user(|user| user.write_val(addr, value))
    }

    /// Whether there is no other process.
    fn is_alone(&self) -> bool {
        self.system.processes.is_empty()
    }
}

/// Serves the system call that a process has made, or makes again.
pub(crate) fn serve<'k>(
    system: &mut System<'_, 'k>,
    process: &mut Process<'k>,
) -> Result<(), RunError> {
    let frame = &process.frame;
    let number = frame.rax;
    let arguments = [
        frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9,
    ];
    let is_new = process.state == State::Ready;
    let (name, format) = describe(number);
    if is_new {
        *system.calls.entry(name).or_default() += 1;
    }
    // a new program's memory doesn't say any more what it was made with
    let text = system.tracer.is_some().then(|| {
        let mut user = ProgramMemory {
            platform: system.platform,
            space: &mut process.space.borrow_mut(),
        };
        match name {
            UNKNOWN => format!("system call {number}"),
            name => trace::call(&mut user, name, format, &arguments),
        }
    });
    let mut call = Call {
        system,
        process,
        arguments,
    };
    let answer = call.dispatch(number);
    let result = match answer {
        Ok(value) => {
            process.frame.rax = value;
            trace::answer(value)
        }
        Err(Stop::Error(error)) => {
            process.frame.rax = i64::from(-error.raw_os_error()) as u64;
            trace::answer(process.frame.rax)
        }
        Err(Stop::Wait(waits)) => {
            process.state = State::Waiting(waits);
            return Ok(());
        }
        Err(Stop::End(end)) => {
            process.state = State::Ended(end);
            "?".to_owned()
        }
        Err(Stop::Resume) => "?".to_owned(),
        Err(Stop::Fatal(error)) => return Err(error),
    };
    process.stop_waiting();
    if let State::Waiting(_) = process.state {
        process.state = State::Ready;
    }
    if let (Some(tracer), Some(text)) = (&system.tracer, text) {
        tracer.line(process.id, &format!("{text} = {result}"));
    }
    Ok(())
}

/// The name of a system call that there is no name for.
const UNKNOWN: &str = "others";

/// The name of a system call that is not served, if programs make it often.
fn unserved(number: u64) -> &'static str {
    match number {
        23 => "select",
        40 => "sendfile",
        41 => "socket",
        157 => "prctl",
        270 => "pselect6",
        326 => "copy_file_range",
        334 => "rseq",
        435 => "clone3",
        _ => UNKNOWN,
    }
}

/// The system calls: the number (`arch/x86/entry/syscalls/syscall_64.tbl` of Linux), the function, the name, and how
/// arguments are shown.
macro_rules! system_calls {
    ($($number:literal $function:ident $name:literal $format:literal;)*) => {
        impl Call<'_, '_, '_> {
            /// Serves a system call by its number.
            fn dispatch(&mut self, number: u64) -> Answer {
                match number {
                    $($number => self.$function(),)*
                    _ => Err(Errno::NOSYS.into()),
                }
            }
        }

        /// A system call's name, and how its arguments are shown.
        fn describe(number: u64) -> (&'static str, &'static str) {
            match number {
                $($number => ($name, $format),)*
                _ => (unserved(number), "xxx"),
            }
        }

        /// The names of all system calls that are served.
        pub const SERVED: &[&str] = &[$($name),*];
    };
}

system_calls! {
    0 read "read" "dxd";
    1 write "write" "dxd";
    2 open "open" "sxx";
    3 close "close" "d";
    4 stat "stat" "sx";
    5 fstat "fstat" "dx";
    6 lstat "lstat" "sx";
    7 poll "poll" "xdd";
    8 lseek "lseek" "ddd";
    9 mmap "mmap" "xxxxdx";
    10 mprotect "mprotect" "xxx";
    11 munmap "munmap" "xx";
    12 brk "brk" "x";
    13 rt_sigaction "rt_sigaction" "dxx";
    14 rt_sigprocmask "rt_sigprocmask" "dxx";
    15 rt_sigreturn "rt_sigreturn" "";
    16 ioctl "ioctl" "dxx";
    17 pread64 "pread64" "dxdd";
    18 pwrite64 "pwrite64" "dxdd";
    19 readv "readv" "dxd";
    20 writev "writev" "dxd";
    21 access "access" "sd";
    22 pipe "pipe" "x";
    24 sched_yield "sched_yield" "";
    25 mremap "mremap" "xxxxx";
    28 madvise "madvise" "xxd";
    32 dup "dup" "d";
    33 dup2 "dup2" "dd";
    34 pause "pause" "";
    35 nanosleep "nanosleep" "xx";
    39 getpid "getpid" "";
    56 clone "clone" "xxxxx";
    57 fork "fork" "";
    58 vfork "vfork" "";
    59 execve "execve" "sxx";
    60 exit "exit" "d";
    61 wait4 "wait4" "dxxx";
    62 kill "kill" "dd";
    63 uname "uname" "x";
    72 fcntl "fcntl" "ddx";
    74 fsync "fsync" "d";
    77 ftruncate "ftruncate" "dd";
    79 getcwd "getcwd" "xd";
    80 chdir "chdir" "s";
    82 rename "rename" "ss";
    83 mkdir "mkdir" "sx";
    84 rmdir "rmdir" "s";
    87 unlink "unlink" "s";
    89 readlink "readlink" "sxd";
    91 fchmod "fchmod" "dx";
    93 fchown "fchown" "ddd";
    95 umask "umask" "x";
    96 gettimeofday "gettimeofday" "xx";
    97 getrlimit "getrlimit" "dx";
    98 getrusage "getrusage" "dx";
    99 sysinfo "sysinfo" "x";
    102 getuid "getuid" "";
    104 getgid "getgid" "";
    107 geteuid "geteuid" "";
    108 getegid "getegid" "";
    109 setpgid "setpgid" "dd";
    110 getppid "getppid" "";
    111 getpgrp "getpgrp" "";
    112 setsid "setsid" "";
    115 getgroups "getgroups" "dx";
    121 getpgid "getpgid" "d";
    124 getsid "getsid" "d";
    130 rt_sigsuspend "rt_sigsuspend" "xd";
    131 sigaltstack "sigaltstack" "xx";
    158 arch_prctl "arch_prctl" "xx";
    186 gettid "gettid" "";
    200 tkill "tkill" "dd";
    201 time "time" "x";
    202 futex "futex" "xxdxxd";
    204 sched_getaffinity "sched_getaffinity" "ddx";
    217 getdents64 "getdents64" "dxd";
    218 set_tid_address "set_tid_address" "x";
    228 clock_gettime "clock_gettime" "dx";
    229 clock_getres "clock_getres" "dx";
    230 clock_nanosleep "clock_nanosleep" "dxxx";
    231 exit_group "exit_group" "d";
    234 tgkill "tgkill" "ddd";
    257 openat "openat" "dsxx";
    258 mkdirat "mkdirat" "dsx";
    262 newfstatat "newfstatat" "dsxx";
    263 unlinkat "unlinkat" "dsx";
    264 renameat "renameat" "dsds";
    267 readlinkat "readlinkat" "dsxd";
    269 faccessat "faccessat" "dsd";
    271 ppoll "ppoll" "xdxx";
    273 set_robust_list "set_robust_list" "xd";
    280 utimensat "utimensat" "dsxx";
    292 dup3 "dup3" "ddx";
    293 pipe2 "pipe2" "xx";
    302 prlimit64 "prlimit64" "ddxx";
    316 renameat2 "renameat2" "dsdsx";
    318 getrandom "getrandom" "xdx";
    332 statx "statx" "dsxxx";
    439 faccessat2 "faccessat2" "dsdx";
}
