//! Stories of a disk that is full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::dice::Dice;
use crate::event::{Event, now_ms};
use crate::harness::{Setup, eventually};
use crate::shop::adds;

/// How large the disk of these stories is.
const DISK: &str = "size=48m";
/// How long a note is that a visitor writes, so that the log grows.
const NOTE_BYTES: usize = 100_000;
/// How long the disk's fault, or its end, may go unnoticed.
const NOTICED_WITHIN: Duration = Duration::from_secs(120);

/// What was acknowledged counts, what couldn't be kept was refused with the reason, and checks
/// go on throughout.
#[test]
fn a_full_disk_refuses_events_and_forgets_none() {
    let Some(disk) = Disk::mount() else { return };
    let mut dice = Dice::new(100);
    let setup = Setup::embedded().set("SLUICE_DATA_DIR", &disk.data().display().to_string());
    let mut server = setup.start();
    let mut taken = vec!["ann".to_owned()];
    server.client.capture(&adds("ann", 3, now_ms(), &mut dice));

    disk.fill();
    // The log has room of its own, some megabytes: that is still taken.
    let (mut number, mut refused) = (0, Vec::new());
    eventually("events are refused", NOTICED_WITHIN, || {
        number += 1;
        let person = format!("visitor-{number}");
        let mut events = adds(&person, 3, now_ms(), &mut dice);
        let note = "x".repeat(NOTE_BYTES);
        events.push(Event::new("wrote a note", &person, now_ms(), &mut dice).with("note", note));
        let answer = server.client.offer(&events);
        match answer.status {
            200 => taken.push(person),
            503 => refused.push(events),
            other => panic!("{other}: {}", answer.body),
        }
        let said = answer.body.contains("the disk is full");
        assert!(answer.status == 200 || said, "not for the disk: {}", answer.body);
        (refused.len() == 20).then_some(())
    });
    assert!(server.is_ready() && server.client.flags("ann").on("many-adds"), "checks go on");
    // A checkpoint or more goes wrong meanwhile.
    eventually("no checkpoint is possible", NOTICED_WITHIN, || {
        let failures = server.client.metric("sluice_checkpoint_failures_total", &[]);
        (failures >= 2.0).then_some(())
    });
    assert!(taken.iter().all(|person| server.client.flags(person).on("many-adds")));

    disk.make_room();
    for events in refused {
        eventually("events are taken again", NOTICED_WITHIN, || {
            (server.client.offer(&events).status == 200).then_some(())
        });
        taken.push(events[0].person.clone());
    }
    assert!(taken.iter().all(|person| server.client.flags(person).on("many-adds")));
    server.kill();
    server.restart();
    assert!(taken.iter().all(|person| server.client.flags(person).on("many-adds")));
}

/// A small disk of its own, which goes when this does.
struct Disk {
    place: TempDir,
}

impl Disk {
    /// Nothing, and a word about it, where this isn't allowed.
    fn mount() -> Option<Disk> {
        let place = tempfile::Builder::new().prefix("sluice disk").tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(place.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk { place }),
            other => {
                eprintln!("SKIPPED, since a disk can't be mounted here: {other:?}");
                None
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("the disk has room");
        for size in [1 << 20, 4 << 10, 1] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// Gives it back.
    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the ballast goes");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    fn path(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, should anything still have a file open there.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.path().display());
        }
    }
}
