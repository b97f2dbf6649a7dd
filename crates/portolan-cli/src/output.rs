//! The standard output.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// The standard output, without colours where they are not wanted. When its reader has gone, the rest is dropped, so
/// that a command comes to its end and to its exit code.
pub struct Output {
    stream: anstream::AutoStream<io::Stdout>,
    gone: bool,
}

impl Output {
    /// The standard output.
    pub fn new() -> Self {
        Output {
            stream: anstream::stdout(),
            gone: false,
        }
    }

    /// Whether someone is looking.
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    fn unless_gone<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(instead)
            }
            result => result,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(bytes.len());
        }
        let result = self.stream.write(bytes);
        self.unless_gone(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let result = self.stream.flush();
        self.unless_gone(result, ())
    }
}
