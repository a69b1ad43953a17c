//! Around the workload: what more people, conditions or bytes do to the cost of an event, and how
//! long a node takes that was killed.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::contestant::ALL;
use super::node::Node;
use super::report::{cpu, machine, spread, versions};
use super::run::{Run, run as run_peer};
use super::{Failure, Ground};
use crate::Outcome;
use crate::conditions::Set;
use crate::event::{now_ms, rfc3339};
use crate::fill::{self, Filled};
use crate::verify;
use crate::workload::Shape;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    ground: Ground,
    /// How many events each topic has.
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,
    /// How often each is timed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many of the workloads, from the first: that alone has other conditions, and restarts.
    #[arg(long, default_value_t = AROUND.len())]
    workloads: usize,
    /// The folder that gets the report.
    #[arg(long)]
    out: PathBuf,
}

/// One topic, and those conditions that are tried over it.
struct Around {
    what: &'static str,
    shape: Shape,
    sets: &'static [(Set, &'static str)],
}

const TEN: &[(Set, &str)] = &[(Set::W1, "ten conditions")];
const AROUND: [Around; 7] = [
    Around {
        what: "1M people, Zipf 1, 385 bytes, 40 % watched",
        shape: Shape::W1,
        sets: &[
            (Set::W1, "ten conditions"),
            (Set::One, "one condition"),
            (Set::Hundred, "a hundred on what the ten watch"),
            (Set::Thousand, "the ten, and 990 cohorts of other events"),
            (Set::Fifty, "the ten, and 40 flags more, all asked for"),
        ],
    },
    Around { what: "10k people", shape: Shape { persons: 10_000, ..Shape::W1 }, sets: TEN },
    Around { what: "10M people", shape: Shape { persons: 10_000_000, ..Shape::W1 }, sets: TEN },
    Around { what: "1M people, all alike", shape: Shape { zipf: 0.0, ..Shape::W1 }, sets: TEN },
    Around { what: "1,100 bytes", shape: Shape { bytes: 1_100, ..Shape::W1 }, sets: TEN },
    Around { what: "all watched", shape: Shape { all_watched: true, ..Shape::W1 }, sets: TEN },
    Around {
        what: "all watched, 1M people, all alike",
        shape: Shape { all_watched: true, zipf: 0.0, ..Shape::W1 },
        sets: TEN,
    },
];

/// People whom a restarted node is asked for.
const SAMPLE: u32 = 2_000;
/// Room for everybody, so that what more people cost isn't the disk's doing.
const ROOM_BYTES: u64 = 4 << 30;

pub fn run(arguments: &Arguments) -> Outcome {
    let mut page = String::new();
    writeln!(page, "# CohortBench, around workload W1\n")?;
    writeln!(
        page,
        "{} records each, {} runs; measured {} on {}; {}. min / median / max of processor time, \
         user and system, of the whole node, with 1,000 checks a second beside; people in memory \
         without a bound. × is how many times the median of the first line; the floor (Rust: read, \
         parsed, newest ten kept in a map, nothing durable) reads the same topic in turns with it. \
         Late is how late a thread was at most that does nothing but wake up as often as is \
         checked; pages are how often the node waited in a run, at most, for one to be read from \
         disk; bytes are the peak, all of the node, by each person who has a watched event. \
         After its runs each node was compared with the oracle.\n",
        arguments.events,
        arguments.runs,
        &rfc3339(now_ms())[..10],
        machine(),
        versions()
    )?;
    writeln!(
        page,
        "| workload | conditions | events/s | CPU seconds per million | × | floor | × floor | \
         check p99, longest (ms) | late (ms) | pages | peak MiB | bytes |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|---|---|---|---|---|")?;
    let (mut first, mut restarts) = (None, String::new());
    for (number, around) in AROUND.iter().take(arguments.workloads).enumerate() {
        let topic = format!("around-{number}");
        let shape = Shape { events: arguments.events, ..around.shape };
        let filled = super::topic(&arguments.ground, &topic, shape)?;
        let timed = time(arguments, around, &topic, filled)?;
        let floor = spread(&timed.floor, cpu).ok_or("no run")?[1];
        for ((_, conditions), runs) in around.sets.iter().zip(&timed.runs) {
            let first = *first.get_or_insert(spread(runs, cpu).ok_or("no run")?[1]);
            line(&mut page, (around.what, conditions), runs, (first, floor), filled.active)?;
        }
        if number == 0 {
            restarts = restart(arguments, &topic, shape, filled)?;
        }
        fill::delete(&arguments.ground.brokers, &topic)?;
    }
    page.push_str(&restarts);
    fs::create_dir_all(&arguments.out)?;
    let path = arguments.out.join("around.md");
    fs::write(&path, &page)?;
    println!("{page}\n{}", path.display());
    Ok(())
}

/// The runs over a topic: of each set of conditions, and of the floor.
struct Timed {
    runs: Vec<Vec<Run>>,
    floor: Vec<Run>,
}

fn time(
    arguments: &Arguments,
    around: &Around,
    topic: &str,
    filled: Filled,
) -> Result<Timed, Failure> {
    let ground = &arguments.ground;
    let floor = ALL.iter().find(|contestant| contestant.name == "floor-fold").ok_or("no floor")?;
    let shape = Shape { events: arguments.events, ..around.shape };
    let mut timed = Timed { runs: vec![Vec::new(); around.sets.len()], floor: Vec::new() };
    for number in 1..=arguments.runs {
        timed.floor.push(run_peer(floor, ground, (topic, shape.events), None)?);
        for ((set, conditions), runs) in around.sets.iter().zip(&mut timed.runs) {
            let room = [("SLUICE_HOT_BYTES", ROOM_BYTES.to_string())];
            let node = Node::start_with(ground, topic, *set, &room)?;
            runs.push(node.take_in(shape.events, shape.persons)?);
            println!("{number}: {}, {conditions}: {:?}", around.what, runs.last());
            if number == arguments.runs {
                compare(&node, *set, shape, filled)?;
            }
        }
    }
    Ok(timed)
}

fn compare(node: &Node, set: Set, shape: Shape, filled: Filled) -> Outcome {
    let (url, ending) = (node.url.clone(), filled.ending_ms);
    verify::run(&verify::Arguments { url, shape, ending, sample: SAMPLE, set })
}

fn line(
    page: &mut String,
    (what, conditions): (&str, &str),
    runs: &[Run],
    (first, floor): (f64, f64),
    active: usize,
) -> Outcome {
    let [low, median, high] = spread(runs, cpu).ok_or("no run")?;
    let [_, rate, _] = spread(runs, |run| run.per_second / 1e3).ok_or("no run")?;
    let [_, _, peak] = spread(runs, |run| run.memory_peak_mib).ok_or("no run")?;
    let [_, p99, _] = spread(runs, Run::check_p99_ms).ok_or("no run")?;
    let [_, _, longest] = spread(runs, Run::check_max_ms).ok_or("no run")?;
    let [_, _, late] = spread(runs, Run::bystander_max_ms).ok_or("no run")?;
    let pages = runs.iter().filter_map(|run| run.pages_awaited).max().unwrap_or_default();
    let each = peak * f64::from(1 << 20) / active as f64;
    writeln!(
        page,
        "| {what} | {conditions} | {rate:.0}k | {low:.2} / **{median:.2}** / {high:.2} | {:.2} | \
         {floor:.2} | {:.2} | {p99:.1}, {longest:.0} | {late:.0} | {pages} | {peak:.0} | \
         {each:.0} |",
        median / first,
        median / floor
    )?;
    Ok(())
}

/// A node with the first workload in it is killed, twice with its disk and once without.
fn restart(
    arguments: &Arguments,
    topic: &str,
    shape: Shape,
    filled: Filled,
) -> Result<String, Failure> {
    let mut node = Node::start(&arguments.ground, topic, Set::W1)?;
    let taken = node.take_in(shape.events, shape.persons)?;
    let mut said = format!(
        "\nThe node of the first line (as it is installed: 512 MiB for people, a checkpoint every \
         4 s, {:.0} made) was killed with -9 once all was taken in. Ready, and then compared with \
         the oracle, 0 wrong:\n\n",
        taken.checkpoints
    );
    for (what, with_its_disk) in [("with its disk", true), ("with its disk lost", false)] {
        let mut took = Vec::new();
        for _ in 0..arguments.runs {
            took.push(node.restart(with_its_disk)?.as_secs_f64());
            compare(&node, Set::W1, shape, filled)?;
        }
        let [least, median, most] = spread(&took, |seconds| *seconds).ok_or("no run")?;
        writeln!(said, "- {what}: {least:.2} / **{median:.2}** / {most:.2} s")?;
    }
    Ok(said)
}
