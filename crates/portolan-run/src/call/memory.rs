//! Memory: `brk`, `mmap` and its kin.

use super::{Answer, Call};
use crate::area::{Backing, Rights, Use};
use crate::files::Object;
use crate::memory::PAGE;
use crate::space::change::{Place, pages, range};
use rustix::io::Errno;
use std::fs::File;
use std::rc::Rc;

const PROT_READ: u64 = 1;
const PROT_WRITE: u64 = 2;
const PROT_EXEC: u64 = 4;

const MAP_SHARED: u64 = 1;
const MAP_PRIVATE: u64 = 2;
const MAP_SHARED_VALIDATE: u64 = 3;
const MAP_TYPE: u64 = 0xf;
const MAP_FIXED: u64 = 0x10;
const MAP_ANONYMOUS: u64 = 0x20;
const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;

const MREMAP_MAYMOVE: u64 = 1;
const MREMAP_FIXED: u64 = 2;

const MADV_DONTNEED: u64 = 4;

/// The rights that `PROT_` bits ask for.
fn rights(bits: u64) -> Result<Rights, Errno> {
    if bits & !(PROT_READ | PROT_WRITE | PROT_EXEC) != 0 {
        return Err(Errno::INVAL);
    }
    Ok(Rights {
        read: bits & PROT_READ != 0,
        write: bits & PROT_WRITE != 0,
        execute: bits & PROT_EXEC != 0,
    })
}

impl Call<'_, '_, '_> {
    pub(super) fn brk(&mut self) -> Answer {
        let platform = self.system.platform;
        Ok(self.space().set_heap_end(platform, self.arguments[0]))
    }

    pub(super) fn mmap(&mut self) -> Answer {
        let [addr, bytes, prot, flags, descriptor, offset] = self.arguments;
        if !offset.is_multiple_of(PAGE) {
            return Err(Errno::INVAL.into());
        }
        let rights = rights(prot & (PROT_READ | PROT_WRITE | PROT_EXEC))?;
        let is_shared = match flags & MAP_TYPE {
            MAP_PRIVATE => false,
            MAP_SHARED | MAP_SHARED_VALIDATE => true,
            _ => return Err(Errno::INVAL.into()),
        };
        let backing = match (flags & MAP_ANONYMOUS != 0, is_shared) {
            (true, false) => Backing::Zeros,
            (true, true) => Backing::Shared,
            // writes would have to reach the file
            (false, true) if rights.write => return Err(Errno::NODEV.into()),
            (false, _) => self.file_backing(descriptor, offset)?,
        };
        let place = if flags & MAP_FIXED_NOREPLACE != 0 {
            Place::Free(addr)
        } else if flags & MAP_FIXED != 0 {
            Place::Fixed(addr)
        } else {
            Place::Hint(addr)
        };
        let platform = self.system.platform;
        let mut space = self.space();
        Ok(space.map(platform, place, bytes, rights, backing, Use::Mapping)?)
    }

    /// A file's bytes from `offset` on.
    fn file_backing(&mut self, descriptor: u64, offset: u64) -> Result<Backing, Errno> {
        let file = self.process.files.borrow().get(descriptor)?.file.clone();
        if !file.allows(false) {
            return Err(Errno::ACCESS);
        }
        let Object::Host(host) = &file.object else {
            return Err(Errno::NODEV);
        };
        if file.may_wait {
            return Err(Errno::NODEV);
        }
        let file = File::from(host.try_clone().map_err(|_| Errno::NFILE)?);
        if !file.metadata().is_ok_and(|data| data.is_file()) {
            return Err(Errno::NODEV);
        }
        Ok(Backing::File {
            file: Rc::new(file),
            offset,
            bytes: u64::MAX - offset,
            ends: true,
        })
    }

    pub(super) fn mprotect(&mut self) -> Answer {
        let [addr, bytes, prot, ..] = self.arguments;
        let range = range(addr, whole(bytes)?)?;
        let rights = rights(prot)?;
        let platform = self.system.platform;
        self.space().protect(platform, &range, rights)?;
        Ok(0)
    }

    pub(super) fn munmap(&mut self) -> Answer {
        let [addr, bytes, ..] = self.arguments;
        let range = range(addr, pages(bytes).map_err(|_| Errno::INVAL)?);
        let range = range.map_err(|_| Errno::INVAL)?;
        let platform = self.system.platform;
        self.space().unmap(platform, &range)?;
        Ok(0)
    }

    pub(super) fn mremap(&mut self) -> Answer {
        let [addr, old, new, flags, to, _] = self.arguments;
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) != 0 {
            return Err(Errno::INVAL.into());
        }
        let may_move = flags & MREMAP_MAYMOVE != 0;
        let to = (flags & MREMAP_FIXED != 0).then_some(to);
        if to.is_some() && !may_move {
            return Err(Errno::INVAL.into());
        }
        let (old, new) = (range(addr, pages(old)?), pages(new)?);
        let old = old.map_err(|error| match error {
            Errno::NOMEM => Errno::FAULT,
            error => error,
        })?;
        let platform = self.system.platform;
        let mut space = self.space();
        Ok(space.remap(platform, &old, new, may_move, to)?)
    }

    pub(super) fn madvise(&mut self) -> Answer {
        let [addr, bytes, advice, ..] = self.arguments;
        let range = range(addr, whole(bytes)?)?;
        let platform = self.system.platform;
        let mut space = self.space();
        if !space.areas.cover(&range) {
            return Err(Errno::NOMEM.into());
        }
        if advice == MADV_DONTNEED {
            let is_shared = space.areas.iter().any(|(at, area)| {
                at.start < range.end
                    && range.start < at.end
                    && matches!(area.backing, Backing::Shared)
            });
            // their pages are there for all processes
            if !is_shared {
                space.discard(platform, &range)?;
            }
        }
        Ok(0)
    }
}

/// The whole pages of so many bytes, or none.
fn whole(bytes: u64) -> Result<u64, Errno> {
    if bytes == 0 { Ok(0) } else { pages(bytes) }
}
