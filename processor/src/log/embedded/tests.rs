//! Stories of an embedded log that drops records.

use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;

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

    /// Opens it, again perhaps: the writer of the one before lets go of the folder as it ends.
    fn open(&mut self) {
        self.log = None;
        let opened = loop {
            let now_ms = Arc::clone(&self.now_ms);
            let clock: Clock = Arc::new(move || now_ms.load(Ordering::Relaxed));
            let (folder, folded) = (self.folder.path(), self.position.subscribe());
            match Embedded::open(folder, RETENTION, folded, clock) {
                Err(error) if error.to_string().contains("lock hold") => std::thread::yield_now(),
                opened => break opened,
            }
        };
        self.log = Some(opened.expect("a log"));
    }

    fn log(&self) -> &Embedded {
        self.log.as_ref().expect("it is open")
    }

    fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn append(&self, count: usize) {
        let record = Outgoing { key: "phc:ann".to_owned(), value: b"{}".to_vec(), partition: None };
        let (done, written) = oneshot::channel();
        let group = Group { records: vec![record; count], done };
        self.log().queue.as_ref().expect("it is open").send(group).expect("the writer listens");
        written.blocking_recv().expect("the writer answers").expect("the records are durable");
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
    story.append(5);
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
