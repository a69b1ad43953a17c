//! The report: one page, and the same as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::contestant::Contestant;
use super::run::Run;
use crate::Outcome;
use crate::event::{now_ms, rfc3339};
use crate::workload::Shape;

/// Characters of the longest bar.
const BAR: f64 = 50.0;
/// How many times Sluice's median a bar may show.
const FAR: f64 = 10.0;

/// What became of a contestant.
pub struct Standing {
    /// Who.
    pub contestant: Contestant,
    /// Why it wasn't timed, or not to the end.
    pub fault: Option<String>,
    /// What its runs took.
    pub runs: Vec<Run>,
}

/// All of them.
pub struct Report<'r> {
    /// What the workload is called.
    pub workload: &'r str,
    /// How large it is.
    pub shape: Shape,
    /// How many people have a watched event.
    pub active: usize,
    /// In the order of the page.
    pub results: &'r [Standing],
}

impl Report<'_> {
    /// Writes both to a folder.
    ///
    /// # Errors
    /// When it can't be written to.
    pub fn write(&self, folder: &Path) -> Outcome {
        fs::create_dir_all(folder)?;
        let name = self.workload.to_lowercase();
        let (machine, versions) = (machine(), versions());
        fs::write(folder.join(format!("{name}.md")), self.page(&machine, &versions)?)?;
        let json = self.json(&machine, &versions);
        fs::write(folder.join(format!("{name}.json")), format!("{json:#}\n"))?;
        println!("{}", folder.join(format!("{name}.md")).display());
        Ok(())
    }

    fn page(&self, machine: &str, versions: &str) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        let Shape { events, persons, zipf, seed, .. } = self.shape;
        writeln!(page, "# CohortBench, workload {}\n", self.workload)?;
        writeln!(
            page,
            "{events} records of {persons} people (Zipf {zipf}, seed {seed}), {} of whom have a \
             watched event; measured {} on {machine}; {versions}.\n",
            self.active,
            &rfc3339(now_ms())[..10]
        )?;
        writeln!(
            page,
            "All in one run, one after the other, the broker on the same machine. min / median / \
             max; processor time is of the whole process, user and system, and × is how many \
             times Sluice's median. Everybody who keeps what the ten conditions need was compared \
             with the oracle on a topic of their own before.\n"
        )?;
        writeln!(
            page,
            "| contestant | events/s | CPU seconds per million | × | peak MiB | who can ask |"
        )?;
        writeln!(page, "|---|---|---|---|---|---|")?;
        let ours = self.ours().and_then(median_cpu);
        for result in self.results {
            let Contestant { name, what, asked, .. } = result.contestant;
            if let Some(fault) = &result.fault {
                writeln!(page, "| {name}: {what} | not timed: {} | | | | |", one_line(fault))?;
            }
            let Some([cpu_min, cpu_median, cpu_max]) = spread(&result.runs, cpu) else { continue };
            let rate = |run: &Run| run.per_second / 1e3;
            let [slow, rate, fast] = spread(&result.runs, rate).unwrap_or_default();
            let [_, _, peak] = spread(&result.runs, |run| run.memory_peak_mib).unwrap_or_default();
            let times = ours.map_or(String::new(), |ours| format!("{:.2}", cpu_median / ours));
            writeln!(
                page,
                "| **{name}**: {what} | {slow:.0}k / **{rate:.0}k** / {fast:.0}k | {cpu_min:.2} / \
                 **{cpu_median:.2}** / {cpu_max:.2} | {times} | {peak:.0} | {asked} |"
            )?;
        }
        self.checks(&mut page)?;
        self.plot(&mut page)?;
        Ok(page)
    }

    /// What became of the one whom the others are compared with.
    fn ours(&self) -> Option<&Standing> {
        self.results.iter().find(|result| result.contestant.is_ours())
    }

    fn checks(&self, page: &mut String) -> std::fmt::Result {
        let runs = self.ours().map_or(&[][..], |ours| &ours.runs);
        let Some([low, median, high]) = spread(runs, Run::check_p99_ms) else { return Ok(()) };
        let [_, _, longest] = spread(runs, Run::check_max_ms).unwrap_or_default();
        let [_, _, late] = spread(runs, Run::bystander_max_ms).unwrap_or_default();
        let [_, checkpoints, _] = spread(runs, |run| run.checkpoints).unwrap_or_default();
        writeln!(
            page,
            "\nBeside that Sluice answered 1,000 checks a second over HTTP, 99 of 100 within \
             {low:.1} / {median:.1} / {high:.1} ms of when they were due, the longest of all after \
             {longest:.1} ms (a thread that only wakes up as often was {late:.1} ms late at most), \
             and made {checkpoints:.0} checkpoints durable inside a run."
        )
    }

    fn plot(&self, page: &mut String) -> std::fmt::Result {
        let medians: Vec<(&str, f64)> = self
            .results
            .iter()
            .filter_map(|result| Some((result.contestant.name, median_cpu(result)?)))
            .collect();
        // Whoever is far out would leave nothing to be seen of the others.
        let far = self.ours().and_then(median_cpu).map_or(f64::INFINITY, |ours| ours * FAR);
        let shown = medians.iter().map(|(_, median)| *median).filter(|median| *median <= far);
        let most = shown.fold(0.0, f64::max);
        writeln!(page, "\n```\nCPU seconds per million records, median")?;
        for (name, median) in medians {
            let bar = "█".repeat((median / most * BAR).ceil().min(BAR) as usize);
            let cut = if median > most { " …" } else { "" };
            writeln!(page, "{name:>16} {bar}{cut} {median:.2}")?;
        }
        writeln!(page, "```")
    }

    fn json(&self, machine: &str, versions: &str) -> Value {
        let results = self.results.iter().map(|result| {
            let Contestant { name, what, asked, .. } = result.contestant;
            json!({
                "contestant": name, "what": what, "asked": asked, "fault": result.fault,
                "runs": result.runs,
            })
        });
        let Shape { events, persons, zipf, seed, .. } = self.shape;
        json!({
            "workload": self.workload, "events": events, "persons": persons, "zipf": zipf,
            "seed": seed, "active": self.active, "machine": machine, "versions": versions,
            "results": results.collect::<Vec<_>>(),
        })
    }
}

/// What is compared.
pub fn cpu(run: &Run) -> f64 {
    run.cpu_seconds_per_million
}

fn median_cpu(result: &Standing) -> Option<f64> {
    spread(&result.runs, cpu).map(|[_, median, _]| median)
}

/// Least, median and most.
pub fn spread<T>(runs: &[T], of: impl Fn(&T) -> f64) -> Option<[f64; 3]> {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    Some([*all.first()?, all[all.len() / 2], *all.last()?])
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '|'], " ")
}

/// What the system says of the machine.
pub fn machine() -> String {
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let kib: f64 = field("/proc/meminfo", "MemTotal")
        .split(' ')
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name");
    format!("{processors} processors ({model}), {:.0} GiB of memory", kib / f64::from(1 << 20))
}

/// What took part, by version; Java says its own.
pub fn versions() -> String {
    let java = Command::new("java").arg("-version").output();
    let java = java.map(|said| String::from_utf8_lossy(&said.stderr).into_owned());
    let java = java.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    format!("Sluice at {}, {java}, peers as in bench/peers/pom.xml", commit.unwrap_or_default())
}
