//! `portolan inspect`: the address space that a table in an image of physical memory describes, and what to look at
//! there.
//!
//! The words are read as the manuals say ([`portolan_machine::walk`]), not by the library under test. Images are not
//! trusted: whatever is in them, the command ends, in bounded memory, and says what is wrong.

mod aliases;
mod cache;
mod core;
mod findings;
mod image;
mod report;
mod runs;
mod summary;
mod survey;
pub mod target;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use crate::arguments::InspectArguments;
use crate::output::Output;
use crate::tour::record::Hex;
use crate::verdict::{Stop, Verdict};
use cache::Policies;
use image::{Image, RAW};
use portolan_machine::walk::{Regime, Region};
use report::{ImageReport, Report};
use runs::Want;
use std::io::{self, Write};
use target::Target;

/// `portolan inspect`.
///
/// # Errors
/// The arguments don't fit, or the image can't be read, or the output not written.
pub fn command(arguments: &InspectArguments) -> Result<Verdict, Stop> {
    let unreadable = |error: io::Error| Stop::Image {
        file: arguments.file.display().to_string(),
        reason: error.to_string(),
    };
    let regime = regime(arguments)?;
    let policies = policies(arguments, regime)?;
    let phys_bits = phys_bits(arguments, regime)?;
    let mut image = Image::open(&arguments.file, arguments.base).map_err(unreadable)?;
    if arguments.base.is_some() && image.form != RAW {
        return usage("--base is for raw images: an ELF core has the addresses itself");
    }
    let target = Target {
        regime,
        phys_bits,
        policies,
        root: root(arguments, regime, &image)?,
    };
    let (survey, findings) = survey::survey(&mut image, &target).map_err(unreadable)?;
    let limit = if arguments.tree { 0 } else { arguments.limit };
    let want = Want::All { limit };
    let runs = runs::runs(&mut image, &target, &survey, want).map_err(unreadable)?;
    let all = survey.below(target.start());
    let report = Report {
        image: ImageReport {
            file: arguments.file.display().to_string(),
            form: image.form,
            bytes: image.bytes(),
        },
        arch: arguments.arch.name,
        region: region_name(regime),
        root: Hex(target.root),
        root_from_core: arguments.root.is_none(),
        phys_bits,
        tables: survey.tables(),
        pages: all.pages,
        bytes: all.bytes,
        run_count: all.runs,
        runs_left_out: all.runs.saturating_sub(runs.shown),
        runs: runs.runs,
        findings,
    };
    let mut output = Output::new();
    if arguments.json {
        serde_json::to_writer_pretty(&mut output, &report)
            .map_err(|error| Stop::Output(error.into()))?;
        writeln!(output)?;
    } else {
        text::heading(&mut output, &report)?;
        if arguments.tree {
            let terminal = Output::is_terminal();
            let limit = arguments.limit;
            let left = tree::show(&mut output, terminal, &mut image, &target, &survey, limit)?;
            text::left_out(&mut output, left, "lines")?;
        } else {
            text::runs(&mut output, &report.runs)?;
            text::left_out(&mut output, report.runs_left_out, "runs")?;
        }
        text::findings(&mut output, &report)?;
    }
    output.flush()?;
    Ok(report.findings.is_empty().into())
}

fn usage<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Usage(reason.into()))
}

fn regime(arguments: &InspectArguments) -> Result<Regime, Stop> {
    match (arguments.arch.regime, arguments.region) {
        (
            Regime::Arm1 {
                granule, va_bits, ..
            },
            Some(region),
        ) => Ok(Regime::Arm1 {
            granule,
            va_bits,
            region: region.into(),
        }),
        (
            Regime::LoongArch {
                granule, va_bits, ..
            },
            Some(region),
        ) => Ok(Regime::LoongArch {
            granule,
            va_bits,
            region: region.into(),
        }),
        (_, Some(_)) => {
            usage("--region is for stage 1 of AArch64 and LoongArch64, which have two roots")
        }
        (regime, None) => Ok(regime),
    }
}

fn region_name(regime: Regime) -> Option<&'static str> {
    match regime {
        Regime::Arm1 { region, .. } | Regime::LoongArch { region, .. } => Some(match region {
            Region::Lower => "lower",
            Region::Upper => "upper",
        }),
        _ => None,
    }
}

fn policies(arguments: &InspectArguments, regime: Regime) -> Result<Policies, Stop> {
    match (regime, arguments.pat, arguments.mair) {
        (_, None, None) => Ok(Policies::OWN),
        (Regime::X86_64 { .. }, Some(pat), None) => match Policies::of_pat(pat) {
            Some(policies) => Ok(policies),
            None => usage("--pat has a reserved memory type"),
        },
        (Regime::Arm1 { .. }, None, Some(mair)) => Ok(Policies::of_mair(mair)),
        _ => usage("--pat is for x86_64, --mair for stage 1 of AArch64"),
    }
}

/// The width of physical addresses: by default the most that the architecture has, so that nothing is taken for reserved
/// that may not be.
fn phys_bits(arguments: &InspectArguments, regime: Regime) -> Result<u8, Stop> {
    let most = match regime {
        Regime::X86_64 { .. } | Regime::Ept => 52,
        Regime::Arm1 { .. } | Regime::Arm2 { .. } | Regime::LoongArch { .. } => 48,
        Regime::Riscv { .. } => 56,
    };
    match arguments.phys_bits {
        Some(bits) if bits > most => usage(format!("--phys-bits is at most {most} here")),
        bits => Ok(bits.unwrap_or(most)),
    }
}

/// The root that is asked for, or else the one of the image's first processor.
fn root(arguments: &InspectArguments, regime: Regime, image: &Image) -> Result<u64, Stop> {
    /// Bits 51:12 of CR3.
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    /// CR4.LA57.
    const FIVE_LEVELS: u64 = 1 << 12;
    if let Some(root) = arguments.root {
        let unit = regime.table_bytes(regime.levels()).max(64);
        return if root.is_multiple_of(unit) {
            Ok(root)
        } else {
            usage(format!(
                "--root {root:#x} is not a multiple of {unit:#x}: it is the address of a table, without a \
                 register's other bits"
            ))
        };
    }
    let (Regime::X86_64 { levels }, Some(processor)) = (regime, image.processor) else {
        return usage("--root is needed: the image does not say where the tables are");
    };
    let has = if processor.cr4 & FIVE_LEVELS == 0 {
        4
    } else {
        5
    };
    if levels != has {
        return usage(format!(
            "the image's processor 0 walks {has} levels, not {levels}"
        ));
    }
    Ok(processor.cr3 & ADDRESS)
}
