//! All that is left, in a vector.

use super::error::IoError;
use super::fallible::Fallibility;
use super::reader::VmReader;
use super::transfer::transfer;
use super::writer::VmWriter;
use crate::hw::user::zeroed;
use alloc::vec::Vec;
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmReader<'a, F> {
    /// Reads all that is left.
    ///
    /// # Errors
    /// [`IoError::PageFault`] with the first byte that can't be read; [`IoError::NoMemory`] if there is no room for that many
    /// bytes. The cursor is where it was.
    pub fn collect(&mut self) -> (r: Result<Vec<u8>, IoError>)
        ensures
            match r {
                Ok(all) => {
                    &&& final(self).gave(*old(self), all@)
                    &&& final(self).at() == old(self).end()
                },
                Err(IoError::NoMemory { bytes }) => {
                    &&& *final(self) == *old(self)
                    &&& bytes == old(self).end() - old(self).at()
                },
                Err(e) => final(self).stays(*old(self)) && e is PageFault,
            },
    {
        let bytes = self.remain();
        let Some(mut all) = zeroed(bytes) else {
            return Err(IoError::NoMemory { bytes });
        };
        let mut source = self.clone();
        let mut writer = VmWriter::from_slice(all.as_mut_slice());
        match transfer(&mut source, &mut writer).0 {
            Ok(_) => {
                writer.finish();
                *self = source;
                Ok(all)
            },
            Err((e, _)) => Err(e),
        }
    }
}

} // verus!
