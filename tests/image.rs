//! The image, driven as an orchestrator does, beside a Kafka in a container.
//!
//! Needs a container engine; without one it says, past the harness, that nothing was tested.
//! `TEST_SLUICE_IMAGE` names an image that is there; otherwise one is made of the binary under
//! test, which has to be built on Debian 12 for that.

use std::fs;
use std::io::{Write, stderr};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testcontainers::core::{ExecCommand, Healthcheck, IntoContainerPort, Mount, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, GenericImage, ImageExt};

use crate::broker::Topic;
use crate::client::{Client, Said};
use crate::dice::Dice;
use crate::event::now_ms;
use crate::harness::{READY_WITHIN, eventually, free_port};
use crate::shop::{DEFINITIONS, TOKEN, adds, purchase};
use crate::tools;

/// What an engine may take for anything; an image's packages come over the network.
const ENGINE_SECONDS_MAX: &str = "300";
const UP_WITHIN: Duration = Duration::from_secs(120);
/// How long a record may take from the topic to a flag on a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
const PORT: u16 = 7070;
/// Where Kafka listens for those outside of the containers' network.
const OUTSIDE: u16 = 19092;

/// Everything of one run has a name of its own, and none of it stays.
struct Stage {
    name: String,
    image: String,
    compose: Value,
}

#[test]
fn what_the_image_knows_outlives_its_container() {
    let Some(stage) = Stage::set() else { return };
    let mut dice = Dice::new(90);
    let (_kafka, brokers) = stage.kafka();
    let (sluice, mut client) = stage.sluice();
    assert_eq!(ran(&sluice, &["id", "-u"]).trim(), "10001", "it doesn't run as root");

    let topic = Topic::of(&brokers, "events");
    client.capture(&adds("ann", 3, now_ms(), &mut dice));
    topic.produce(&adds("ben", 3, now_ms(), &mut dice));
    topic.produce(&adds("cat", 3, now_ms(), &mut dice));
    topic.produce(&[purchase("cat", now_ms(), &mut dice)]);
    let answers = [("ann", Said::Yes), ("ben", Said::Yes), ("cat", Said::No)];
    let holds = |client: &Client, when: &str| {
        for (person, said) in &answers {
            eventually(&format!("{person} is answered {said:?} {when}"), SEEN_WITHIN, || {
                (client.flags(person).said("offer") == *said).then_some(())
            });
        }
    };
    holds(&client, "at first");

    docker(&["kill", "--signal", "KILL", sluice.id()]).expect("it is killed");
    sluice.start().expect("the container starts again");
    client = ready(client_of(&sluice));
    holds(&client, "after kill -9");

    let grace = stage.compose["services"]["sluice"]["stop_grace_period"].as_str();
    let grace = grace.and_then(|grace| grace.strip_suffix('s')?.parse().ok()).expect("seconds");
    sluice.stop_with_timeout(Some(grace)).expect("it stops");
    assert_eq!(sluice.exit_code().expect("it has ended"), Some(0), "within the grace period");
    sluice.rm().expect("the container is removed");
    let (_sluice, client) = stage.sluice();
    holds(&client, "from another container on the same volume");
}

impl Stage {
    /// Nothing, and it says why, where no image can be driven.
    fn set() -> Option<Stage> {
        if let Err(refused) = docker(&["version", "--format", "{{.Server.Version}}"]) {
            // Not by a macro, whose output isn't shown when a test passes.
            let _ = writeln!(stderr(), "\n*** SKIPPED, the IMAGE is NOT tested: {refused}\n");
            return None;
        }
        let compose = fs::read_to_string(tools::repository().join("docker-compose.yml"));
        let compose = serde_saphyr::from_str(&compose.expect("the compose file")).expect("YAML");
        let name = format!("sluice-test-{}", std::process::id());
        let given = std::env::var("TEST_SLUICE_IMAGE");
        let image = given.clone().unwrap_or_else(|_| format!("{name}:latest"));
        let stage = Stage { name, image, compose };
        if given.is_err() {
            stage.build();
        }
        Some(stage)
    }

    fn build(&self) {
        let context = tempfile::tempdir().expect("a temporary folder");
        fs::copy(tools::sluice(), context.path().join("sluice")).expect("the binary is copied");
        let file = tools::repository().join("Dockerfile").display().to_string();
        let context = context.path().display().to_string();
        let built = ["build", "--target", "prebuilt", "--file", &file, "--tag", &self.image];
        docker(&[&built[..], &[&context]].concat()).expect("the image is built");
    }

    /// The Kafka of the compose file, and its address for this machine.
    fn kafka(&self) -> (Container<GenericImage>, String) {
        let service = &self.compose["services"]["kafka"];
        let image = service["image"].as_str().and_then(|image| image.split_once(':'));
        let (image, tag) = image.expect("name and version");
        let check = service["healthcheck"]["test"].as_array().expect("a command");
        let check = check.iter().skip(1).map(|word| word.as_str().expect("a word"));
        let check = Healthcheck::cmd(check).with_interval(Duration::from_secs(1));
        let (name, port) = (format!("{}-kafka", self.name), free_port());
        let mut request = GenericImage::new(image, tag)
            .with_wait_for(WaitFor::healthcheck())
            .with_health_check(check.with_retries(UP_WITHIN.as_secs() as u32))
            .with_startup_timeout(UP_WITHIN)
            .with_network(&self.name)
            .with_container_name(&name)
            .with_mapped_port(port, OUTSIDE.tcp());
        for (key, value) in service["environment"].as_object().expect("settings") {
            request = request.with_env_var(key, value.as_str().expect("compose files want text"));
        }
        let advertised = format!("INSIDE://{name}:9092,OUTSIDE://127.0.0.1:{port}");
        let request = request.with_env_var("KAFKA_ADVERTISED_LISTENERS", advertised);
        (request.start().expect("Kafka starts"), format!("127.0.0.1:{port}"))
    }

    /// A container of the image on this stage's volume, once it says that it is healthy.
    fn sluice(&self) -> (Container<GenericImage>, Client) {
        let (image, tag) = self.image.rsplit_once(':').unwrap_or((&self.image, "latest"));
        let mut request = GenericImage::new(image, tag)
            .with_wait_for(WaitFor::healthcheck())
            .with_startup_timeout(UP_WITHIN)
            .with_network(&self.name)
            .with_mapped_port(free_port(), PORT.tcp())
            .with_mount(Mount::volume_mount(&self.name, "/data"))
            .with_env_var("SLUICE_LOG", "kafka")
            .with_env_var("SLUICE_KAFKA_BROKERS", format!("{}-kafka:9092", self.name))
            // As engines behind a proxy tell containers of it.
            .with_env_var("HTTP_PROXY", "http://127.0.0.1:9");
        for (path, yaml) in DEFINITIONS {
            let path = format!("/definitions/shop/{path}");
            request = request.with_copy_to(path, yaml.as_bytes().to_vec());
        }
        let container = request.start().expect("Sluice starts");
        let client = ready(client_of(&container));
        (container, client)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What isn't there needs no removing; the image's lower layers serve the next run.
        let _ = docker(&["volume", "rm", "--force", &self.name]);
        if self.image.starts_with(&self.name) {
            let _ = docker(&["image", "rm", "--force", "--no-prune", &self.image]);
        }
    }
}

fn client_of(container: &Container<GenericImage>) -> Client {
    Client::new(container.get_host_port_ipv4(PORT.tcp()).expect("a published port"), TOKEN)
}

fn ready(client: Client) -> Client {
    eventually("the node is ready", READY_WITHIN, || {
        client.try_get("/health/ready").ok().filter(|answer| answer.status == 200)
    });
    client
}

/// What a command inside of a container prints.
fn ran(container: &Container<GenericImage>, command: &[&str]) -> String {
    let command = ExecCommand::new(command.iter().copied());
    let output = container.exec(command).and_then(|mut output| output.stdout_to_vec());
    String::from_utf8_lossy(&output.expect("the command runs")).into_owned()
}

/// Asks the engine, for so long at most. Returns what it said, as an error if it refused.
fn docker(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("timeout").args([ENGINE_SECONDS_MAX, "docker"]).args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}
