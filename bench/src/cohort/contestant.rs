//! Who takes part, and how each is started.

use std::path::Path;
use std::process::Command;

use super::Ground;
use crate::conditions::Set;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in a line.
    pub what: &'static str,
    /// Who can ask it while it runs; nothing where nobody can.
    pub asked: &'static str,
    kind: Kind,
    /// What it is told besides where to read.
    arguments: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With these conditions.
    Sluice(Set),
    Floor,
    /// Of the peers, by the file with its flags.
    Java(&'static str),
    /// Of the peers too, with a server beside it.
    Redis,
}

const KAFKA: Kind = Kind::Java("kafka.flags");
const FLINK: Kind = Kind::Java("flink.flags");

/// All of them, the floor first.
pub const ALL: &[Contestant] = &[
    new(
        "floor-consume",
        "Rust, librdkafka in batches: read only",
        "",
        Kind::Floor,
        &["--step", "consume"],
    ),
    new(
        "floor-fold",
        "Rust: read, parsed, newest ten kept in a map; nothing durable",
        "",
        Kind::Floor,
        &["--step", "fold"],
    ),
    new(
        "sluice",
        "Sluice, checkpoints every 2 s, asked 1,000 times a second",
        "over HTTP",
        Kind::Sluice(Set::W1),
        &[],
    ),
    new(
        "sluice-hundred",
        "the same with a hundred conditions on what the ten watch",
        "over HTTP",
        Kind::Sluice(Set::Hundred),
        &[],
    ),
    new("java-consumer", "Java's consumer, two threads: read only", "", KAFKA, &["consumer"]),
    new("java-parse", "the same with an early-exit parser, nothing kept", "", KAFKA, &["parse"]),
    new(
        "streams",
        "Kafka Streams, expert, at least once, 1 GiB store cache",
        "in process",
        KAFKA,
        &["streams", "--store-cache-bytes", "1073741824"],
    ),
    new("streams-rocksdb", "the same without the cache", "in process", KAFKA, &["streams"]),
    new(
        "flink-heap",
        "Flink, expert, heap, checkpoints every 5 s",
        "",
        FLINK,
        &["flink", "--backend", "heap"],
    ),
    new(
        "flink-rocksdb",
        "Flink, expert, RocksDB, checkpoints every 5 s",
        "",
        FLINK,
        &["flink", "--backend", "rocksdb"],
    ),
    new(
        "flink-sliding",
        "Flink's stock sliding windows of 5 min every 10 s, for a minute",
        "",
        FLINK,
        &["flink-sliding", "--seconds", "60"],
    ),
    new(
        "redis-newest",
        "Redis sorted sets, newest K, pipelined, AOF every second",
        "over the network",
        Kind::Redis,
        &["redis", "--keep", "newest"],
    ),
    new(
        "redis-window",
        "Redis sorted sets, whole window",
        "over the network",
        Kind::Redis,
        &["redis", "--keep", "window"],
    ),
];

const fn new(
    name: &'static str,
    what: &'static str,
    asked: &'static str,
    kind: Kind,
    arguments: &'static [&'static str],
) -> Contestant {
    Contestant { name, what, asked, kind, arguments }
}

impl Contestant {
    /// The conditions that Sluice has, which is started and asked as its users do; nothing for
    /// anybody else.
    pub fn conditions(&self) -> Option<Set> {
        match self.kind {
            Kind::Sluice(set) => Some(set),
            _ => None,
        }
    }

    /// Whether it is what the others are compared with.
    pub fn is_ours(&self) -> bool {
        self.conditions() == Some(Set::W1)
    }

    /// Whether a Redis server has to run beside it.
    pub fn wants_redis(&self) -> bool {
        self.kind == Kind::Redis
    }

    /// Whether it keeps what the ten conditions need.
    pub fn can_be_checked(&self) -> bool {
        let reads_only = matches!(self.name, "java-consumer" | "java-parse" | "flink-sliding");
        !reads_only && self.kind != Kind::Floor
    }

    /// Whether this machine has what it needs.
    pub fn is_here(&self, ground: &Ground) -> bool {
        match self.kind {
            Kind::Sluice(_) | Kind::Floor => true,
            Kind::Java(_) => ground.peers.is_some(),
            Kind::Redis => ground.peers.is_some() && ground.redis_server.is_some(),
        }
    }

    /// How it is started to read a topic of so many records, with its state in `folder`.
    ///
    /// # Errors
    /// When there is no such program; for Sluice, which is started as its users do.
    pub fn command(
        &self,
        ground: &Ground,
        topic: &str,
        records: u64,
        folder: &Path,
    ) -> std::io::Result<Command> {
        let mut command = match self.kind {
            Kind::Sluice(_) => return Err(std::io::ErrorKind::Unsupported.into()),
            Kind::Floor => {
                let mut floor = Command::new(std::env::current_exe()?);
                floor.arg("floor");
                floor
            }
            Kind::Java(flags) => java(ground.peers.as_deref(), flags),
            Kind::Redis => java(ground.peers.as_deref(), "kafka.flags"),
        };
        command.args(self.arguments).args(["--brokers", &ground.brokers, "--topic", topic]);
        command.arg("--records").arg(records.to_string());
        if self.kind != Kind::Floor {
            command.arg("--state-dir").arg(folder);
        }
        Ok(command)
    }
}

/// One of the peers, by their folder and the file with its flags; what it is called comes next.
pub fn java(peers: Option<&Path>, flags: &str) -> Command {
    let folder = peers.unwrap_or(Path::new(""));
    let mut java = Command::new("java");
    java.arg(format!("@{}", folder.join(flags).display())).arg("cohortbench.Main");
    java
}
