//! A run of a program, from its file to its end.

use crate::elf::Image;
use crate::error::RunError;
use crate::files::Files;
use crate::hardware::{Hardware, Mode};
use crate::load::{self, Start};
use crate::memory::{FRAMES, GuestMemory, PAGE};
use crate::platform::{Platform, with_platform};
use crate::process::{End, Place, Process, State};
use crate::root::Root;
use crate::signal::Signals;
use crate::stats::{Stats, count};
use crate::system::{FIRST, System};
use crate::trace::Tracer;
use crate::vcpu::{Host, Vcpu, monitor_half};
use portolan::PageTable;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

/// What is run, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The program's file on the host.
    pub program: PathBuf,
    /// Its arguments, the first of which is its name.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment: names with values.
    pub environment: Vec<Vec<u8>>,
    /// The host's directory that the program sees as its root. Without one it can open no files.
    pub root: Option<PathBuf>,
    /// Whether system calls are shown on the standard error.
    pub trace: bool,
    /// How many bytes of memory there are for programs; the host provides only what is used.
    pub memory: u64,
}

impl Options {
    /// A program with its name as its only argument, an empty environment and 2 GiB of memory.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        Options {
            arguments: vec![program.as_os_str().as_bytes().to_vec()],
            environment: Vec::new(),
            root: None,
            trace: false,
            memory: 2 << 30,
            program,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// How the program has ended.
    pub end: End,
    /// What was counted meanwhile.
    pub stats: Stats,
}

/// Runs a program to its end. Others that it has started end with it.
///
/// While there are several processes, the thread that calls this gets the signal `SIGRTMIN` again and again, whose action is
/// set to one that does nothing.
///
/// # Errors
/// The program can't be started ([`RunError::Program`], [`RunError::Elf`], [`RunError::ArgumentsTooLong`],
/// [`RunError::NoMemory`], [`RunError::Root`]), there is no guest to run it in ([`RunError::Unavailable`],
/// [`RunError::Host`]), all its processes wait for each other ([`RunError::Deadlock`]), or the guest fails.
pub fn run(options: &Options) -> Result<Outcome, RunError> {
    let program = |source| RunError::Program {
        path: options.program.clone(),
        source,
    };
    let file = Rc::new(File::open(&options.program).map_err(program)?);
    if file.metadata().map_err(program)?.is_dir() {
        return Err(program(std::io::ErrorKind::IsADirectory.into()));
    }
    let image = Image::read(&file).map_err(|source| RunError::Elf {
        path: options.program.clone(),
        source,
    })?;
    let path = options.program.canonicalize().map_err(program)?;
    let names = [&options.program, &path].map(|path| path.as_os_str().as_bytes().to_vec());
    let root = Root::new(options.root.as_deref(), file.clone(), names)?;
    let host = Host::open()?;
    let bytes = options.memory / PAGE * PAGE;
    let whole = FRAMES.checked_add(bytes).ok_or(RunError::NoMemory)?;
    let memory = GuestMemory::new(whole, host.phys_bits())?;
    let monitor = monitor_half(&memory)?;
    // with nothing in the programs' half
    let own = PageTable::<_, Mode>::sharing(memory.clone(), &monitor);
    let own = own.map_err(RunError::space)?;
    let vcpu = Vcpu::new(&host, &memory, own.root())?;
    let hardware = Hardware::new(vcpu, memory.clone(), own.root());
    let work = Work {
        options,
        file,
        image,
        root,
        tables: memory.tables().0,
    };
    let outcome = with_platform(&memory, &monitor, bytes, hardware, |platform| {
        work.run(platform)
    });
    drop(own);
    // SAFETY: no table that shares it is left, and the guest, which the work has taken, doesn't run any longer
    unsafe { monitor.destroy() };
    outcome
}

/// What is done on a platform.
struct Work<'o> {
    options: &'o Options,
    file: Rc<File>,
    image: Image,
    root: Root,
    /// How many tables there were before.
    tables: usize,
}

impl Work<'_> {
    /// Starts the program and lets it run.
    fn run(self, platform: &Platform<'_>) -> Result<Outcome, RunError> {
        let frames = platform.machine.frames().allocator();
        let (out, _) = frames.out();
        let tracer = self.options.trace.then(Tracer::default);
        let name = self.options.program.display().to_string();
        let mut system = System::new(platform, self.root, tracer, name)?;
        let start = Start {
            name: self.options.program.as_os_str().as_bytes().to_vec(),
            arguments: self.options.arguments.clone(),
            environment: self.options.environment.clone(),
        };
        let (space, frame) = load::load(platform, &self.file, &self.image, &start)?;
        let vectors = system.fresh.clone();
        system.processes.insert(
            FIRST,
            Process {
                id: FIRST,
                group: FIRST,
                parent: 0,
                program: self.file,
                space: Rc::new(RefCell::new(space)),
                files: Rc::new(RefCell::new(Files::standard())),
                place: Rc::new(RefCell::new(Place {
                    directory: b"/".to_vec(),
                    umask: 0o022,
                })),
                signals: Signals::default(),
                frame,
                vectors,
                saved_vectors: Vec::new(),
                fs_base: 0,
                gs_base: 0,
                state: State::Ready,
                deadline: None,
                futex: None,
                woken: false,
                moved: 0,
                clear_on_exit: 0,
                suspended_mask: None,
                lent_to: None,
                is_borrowing: false,
            },
        );
        count(&platform.counters.processes);
        let start = Instant::now();
        let end = system.run(FIRST);
        let elapsed = start.elapsed();
        let calls = std::mem::take(&mut system.calls);
        system.finish()?;
        let end = end?;
        let counters = &platform.counters;
        let (tables, most_tables) = platform.memory.tables();
        let (left, most_frames) = frames.out();
        let stats = Stats {
            processes: counters.processes.get(),
            faults: counters.faults.get(),
            copies: counters.copies.get(),
            system_calls: counters.system_calls.get(),
            by_name: calls
                .into_iter()
                .map(|(name, times)| (name.to_owned(), times))
                .collect(),
            flushes: platform.machine.cpus().flushes(),
            most_tables: most_tables - self.tables,
            tables_left: tables - self.tables,
            most_frames: most_frames - out,
            frames_left: left - out,
            elapsed,
            in_guest: platform.machine.cpus().in_guest(),
        };
        Ok(Outcome { end, stats })
    }
}
