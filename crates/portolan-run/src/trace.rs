//! System calls as they are made, one line each.

use crate::user::ProgramMemory;
use rustix::io::Errno;
use std::fmt::Write as _;
use std::io::Write as _;

/// Where lines go, and how many processes there have been.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    has_many: bool,
}

/// How much of a string is shown.
const SHOWN: usize = 48;

impl Tracer {
    /// Lines say from now on which process they are of.
    pub(crate) fn several(&mut self) {
        self.has_many = true;
    }

    /// Shows a line.
    pub(crate) fn line(&self, process: u32, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // whoever closed the standard error does not want to know
        let _ = if self.has_many {
            writeln!(stderr, "[{process}] {text}")
        } else {
            writeln!(stderr, "{text}")
        };
    }
}

/// A system call with its arguments, each shown as a letter of `format` says: `d` a number, `x` bits or an address, `s` a
/// string.
pub(crate) fn call(
    user: &mut ProgramMemory<'_, '_>,
    name: &str,
    format: &str,
    arguments: &[u64; 6],
) -> String {
    let mut text = format!("{name}(");
    for (index, (kind, argument)) in format.chars().zip(arguments).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        let _ = match kind {
            'd' => write!(text, "{}", *argument as i32),
            's' => match user.read_string(*argument, SHOWN) {
                Ok(string) => write!(text, "{:?}", String::from_utf8_lossy(&string)),
                Err(Errno::NAMETOOLONG) => {
                    let mut start = [0; SHOWN];
                    match user.read(*argument, &mut start) {
                        Ok(()) => write!(text, "{:?}...", String::from_utf8_lossy(&start)),
                        Err(_) => write!(text, "{argument:#x}"),
                    }
                }
                Err(_) => write!(text, "{argument:#x}"),
            },
            _ => write!(text, "{argument:#x}"),
        };
    }
    text.push(')');
    text
}

/// What a system call has answered.
pub(crate) fn answer(answer: u64) -> String {
    match i64::try_from(answer) {
        Ok(number) if number < 0x1_0000 => format!("{number}"),
        Ok(number) => format!("{number:#x}"),
        Err(_) => {
            let errno = -(answer as i64);
            let error = std::io::Error::from_raw_os_error(errno as i32).to_string();
            let text = error.split(" (os error").next().unwrap_or_default();
            format!("-{errno} ({text})")
        }
    }
}
