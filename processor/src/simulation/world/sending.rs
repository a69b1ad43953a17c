//! What people do in a world, and that somebody is deleted: records for the log.

use std::sync::atomic::Ordering;

use schemas::forgetting::EVENT;

use super::{PEOPLE, World};
use crate::simulation::truth::{NAMES, SKEW_MS, Sent};

impl World {
    pub(super) fn send(&mut self) {
        let partitions = self.log.ends().len();
        for _ in 0..self.rng.usize(1..20) {
            let partition = self.rng.usize(..partitions);
            let now_ms = self.now_ms();
            if self.rng.u8(..) < 6 {
                let garbage = self.rng.bool().then(|| b"{\"event\": 7".to_vec());
                self.log.append(partition, now_ms, garbage);
                continue;
            }
            let again = self.rng.u8(..) < 25 && !self.sent.is_empty();
            let event = match again {
                // A copy, wherever it ends up, with its own time.
                true => self.sent[self.rng.usize(..self.sent.len())].clone(),
                false => self.event(),
            };
            let Sent { id, name, person, price, time_ms, .. } = &event;
            let value = format!(
                "{{\"uuid\":\"{id}\",\"event\":\"{name}\",\"distinct_id\":\"{person}\",\
                 \"timestamp\":{time_ms},\"properties\":{{\"price\":{price}}}}}"
            );
            let offset = self.log.append(partition, now_ms, Some(value.into_bytes()));
            let time_ms = event.time_ms.min(now_ms + SKEW_MS);
            self.sent.push(Sent { partition: partition as i32, offset, time_ms, ..event });
        }
    }

    /// Somebody is deleted: told in every partition, as the server does it.
    pub(super) fn forget(&mut self) {
        let person = format!("p{}", self.rng.usize(..PEOPLE));
        let now_ms = self.now_ms();
        let ahead_ms = [0, 0, 2_000, 60_000][self.rng.usize(..4)];
        let value = format!(
            "{{\"event\":\"{EVENT}\",\"distinct_id\":\"{person}\",\"timestamp\":{}}}",
            now_ms + ahead_ms
        );
        for partition in 0..self.log.ends().len() {
            let offset = self.log.append(partition, now_ms, Some(value.clone().into_bytes()));
            self.sent.push(Sent {
                partition: partition as i32,
                offset,
                id: self.rng.u64(..),
                name: EVENT,
                person: person.clone(),
                price: 0,
                time_ms: now_ms + ahead_ms.min(SKEW_MS),
            });
        }
    }

    fn event(&mut self) -> Sent {
        let rng = &mut self.rng;
        let ago_ms = [0, 0, 100, 10_000, 400_000, -3_000, -90_000][rng.usize(..7)];
        let now_ms = self.now_ms.load(Ordering::Relaxed);
        Sent {
            partition: 0,
            offset: 0,
            id: rng.u64(..),
            name: NAMES[rng.usize(..NAMES.len())],
            person: format!("p{}", rng.usize(..PEOPLE)),
            price: rng.i64(0..100),
            time_ms: now_ms - if ago_ms == 0 { 0 } else { ago_ms / 2 + rng.i64(0..100) },
        }
    }
}
