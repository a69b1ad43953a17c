//! The real binary, started, killed and started again, on a port and a folder of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Client;
use crate::event::now_ms;
use crate::{shop, tools};

/// How long a node may take until it is ready.
pub const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a node may take to stop when it is asked to.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// How much of a failed node's output is shown.
const LOG_LINES_SHOWN: usize = 150;

/// A node that hasn't been started.
pub struct Setup {
    settings: BTreeMap<String, String>,
    definitions: Vec<(String, String)>,
}

/// A node, running or not. Its folder goes when it does.
pub struct Server {
    home: TempDir,
    settings: BTreeMap<String, String>,
    child: Option<Child>,
    port: u16,
    pub client: Client,
}

impl Setup {
    /// A node with a log of its own and the shop's definitions.
    pub fn embedded() -> Self {
        let setup = Setup { settings: BTreeMap::new(), definitions: Vec::new() };
        let setup = setup.set("SLUICE_LOG", "embedded").set("SLUICE_CHECKPOINT_INTERVAL_MS", "250");
        // Many nodes and tests share the processors: a story of overload says so itself.
        let setup = setup.set("SLUICE_OVERLOAD_WAIT_MS", "never");
        shop::DEFINITIONS.iter().fold(setup, |setup, (path, yaml)| setup.define(path, yaml))
    }

    /// A node that follows a topic.
    pub fn kafka(brokers: &str, topic: &str) -> Self {
        Setup::embedded()
            .set("SLUICE_LOG", "kafka")
            .set("SLUICE_KAFKA_BROKERS", brokers)
            .set("SLUICE_KAFKA_TOPIC", topic)
            .set("SLUICE_KAFKA_GROUP", &format!("{topic}-group"))
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A file of the project's definitions.
    pub fn define(mut self, path: &str, yaml: &str) -> Self {
        self.definitions.push((path.to_owned(), yaml.to_owned()));
        self
    }

    /// Starts the node, and waits until it is ready.
    pub fn start(self) -> Server {
        let server = self.launch();
        server.wait_ready();
        server
    }

    /// Starts the node, and waits until it listens.
    pub fn launch(self) -> Server {
        // The space is there on purpose: every path has to survive one.
        let home = tempfile::Builder::new().prefix("sluice test ").tempdir();
        let home = home.expect("a temporary folder");
        let port = free_port();
        let client = Client::new(port, shop::TOKEN);
        let mut server = Server { home, settings: self.settings, child: None, port, client };
        for (path, yaml) in &self.definitions {
            server.define(path, yaml);
        }
        server.launch();
        server
    }
}

impl Server {
    /// Writes a file of the project's definitions, as an editor does that saves at once.
    pub fn define(&self, path: &str, yaml: &str) {
        let path = self.definitions().join("shop").join(path);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        let draft = path.with_extension("draft");
        fs::write(&draft, yaml).expect("a definition is written");
        fs::rename(&draft, &path).expect("a definition is saved");
    }

    pub fn definitions(&self) -> PathBuf {
        self.home.path().join("definitions")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Starts the node again, and waits until it listens.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it is running already");
        let log = File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("a log file");
        let mut command = bare(&tools::sluice());
        command
            .arg("serve")
            .current_dir(self.home.path())
            .env("SLUICE_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("SLUICE_DATA_DIR", self.data())
            .env("SLUICE_DEFINITIONS", self.definitions())
            .envs(&self.settings)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        self.child = Some(command.spawn().expect("the binary runs"));
        // Connections to the process before are dead.
        self.client = Client::new(self.port, shop::TOKEN);
        let child = self.child.as_mut().expect("just started");
        eventually("the node listens", READY_WITHIN, || {
            let ended = child.try_wait().expect("the child can be asked");
            assert!(ended.is_none(), "the node ended by itself: {ended:?}");
            self.client.try_get("/health/live").ok()
        });
    }

    /// Starts the node again, and waits until it is ready.
    pub fn restart(&mut self) {
        self.launch();
        self.wait_ready();
    }

    pub fn is_ready(&self) -> bool {
        self.client.try_get("/health/ready").is_ok_and(|answer| answer.status == 200)
    }

    pub fn wait_ready(&self) {
        eventually("the node is ready", READY_WITHIN, || self.is_ready().then_some(()));
    }

    /// Whether the process has ended by itself; it may be started again then.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        let ended = child.try_wait().expect("the child can be asked").is_some();
        if ended {
            self.child = None;
        }
        ended
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it is running");
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }

    /// Lets the node stand still: it does nothing, and notices nothing, until it is thawed.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Asks the node to stop, as Ctrl-C or an orchestrator does.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let child = self.child.as_mut().expect("it is running");
        let ended = eventually("the node stops", STOPPED_WITHIN, || {
            child.try_wait().expect("the child can be asked")
        });
        self.child = None;
        ended
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it is running").id();
        // The shell's own kill: a bare machine has no other.
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal was not sent");
    }

    /// Its peak resident memory so far.
    pub fn memory_peak_kib(&self) -> u64 {
        let pid = self.child.as_ref().expect("it is running").id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        kib.expect("VmHWM in kB")
    }

    /// What it has printed, over all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("output.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already; nothing is left to do then.
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- the node's output, {} lines\n{}\n---", lines.len(), shown.join("\n"));
        }
    }
}

/// Asks again until there is an answer, at most for `limit`.
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < limit, "waited {limit:?}, in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// `TEST_SEED`, or a seed that no run before had.
pub fn seed() -> u64 {
    match std::env::var("TEST_SEED") {
        Ok(seed) => seed.parse().expect("TEST_SEED is a number"),
        Err(_) => now_ms() as u64,
    }
}

/// Runs `sluice check` on a folder. Returns whether it was content, and what it said.
pub fn check(definitions: &Path) -> (bool, String) {
    run(&["check", definitions.to_str().expect("a path of letters")])
}

/// Runs `sluice` with these arguments to its end. Returns whether all went well, and what it
/// said.
pub fn run(arguments: &[&str]) -> (bool, String) {
    let output = bare(&tools::sluice()).args(arguments).output().expect("the binary runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs `sluice explain` against a node. Returns whether it was answered, and what it said.
pub fn explain(url: &str, secret: Option<&str>, arguments: &[&str]) -> (bool, String) {
    let mut command = bare(&tools::sluice());
    command.arg("explain").args(["--url", url]).args(arguments);
    let output = command.envs(secret.map(|secret| ("SLUICE_SECRET", secret))).output();
    let output = output.expect("the binary runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A port that nobody listens on. It lies below those that the system gives to connections, so
/// that none of them takes it while a node is down between two starts.
pub fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 18_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % u32::from(COUNT)) as u16;
    let taken = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_err();
    let candidates = std::iter::repeat_with(|| {
        let place = u32::from(offset) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        FIRST + (place % u32::from(COUNT)) as u16
    });
    let found = candidates.take(usize::from(COUNT)).find(|port| !taken(port));
    found.expect("one of many ports is free")
}

/// A command that sees none of the settings of whoever runs the tests.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLUICE_") {
            command.env_remove(name);
        }
    }
    command
}
