//! The files that programs can reach: those below a directory of the host, if one was given, the program itself,
//! and `/dev/null`.

use crate::error::RunError;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

/// The files that programs can reach.
pub(crate) struct Root {
    directory: Option<OwnedFd>,
    program: Rc<File>,
    /// The names of the program that is run first: the one that was given, and its whole path on the host.
    names: [Vec<u8>; 2],
}

/// What swallows everything, and holds nothing: shells open it for what runs in the background.
const NULL: &[u8] = b"/dev/null";
/// The name by which every process knows its own program.
pub(crate) const SELF: &[u8] = b"/proc/self/exe";

impl Root {
    /// The files below `directory`, and the program.
    pub(crate) fn new(
        directory: Option<&Path>,
        program: Rc<File>,
        names: [Vec<u8>; 2],
    ) -> Result<Self, RunError> {
        let open = |path: &Path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| RunError::Root {
                path: path.to_owned(),
                source: error.into(),
            })
        };
        Ok(Root {
            directory: directory.map(open).transpose()?,
            program,
            names,
        })
    }

    /// The whole path of the program that is run first.
    pub(crate) fn program_path(&self) -> &[u8] {
        &self.names[1]
    }

    /// Opens a file. Whatever the path and the links on its way say, it lies below the directory.
    pub(crate) fn open(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        if path == NULL {
            return rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
        }
        let Some(directory) = &self.directory else {
            return Err(Errno::NOENT);
        };
        // nobody but the host has use of a terminal; what isn't really opened takes no such flags
        let is_path = flags.contains(OFlags::PATH);
        let own = if is_path {
            OFlags::empty()
        } else {
            OFlags::NOCTTY
        };
        let flags = flags | OFlags::CLOEXEC | own;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            // the kernel may say that something was renamed meanwhile
            match openat2(directory, path, flags, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return opened,
            }
        }
    }

    /// Opens the directory that a path leads through last, for what is to be done to its last name.
    pub(crate) fn open_parent<'p>(&self, path: &'p [u8]) -> Result<(OwnedFd, &'p [u8]), Errno> {
        let end = path
            .iter()
            .rposition(|byte| *byte != b'/')
            .ok_or(Errno::BUSY)?;
        let path = &path[..=end];
        let start = path
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or(0, |at| at + 1);
        let (parent, name) = path.split_at(start);
        if matches!(name, b"." | b"..") {
            return Err(Errno::INVAL);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        Ok((self.open(parent, flags, Mode::empty())?, name))
    }

    /// The program of a name.
    pub(crate) fn program(&self, path: &[u8], own: &Rc<File>) -> Result<Rc<File>, Errno> {
        if path == SELF {
            return Ok(own.clone());
        }
        match self.open(path, OFlags::RDONLY, Mode::empty()) {
            Ok(file) => {
                let file = File::from(file);
                let kind = file.metadata().map_err(|_| Errno::IO)?;
                if !kind.is_file() {
                    return Err(Errno::ACCESS);
                }
                rustix::fs::accessat(
                    &file,
                    "",
                    rustix::fs::Access::EXEC_OK,
                    rustix::fs::AtFlags::EMPTY_PATH,
                )?;
                Ok(Rc::new(file))
            }
            Err(_) if self.names.iter().any(|name| name == path) => Ok(self.program.clone()),
            Err(error) => Err(error),
        }
    }
}

/// A path from the root: `path`, or what it says from `base` on.
pub(crate) fn join(base: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    [base, b"/", path].concat()
}

/// A path without superfluous parts, as the kernel says where a process is.
pub(crate) fn normalize(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    [b"/", parts.join(&b'/').as_slice()].concat()
}
