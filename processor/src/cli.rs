//! The command line: subcommands, and a flag for every setting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

use crate::explain::Ask;
use crate::settings::{self, SETTINGS, Settings, Sources};

/// What is asked for.
#[derive(Debug)]
pub enum Command {
    /// Run a node.
    Serve(Settings),
    /// Run a node with imaginary visitors, unless told not to, and show what happens.
    Dev(Settings, bool),
    /// Check definitions.
    Check(PathBuf),
    /// Ask a running node whether it is ready.
    Health(Settings),
    /// Ask a running node why somebody gets what they get.
    Explain(Ask),
    /// Have a running node delete a person.
    Forget(Forget),
    /// Turn PostHog's definitions into files.
    Import(Import),
}

/// What is imported, and where to.
#[derive(Debug)]
pub struct Import {
    /// The body of PostHog's `GET /flags/definitions`.
    pub file: PathBuf,
    /// The folder of definitions.
    pub into: PathBuf,
    /// The project's name in it.
    pub project: String,
    /// What SDKs call the project key.
    pub token: String,
}

/// Who is to be deleted, and by which node.
#[derive(Debug)]
pub struct Forget {
    /// The address of the node, such as `http://127.0.0.1:7070`.
    pub url: String,
    /// A secret of the project's.
    pub secret: String,
    /// The project's name.
    pub project: String,
    /// One of the person's ids.
    pub distinct_id: String,
}

/// Reads the command line, the environment and the settings file.
///
/// # Errors
/// With every mistake; `--help` and wrong flags end the process in clap's own way.
pub fn parse() -> Result<Command, Vec<String>> {
    let matches = command().get_matches();
    let (name, matches) = matches.subcommand().expect("a subcommand is required");
    if name == "check" {
        let folder = matches.get_one::<String>("folder").expect("it has a default");
        return Ok(Command::Check(folder.into()));
    }
    if name == "explain" {
        return Ok(Command::Explain(ask(matches)));
    }
    if name == "forget" {
        let text = |name| matches.get_one::<String>(name).expect("it is required").clone();
        let (url, secret) = (text("url"), text("secret"));
        let (project, distinct_id) = (text("project"), text("distinct-id"));
        return Ok(Command::Forget(Forget { url, secret, project, distinct_id }));
    }
    if name == "import" {
        let (_, matches) = matches.subcommand().expect("a subcommand is required");
        let text = |name| matches.get_one::<String>(name).expect("it is required").clone();
        let (file, into) = (text("file").into(), text("into").into());
        let (project, token) = (text("project"), text("token"));
        return Ok(Command::Import(Import { file, into, project, token }));
    }
    let settings = read(matches)?;
    Ok(match name {
        "serve" => Command::Serve(settings),
        "health" => Command::Health(settings),
        _ => {
            let mut settings = settings;
            if settings.log_level == "info" {
                // The table is what people look at; trouble is still said.
                settings.log_level = "warn".to_owned();
            }
            Command::Dev(settings, !matches.get_flag("no-traffic"))
        }
    })
}

fn command() -> Clap {
    let serve = Clap::new("serve").about("Follow the log, keep state, answer flags");
    let dev = Clap::new("dev")
        .about("The same with an embedded log and a shop full of imaginary visitors")
        .arg(
            Arg::new("no-traffic")
                .long("no-traffic")
                .action(ArgAction::SetTrue)
                .help("Start without the visitors"),
        );
    let check = Clap::new("check")
        .about("Check a folder of definitions, and the examples in it")
        .arg(Arg::new("folder").default_value("definitions").help("The folder"));
    let health = Clap::new("health").about("Ask this machine's node whether it is ready");
    Clap::new("sluice")
        .about("Gates features on what people are doing right now")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(serve))
        .subcommand(with_settings(dev))
        .subcommand(check)
        .subcommand(with_settings(health))
        .subcommand(explain())
        .subcommand(forget())
        .subcommand(import())
}

fn import() -> Clap {
    let arg = |name: &'static str| Arg::new(name).long(name).value_name("VALUE").required(true);
    let into = arg("into").required(false).default_value("definitions");
    let posthog = Clap::new("posthog")
        .about("PostHog's: the body of its `GET /flags/definitions`, saved as a file")
        .arg(Arg::new("file").required(true).help("The file"))
        .arg(arg("project").help("The project's name: a folder that isn't there yet"))
        .arg(arg("token").help("The project's token, as SDKs send it: phc_..."))
        .arg(into.help("The folder of definitions"));
    Clap::new("import")
        .about("Turn another service's definitions into files")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(posthog)
}

fn explain() -> Clap {
    let option = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name.replace('_', "-")).value_name("VALUE").help(help)
    };
    Clap::new("explain")
        .about("Ask a node why somebody gets what they get, and when that will change")
        .arg(option("project", "The project; the one that the secret opens, if it isn't given"))
        .arg(option("flag", "The flag's key").required_unless_present("cohort"))
        .arg(option("cohort", "The cohort's key").conflicts_with("flag"))
        .arg(option("distinct_id", "Whom it is about").required(true))
        .arg(option("person_properties", "What the asking code knows of them, a JSON object"))
        .arg(option("url", "Where the node answers").default_value("http://127.0.0.1:7070"))
        .arg(
            option("secret", "A secret of the project's")
                .env("SLUICE_SECRET")
                .hide_env_values(true)
                .required(true),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the answer as it is"),
        )
}

fn ask(matches: &ArgMatches) -> Ask {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let names = ["project", "flag", "cohort", "distinct_id", "person_properties"];
    Ask {
        url: given("url").unwrap_or_default(),
        secret: given("secret").unwrap_or_default(),
        parameters: names.into_iter().filter_map(|name| Some((name, given(name)?))).collect(),
        json: matches.get_flag("json"),
    }
}

fn forget() -> Clap {
    let arg = |name: &'static str| Arg::new(name).long(name).value_name("VALUE").required(true);
    let url = arg("url").required(false).default_value("http://127.0.0.1:7070");
    let secret = arg("secret").env("SLUICE_SECRET").hide_env_values(true);
    Clap::new("forget")
        .about("Have a running node delete a person, with every id that they are known by")
        .arg(arg("project").help("The project's name"))
        .arg(arg("distinct-id").help("One of the person's ids"))
        .arg(url.help("Where the node answers"))
        .arg(secret.help("A secret of the project's, as project.yaml has them"))
}

fn with_settings(command: Clap) -> Clap {
    let command = command
        .arg(
            Arg::new("config")
                .long("config")
                .env("SLUICE_CONFIG")
                .help("Settings file [default: sluice.toml, if it is there]"),
        )
        .arg(
            Arg::new("kafka-property")
                .long("kafka-property")
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .help("A librdkafka property, such as security.protocol=SSL"),
        );
    SETTINGS.iter().fold(command, |command, setting| {
        let mut arg = Arg::new(setting.key)
            .long(setting.key.replace('_', "-"))
            .value_name("VALUE")
            .help(format!("{} [default: {}]", setting.help, setting.default));
        if setting.key == "data_dir" {
            arg = arg.visible_alias("data");
        }
        command.arg(arg)
    })
}

fn read(matches: &ArgMatches) -> Result<Settings, Vec<String>> {
    let given = matches.get_one::<String>("config").map(PathBuf::from);
    let path = given.clone().unwrap_or_else(|| "sluice.toml".into());
    let file = match std::fs::read_to_string(&path) {
        Ok(text) => Some((path, text)),
        Err(_) if given.is_none() => None,
        Err(error) => return Err(vec![format!("{}: {error}", path.display())]),
    };
    let sources = Sources { file, environment: std::env::vars().collect(), flags: flags(matches)? };
    let read = settings::read(&sources)?;
    read.warnings.iter().for_each(|warning| eprintln!("sluice: {warning}"));
    Ok(read.settings)
}

fn flags(matches: &ArgMatches) -> Result<BTreeMap<String, String>, Vec<String>> {
    let mut flags = BTreeMap::new();
    for setting in SETTINGS {
        if let Some(value) = matches.get_one::<String>(setting.key) {
            flags.insert(setting.key.to_owned(), value.clone());
        }
    }
    for property in matches.get_many::<String>("kafka-property").into_iter().flatten() {
        let (name, value) = property
            .split_once('=')
            .ok_or_else(|| vec![format!("--kafka-property {property}: NAME=VALUE is wanted")])?;
        flags.insert(settings::property_key(name), value.to_owned());
    }
    Ok(flags)
}
