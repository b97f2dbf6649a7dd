//! Readers and writers against a model: an array of bytes, some of which fault.

mod machine;
#[path = "machine/threads.rs"]
mod schedule;

use machine::{cpu, frame, on, on_machine, range, space};
use portolan::PageProperty;
use portolan::io::{FallibleVmRead, FallibleVmWrite, IoError, VmReader, VmWriter};
use proptest::prelude::*;

const PAGE: usize = 0x1000;
const PAGES: usize = 4;
const ALL: usize = PAGES * PAGE;
const START: usize = 0x40_0000;

/// What user memory is to be.
#[derive(Clone, Debug)]
struct Model {
    bytes: Vec<u8>,
    props: [Option<PageProperty>; PAGES],
}

impl Model {
    /// How many of the bytes from `at` on can be read, or written, and why no more.
    fn reach(&self, at: usize, len: usize, write: bool) -> (usize, Option<IoError>) {
        let can = |n: &usize| self.props[n / PAGE].is_some_and(|p| !write || p.write);
        let done = (at..at + len).take_while(can).count();
        let fault = IoError::PageFault {
            addr: START + at + done,
        };
        (done, (done < len).then_some(fault))
    }
}

/// What is done.
#[derive(Clone, Debug)]
enum Step {
    Read { at: usize, len: usize },
    Write { at: usize, bytes: Vec<u8> },
    ReadVal { at: usize, len: usize },
    WriteVal { at: usize, value: u64 },
    Once { at: usize, value: u32 },
    Exchange { at: usize, guess: bool, new: u16 },
    Zero { at: usize, len: usize, max: usize },
    Copy { from: usize, to: usize, len: usize },
    Collect { at: usize, len: usize },
}

/// A range of at most `most` bytes, often near the end of a page.
fn place(most: usize) -> impl Strategy<Value = (usize, usize)> {
    let near = (1..PAGES, 0..24usize).prop_map(|(page, back)| page * PAGE - back);
    let at = prop_oneof![near, 0..ALL];
    (at, 0..=most).prop_map(|(at, len)| (at, len.min(ALL - at)))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        place(2 * PAGE).prop_map(|(at, len)| Step::Read { at, len }),
        (place(2 * PAGE), any::<u8>()).prop_map(|((at, len), seed)| Step::Write {
            at,
            bytes: (0..len).map(|n| (n as u8).wrapping_mul(7) ^ seed).collect(),
        }),
        place(12).prop_map(|(at, len)| Step::ReadVal { at, len }),
        (place(0), any::<u64>()).prop_map(|((at, _), value)| Step::WriteVal { at, value }),
        (place(0), any::<u32>()).prop_map(|((at, _), value)| Step::Once { at, value }),
        (place(0), any::<bool>(), any::<u16>()).prop_map(|((at, _), guess, new)| Step::Exchange {
            at,
            guess,
            new
        }),
        (place(PAGE), 0..2 * PAGE).prop_map(|((at, len), max)| Step::Zero { at, len, max }),
        (place(2 * PAGE), 0..ALL).prop_map(|((from, len), to)| Step::Copy { from, to, len }),
        place(PAGE).prop_map(|(at, len)| Step::Collect { at, len }),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let prop = prop_oneof![
        4 => Just(Some(PageProperty::USER_RW)),
        1 => Just(Some(PageProperty::USER_RO)),
        1 => Just(None),
    ];
    proptest::array::uniform4(prop).prop_map(|props| Model {
        bytes: vec![0; ALL],
        props,
    })
}

/// What a copy answers that came so far.
fn answer((done, fault): (usize, Option<IoError>)) -> Result<usize, (IoError, usize)> {
    match fault {
        None => Ok(done),
        Some(e) => Err((e, done)),
    }
}

/// Performs steps on user memory, and compares each with the model.
fn check(mut model: Model, steps: Vec<Step>) {
    on_machine(|machine| {
        on(0, |guard| {
            let space = space(machine);
            for (n, prop) in model.props.iter().enumerate() {
                if let Some(prop) = prop {
                    let at = range((START + n * PAGE) as u64, PAGE as u64);
                    let mut cursor = space.cursor_mut(guard, &at).unwrap();
                    cursor.map(frame(machine), *prop).unwrap();
                }
            }
            let mut cpu = cpu(machine, guard);
            cpu.activate(guard, &space).unwrap();
            let reader = |at, len| space.reader(guard, &cpu, START + at, len).unwrap();
            let writer = |at, len| space.writer(guard, &cpu, START + at, len).unwrap();
            for step in steps {
                match step {
                    Step::Read { at, len } => {
                        let mut room = vec![0xee; len + 3];
                        let mut from = reader(at, len);
                        let mut to = VmWriter::from(&mut room[..]);
                        let reach = model.reach(at, len, false);
                        assert_eq!(from.read_fallible(&mut to), answer(reach));
                        let left = (len - reach.0, len + 3 - reach.0);
                        assert_eq!((from.remain(), to.avail()), left);
                        assert_eq!(room[..reach.0], model.bytes[at..at + reach.0]);
                        assert!(room[reach.0..].iter().all(|byte| *byte == 0xee));
                    }
                    Step::Write { at, bytes } => {
                        let mut to = writer(at, bytes.len());
                        let mut from = VmReader::from(&bytes[..]);
                        let reach = model.reach(at, bytes.len(), true);
                        assert_eq!(to.write_fallible(&mut from), answer(reach));
                        assert_eq!(
                            (from.remain(), to.avail()),
                            (bytes.len() - reach.0, bytes.len() - reach.0)
                        );
                        model.bytes[at..at + reach.0].copy_from_slice(&bytes[..reach.0]);
                    }
                    Step::ReadVal { at, len } => {
                        let mut from = reader(at, len);
                        let expected = if len < 8 {
                            Err(IoError::TooShort {
                                needed: 8,
                                left: len,
                            })
                        } else {
                            match model.reach(at, 8, false) {
                                (_, None) => Ok(model.bytes[at..at + 8].try_into().unwrap()),
                                (_, Some(e)) => Err(e),
                            }
                        };
                        assert_eq!(from.read_val::<[u8; 8]>(), expected);
                        let read = if expected.is_ok() { 8 } else { 0 };
                        assert_eq!(from.remain(), len - read);
                    }
                    Step::WriteVal { at, value } if at + 8 <= ALL => {
                        let mut to = writer(at, ALL - at);
                        let (done, fault) = model.reach(at, 8, true);
                        assert_eq!(to.write_val(&value).err(), fault);
                        assert_eq!(to.avail(), ALL - at - if fault.is_none() { 8 } else { 0 });
                        model.bytes[at..at + done].copy_from_slice(&value.to_ne_bytes()[..done]);
                    }
                    Step::Once { at, value } if at + 4 <= ALL => {
                        let mut to = writer(at, 4);
                        let (_, fault) = model.reach(at, 4, true);
                        let unaligned = IoError::NotAligned {
                            addr: START + at,
                            align: 4,
                        };
                        let refused = if at % 4 == 0 { fault } else { Some(unaligned) };
                        assert_eq!(to.write_once(value).err(), refused);
                        if refused.is_none() {
                            model.bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
                        }
                        let (_, fault) = model.reach(at, 4, false);
                        let refused = if at % 4 == 0 { fault } else { Some(unaligned) };
                        let word = u32::from_ne_bytes(model.bytes[at..at + 4].try_into().unwrap());
                        let expected = refused.map_or(Ok(word), Err);
                        assert_eq!(reader(at, 4).read_once(), expected);
                        assert_eq!(reader(at, 4).atomic_load(), expected);
                    }
                    Step::Exchange { at, guess, new } if at + 2 <= ALL => {
                        let found = u16::from_ne_bytes(model.bytes[at..at + 2].try_into().unwrap());
                        let current = if guess { found } else { !found };
                        let (_, fault) = model.reach(at, 2, true);
                        let unaligned = IoError::NotAligned {
                            addr: START + at,
                            align: 2,
                        };
                        let refused = if at % 2 == 0 { fault } else { Some(unaligned) };
                        let result = if guess { Ok(found) } else { Err(found) };
                        let expected = refused.map_or(Ok(result), Err);
                        assert_eq!(
                            writer(at, 2).atomic_compare_exchange(current, new),
                            expected
                        );
                        if guess && refused.is_none() {
                            model.bytes[at..at + 2].copy_from_slice(&new.to_ne_bytes());
                        }
                    }
                    Step::Zero { at, len, max } => {
                        let mut to = writer(at, len);
                        let reach = model.reach(at, len.min(max), true);
                        assert_eq!(to.fill_zeros(max), answer(reach));
                        assert_eq!(to.avail(), len - reach.0);
                        model.bytes[at..at + reach.0].fill(0);
                    }
                    Step::Copy { from, to, len } => {
                        let len = len.min(ALL - to);
                        // ranges that overlap may arrive as anything
                        if from < to + len && to < from + len {
                            continue;
                        }
                        let (mut source, mut sink) = (reader(from, len), writer(to, len));
                        let (read, written) =
                            (model.reach(from, len, false), model.reach(to, len, true));
                        // where both fault, what was read in the same chunk is written first
                        let reach = if written.0 < read.0 { written } else { read };
                        let answered = source.read_fallible(&mut sink);
                        if read.0 != written.0 {
                            assert_eq!(answered, answer(reach));
                        } else {
                            assert_eq!(answered.map_err(|e| e.1), answer(reach).map_err(|e| e.1));
                        }
                        assert_eq!(
                            (source.remain(), sink.avail()),
                            (len - reach.0, len - reach.0)
                        );
                        model.bytes.copy_within(from..from + reach.0, to);
                    }
                    Step::Collect { at, len } => {
                        let mut from = reader(at, len);
                        let (_, fault) = model.reach(at, len, false);
                        let expected = fault.map_or(Ok(model.bytes[at..at + len].to_vec()), Err);
                        #[cfg(feature = "alloc")]
                        assert_eq!(from.collect(), expected);
                        #[cfg(not(feature = "alloc"))]
                        from.skip(expected.as_ref().map_or(0, Vec::len));
                        assert_eq!(from.remain(), if expected.is_ok() { 0 } else { len });
                    }
                    Step::WriteVal { .. } | Step::Once { .. } | Step::Exchange { .. } => {}
                }
            }
            cpu.deactivate(guard).unwrap();
        });
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn user_memory_is_as_its_model(model in model(), steps in prop::collection::vec(step(), 1..24)) {
        check(model, steps);
    }

    #[test]
    fn slices_are_as_their_model(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        skip in 0..80usize,
        limit in 0..80usize,
        room in 0..80usize,
    ) {
        let mut from = VmReader::from(&bytes[..]);
        let skipped = from.try_skip(skip);
        prop_assert_eq!(skipped.is_ok(), skip <= bytes.len());
        let rest = if skipped.is_ok() { &bytes[skip..] } else { &bytes[..] };
        let rest = &rest[..rest.len().min(limit)];
        from.limit(limit);
        prop_assert_eq!(from.remain(), rest.len());
        let mut sink = vec![0xee; room];
        let mut to = VmWriter::from(&mut sink[..]);
        let count = rest.len().min(room);
        prop_assert_eq!(from.read(&mut to), count);
        prop_assert_eq!((from.remain(), to.avail()), (rest.len() - count, room - count));
        prop_assert_eq!(&sink[..count], &rest[..count]);
        prop_assert!(sink[count..].iter().all(|byte| *byte == 0xee));
    }
}
