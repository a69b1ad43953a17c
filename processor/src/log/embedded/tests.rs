//! Stories of an embedded log that drops records.

use std::sync::atomic::{AtomicI64, Ordering};

use rocksdb::{DB, DEFAULT_COLUMN_FAMILY_NAME, IteratorMode, WaitForCompactOptions};
use tempfile::TempDir;

use super::super::{Arrival, Reader};
use super::database::{FIRST_KEY, META, VERSION_KEY, general_options, meta};
use super::*;

const START_MS: i64 = 1_750_000_000_000;
const AGE_MS: i64 = 1_000;
const RETENTION: Retention = Retention { age_ms: AGE_MS, bytes: 1 << 30 };

/// A log, its folder and its clock.
struct Story {
    log: Option<Embedded>,
    folder: TempDir,
    now_ms: Arc<AtomicI64>,
    position: watch::Sender<Position>,
}

impl Story {
    fn begin() -> Story {
        let folder = TempDir::new().expect("a folder");
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        let (position, _) = watch::channel(Position::new());
        let mut story = Story { log: None, folder, now_ms, position };
        story.open();
        story
    }

    /// Opens it, again perhaps.
    fn open(&mut self) {
        self.log = None;
        self.log = Some(self.try_open().expect("a log"));
    }

    fn try_open(&self) -> Result<Embedded, LogError> {
        let now_ms = Arc::clone(&self.now_ms);
        let clock: Clock = Arc::new(move || now_ms.load(Ordering::Relaxed));
        Embedded::open(self.folder.path(), RETENTION, self.position.subscribe(), clock)
    }

    fn log(&self) -> &Embedded {
        self.log.as_ref().expect("it is open")
    }

    fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn append(&self, count: usize) {
        let record = Outgoing { key: "phc:ann".to_owned(), value: b"{}".to_vec(), partition: None };
        self.append_all(vec![record; count]);
    }

    fn append_all(&self, records: Vec<Outgoing>) {
        let (done, written) = oneshot::channel();
        let group = Group { records, done };
        self.log().queue.as_ref().expect("it is open").send(group).expect("the writer listens");
        written.blocking_recv().expect("the writer answers").expect("the records are durable");
    }

    /// Closes the log, and changes what is noted in it.
    fn meta(&mut self, change: impl FnOnce(&DB) -> Result<(), rocksdb::Error>) {
        self.log = None;
        let families = [DEFAULT_COLUMN_FAMILY_NAME, META];
        let db = DB::open_cf(&general_options(), self.folder.path(), families);
        change(&db.expect("nobody has it open")).expect("it is written");
    }

    /// State has everything before this offset durably.
    fn settle(&self, offset: i64) {
        self.log().settled(&Position::from([(PARTITION, offset)]));
    }

    fn bounds(&self) -> (i64, i64) {
        let bounds = self.log().bounds(PARTITION).expect("it answers");
        (bounds.first, bounds.end)
    }

    /// What a reader is told from `offset` on.
    fn read(&self, offset: i64) -> Vec<String> {
        let mut reader = self.log().reader("test").expect("a reader");
        reader.assign(PARTITION, offset).expect("it is there");
        let mut told = Vec::new();
        let read = reader.read(100, Duration::ZERO, &mut |arrival| {
            told.push(match arrival {
                Arrival::Record(record) => format!("{}", record.offset),
                Arrival::End { .. } => "end".to_owned(),
                Arrival::Truncated { first, .. } => format!("lost before {first}"),
            });
        });
        read.expect("it can be read");
        told
    }
}

#[test]
fn old_records_are_dropped_once_state_has_them_and_stay_dropped() {
    let mut story = Story::begin();
    story.append(3);
    story.pass(AGE_MS);
    story.append(2);
    story.pass(1);
    story.settle(2);
    assert_eq!(story.bounds(), (2, 5), "the third is old, but state hasn't got it");
    story.settle(5);
    assert_eq!(story.bounds(), (3, 5), "the others aren't old");
    for _ in 0..2 {
        assert_eq!(story.read(3), ["3", "4", "end"]);
        assert_eq!(story.read(1), ["lost before 3", "3", "4", "end"]);
        assert_eq!(story.read(9), ["lost before 3", "3", "4", "end"], "beyond the end");
        story.open();
        assert_eq!(story.bounds(), (3, 5), "it knows so when it is opened again");
    }
}

/// Offsets go on where they were: one that is given twice would hide what came after.
#[test]
fn an_expired_log_knows_where_it_was() {
    let mut story = Story::begin();
    story.append(3);
    story.pass(AGE_MS + 1);
    story.settle(3);
    assert_eq!(story.bounds(), (3, 3));
    story.open();
    assert_eq!(story.bounds(), (3, 3));
    assert_eq!(story.read(0), ["lost before 3", "end"]);
    story.append(1);
    assert_eq!(story.read(3), ["3", "end"]);
}

/// Between the moment that a reader looks at the bounds and the moment that it reads, records
/// are dropped.
#[test]
fn a_reader_that_a_trim_overtakes_says_so() {
    let story = Story::begin();
    story.append(3);
    story.append(2);
    let db = &story.log().inner.db;
    let mut batch = WriteBatch::default();
    batch.delete_range(key_of(0), key_of(3));
    db.write(batch).expect("they are dropped");
    assert_eq!(story.bounds(), (0, 5), "as the reader saw them");
    assert_eq!(story.read(0), ["lost before 3", "3", "4", "end"]);
}

/// Whole files go at once: none of those that hold a record which stays.
#[test]
fn the_first_record_that_stays_is_in_no_file_that_goes() {
    let mut story = Story::begin();
    story.append(2);
    story.pass(AGE_MS);
    story.append(1);
    // One file, below those that are never dropped whole, ends with the record that stays.
    let db = &story.log().inner.db;
    db.flush().expect("they are in a file");
    db.compact_range(None::<&[u8]>, None::<&[u8]>);
    story.pass(1);
    story.settle(3);
    assert_eq!(story.bounds(), (2, 3));
    assert_eq!(story.read(2), ["2", "end"]);
    story.open();
    assert_eq!(story.bounds(), (2, 3));
    assert_eq!(story.read(2), ["2", "end"]);
}

/// What is appended at once can be more than is stored, and read, at once.
#[test]
fn each_record_is_read_once_wherever_reading_begins() {
    let mut story = Story::begin();
    let values: Vec<Vec<u8>> = (0..40).map(|size| vec![b'x'; size * 1_000]).collect();
    let key = || "phc:ann".to_owned();
    let records = values.iter().map(|v| Outgoing { key: key(), value: v.clone(), partition: None });
    story.append_all(records.collect());
    story.append(1);
    story.open();
    assert_eq!(story.bounds(), (0, 41));
    for from in 0..40 {
        let mut reader = story.log().reader("test").expect("a reader");
        reader.assign(PARTITION, from as i64).expect("it is there");
        let mut next = from;
        while next < 41 {
            let read = reader.read(1, Duration::ZERO, &mut |arrival| {
                let Arrival::Record(record) = arrival else { return };
                assert_eq!(record.offset, next as i64);
                let written = values.get(next).map_or(&b"{}"[..], Vec::as_slice);
                assert_eq!(record.value, Some(written), "at {next}");
                next += 1;
            });
            assert_eq!(read.expect("it can be read"), 1);
        }
    }
}

#[test]
fn a_log_of_another_version_is_refused_by_name() {
    let mut story = Story::begin();
    story.append(1);
    story.meta(|db| db.put_cf(meta(db), VERSION_KEY, b"9"));
    let refused = story.try_open().err().expect("it isn't opened").to_string();
    assert!(refused.contains("of version 9, and this Sluice reads version 3"), "{refused}");
    story.meta(|db| db.delete_cf(meta(db), VERSION_KEY));
    let refused = story.try_open().err().expect("it isn't opened").to_string();
    assert!(refused.contains("of version 1"), "it held records before versions did: {refused}");
}

/// As version 2 left it.
#[test]
fn a_log_whose_notes_lie_among_its_records_is_brought_up() {
    let mut story = Story::begin();
    story.append(3);
    story.pass(AGE_MS + 1);
    story.append(2);
    story.settle(5);
    assert_eq!(story.bounds(), (3, 5));
    story.meta(|db| {
        let first = db.get_cf(meta(db), FIRST_KEY)?.expect("it is noted");
        let mut back = WriteBatch::default();
        for key in [VERSION_KEY, FIRST_KEY] {
            back.delete_cf(meta(db), key);
        }
        back.put(VERSION_KEY, b"2");
        back.put(FIRST_KEY, first);
        db.write(back)
    });
    for _ in 0..2 {
        story.open();
        assert_eq!(story.bounds(), (3, 5));
        assert_eq!(story.read(0), ["lost before 3", "3", "4", "end"]);
    }
    story.append(1);
    assert_eq!(story.read(4), ["4", "5", "end"]);
    let db = &story.log().inner.db;
    assert_eq!(db.get(VERSION_KEY).expect("it can be read"), None, "nothing is left among them");
    assert_eq!(db.get(FIRST_KEY).expect("it can be read"), None);
}

/// Files move down as they are: what was written once isn't written again.
#[test]
fn records_are_not_written_anew() {
    let story = Story::begin();
    let db = &story.log().inner.db;
    for round in 0..20 {
        story.append(10);
        story.settle(round * 10);
        db.flush().expect("they are in a file");
    }
    db.wait_for_compact(&WaitForCompactOptions::default()).expect("it is done");
    let files = db.live_files().expect("there are files");
    let records = files.iter().filter(|file| file.column_family_name != META);
    let mut records: Vec<_> = records.map(|file| (file.level, file.num_entries)).collect();
    records.sort_unstable();
    assert!(records.iter().any(|(level, _)| *level > 0), "{records:?}");
    assert!(records.len() == 20 && records.iter().all(|(_, entries)| *entries == 1), "{records:?}");
}

/// Old records of a file that holds newer ones too are gone once it is written anew.
#[test]
fn what_is_old_is_left_out_of_what_is_written() {
    let story = Story::begin();
    story.append(3);
    story.pass(AGE_MS);
    story.append(2);
    story.pass(1);
    story.settle(5);
    let db = &story.log().inner.db;
    let stored = || db.iterator(IteratorMode::Start).map(|item| item.expect("readable").0);
    assert_eq!(stored().count(), 2, "a batch of three and one of two");
    db.compact_range(None::<&[u8]>, None::<&[u8]>);
    let stored: Vec<_> = stored().collect();
    assert_eq!(stored, [key_of(4).into()]);
    assert_eq!(story.read(0), ["lost before 3", "3", "4", "end"]);
}
