//! The `docker` program: a script that hands its arguments over and prints the answer. What Compose does is done to the world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Answer, FakeContainer, FakeNetwork, Fate, World, hash, image_id, lock};

/// What Docker says where the registry cannot be reached.
const NO_REGISTRY: &str = "Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: no such host";

/// Puts the program where `PATH` will lead.
pub(super) fn install(directory: &Path, port: u16) {
    let bin = directory.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = bin.join("docker");
    let text = format!(
        r#"#!/bin/bash
# Hands its call to the fake engine of a test.
input=
case " $* " in *" exec "*"-T "*) input=$(base64 -w0) ;; esac
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
{{ printf '%s\0' "$(($# + 2))" "$input" "$PWD" "$@"; }} >&3
IFS= read -r code <&3
while IFS= read -r line <&3; do
  case $line in
    1*) printf '%s\n' "${{line:1}}" ;;
    2*) printf '%s\n' "${{line:1}}" >&2 ;;
  esac
done
exit "$code"
"#
    );
    // One that may be on this host is not part of the play.
    let first_series = "#!/bin/sh\nexit 127\n".to_owned();
    for (path, text) in [(path, text), (bin.join("docker-compose"), first_series)] {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

pub(super) fn serve(connection: TcpStream, world: &Mutex<World>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut word = || {
        let mut bytes = Vec::new();
        reader.read_until(0, &mut bytes).ok()?;
        bytes.pop();
        String::from_utf8(bytes).ok()
    };
    let Some(count) = word().and_then(|text| text.parse::<usize>().ok()) else {
        return;
    };
    let Some(words) = (0..count).map(|_| word()).collect::<Option<Vec<_>>>() else {
        return;
    };
    let [input, directory, args @ ..] = words.as_slice() else {
        return;
    };
    let input = STANDARD.decode(input).unwrap();
    let answer = run(&mut lock(world), Path::new(directory), args, &input);
    let mut text = format!("{}\n", answer.code);
    for (mark, said) in [(1, &answer.out), (2, &answer.err)] {
        for line in said.lines() {
            let _ = writeln!(text, "{mark}{line}");
        }
    }
    let mut connection = connection;
    let _ = connection.write_all(text.as_bytes());
    let _ = connection.shutdown(std::net::Shutdown::Write);
    let _ = reader.read(&mut [0; 1]);
}

/// `NAME:/directory/.` to a directory that is there.
fn copy_out(world: &mut World, from: &str, to: &str) -> Answer {
    let (name, inside) = from.split_once(':').unwrap();
    let inside = inside.strip_suffix("/.").unwrap();
    let Some(there) = world.find(name) else {
        return Answer::failed(1, &format!("Error: No such container:path: {from}"));
    };
    let Some((_, files)) = there.inside.iter().find(|(path, _)| path == inside) else {
        let why = format!(
            "Error response from daemon: Could not find the file {inside} in container {name}"
        );
        return Answer::failed(1, &why);
    };
    let done = std::process::Command::new("/bin/cp")
        .args(["-a", &format!("{}/.", files.display()), to])
        .output()
        .unwrap();
    Answer::failed(
        i64::from(!done.status.success()),
        &String::from_utf8_lossy(&done.stderr),
    )
}

fn run(world: &mut World, directory: &Path, args: &[String], input: &[u8]) -> Answer {
    let what = format!("docker {}", args.join(" "));
    world.note(what.clone(), directory);
    if let Some(message) = world.failure(&what) {
        return Answer::failed(1, &message);
    }
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["compose", rest @ ..] => {
            if world.compose.is_none() {
                return Answer::failed(
                    1,
                    "docker: 'compose' is not a docker command.\nSee 'docker --help'",
                );
            }
            compose(world, directory, rest, input)
        }
        ["version" | "info", ..] => Answer::out(&world.version),
        ["--version"] => Answer::out(&format!("Docker version {}, build e6534b4", world.version)),
        ["inspect", "--format", "{{.State.Paused}}", name] => match world.find(name) {
            Some(there) => Answer::out(&(there.state == "paused").to_string()),
            None => Answer::failed(1, &format!("Error: No such object: {name}")),
        },
        ["unpause", name] => match world.find(name) {
            Some(there) if there.state == "paused" => {
                there.state = "running";
                Answer::out(name)
            }
            Some(there) => Answer::failed(
                1,
                &format!(
                    "Error response from daemon: Container {} is not paused",
                    there.id
                ),
            ),
            None => Answer::failed(
                1,
                &format!("Error response from daemon: No such container: {name}"),
            ),
        },
        ["rm", "--force", name] => {
            world.containers.retain(|there| there.name != *name);
            Answer::out(name)
        }
        ["cp", "--archive", from, to] => copy_out(world, from, to),
        ["pull", "--quiet", image] => {
            if !world.registry {
                return Answer::failed(1, &format!("Error response from daemon: {NO_REGISTRY}"));
            }
            pull(world, image);
            Answer::out(image)
        }
        ["network", "create", rest @ ..] => {
            let value = |name: &str| {
                let at = rest.iter().position(|word| *word == name)?;
                rest.get(at + 1).map(|value| (*value).to_owned())
            };
            let name = rest.last().copied().unwrap_or_default();
            if world.networks.iter().any(|one| one.name == name) {
                return Answer::failed(
                    1,
                    &format!("Error response from daemon: network with name {name} already exists"),
                );
            }
            world.networks.push(FakeNetwork {
                name: name.to_owned(),
                subnet: value("--subnet").unwrap_or_default(),
                gateway: value("--gateway"),
                range: value("--ip-range"),
                ..FakeNetwork::default()
            });
            Answer::out(name)
        }
        _ => Answer::failed(
            1,
            &format!("docker: the fake engine does not know `{what}`"),
        ),
    }
}

/// A Compose file, as far as the fake engine understands it.
struct Project {
    name: String,
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
}

struct Network {
    name: String,
    external: bool,
    internal: bool,
    subnet: String,
}

struct Service {
    container: String,
    image: String,
    environment: Vec<String>,
    networks: BTreeMap<String, String>,
    published: Vec<(String, u16, u16)>,
    mounts: Vec<(String, String)>,
    labels: BTreeMap<String, String>,
    needs: Vec<String>,
    hash: String,
}

impl Service {
    fn of(
        directory: &Path,
        project: &str,
        key: &str,
        value: &Value,
        settings: &BTreeMap<String, String>,
        networks: &BTreeMap<String, Network>,
    ) -> Self {
        let text = |name: &str| Some(interpolated(value[name].as_str()?, settings));
        let list = |name: &str| -> Vec<String> {
            let items = value[name].as_array().into_iter().flatten();
            items
                .filter_map(|one| Some(one.as_str()?.to_owned()))
                .collect()
        };
        let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut environment = BTreeMap::new();
        for file in list("env_file") {
            environment.extend(variables(&directory.join(file)));
        }
        for (name, value) in entries(&value["environment"]) {
            environment.insert(name.clone(), words(value));
        }
        let environment: Vec<String> = environment
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let joined = entries(&value["networks"])
            .filter_map(|(network, how)| {
                let address = how["ipv4_address"].as_str().unwrap_or("10.9.9.9");
                Some((networks.get(network)?.name.clone(), address.to_owned()))
            })
            .collect();
        let published = list("ports")
            .iter()
            .filter_map(|text| {
                let (rest, inside) = text.rsplit_once(':')?;
                let (address, port) = rest.rsplit_once(':').unwrap_or(("0.0.0.0", rest));
                let address = address.trim_matches(['[', ']']).to_owned();
                Some((address, port.parse().ok()?, inside.parse().ok()?))
            })
            .collect();
        let mounts = list("volumes")
            .iter()
            .filter_map(|text| {
                let mut parts = text.split(':');
                let source = directory.join(parts.next()?.trim_start_matches("./"));
                Some((source.display().to_string(), parts.next()?.to_owned()))
            })
            .collect();
        let image = text("image").unwrap_or_default();
        Self {
            container: text("container_name").unwrap_or_else(|| format!("{project}-{key}-1")),
            hash: hash(&[&value.to_string(), &image, &environment.join("\n")]),
            image,
            environment,
            networks: joined,
            published,
            mounts,
            labels: entries(&value["labels"])
                .map(|(name, value)| (name.clone(), words(value)))
                .collect(),
            needs: list("depends_on"),
        }
    }
}

/// `NAME=VALUE` lines of an environment file, quotes taken off.
fn variables(path: &Path) -> BTreeMap<String, String> {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let bare = value
                .strip_prefix('\'')
                .and_then(|v| v.strip_suffix('\''))
                .or_else(|| value.strip_prefix('"').and_then(|v| v.strip_suffix('"')));
            (name.trim().to_owned(), bare.unwrap_or(value).to_owned())
        })
        .collect()
}

/// `${NAME:-default}` and `${NAME}`.
fn interpolated(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            break;
        };
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        let value = variables.get(name).filter(|value| !value.is_empty());
        out.push_str(value.map_or(default, String::as_str));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands in a mapping; nothing for anything else.
fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

impl Project {
    fn read(directory: &Path, name: Option<&str>) -> Result<Self, Answer> {
        let Ok(text) = std::fs::read_to_string(directory.join("docker-compose.yml")) else {
            return Err(Answer::failed(
                14,
                "no configuration file provided: not found",
            ));
        };
        let settings = variables(&directory.join(".env"));
        let mut document = crate::yaml::parse(&text);
        let more = std::fs::read_to_string(directory.join("docker-compose.override.yml"));
        let more = crate::yaml::parse(more.as_deref().unwrap_or("services: {}"));
        for (service, keys) in entries(&more["services"]) {
            for (key, value) in entries(keys) {
                document["services"][service][key] = value.clone();
            }
        }
        let directory_name = directory.file_name().unwrap_or_default().to_string_lossy();
        let name = name
            .map(str::to_owned)
            .or_else(|| settings.get("COMPOSE_PROJECT_NAME").cloned())
            .unwrap_or_else(|| directory_name.replace('.', ""));
        let networks: BTreeMap<String, Network> = entries(&document["networks"])
            .map(|(key, value)| {
                let on_host = value["name"].as_str();
                let network = Network {
                    name: on_host.map_or_else(|| format!("{name}_{key}"), str::to_owned),
                    external: value["external"].as_bool().unwrap_or_default(),
                    internal: value["internal"].as_bool().unwrap_or_default(),
                    subnet: value["ipam"]["config"][0]["subnet"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                };
                (key.clone(), network)
            })
            .collect();
        let services = entries(&document["services"])
            .map(|(key, value)| {
                (
                    key.clone(),
                    Service::of(directory, &name, key, value, &settings, &networks),
                )
            })
            .collect();
        Ok(Self {
            name,
            services,
            networks,
        })
    }

    /// The named services, or all of them; with what they depend on if `deep`.
    fn chosen(&self, names: &[&str], deep: bool) -> Result<Vec<&str>, Answer> {
        let mut out: BTreeSet<&str> = BTreeSet::new();
        let mut todo: Vec<&str> = if names.is_empty() {
            self.services.keys().map(String::as_str).collect()
        } else {
            names.to_vec()
        };
        while let Some(name) = todo.pop() {
            let Some((key, service)) = self.services.get_key_value(name) else {
                return Err(Answer::failed(1, &format!("no such service: {name}")));
            };
            if out.insert(key) && deep {
                todo.extend(service.needs.iter().map(String::as_str));
            }
        }
        Ok(out.into_iter().collect())
    }
}

/// `docker compose`
fn compose(world: &mut World, directory: &Path, words: &[&str], input: &[u8]) -> Answer {
    let mut words = words.iter().copied();
    let mut project = None;
    let verb = loop {
        match words.next() {
            Some("-p" | "--project-name") => project = words.next(),
            Some("--ansi" | "--progress" | "-f" | "--file" | "--profile" | "--env-file") => {
                words.next();
            }
            Some(flag) if flag.starts_with('-') => {}
            Some(verb) => break verb,
            None => return Answer::failed(1, "Usage:  docker compose [OPTIONS] COMMAND"),
        }
    };
    let rest: Vec<&str> = words.collect();
    let version = world.compose.clone().unwrap_or_default();
    if verb == "version" {
        return Answer::out(&if rest.contains(&"--short") {
            version
        } else {
            format!("Docker Compose version v{version}")
        });
    }
    let project = match Project::read(directory, project) {
        Ok(project) => project,
        Err(answer) => return answer,
    };
    let said = perform(world, &project, verb, &rest, input);
    said.unwrap_or_else(|answer| answer)
}

/// The words of a call that are no options.
fn operands<'a>(words: &[&'a str]) -> Vec<&'a str> {
    const WITH_VALUE: [&str; 9] = [
        "-t",
        "--timeout",
        "--pull",
        "--format",
        "--user",
        "-u",
        "-e",
        "-w",
        "--wait-timeout",
    ];
    let mut out = Vec::new();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        if word == "--" {
            continue;
        }
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            out.push(word);
        }
    }
    out
}

fn perform(
    world: &mut World,
    project: &Project,
    verb: &str,
    words: &[&str],
    input: &[u8],
) -> Result<Answer, Answer> {
    let has = |flag: &str| words.contains(&flag);
    let names = operands(words);
    let mut said = Answer::default();
    match verb {
        "config" => {
            if let Some(of) = words.iter().find_map(|word| {
                word.strip_prefix("--hash")
                    .map(|v| v.trim_start_matches('='))
            }) {
                let of = if of.is_empty() {
                    names.first().copied().unwrap_or("*")
                } else {
                    of
                };
                for (name, service) in &project.services {
                    if of == "*" || of.split(',').any(|one| one == name) {
                        let _ = writeln!(said.out, "{name} {}", service.hash);
                    }
                }
            } else if has("--services") {
                said.out = project
                    .services
                    .keys()
                    .fold(String::new(), |all, name| all + name + "\n");
            } else if has("--images") {
                said.out = project
                    .services
                    .values()
                    .fold(String::new(), |all, one| all + &one.image + "\n");
            }
        }
        "pull" => {
            for name in project.chosen(&names, false)? {
                let Some(service) = project.services.get(name) else {
                    continue;
                };
                let _ = writeln!(said.err, " {name} Pulling ");
                if !world.registry {
                    let _ = writeln!(said.err, " {name} Error {NO_REGISTRY}");
                    said.code = 18;
                    return Err(said);
                }
                pull(world, &service.image);
                let _ = writeln!(said.err, " {name} Pulled ");
            }
        }
        "up" | "create" => {
            let names = project.chosen(&names, !has("--no-deps"))?;
            make_networks(world, project, &mut said)?;
            for name in &names {
                let anew = if has("--no-recreate") {
                    Some(false)
                } else {
                    has("--force-recreate").then_some(true)
                };
                make(world, project, name, anew, &mut said)?;
            }
            if has("--remove-orphans") {
                let orphan = |one: &FakeContainer| {
                    one.label("project") == Some(&project.name)
                        && one
                            .label("service")
                            .is_none_or(|service| !project.services.contains_key(service))
                };
                world.containers.retain(|one| !orphan(one));
            }
            if verb == "up" && !has("--no-start") {
                start(world, project, &names, &mut said)?;
            }
        }
        "start" | "restart" | "stop" | "kill" => {
            let names = project.chosen(&names, verb == "start")?;
            for name in &names {
                let of = |one: &&mut FakeContainer| {
                    one.label("project") == Some(&project.name)
                        && one.label("service") == Some(name)
                };
                let Some(there) = world.containers.iter_mut().find(of) else {
                    if verb == "start" {
                        return Err(Answer::failed(
                            1,
                            &format!("service \"{name}\" has no container to start"),
                        ));
                    }
                    continue;
                };
                if verb != "start" && there.is_running() {
                    there.exit_code = if verb == "kill" { 137 } else { 0 };
                    there.end("exited");
                    let _ = writeln!(said.err, " Container {}  Stopped", there.name);
                }
            }
            if matches!(verb, "start" | "restart") {
                start(world, project, &names, &mut said)?;
            }
        }
        "rm" | "down" => {
            let names = project.chosen(&names, false)?;
            let goes = |one: &FakeContainer| {
                one.label("project") == Some(&project.name)
                    && (has("--remove-orphans")
                        || one
                            .label("service")
                            .is_some_and(|service| names.contains(&service)))
                    && (verb == "down" || has("-s") || has("--stop") || !one.is_running())
            };
            for one in world.containers.iter().filter(|one| goes(one)) {
                let _ = writeln!(said.err, " Container {}  Removed", one.name);
            }
            world.containers.retain(|one| !goes(one));
            if verb == "down" {
                for network in project.networks.values().filter(|one| !one.external) {
                    if world
                        .containers
                        .iter()
                        .any(|one| one.networks.contains_key(&network.name))
                    {
                        let _ = writeln!(
                            said.err,
                            " Network {}  Resource is still in use",
                            network.name
                        );
                    } else if world.networks.iter().any(|one| one.name == network.name) {
                        let _ = writeln!(said.err, " Network {}  Removed", network.name);
                        world.networks.retain(|one| one.name != network.name);
                    }
                }
            }
        }
        "exec" => {
            // Options end at the service; what follows is the program's.
            let Some(at) = words.iter().position(|word| !word.starts_with('-')) else {
                return Err(Answer::failed(1, "requires at least 2 arg(s)"));
            };
            let (Some(service), command) = (words.get(at), words.get(at + 1..).unwrap_or_default())
            else {
                return Err(Answer::failed(1, "requires at least 2 arg(s)"));
            };
            project.chosen(&[service], false)?;
            let container = world
                .containers
                .iter()
                .find(|one| {
                    one.label("project") == Some(&project.name)
                        && one.label("service") == Some(service)
                })
                .filter(|one| one.is_running())
                .map(|one| one.name.clone());
            let Some(container) = container else {
                return Err(Answer::failed(
                    1,
                    &format!("service \"{service}\" is not running"),
                ));
            };
            let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
            return Ok(world.run(&container, &command, input));
        }
        "ps" => {
            for one in world
                .containers
                .iter()
                .filter(|one| one.label("project") == Some(&project.name))
            {
                if has("-q") {
                    let _ = writeln!(said.out, "{}", one.id);
                } else {
                    let row = serde_json::json!({
                        "ID": one.id, "Name": one.name, "Project": project.name, "Service": one.label("service"),
                        "State": one.state, "Health": one.health.unwrap_or_default(), "ExitCode": one.exit_code, "Image": one.image,
                    });
                    let _ = writeln!(said.out, "{row}");
                }
            }
        }
        _ => {
            return Err(Answer::failed(
                1,
                &format!("unknown docker command: \"compose {verb}\""),
            ));
        }
    }
    Ok(said)
}

fn pull(world: &mut World, image: &str) {
    let name = image.split(':').next().unwrap_or_default();
    let entry = (image_id(image), vec![format!("{name}@{}", image_id(image))]);
    world.images.entry(image.to_owned()).or_insert(entry);
}

fn make_networks(world: &mut World, project: &Project, said: &mut Answer) -> Result<(), Answer> {
    for (key, network) in &project.networks {
        let there = world.networks.iter().any(|one| one.name == network.name);
        if there {
            continue;
        }
        if network.external {
            return Err(Answer::failed(
                1,
                &format!(
                    "network {} declared as external, but could not be found",
                    network.name
                ),
            ));
        }
        let _ = writeln!(said.err, " Network {}  Created", network.name);
        world.networks.push(FakeNetwork {
            name: network.name.clone(),
            subnet: network.subnet.clone(),
            internal: network.internal,
            labels: [("project", project.name.as_str()), ("network", key)]
                .map(|(name, value)| (format!("com.docker.compose.{name}"), value.to_owned()))
                .into(),
            ..FakeNetwork::default()
        });
    }
    Ok(())
}

fn make(
    world: &mut World,
    project: &Project,
    name: &str,
    anew: Option<bool>,
    said: &mut Answer,
) -> Result<(), Answer> {
    let Some(service) = project.services.get(name) else {
        return Ok(());
    };
    if !world.images.contains_key(&service.image) {
        if !world.registry {
            said.code = 1;
            let _ = writeln!(said.err, " {name} Error {NO_REGISTRY}");
            return Err(said.clone());
        }
        pull(world, &service.image);
    }
    let image = world.images[&service.image].0.clone();
    let mut verb = "Created";
    if let Some(there) = world.find(&service.container) {
        if there.label("project") != Some(&project.name) {
            said.code = 1;
            let _ = writeln!(
                said.err,
                "Error response from daemon: Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to remove (or rename) that container to be able to reuse that name.",
                service.container, there.id
            );
            return Err(said.clone());
        }
        let same = there.label("config-hash") == Some(&service.hash) && there.image_id == image;
        if !anew.unwrap_or(!same) {
            return Ok(());
        }
        let id = there.id.clone();
        world.containers.retain(|one| one.id != id);
        verb = "Recreated";
    }
    let _ = writeln!(said.err, " Container {}  {verb}", service.container);
    let mut new = FakeContainer::of(&project.name, name, &service.image);
    new.name.clone_from(&service.container);
    new.image_id = image;
    new.state = "created";
    "0001-01-01T00:00:00Z".clone_into(&mut new.started);
    new.environment.clone_from(&service.environment);
    new.networks.clone_from(&service.networks);
    new.published.clone_from(&service.published);
    new.mounts.clone_from(&service.mounts);
    new.labels.extend(service.labels.clone());
    new.labels.insert(
        "com.docker.compose.config-hash".to_owned(),
        service.hash.clone(),
    );
    // Redis has no health check of its own.
    new.health = (name != "redis").then_some("starting");
    new.network_mode = service.networks.keys().next().cloned().unwrap_or_default();
    let fate = world.fates_of.get(&service.image);
    new.fate = fate
        .or_else(|| world.fates.get(name))
        .cloned()
        .unwrap_or(Fate::Well);
    world.insert(new);
    Ok(())
}

fn start(
    world: &mut World,
    project: &Project,
    names: &[&str],
    said: &mut Answer,
) -> Result<(), Answer> {
    for name in names {
        let Some(there) = project
            .services
            .get(*name)
            .and_then(|one| world.find(&one.container))
        else {
            continue;
        };
        if there.is_running() {
            let _ = writeln!(said.err, " Container {}  Running", there.name);
            continue;
        }
        let name = there.name.clone();
        if let Some(error) = world.begin(&name) {
            said.code = 1;
            let _ = writeln!(said.err, "Error response from daemon: {error}");
            return Err(said.clone());
        }
        let _ = writeln!(said.err, " Container {name}  Started");
    }
    Ok(())
}

/// What `docker compose up -d` in `directory` does, with every image and network that it needs.
pub(super) fn bring_up(world: &mut World, directory: &Path) {
    let project = Project::read(directory, None).unwrap_or_else(|answer| panic!("{answer:?}"));
    let external: Vec<&Network> = project
        .networks
        .values()
        .filter(|one| one.external)
        .collect();
    for network in external {
        if !world.networks.iter().any(|one| one.name == network.name) {
            world.networks.push(FakeNetwork {
                name: network.name.clone(),
                subnet: "10.203.255.0/24".to_owned(),
                gateway: Some("10.203.255.1".to_owned()),
                range: Some("10.203.255.64/26".to_owned()),
                ..FakeNetwork::default()
            });
        }
    }
    perform(world, &project, "up", &["-d"], &[]).unwrap_or_else(|answer| panic!("{answer:?}"));
}
