//! What was found, as text.

use super::findings::{Example, Finding};
use super::report::Report;
use super::runs::{Run, Series, Share};
use crate::text::style::{BAD, DIM, FAULT, GOOD, TITLE, paint};
use crate::tour::record::Hex;
use anstyle::{AnsiColor, Style};
use portolan::CachePolicy;
use portolan_machine::walk::{Allowed, Rights};
use std::io::{self, Write};

/// What is inspected.
///
/// # Errors
/// The output fails.
pub fn heading(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Report { image, .. } = report;
    let size = bytes(image.bytes);
    writeln!(
        out,
        "{}: {}, {size} of physical memory",
        paint(TITLE, &image.file),
        image.form
    )?;
    let region = report.region.map(|name| format!(", {name} region"));
    writeln!(
        out,
        "{}{}, root {}{}, physical addresses of {} bits",
        report.arch,
        region.unwrap_or_default(),
        report.root,
        if report.root_from_core {
            " (CR3 of processor 0)"
        } else {
            ""
        },
        report.phys_bits,
    )?;
    match report.run_count {
        0 => Ok(()),
        _ => writeln!(out),
    }
}

/// The address space as runs.
///
/// # Errors
/// The output fails.
pub fn runs(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let names = format!(
        "  {:<33}  {:<14}  {:>11}  {:<8}  krn usr  {:<3}  cache",
        "virtual", "physical", "bytes", "pages", ""
    );
    writeln!(out, "{}", paint(DIM, names))?;
    for run in runs {
        writeln!(out, "  {}", line(run).trim_end())?;
        if let Some(series) = &run.series {
            let line = format!("  {}", again(series));
            writeln!(out, "{}", paint(DIM, line))?;
        }
    }
    Ok(())
}

fn again(series: &Series) -> String {
    let Series { times, stride, end } = series;
    format!(
        "  the same {times} times, {stride} from one to the next, up to {:016x}",
        end.0
    )
}

/// How much was left out.
///
/// # Errors
/// The output fails.
pub fn left_out(out: &mut impl Write, count: u64, what: &str) -> io::Result<()> {
    match count {
        0 => Ok(()),
        count => {
            let line = format!("  {count} more {what} left out; --limit shows more");
            writeln!(out, "{}", paint(DIM, line))
        }
    }
}

/// What to look at, and the sums.
///
/// # Errors
/// The output fails.
pub fn findings(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for Finding {
        kind,
        count,
        examples,
    } in &report.findings
    {
        let name = paint(BAD, kind.name());
        writeln!(out)?;
        writeln!(out, "{name} ({count}): {}", kind.about())?;
        for example in examples {
            writeln!(out, "  {}", describe(example).trim_end())?;
        }
    }
    let Report {
        pages,
        run_count,
        tables,
        ..
    } = report;
    let mapped = bytes(report.bytes);
    writeln!(out)?;
    writeln!(
        out,
        "{mapped} mapped by {pages} pages in {run_count} runs; {tables} tables"
    )?;
    match report.findings.len() {
        0 => writeln!(out, "{}", paint(GOOD, "nothing found")),
        1 => writeln!(out, "{}", paint(FAULT, "1 kind of finding")),
        kinds => {
            let found = format!("{kinds} kinds of findings");
            writeln!(out, "{}", paint(FAULT, found))
        }
    }
}

fn line(run: &Run) -> String {
    let marks = [
        if run.global { "G" } else { "-" },
        share(run.accessed, ["-", "a", "A"]),
        share(run.dirty, ["-", "d", "D"]),
    ];
    let cache = match run.cache {
        CachePolicy::WriteBack => "",
        CachePolicy::WriteThrough => "WT",
        CachePolicy::UncacheableMinus => "UC-",
        CachePolicy::Uncacheable => "UC",
        CachePolicy::WriteCombining => "WC",
        CachePolicy::WriteProtected => "WP",
    };
    let Rights { kernel, user } = run.rights;
    let sizes: Vec<String> = run.sizes.iter().map(|&size| short(size)).collect();
    format!(
        "{:016x}-{:016x}  {:<14}  {:>11}  {:<8}  {}  {}  {cache}",
        run.start.0,
        run.end.0,
        run.frame,
        bytes(run.bytes),
        sizes.join("+"),
        paint(colour(run.rights, run.cache), format!("{kernel} {user}")),
        marks.concat(),
    )
}

fn share(share: Share, [none, some, all]: [&'static str; 3]) -> &'static str {
    match share {
        Share::None => none,
        Share::Some => some,
        Share::All => all,
    }
}

fn describe(example: &Example) -> String {
    match example {
        Example::Run(run) => match &run.series {
            None => line(run),
            Some(series) => format!("{}\n  {}", line(run).trim_end(), again(series)),
        },
        Example::Alias {
            frame,
            bytes: size,
            va,
            cache,
            other_va,
            other_cache,
        } => format!(
            "physical {frame}, {}: {cache} at {va}, {other_cache} at {other_va}",
            bytes(*size)
        ),
        Example::Entry {
            entry,
            level,
            va,
            word,
            bits,
        } => {
            let bits = match bits {
                None => String::new(),
                Some(Hex(0)) => ", a reserved encoding".to_owned(),
                Some(bits) => format!(", of which {bits} must be 0"),
            };
            format!(
                "entry at {entry}, level {level}, for {va}: {:#018x}{bits}",
                word.0
            )
        }
        Example::Table { table, levels, va } => {
            let levels: Vec<String> = levels.iter().map(u8::to_string).collect();
            let (many, levels) = (if levels.len() > 1 { "s" } else { "" }, levels.join(", "));
            let va = va.map(|va| format!(", for {va}")).unwrap_or_default();
            format!("table at {table}, level{many} {levels}{va}")
        }
        Example::Memory { start, bytes: size } => format!("physical {start}, {}", bytes(*size)),
        Example::Other { what } => (*what).to_owned(),
    }
}

/// The colour of pages: what may be done there.
pub fn colour(rights: Rights, cache: CachePolicy) -> Style {
    let any = |allowed: fn(&Allowed) -> bool| allowed(&rights.kernel) || allowed(&rights.user);
    let (write, execute) = (any(|mode| mode.write), any(|mode| mode.execute));
    match (write && execute, rights.user.any()) {
        (true, _) => BAD,
        _ if cache != CachePolicy::WriteBack => AnsiColor::Yellow.on_default(),
        (_, false) => AnsiColor::Magenta.on_default(),
        _ if execute => AnsiColor::Green.on_default(),
        _ if write => AnsiColor::Blue.on_default(),
        _ => AnsiColor::Cyan.on_default(),
    }
}

/// So many bytes, in the largest unit of which it is a multiple.
pub fn bytes(bytes: u64) -> String {
    let (count, unit) = units(bytes);
    let name = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit];
    format!("{count} {name}")
}

/// As `4K`.
fn short(bytes: u64) -> String {
    let (count, unit) = units(bytes);
    let letter = ["", "K", "M", "G", "T", "P", "E"][unit];
    format!("{count}{letter}")
}

fn units(bytes: u64) -> (u64, usize) {
    let unit = if bytes == 0 {
        0
    } else {
        bytes.trailing_zeros() / 10
    };
    (bytes >> (10 * unit), unit as usize)
}
