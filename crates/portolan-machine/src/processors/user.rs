//! How the host reaches the memory of programs: by walking the tables in use, with a program's rights.

use super::{NUMBER, Threads};
use crate::machine::Machine;
use crate::walk::{Walk, walk};
use portolan::PhysAddr;
use portolan::io::{UserMemory, Width};

/// Bytes of a word of memory.
const WORD: usize = 8;

impl<M: Machine> Threads<M> {
    /// The physical address that the table in use has for `va`, if programs may read, or write, there.
    fn translate(&self, va: usize, write: bool) -> Option<u64> {
        let root = self.cpus.get(NUMBER.get()?)?.root()?;
        let memory = self.machine.memory();
        let read = |addr| Some(memory.load(memory.word_at(addr)?));
        let regime = self.machine.regime();
        match walk(regime, memory.phys_bits(), root.as_u64(), va as u64, read) {
            Walk::Page { phys, rights, .. } => {
                let user = rights.user;
                let allowed = if write { user.write } else { user.read };
                (allowed && memory.word_at(phys).is_some()).then_some(phys)
            }
            _ => None,
        }
    }

    /// Does something with each word that has some of the `bytes` bytes from `va` on, as far as programs get at them: with
    /// the word's address, the first of its bytes, how many came before, and how many there are. Answers with how many it
    /// were.
    fn words(
        &self,
        va: usize,
        bytes: usize,
        write: bool,
        mut each: impl FnMut(PhysAddr, usize, usize, usize),
    ) -> usize {
        let page = 1usize << self.machine.regime().page_bits();
        let (mut done, mut start) = (0, None);
        while done < bytes {
            let at = va + done;
            if at.is_multiple_of(page) || start.is_none() {
                start = self.translate(at & !(page - 1), write);
            }
            let Some(frame) = start else { break };
            let phys = frame + (at & (page - 1)) as u64;
            let first = at % WORD;
            let count = (WORD - first).min(bytes - done);
            each(PhysAddr::new(phys - first as u64), first, done, count);
            done += count;
        }
        done
    }

    /// Changes some bytes of a word, and no others.
    fn change(&self, word: PhysAddr, change: impl Fn([u8; WORD]) -> [u8; WORD]) {
        let memory = self.machine.memory();
        let mut was = memory.load(word);
        while let Err(now) =
            memory.exchange(word, was, u64::from_le_bytes(change(was.to_le_bytes())))
        {
            was = now;
        }
    }
}

// SAFETY: what is read and written is the machine's memory, in whole words, by the table that this processor uses and only
// where that lets user mode; the words are atomic
unsafe impl<M: Machine> UserMemory for Threads<M> {
    unsafe fn read(&self, from: usize, to: *mut u8, bytes: usize) -> usize {
        self.words(from, bytes, false, |word, first, done, count| {
            let word = self.machine.memory().load(word).to_le_bytes();
            let part = &word[first..first + count];
            // SAFETY: the caller promises that there is room for all
            unsafe { to.add(done).copy_from_nonoverlapping(part.as_ptr(), count) };
        })
    }

    unsafe fn write(&self, to: usize, from: *const u8, bytes: usize) -> usize {
        self.words(to, bytes, true, |word, first, done, count| {
            let mut part = [0; WORD];
            // SAFETY: the caller promises that all are there
            unsafe {
                from.add(done)
                    .copy_to_nonoverlapping(part.as_mut_ptr(), count)
            };
            self.change(word, |mut bytes| {
                bytes[first..first + count].copy_from_slice(&part[..count]);
                bytes
            });
        })
    }

    unsafe fn fill(&self, to: usize, byte: u8, bytes: usize) -> usize {
        self.words(to, bytes, true, |word, first, _, count| {
            self.change(word, |mut bytes| {
                bytes[first..first + count].fill(byte);
                bytes
            });
        })
    }

    unsafe fn load(&self, at: usize, width: Width) -> Option<u64> {
        let phys = self.translate(at, false)?;
        let first = at % WORD;
        let word = self
            .machine
            .memory()
            .load(PhysAddr::new(phys - first as u64));
        Some(word >> (8 * first) & mask(width))
    }

    unsafe fn store(&self, at: usize, width: Width, value: u64) -> bool {
        let Some(phys) = self.translate(at, true) else {
            return false;
        };
        let (first, mask) = (at % WORD, mask(width));
        self.change(PhysAddr::new(phys - first as u64), |bytes| {
            let others = u64::from_le_bytes(bytes) & !(mask << (8 * first));
            (others | (value & mask) << (8 * first)).to_le_bytes()
        });
        true
    }

    unsafe fn compare_exchange(
        &self,
        at: usize,
        width: Width,
        current: u64,
        new: u64,
    ) -> Option<u64> {
        self.translate(at, false)?;
        let phys = self.translate(at, true)?;
        let (memory, shift, mask) = (self.machine.memory(), 8 * (at % WORD), mask(width));
        let word = PhysAddr::new(phys - (at % WORD) as u64);
        let mut was = memory.load(word);
        loop {
            let found = was >> shift & mask;
            if found != current {
                return Some(found);
            }
            let now = was & !(mask << shift) | (new & mask) << shift;
            match memory.exchange(word, was, now) {
                Ok(_) => return Some(found),
                Err(other) => was = other,
            }
        }
    }
}

/// The bits of the lowest bytes of a word.
const fn mask(width: Width) -> u64 {
    u64::MAX >> (64 - 8 * width.bytes())
}
