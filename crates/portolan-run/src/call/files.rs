//! Files by their names.

use super::stat::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
use super::{Answer, Call};
use crate::files::{Object, OpenFile};
use crate::root::{SELF, join, normalize};
use crate::user::CHUNK;
use rustix::fs::{
    Access, AtFlags, Mode, OFlags, RawDir, RenameFlags, SeekFrom, Timespec, Timestamps,
};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use zerocopy::IntoBytes;

/// The directory that a process is in.
pub(super) const AT_FDCWD: u64 = -100_i64 as u64;
const AT_REMOVEDIR: u64 = 0x200;

/// How long a path may be, with its end.
const MOST_PATH: usize = 4096;

impl Call<'_, '_, '_> {
    /// A path that the process gives.
    pub(super) fn path(&mut self, addr: u64) -> Result<Vec<u8>, Errno> {
        self.with_user(|user| user.read_string(addr, MOST_PATH - 1))
    }

    /// A path from the root on, of one that starts at a directory.
    fn absolute(&self, directory: u64, path: &[u8]) -> Result<Vec<u8>, Errno> {
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        if path.starts_with(b"/") {
            return Ok(path.to_vec());
        }
        if directory as i32 == AT_FDCWD as i32 {
            return Ok(join(&self.process.place.borrow().directory, path));
        }
        let base = self.descriptor(directory)?.file;
        if base.path.is_empty() {
            return Err(Errno::NOTDIR);
        }
        Ok(join(&base.path, path))
    }

    /// Opens what is at a path, without making it.
    pub(super) fn open_path(
        &self,
        directory: u64,
        path: &[u8],
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let path = self.absolute(directory, path)?;
        self.system.root.open(&path, flags, Mode::empty())
    }

    pub(super) fn open(&mut self) -> Answer {
        let [path, flags, mode, ..] = self.arguments;
        self.open_at(AT_FDCWD, path, flags, mode)
    }

    pub(super) fn openat(&mut self) -> Answer {
        let [directory, path, flags, mode, ..] = self.arguments;
        self.open_at(directory, path, flags, mode)
    }

    fn open_at(&mut self, directory: u64, path: u64, flags: u64, mode: u64) -> Answer {
        let path = self.path(path)?;
        let path = self.absolute(directory, &path)?;
        let flags = OFlags::from_bits_retain(flags as u32);
        let closes = flags.contains(OFlags::CLOEXEC);
        let host = if path == SELF && flags & OFlags::RWMODE == OFlags::RDONLY {
            // a position of its own, as for any file that is opened
            let own = format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(&*self.process.program)
            );
            rustix::fs::open(own, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?
        } else {
            let umask = self.process.place.borrow().umask;
            let makes = flags.intersects(OFlags::CREATE | OFlags::TMPFILE & !OFlags::DIRECTORY);
            let mode = if makes {
                mode as u32 & 0o7777 & !umask
            } else {
                0
            };
            let mode = Mode::from_raw_mode(mode);
            self.system.root.open(&path, flags, mode)?
        };
        let kept = flags & (OFlags::RWMODE | OFlags::APPEND | OFlags::NONBLOCK | OFlags::PATH);
        Ok(self.add(OpenFile::host(host, kept, normalize(&path)), closes)?)
    }

    pub(super) fn lseek(&mut self) -> Answer {
        let [descriptor, offset, from, ..] = self.arguments;
        let file = self.descriptor(descriptor)?.file;
        let Object::Host(host) = &file.object else {
            return Err(Errno::SPIPE.into());
        };
        let to = match from {
            0 => SeekFrom::Start(offset),
            1 => SeekFrom::Current(offset as i64),
            2 => SeekFrom::End(offset as i64),
            3 => SeekFrom::Data(offset),
            4 => SeekFrom::Hole(offset),
            _ => return Err(Errno::INVAL.into()),
        };
        Ok(rustix::fs::seek(host, to)?)
    }

    pub(super) fn ftruncate(&mut self) -> Answer {
        let [descriptor, bytes, ..] = self.arguments;
        let file = self.descriptor(descriptor)?.file;
        match &file.object {
            Object::Host(host) if file.allows(true) => rustix::fs::ftruncate(host, bytes)?,
            _ => return Err(Errno::INVAL.into()),
        }
        Ok(0)
    }

    pub(super) fn fsync(&mut self) -> Answer {
        match &self.descriptor(self.arguments[0])?.file.object {
            Object::Host(host) => rustix::fs::fsync(host)?,
            _ => return Err(Errno::INVAL.into()),
        }
        Ok(0)
    }

    pub(super) fn access(&mut self) -> Answer {
        let [path, mode, ..] = self.arguments;
        self.access_at(AT_FDCWD, path, mode, 0)
    }

    pub(super) fn faccessat(&mut self) -> Answer {
        let [directory, path, mode, ..] = self.arguments;
        self.access_at(directory, path, mode, 0)
    }

    pub(super) fn faccessat2(&mut self) -> Answer {
        let [directory, path, mode, flags, ..] = self.arguments;
        self.access_at(directory, path, mode, flags)
    }

    fn access_at(&mut self, directory: u64, path: u64, mode: u64, flags: u64) -> Answer {
        let access = Access::from_bits(mode as u32).ok_or(Errno::INVAL)?;
        let path = self.path(path)?;
        if path == SELF {
            return Ok(0);
        }
        let no_follow = flags & AT_SYMLINK_NOFOLLOW != 0;
        let follow = if no_follow {
            OFlags::NOFOLLOW
        } else {
            OFlags::empty()
        };
        let file = if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
            match &self.descriptor(directory)?.file.object {
                Object::Host(host) => host
                    .as_fd()
                    .try_clone_to_owned()
                    .map_err(|_| Errno::NFILE)?,
                _ => return Ok(0),
            }
        } else {
            self.open_path(directory, &path, OFlags::PATH | follow)?
        };
        rustix::fs::accessat(&file, "", access, AtFlags::EMPTY_PATH)?;
        Ok(0)
    }

    pub(super) fn getcwd(&mut self) -> Answer {
        let [addr, bytes, ..] = self.arguments;
        let mut path = self.process.place.borrow().directory.clone();
        path.push(0);
        if (path.len() as u64) > bytes {
            return Err(Errno::RANGE.into());
        }
        self.with_user(|user| user.write(addr, &path))
            .map_err(Errno::from)?;
        Ok(path.len() as u64)
    }

    pub(super) fn chdir(&mut self) -> Answer {
        let path = self.path(self.arguments[0])?;
        let path = self.absolute(AT_FDCWD, &path)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        self.system.root.open(&path, flags, Mode::empty())?;
        self.process.place.borrow_mut().directory = normalize(&path);
        Ok(0)
    }

    pub(super) fn umask(&mut self) -> Answer {
        let umask = self.arguments[0] as u32 & 0o777;
        let mut place = self.process.place.borrow_mut();
        Ok(std::mem::replace(&mut place.umask, umask).into())
    }

    pub(super) fn getdents64(&mut self) -> Answer {
        let [descriptor, addr, bytes, ..] = self.arguments;
        let file = self.descriptor(descriptor)?.file;
        let Object::Host(host) = &file.object else {
            return Err(Errno::NOTDIR.into());
        };
        let room = (bytes as usize).min(CHUNK);
        let mut buffer = vec![MaybeUninit::uninit(); room];
        let mut entries = RawDir::new(host, &mut buffer);
        let mut found = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes_with_nul();
            // `struct linux_dirent64`: inode, offset, length, type, name
            let length = (19 + name.len()).next_multiple_of(8);
            let end = found.len() + length;
            found.extend(entry.ino().as_bytes());
            found.extend(entry.next_entry_cookie().as_bytes());
            found.extend((length as u16).as_bytes());
            found.push(kind(entry.file_type()));
            found.extend(name);
            found.resize(end, 0);
            if entries.is_buffer_empty() {
                break;
            }
        }
        self.with_user(|user| user.write(addr, &found))
            .map_err(Errno::from)?;
        Ok(found.len() as u64)
    }

    pub(super) fn readlink(&mut self) -> Answer {
        let [path, addr, bytes, ..] = self.arguments;
        self.readlink_at(AT_FDCWD, path, addr, bytes)
    }

    pub(super) fn readlinkat(&mut self) -> Answer {
        let [directory, path, addr, bytes, ..] = self.arguments;
        self.readlink_at(directory, path, addr, bytes)
    }

    fn readlink_at(&mut self, directory: u64, path: u64, addr: u64, bytes: u64) -> Answer {
        if bytes as i32 <= 0 {
            return Err(Errno::INVAL.into());
        }
        let path = self.path(path)?;
        let target = if path == SELF {
            self.system.root.program_path().to_vec()
        } else {
            let link = self.open_path(directory, &path, OFlags::PATH | OFlags::NOFOLLOW)?;
            match rustix::fs::readlinkat(&link, "", Vec::new()) {
                Ok(target) => target.into_bytes(),
                Err(Errno::NOENT) => return Err(Errno::INVAL.into()),
                Err(error) => return Err(error.into()),
            }
        };
        let count = target.len().min(bytes as usize);
        self.with_user(|user| user.write(addr, &target[..count]))
            .map_err(Errno::from)?;
        Ok(count as u64)
    }

    pub(super) fn unlink(&mut self) -> Answer {
        self.unlink_at(AT_FDCWD, self.arguments[0], AtFlags::empty())
    }

    pub(super) fn rmdir(&mut self) -> Answer {
        self.unlink_at(AT_FDCWD, self.arguments[0], AtFlags::REMOVEDIR)
    }

    pub(super) fn unlinkat(&mut self) -> Answer {
        let [directory, path, flags, ..] = self.arguments;
        let flags = match flags {
            0 => AtFlags::empty(),
            AT_REMOVEDIR => AtFlags::REMOVEDIR,
            _ => return Err(Errno::INVAL.into()),
        };
        self.unlink_at(directory, path, flags)
    }

    fn unlink_at(&mut self, directory: u64, path: u64, flags: AtFlags) -> Answer {
        let path = self.path(path)?;
        let path = self.absolute(directory, &path)?;
        let (parent, name) = self.system.root.open_parent(&path)?;
        rustix::fs::unlinkat(parent, name, flags)?;
        Ok(0)
    }

    pub(super) fn mkdir(&mut self) -> Answer {
        let [path, mode, ..] = self.arguments;
        self.mkdir_at(AT_FDCWD, path, mode)
    }

    pub(super) fn mkdirat(&mut self) -> Answer {
        let [directory, path, mode, ..] = self.arguments;
        self.mkdir_at(directory, path, mode)
    }

    fn mkdir_at(&mut self, directory: u64, path: u64, mode: u64) -> Answer {
        let path = self.path(path)?;
        let path = self.absolute(directory, &path)?;
        let (parent, name) = self.system.root.open_parent(&path)?;
        let umask = self.process.place.borrow().umask;
        let mode = Mode::from_raw_mode(mode as u32 & 0o1777 & !umask);
        rustix::fs::mkdirat(parent, name, mode)?;
        Ok(0)
    }

    pub(super) fn rename(&mut self) -> Answer {
        let [old, new, ..] = self.arguments;
        self.rename_at((AT_FDCWD, old), (AT_FDCWD, new), 0)
    }

    pub(super) fn renameat(&mut self) -> Answer {
        let [from, old, to, new, ..] = self.arguments;
        self.rename_at((from, old), (to, new), 0)
    }

    pub(super) fn renameat2(&mut self) -> Answer {
        let [from, old, to, new, flags, _] = self.arguments;
        self.rename_at((from, old), (to, new), flags)
    }

    fn rename_at(&mut self, old: (u64, u64), new: (u64, u64), flags: u64) -> Answer {
        let flags = RenameFlags::from_bits(flags as u32).ok_or(Errno::INVAL)?;
        let mut place = |(directory, path): (u64, u64)| {
            let path = self.path(path)?;
            self.absolute(directory, &path)
        };
        let (old, new) = (place(old)?, place(new)?);
        let (from, old) = self.system.root.open_parent(&old)?;
        let (to, new) = self.system.root.open_parent(&new)?;
        rustix::fs::renameat_with(from, old, to, new, flags)?;
        Ok(0)
    }

    pub(super) fn fchmod(&mut self) -> Answer {
        let [descriptor, mode, ..] = self.arguments;
        match &self.descriptor(descriptor)?.file.object {
            Object::Host(host) => {
                rustix::fs::fchmod(host, Mode::from_raw_mode(mode as u32 & 0o777))?;
            }
            _ => return Err(Errno::PERM.into()),
        }
        Ok(0)
    }

    /// Files stay whose they are.
    pub(super) fn fchown(&mut self) -> Answer {
        self.descriptor(self.arguments[0])?;
        Err(Errno::PERM.into())
    }

    pub(super) fn utimensat(&mut self) -> Answer {
        let [directory, path, times, ..] = self.arguments;
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_NOW,
        };
        let times = match times {
            0 => [now, now],
            addr => {
                let [access, access_nanos, change, change_nanos]: [i64; 4] = self.load(addr)?;
                let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
                [time(access, access_nanos), time(change, change_nanos)]
            }
        };
        let [last_access, last_modification] = times;
        let times = Timestamps {
            last_access,
            last_modification,
        };
        if path == 0 {
            return match &self.descriptor(directory)?.file.object {
                Object::Host(host) => Ok(rustix::fs::futimens(host, &times).map(|()| 0)?),
                _ => Err(Errno::INVAL.into()),
            };
        }
        let path = self.path(path)?;
        let path = self.absolute(directory, &path)?;
        let (parent, name) = self.system.root.open_parent(&path)?;
        rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(0)
    }
}

/// The number of a file type in a directory's entry.
fn kind(kind: rustix::fs::FileType) -> u8 {
    use rustix::fs::FileType;
    match kind {
        FileType::Fifo => 1,
        FileType::CharacterDevice => 2,
        FileType::Directory => 4,
        FileType::BlockDevice => 6,
        FileType::RegularFile => 8,
        FileType::Symlink => 10,
        FileType::Socket => 12,
        _ => 0,
    }
}
