//! What is known of files.

use super::{Answer, Call};
use crate::files::Object;
use rustix::fs::{OFlags, Stat};
use rustix::io::Errno;
use zerocopy::{FromZeros, Immutable, IntoBytes};

pub(super) const AT_SYMLINK_NOFOLLOW: u64 = 0x100;
pub(super) const AT_EMPTY_PATH: u64 = 0x1000;

/// The type of a pipe, which its owner may read and write.
const PIPE: u32 = 0o010_600;
/// `STATX_BASIC_STATS`.
const BASIC: u32 = 0x7ff;

/// `struct stat`.
#[derive(FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct UserStat {
    device: u64,
    inode: u64,
    links: u64,
    mode: u32,
    user: u32,
    group: u32,
    padding: u32,
    special: u64,
    size: i64,
    block_size: i64,
    blocks: i64,
    /// Access, modification and change: seconds and nanoseconds.
    times: [u64; 6],
    unused: [u64; 3],
}

/// `struct statx_timestamp`.
#[derive(Clone, Copy, FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
    padding: u32,
}

/// `struct statx`.
#[derive(FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    links: u32,
    user: u32,
    group: u32,
    mode: u16,
    padding: u16,
    inode: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    accessed: Timestamp,
    created: Timestamp,
    changed: Timestamp,
    modified: Timestamp,
    special: [u32; 2],
    device: [u32; 2],
    unused: [u64; 14],
}

impl UserStat {
    fn new(stat: &Stat) -> Self {
        let mut user = UserStat::new_zeroed();
        (user.device, user.inode, user.links) = (stat.st_dev, stat.st_ino, stat.st_nlink);
        (user.mode, user.user, user.group) = (stat.st_mode, stat.st_uid, stat.st_gid);
        (user.special, user.size) = (stat.st_rdev, stat.st_size);
        (user.block_size, user.blocks) = (stat.st_blksize, stat.st_blocks);
        user.times = [
            stat.st_atime as u64,
            stat.st_atime_nsec,
            stat.st_mtime as u64,
            stat.st_mtime_nsec,
            stat.st_ctime as u64,
            stat.st_ctime_nsec,
        ];
        user
    }

    /// Of a pipe.
    fn of_pipe() -> Self {
        let mut user = UserStat::new_zeroed();
        (user.mode, user.links, user.block_size) = (PIPE, 1, 4096);
        user
    }

    /// The same as `struct statx`.
    fn extended(&self) -> Statx {
        let time = |first: usize| Timestamp {
            seconds: self.times[first] as i64,
            nanoseconds: self.times[first + 1] as u32,
            padding: 0,
        };
        let number = |device| [rustix::fs::major(device), rustix::fs::minor(device)];
        let mut statx = Statx::new_zeroed();
        statx.mask = BASIC;
        statx.block_size = self.block_size as u32;
        statx.links = self.links as u32;
        (statx.user, statx.group) = (self.user, self.group);
        (statx.mode, statx.inode) = (self.mode as u16, self.inode);
        (statx.size, statx.blocks) = (self.size as u64, self.blocks as u64);
        (statx.accessed, statx.modified, statx.changed) = (time(0), time(2), time(4));
        (statx.special, statx.device) = (number(self.special), number(self.device));
        statx
    }
}

impl Call<'_, '_, '_> {
    pub(super) fn stat(&mut self) -> Answer {
        let [path, to, ..] = self.arguments;
        self.stat_path(super::files::AT_FDCWD, path, 0, to)
    }

    pub(super) fn lstat(&mut self) -> Answer {
        let [path, to, ..] = self.arguments;
        self.stat_path(super::files::AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, to)
    }

    pub(super) fn newfstatat(&mut self) -> Answer {
        let [directory, path, to, flags, ..] = self.arguments;
        self.stat_path(directory, path, flags, to)
    }

    pub(super) fn fstat(&mut self) -> Answer {
        let [descriptor, to, ..] = self.arguments;
        let stat = self.stat_descriptor(descriptor)?;
        self.store(to, &stat)?;
        Ok(0)
    }

    pub(super) fn statx(&mut self) -> Answer {
        let [directory, path, flags, _, to, _] = self.arguments;
        let stat = self.stat_at(directory, path, flags)?;
        self.store(to, &stat.extended())?;
        Ok(0)
    }

    fn stat_path(&mut self, directory: u64, path: u64, flags: u64, to: u64) -> Answer {
        let stat = self.stat_at(directory, path, flags)?;
        self.store(to, &stat)?;
        Ok(0)
    }

    fn stat_at(&mut self, directory: u64, path: u64, flags: u64) -> Result<UserStat, Errno> {
        let path = self.path(path)?;
        if path.is_empty() {
            if flags & AT_EMPTY_PATH == 0 {
                return Err(Errno::NOENT);
            }
            return self.stat_descriptor(directory);
        }
        let no_follow = flags & AT_SYMLINK_NOFOLLOW != 0;
        let follow = if no_follow {
            OFlags::NOFOLLOW
        } else {
            OFlags::empty()
        };
        let file = self.open_path(directory, &path, OFlags::PATH | follow)?;
        Ok(UserStat::new(&rustix::fs::fstat(&file)?))
    }

    fn stat_descriptor(&self, descriptor: u64) -> Result<UserStat, Errno> {
        match &self.descriptor(descriptor)?.file.object {
            Object::Host(host) => Ok(UserStat::new(&rustix::fs::fstat(host)?)),
            _ => Ok(UserStat::of_pipe()),
        }
    }
}
