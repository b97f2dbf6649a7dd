//! Memory of which only the frames that were written exist.

use crate::rng::mix;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Words of a frame.
const WORDS: usize = 512;

type Frame = Box<[AtomicU64; WORDS]>;

/// Frames by number.
type Frames = HashMap<u64, Frame, BuildHasherDefault<Scrambled>>;

/// Frames in parts with a lock each.
#[derive(Default)]
pub(super) struct Sparse {
    parts: [RwLock<Frames>; 16],
}

/// A number's hash, for numbers that nobody chooses to collide.
#[derive(Default)]
struct Scrambled(u64);

impl Hasher for Scrambled {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }
}

impl Sparse {
    pub(super) fn load(&self, addr: u64) -> u64 {
        let frames = self
            .part(addr)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        frames
            .get(&(addr >> 12))
            .map_or(0, |frame| frame[index(addr)].load(Ordering::SeqCst))
    }

    pub(super) fn store(&self, addr: u64, word: u64) {
        self.with(addr, |slot| slot.store(word, Ordering::SeqCst));
    }

    pub(super) fn exchange(&self, addr: u64, current: u64, new: u64) -> Result<u64, u64> {
        self.with(addr, |slot| {
            slot.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
        })
    }

    fn with<R>(&self, addr: u64, act: impl FnOnce(&AtomicU64) -> R) -> R {
        let part = self.part(addr);
        if let Some(frame) = part
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(addr >> 12))
        {
            return act(&frame[index(addr)]);
        }
        let mut frames = part.write().unwrap_or_else(PoisonError::into_inner);
        let frame = frames
            .entry(addr >> 12)
            .or_insert_with(|| Box::new([const { AtomicU64::new(0) }; WORDS]));
        act(&frame[index(addr)])
    }

    fn part(&self, addr: u64) -> &RwLock<Frames> {
        &self.parts[(addr >> 12) as usize % self.parts.len()]
    }
}

fn index(addr: u64) -> usize {
    (addr >> 3) as usize % WORDS
}
