//! What frames hold, and how kernels and programs reach it.

use super::{Cpus, Hardware, Pool};
use portolan::PhysAddr;
use portolan::frame::FRAME_SIZE;
use portolan::io::{DirectMap, UserMemory, Width};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The bytes of all frames.
#[derive(Default)]
pub struct Ram(OnceLock<(u64, Bytes)>);

/// Bytes that are reached by pointers only, as long as the machine is there.
struct Bytes {
    start: *mut u64,
    words: usize,
}

// SAFETY: whoever uses the bytes sees to it that this fits together
unsafe impl Send for Bytes {}
// SAFETY: as above
unsafe impl Sync for Bytes {}

impl Drop for Bytes {
    fn drop(&mut self) {
        let words = std::ptr::slice_from_raw_parts_mut(self.start, self.words);
        // SAFETY: the allocation of `provide`, which nobody uses any more
        drop(unsafe { Box::from_raw(words) });
    }
}

impl Ram {
    /// There are so many frames from `base` on.
    pub fn provide(&self, base: u64, frames: usize) {
        let words = frames * FRAME_SIZE as usize / 8;
        let start = Box::into_raw(vec![0u64; words].into_boxed_slice()).cast();
        assert!(self.0.set((base, Bytes { start, words })).is_ok());
    }

    /// Where the `bytes` bytes from physical address `addr` on are, if they are in frames.
    pub fn at(&self, addr: u64, bytes: u64) -> Option<*mut u8> {
        let (base, ram) = self.0.get()?;
        let offset = addr.checked_sub(*base)?;
        let inside = offset.checked_add(bytes)? <= ram.words as u64 * 8;
        inside.then(|| ram.start.cast::<u8>().wrapping_add(offset as usize))
    }
}

// SAFETY: the pointers reach the allocation, as far as it is in frames
unsafe impl DirectMap for Pool {
    fn bytes(&self, addr: PhysAddr, bytes: u64) -> *mut u8 {
        self.hardware.ram.at(addr.as_u64(), bytes).unwrap()
    }
}

impl Hardware {
    /// Where a program of this processor reads, or writes, the byte at `va`, and how many follow it in the page.
    fn reach(&self, va: usize, write: bool) -> Option<(*mut u8, usize)> {
        let addr = if write {
            self.write(va as u64)
        } else {
            self.read(va as u64)
        };
        let page = self.cached(crate::schedule::cpu(), va as u64)?;
        let left = FRAME_SIZE - va as u64 % FRAME_SIZE;
        page.user.then_some(())?;
        Some((self.ram.at(addr?, left)?, left as usize))
    }

    /// Does something with each page's part of the bytes from `va` on, as far as the program gets at them: with where they are,
    /// how many came before, and how many there are.
    fn each(
        &self,
        va: usize,
        bytes: usize,
        write: bool,
        part: impl Fn(*mut u8, usize, usize),
    ) -> usize {
        assert!(va as u64 + bytes as u64 <= 1 << 47, "not user memory");
        let mut done = 0;
        while done < bytes {
            let Some((at, left)) = self.reach(va + done, write) else {
                break;
            };
            let count = left.min(bytes - done);
            part(at, done, count);
            done += count;
        }
        done
    }
}

/// Copies bytes, each by itself.
unsafe fn copy(from: *const u8, to: *mut u8, bytes: usize) {
    for i in 0..bytes {
        // SAFETY: the caller promises it
        unsafe {
            let byte = AtomicU8::from_ptr(from.add(i).cast_mut()).load(Ordering::Relaxed);
            AtomicU8::from_ptr(to.add(i)).store(byte, Ordering::Relaxed);
        }
    }
}

// SAFETY: what programs may reach is what the TLB, or the walk, says of the page
unsafe impl UserMemory for Cpus {
    unsafe fn read(&self, from: usize, to: *mut u8, bytes: usize) -> usize {
        // SAFETY: both are there
        let part = |at: *mut u8, done, count| unsafe { copy(at, to.add(done), count) };
        self.hardware().each(from, bytes, false, part)
    }
    unsafe fn write(&self, to: usize, from: *const u8, bytes: usize) -> usize {
        // SAFETY: both are there
        let part = |at: *mut u8, done, count| unsafe {
            for i in 0..count {
                let byte = from.add(done + i).read();
                AtomicU8::from_ptr(at.add(i)).store(byte, Ordering::Relaxed);
            }
        };
        self.hardware().each(to, bytes, true, part)
    }
    unsafe fn fill(&self, to: usize, byte: u8, bytes: usize) -> usize {
        let part = |at: *mut u8, _, count| {
            for i in 0..count {
                // SAFETY: it is there
                unsafe { AtomicU8::from_ptr(at.add(i)) }.store(byte, Ordering::Relaxed);
            }
        };
        self.hardware().each(to, bytes, true, part)
    }
    unsafe fn load(&self, at: usize, width: Width) -> Option<u64> {
        let (at, _) = self.hardware().reach(at, false)?;
        // SAFETY: it is there, and aligned
        Some(unsafe {
            match width {
                Width::One => AtomicU8::from_ptr(at).load(Ordering::Relaxed).into(),
                Width::Two => AtomicU16::from_ptr(at.cast())
                    .load(Ordering::Relaxed)
                    .into(),
                Width::Four => AtomicU32::from_ptr(at.cast())
                    .load(Ordering::Relaxed)
                    .into(),
                Width::Eight => AtomicU64::from_ptr(at.cast()).load(Ordering::Relaxed),
            }
        })
    }
    unsafe fn store(&self, at: usize, width: Width, value: u64) -> bool {
        let Some((at, _)) = self.hardware().reach(at, true) else {
            return false;
        };
        // SAFETY: it is there, and aligned
        unsafe {
            match width {
                Width::One => AtomicU8::from_ptr(at).store(value as u8, Ordering::Relaxed),
                Width::Two => AtomicU16::from_ptr(at.cast()).store(value as u16, Ordering::Relaxed),
                Width::Four => {
                    AtomicU32::from_ptr(at.cast()).store(value as u32, Ordering::Relaxed)
                }
                Width::Eight => AtomicU64::from_ptr(at.cast()).store(value, Ordering::Relaxed),
            }
        }
        true
    }
    unsafe fn compare_exchange(
        &self,
        at: usize,
        width: Width,
        current: u64,
        new: u64,
    ) -> Option<u64> {
        const ORDER: Ordering = Ordering::SeqCst;
        let (at, _) = self.hardware().reach(at, true)?;
        macro_rules! exchange {
            ($atomic:ident, $word:ident) => {{
                // SAFETY: it is there, and aligned
                let word = unsafe { $atomic::from_ptr(at.cast()) };
                let (Ok(was) | Err(was)) =
                    word.compare_exchange(current as $word, new as $word, ORDER, ORDER);
                u64::from(was)
            }};
        }
        Some(match width {
            Width::One => exchange!(AtomicU8, u8),
            Width::Two => exchange!(AtomicU16, u16),
            Width::Four => exchange!(AtomicU32, u32),
            Width::Eight => exchange!(AtomicU64, u64),
        })
    }
}
