//! Frames that say whose they are: a tag while they are in use, poison while they are free.

use crate::isa::Isa;
use crate::memory::Memory;
use parking_lot::RawMutex;
use portolan::PhysAddr;
use portolan::frame::{FRAME_SIZE, FrameAllocator};
use portolan::interop::buddy_system_allocator::BuddyFrames;
use std::sync::{Mutex, PoisonError};

/// Where in a frame its tag is.
pub(super) const TAG: u64 = 0x000;
/// Where programs store.
pub(super) const SCRATCH: u64 = 0x800;
/// Where a code word with the tag is.
pub(super) const CODE: u64 = 0xc00;

/// What a tag's word has above the tag.
const TAGGED: u64 = 0x7461_6700 << 32;
/// What programs store has this above any number.
const STORED: u64 = 0x7374_6f72 << 32;
/// What a free frame has in all three places, but for the code, whose number is this one's lower half.
const POISON: u64 = 0xdead_beef_0bad_f00d;

/// The word at [`TAG`].
pub(super) fn tag_word(tag: u64) -> u64 {
    TAGGED | tag
}

/// A word that a program may store.
pub(super) fn scratch_word(number: u64) -> u64 {
    STORED | number & 0xffff_ffff
}

/// Whether a word can be at [`SCRATCH`] of a frame in use.
pub(super) fn is_scratch_word(word: u64) -> bool {
    word >> 32 == STORED >> 32
}

/// A word of a free frame that was stored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoiled {
    /// Where it is.
    pub addr: u64,
    /// What it is now.
    pub word: u64,
}

/// An allocator that poisons what it gets back, and looks whether the poison is still there when it hands a frame out.
pub(super) struct Poisoning {
    memory: Memory,
    isa: Isa,
    buddies: BuddyFrames<RawMutex>,
    spoiled: Mutex<Option<Spoiled>>,
}

impl Poisoning {
    /// An allocator without frames.
    pub(super) fn new(memory: Memory, isa: Isa) -> Self {
        Poisoning {
            memory,
            isa,
            buddies: BuddyFrames::new(),
            spoiled: Mutex::default(),
        }
    }

    /// How many frames are free.
    pub(super) fn available(&self) -> usize {
        self.buddies.available()
    }

    /// A word of a free frame that was stored to, if one was found.
    pub(super) fn spoiled(&self) -> Option<Spoiled> {
        *self.spoiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a tag into a frame that is in use, and mapped nowhere yet.
    pub(super) fn tag(&self, frame: PhysAddr, tag: u64) {
        let words = [
            tag_word(tag),
            scratch_word(0),
            self.isa.code_word(tag as u32),
        ];
        self.write(frame.as_u64(), words);
    }

    fn poison(&self) -> [u64; 3] {
        [POISON, POISON, self.isa.code_word(POISON as u32)]
    }

    fn write(&self, frame: u64, words: [u64; 3]) {
        for (offset, word) in [TAG, SCRATCH, CODE].into_iter().zip(words) {
            self.memory.store(PhysAddr::new(frame + offset), word);
        }
    }

    fn look(&self, frame: u64) {
        for (offset, expected) in [TAG, SCRATCH, CODE].into_iter().zip(self.poison()) {
            let addr = frame + offset;
            let word = self.memory.load(PhysAddr::new(addr));
            if word != expected {
                let mut spoiled = self.spoiled.lock().unwrap_or_else(PoisonError::into_inner);
                spoiled.get_or_insert(Spoiled { addr, word });
            }
        }
    }
}

/// The addresses of frames that follow each other.
fn each(first: PhysAddr, frames: usize) -> impl Iterator<Item = u64> {
    (0..frames as u64).map(move |n| first.as_u64() + n * FRAME_SIZE)
}

impl FrameAllocator for Poisoning {
    fn alloc(&self, frames: usize, align: u64) -> Option<PhysAddr> {
        let first = self.buddies.alloc(frames, align)?;
        each(first, frames).for_each(|frame| self.look(frame));
        Some(first)
    }

    fn dealloc(&self, addr: PhysAddr, frames: usize) {
        each(addr, frames).for_each(|frame| self.write(frame, self.poison()));
        self.buddies.dealloc(addr, frames);
    }
}
