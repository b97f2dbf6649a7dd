//! Files without a name, which another process finds by a path.

use crate::machine::MachineError;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};

/// A file of zeros in memory, without a name.
pub(crate) fn memory_file(bytes: u64) -> Result<File, MachineError> {
    let failed = |call| {
        let reason = std::io::Error::last_os_error().to_string();
        MachineError::Host { call, reason }
    };
    // SAFETY: the name is a string that ends in 0
    let file = unsafe { libc::memfd_create(c"portolan".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(failed("memfd_create"));
    }
    // SAFETY: the descriptor was just made, and nobody else has it
    let file = unsafe { File::from_raw_fd(file) };
    file.set_len(bytes).map_err(|_| failed("ftruncate"))?;
    Ok(file)
}

/// A file in memory with these bytes.
pub(crate) fn file_of(bytes: &[u8]) -> Result<File, MachineError> {
    let mut file = memory_file(0)?;
    file.write_all(bytes).map_err(|error| MachineError::Host {
        call: "write",
        reason: error.to_string(),
    })?;
    Ok(file)
}

/// Where another process finds a file without a name: with this process, as descriptors are not inherited.
pub(crate) fn path(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}
