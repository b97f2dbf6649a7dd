//! Programs' memory as the host reaches it: by a walk of the table in use, with a program's rights (Intel SDM vol. 3, 5.5.4).

use super::Hardware;
use crate::memory::PAGE;
use portolan::io::{UserMemory, Width};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

// Bits of an entry
const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Where the index into each table stands in an address, from the root on.
const SHIFTS: [u32; 4] = [39, 30, 21, 12];

impl Hardware {
    /// Where the host sees the byte at a program's address, and how many follow it in the page; `None` if the program can't
    /// access it.
    fn translate(&self, va: u64, write: bool) -> Option<(NonNull<u8>, usize)> {
        let needed = PRESENT | USER | if write { WRITABLE } else { 0 };
        let mut table = self.root().as_u64();
        for shift in SHIFTS {
            let entry = self.memory.load(table + 8 * (va >> shift & 511));
            if entry & needed != needed {
                return None;
            }
            if shift == 12 || entry & LARGE != 0 {
                let mask = (1 << shift) - 1;
                let page = entry & ADDRESS & !mask;
                let left = (PAGE - va % PAGE) as usize;
                return Some((self.memory.at(page + (va & mask), left), left));
            }
            table = entry & ADDRESS;
        }
        None
    }

    /// Has `copy` copy the bytes of each page: where the host sees them, how many came before, and how many there are. Answers
    /// with how many were copied before the first that the program can't access.
    fn pieces(
        &self,
        va: usize,
        bytes: usize,
        write: bool,
        mut copy: impl FnMut(NonNull<u8>, usize, usize),
    ) -> usize {
        let mut done = 0;
        while done < bytes {
            let Some((place, left)) = self.translate((va + done) as u64, write) else {
                break;
            };
            let count = left.min(bytes - done);
            copy(place, done, count);
            done += count;
        }
        done
    }

    /// Where the host sees a value of a program's.
    fn place(&self, va: usize, write: bool) -> Option<NonNull<u8>> {
        Some(self.translate(va as u64, write)?.0)
    }
}

// SAFETY: each access is to where the table in use maps the address, with the rights that all entries on the way give to user
// mode; what it maps is the guest's memory, which lies in one mapping of the host and apart from all that the host's pointers
// reach. A value at a multiple of its size lies in one page. Nothing unwinds: tables and what they map lie in the memory
unsafe impl UserMemory for Hardware {
    unsafe fn read(&self, from: usize, to: *mut u8, bytes: usize) -> usize {
        self.pieces(from, bytes, false, |place, done, count| {
            // SAFETY: `to` is valid for all bytes, and `place` for those of its page
            unsafe { place.as_ptr().copy_to_nonoverlapping(to.add(done), count) };
        })
    }

    unsafe fn write(&self, to: usize, from: *const u8, bytes: usize) -> usize {
        self.pieces(to, bytes, true, |place, done, count| {
            // SAFETY: `from` is valid for all bytes, and `place` for those of its page
            unsafe {
                place
                    .as_ptr()
                    .copy_from_nonoverlapping(from.add(done), count)
            };
        })
    }

    unsafe fn fill(&self, to: usize, byte: u8, bytes: usize) -> usize {
        self.pieces(to, bytes, true, |place, _, count| {
            // SAFETY: `place` is valid for the bytes of its page
            unsafe { place.as_ptr().write_bytes(byte, count) };
        })
    }

    unsafe fn load(&self, at: usize, width: Width) -> Option<u64> {
        let place = self.place(at, false)?.as_ptr();
        // SAFETY: the value lies in the guest's memory, aligned
        Some(unsafe {
            match width {
                Width::One => AtomicU8::from_ptr(place).load(Ordering::Relaxed).into(),
                Width::Two => AtomicU16::from_ptr(place.cast())
                    .load(Ordering::Relaxed)
                    .into(),
                Width::Four => AtomicU32::from_ptr(place.cast())
                    .load(Ordering::Relaxed)
                    .into(),
                Width::Eight => AtomicU64::from_ptr(place.cast()).load(Ordering::Relaxed),
            }
        })
    }

    unsafe fn store(&self, at: usize, width: Width, value: u64) -> bool {
        let Some(place) = self.place(at, true) else {
            return false;
        };
        let place = place.as_ptr();
        // SAFETY: the value lies in the guest's memory, aligned
        unsafe {
            match width {
                Width::One => AtomicU8::from_ptr(place).store(value as u8, Ordering::Relaxed),
                Width::Two => {
                    AtomicU16::from_ptr(place.cast()).store(value as u16, Ordering::Relaxed);
                }
                Width::Four => {
                    AtomicU32::from_ptr(place.cast()).store(value as u32, Ordering::Relaxed);
                }
                Width::Eight => AtomicU64::from_ptr(place.cast()).store(value, Ordering::Relaxed),
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
        macro_rules! exchange {
            ($atomic:ty, $word:ty, $place:expr) => {{
                // SAFETY: the value lies in the guest's memory, aligned
                let word = unsafe { <$atomic>::from_ptr($place.cast()) };
                let (current, new) = (current as $word, new as $word);
                let found = word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst);
                u64::from(found.unwrap_or_else(|found| found))
            }};
        }
        let place = self.place(at, true)?.as_ptr();
        Some(match width {
            Width::One => exchange!(AtomicU8, u8, place),
            Width::Two => exchange!(AtomicU16, u16, place),
            Width::Four => exchange!(AtomicU32, u32, place),
            Width::Eight => exchange!(AtomicU64, u64, place),
        })
    }
}
