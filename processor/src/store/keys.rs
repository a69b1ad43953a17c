//! Keys of the store: one for the checkpoint, one for each (partition, person).
//!
//! `1 | partition u32 | hash u64 | project u32 | distinct id`, big-endian. The hash comes
//! before the id, so that a checkpoint in key order is also one in shard order.

use schemas::group::Group;
use schemas::ids::ProjectId;
use schemas::scan::HASH_BYTES;

/// Where the checkpoint's progress lies: before every record, in the same file.
pub const CHECKPOINT: &[u8] = &[0];

/// Where the forgotten lie: between that and the records.
pub const FORGOTTEN: &[u8] = &[0, 1];

const RECORD: u8 = 1;
/// The bit of a project's number that its pipeline's persons have.
const CARRIED: u32 = 1 << 31;
/// The bit that its groups have.
const GROUP: u32 = 1 << 30;
/// The bit that its flags have.
const FLAG: u32 = 1 << 29;
const HASH_AT: usize = 1 + 4;
const PERSON_AT: usize = HASH_AT + HASH_BYTES;

/// A person of one project, by distinct id: four bytes of project, then the id.
#[derive(Clone, Debug, Default)]
pub struct PersonKey {
    bytes: Vec<u8>,
    hash: u64,
}

impl PersonKey {
    /// The key of this person.
    pub fn new(project: ProjectId, distinct_id: &str) -> Self {
        let mut key = PersonKey::default();
        key.set(project, distinct_id);
        key
    }

    /// The key whose [`PersonKey::bytes`] these are.
    pub fn of(person: &[u8]) -> Self {
        PersonKey { bytes: person.to_vec(), hash: hash(person) }
    }

    /// Makes this the key of another person, in the same memory.
    pub fn set(&mut self, project: ProjectId, distinct_id: &str) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&project.0.to_be_bytes());
        self.bytes.extend_from_slice(distinct_id.as_bytes());
        self.hash = hash(&self.bytes);
    }

    /// Makes this the key of what is kept of a person whom the pipeline has a name for: beside
    /// the distinct ids of the project, under a number that no project has.
    pub fn set_carried(&mut self, project: ProjectId, person_id: &str) {
        self.set(numbered(project, CARRIED), person_id);
    }

    /// Makes this the key of what is kept of a group: likewise, under another such number. The
    /// length of its type comes first, so that no other type and key read the same.
    pub fn set_group(&mut self, project: ProjectId, group: Group<'_>) {
        let Group { of, key } = group;
        self.set(numbered(project, GROUP), &format!("{}:{of}{key}", of.len()));
    }

    /// Makes this the key of what is kept of a flag's calls: likewise.
    pub fn set_flag(&mut self, project: ProjectId, flag_key: &str) {
        self.set(numbered(project, FLAG), flag_key);
    }

    /// Project and id.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A hash that is the same in every version: it is part of stored keys.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// A number beside a project's, which no project has.
fn numbered(project: ProjectId, bit: u32) -> ProjectId {
    debug_assert_eq!(project.0 & (CARRIED | GROUP | FLAG), 0);
    ProjectId(project.0 | bit)
}

/// The project of [`PersonKey::bytes`].
pub fn project(person: &[u8]) -> Option<ProjectId> {
    Some(ProjectId(u32::from_be_bytes(*person.first_chunk()?)))
}

/// The stable hash of [`PersonKey::bytes`].
pub fn hash(person: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(person)
}

/// The stored key of a person's record in a partition.
pub fn record(partition: i32, hash: u64, person: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(PERSON_AT + person.len());
    key.push(RECORD);
    key.extend_from_slice(&partition.to_be_bytes());
    key.extend_from_slice(&hash.to_be_bytes());
    key.extend_from_slice(person);
    key
}

/// The stored key of until when somebody is forgotten.
pub fn forgotten(hash: u128) -> Vec<u8> {
    [FORGOTTEN, &hash.to_be_bytes()].concat()
}

/// Whom such a key and value are about, by hash, and until when; nothing if it is another.
pub fn read_forgotten(key: &[u8], value: &[u8]) -> Option<(u128, i64)> {
    let hash = key.strip_prefix(FORGOTTEN)?.try_into().ok()?;
    Some((u128::from_be_bytes(hash), i64::from_be_bytes(value.try_into().ok()?)))
}

/// Where the records of a partition begin.
pub fn partition(partition: i32) -> Vec<u8> {
    record(partition, 0, &[])
}

/// Whose record a stored key is of: project and id; nothing if it is of none.
pub fn person(key: &[u8]) -> Option<&[u8]> {
    match key.first() {
        Some(&RECORD) => key.get(PERSON_AT..),
        _ => None,
    }
}

/// The stored key of whoever stands at this place, in a partition.
pub fn at(partition: i32, place: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(HASH_AT + place.len());
    key.push(RECORD);
    key.extend_from_slice(&partition.to_be_bytes());
    key.extend_from_slice(place);
    key
}

/// The place that a stored key of a record is at: all but the partition.
pub fn place(key: &[u8]) -> &[u8] {
    debug_assert_eq!(key.first(), Some(&RECORD));
    &key[HASH_AT..]
}

/// The project and the distinct id of whoever stands at a place; none where it isn't text.
pub fn person_at(place: &[u8]) -> Option<(ProjectId, &str)> {
    let (project, id) = place.get(HASH_BYTES..)?.split_first_chunk()?;
    Some((ProjectId(u32::from_be_bytes(*project)), std::str::from_utf8(id).ok()?))
}
