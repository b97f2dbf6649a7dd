//! `execve`.

use super::{Answer, Call, Stop};
use crate::elf::{ElfError, Image};
use crate::error::RunError;
use crate::load::{self, MOST_ARGUMENTS, Start};
use crate::root::{SELF, join};
use rustix::io::Errno;
use std::cell::RefCell;
use std::rc::Rc;

impl Call<'_, '_, '_> {
    pub(super) fn execve(&mut self) -> Answer {
        let [path, arguments, environment, ..] = self.arguments;
        let name = self.path(path)?;
        let arguments = self.with_user(|user| user.read_strings(arguments, MOST_ARGUMENTS))?;
        let environment = self.with_user(|user| user.read_strings(environment, MOST_ARGUMENTS))?;
        if name.is_empty() {
            return Err(Errno::NOENT.into());
        }
        let own = self.process.program.clone();
        let program = match self.system.root.program(&name, &own) {
            Err(Errno::NOENT) if name != SELF => {
                let directory = self.process.place.borrow().directory.clone();
                self.system.root.program(&join(&directory, &name), &own)?
            }
            program => program?,
        };
        let image = Image::read(&program).map_err(|error| match error {
            ElfError::Io(_) => Errno::IO,
            _ => Errno::NOEXEC,
        })?;
        let start = Start {
            name,
            arguments,
            environment,
        };
        let loaded = load::load(self.system.platform, &program, &image, &start);
        let (space, frame) = loaded.map_err(|error| match error {
            RunError::NoMemory => Errno::NOMEM,
            RunError::ArgumentsTooLong { .. } => Errno::TOOBIG,
            _ => Errno::NOEXEC,
        })?;
        self.end_other_threads();
        let files = self.process.files.borrow().clone();
        self.process.files = Rc::new(RefCell::new(files));
        self.process.files.borrow_mut().close_on_exec();
        self.process.space = Rc::new(RefCell::new(space));
        self.process.frame = frame;
        self.process.program = program;
        self.process.signals.reset();
        self.process.saved_vectors.clear();
        (self.process.fs_base, self.process.gs_base) = (0, 0);
        self.process.clear_on_exit = 0;
        self.process.is_borrowing = false;
        self.system
            .hardware()
            .vcpu()
            .set_state(&self.system.fresh)?;
        self.system.hardware().vcpu().set_bases(0, 0)?;
        Err(Stop::Resume)
    }

    /// Ends the threads of the process but for the one that asks.
    pub(super) fn end_other_threads(&mut self) {
        let group = self.process.group;
        self.system
            .processes
            .retain(|_, other| other.group != group);
    }
}
