//! What events say of others than people: of a group, and of a flag that was called.

use schemas::ids::ProjectId;
use schemas::properties::{Kind, Register};
use schemas::usage::Call;
use schemas::window::Entry;

use super::Fold;
use crate::grouping::Grouping;
use crate::store::Partition;
use crate::writes::writes_of;

impl Fold {
    /// Keeps what an event says of a group. Returns whether that changed anything.
    pub(super) fn keep_group(
        &mut self,
        partition: &Partition,
        project: ProjectId,
        grouping: &Grouping<'_>,
        stamp: Entry,
    ) -> bool {
        let Some(group) = grouping.group() else { return false };
        self.key.set_group(project, group);
        let mut changed = false;
        partition.hot.update(&self.key, stamp.time_ms(), |record| {
            let write = |register: Register<'_>| changed |= record.write(&register);
            writes_of(grouping.set, Kind::Set, stamp, write);
            changed
        });
        changed
    }

    /// Keeps that a flag was called. Returns whether that changed anything.
    pub(super) fn keep_call(
        &mut self,
        partition: &Partition,
        project: ProjectId,
        call: &Call,
        stamp: Entry,
    ) -> bool {
        self.key.set_flag(project, &call.flag);
        let mut changed = false;
        partition.hot.update(&self.key, stamp.time_ms(), |record| {
            call.registers(stamp).for_each(|register| changed |= record.write(&register));
            changed
        });
        changed
    }
}
