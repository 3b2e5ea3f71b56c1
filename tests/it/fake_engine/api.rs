//! Docker's API, as far as it is used: the paths, the shapes and the status codes of the real one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Exec, FakeContainer, FakeLine, FakeNetwork, World, lock};

struct Request {
    method: String,
    /// Without the version.
    path: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn read(from: &mut BufReader<UnixStream>) -> Option<Self> {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let method = words.next()?.to_owned();
        let target = words.next()?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            from.read_line(&mut header).ok()?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let path = match path
            .strip_prefix("/v1.")
            .and_then(|rest| rest.split_once('/'))
        {
            Some((_, rest)) => format!("/{rest}"),
            None => path.to_owned(),
        };
        Some(Self {
            method,
            path: path.replace("%2F", "/").replace("%3A", ":"),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body,
        })
    }

    fn is(&self, name: &str) -> bool {
        self.query
            .get(name)
            .is_some_and(|value| matches!(value.as_str(), "1" | "true"))
    }

    fn filters(&self, name: &str) -> Vec<String> {
        let all: Value = self
            .query
            .get("filters")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        match &all[name] {
            Value::Array(list) => list
                .iter()
                .filter_map(|one| Some(one.as_str()?.to_owned()))
                .collect(),
            Value::Object(map) => map.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

enum Reply {
    Json(u16, Value),
    Nothing(u16),
    Text(String),
}

fn absent(what: &str, name: &str) -> Reply {
    Reply::Json(404, json!({ "message": format!("No such {what}: {name}") }))
}

pub(super) fn serve(connection: UnixStream, world: &Mutex<World>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut writer = connection;
    let Some(request) = Request::read(&mut reader) else {
        return;
    };
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    // A client that has gone away is none of our business.
    let _ = match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["containers", name, "logs"]) => logs(&mut writer, world, name, &request),
        ("GET", ["containers", name, "stats"]) => stats(&mut writer, world, name),
        ("GET", ["events"]) => events(&mut writer),
        ("POST", ["exec", id, "start"]) => execute(&mut reader, &mut writer, world, id),
        _ => {
            let reply = answer(&mut lock(world), &request, &parts);
            send(&mut writer, reply)
        }
    };
}

fn send(to: &mut impl Write, reply: Reply) -> std::io::Result<()> {
    let (status, kind, body) = match reply {
        Reply::Json(status, value) => (status, "application/json", value.to_string()),
        Reply::Nothing(status) => (status, "", String::new()),
        Reply::Text(text) => (200, "text/plain; charset=utf-8", text),
    };
    let kind = if kind.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {kind}\r\n")
    };
    // Without a content these have no length either.
    let length = if matches!(status, 204 | 304) {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    write!(
        to,
        "HTTP/1.1 {status} X\r\nApi-Version: 1.50\r\n{kind}{length}Connection: close\r\n\r\n{body}"
    )
}

fn answer(world: &mut World, request: &Request, parts: &[&str]) -> Reply {
    if request.method != "GET" {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&request.query);
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let what = format!("{} {}{mark}{query}", request.method, request.path);
        // What is run is noted when it runs.
        if parts.last() != Some(&"exec") {
            world.note(what.clone(), Path::new(""));
        }
        if let Some(message) = world.failure(&what) {
            return Reply::Json(500, json!({ "message": message }));
        }
    } else if let Some(message) = world.failure(&format!("GET {}", request.path)) {
        return Reply::Json(500, json!({ "message": message }));
    }
    match (request.method.as_str(), parts) {
        (_, ["_ping"]) => Reply::Text("OK".to_owned()),
        ("GET", ["version"]) => Reply::Json(
            200,
            json!({
                "Platform": { "Name": "Docker Engine - Community" },
                "Version": world.version, "ApiVersion": "1.50", "MinAPIVersion": "1.24",
                "Os": "linux", "Arch": "amd64", "KernelVersion": "6.12.0", "GoVersion": "go1.24.3",
                "GitCommit": "45873be", "BuildTime": "2025-05-30T12:00:00.000000000+00:00",
                "Components": [],
            }),
        ),
        ("GET", ["info"]) => Reply::Json(
            200,
            json!({
                "ID": "fake", "Name": "fake", "ServerVersion": world.version, "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
                "OSType": "linux", "Architecture": "x86_64", "NCPU": 2, "MemTotal": 8_u64 << 30,
                "DockerRootDir": "/var/lib/docker", "Driver": "overlay2", "LoggingDriver": "json-file", "CgroupVersion": "2",
                "Containers": world.containers.len(), "Images": world.images.len(),
            }),
        ),
        ("GET", ["containers", "json"]) => {
            let (labels, names) = (request.filters("label"), request.filters("name"));
            let networks = request.filters("network");
            let fits = |there: &&FakeContainer| {
                (request.is("all") || there.is_running())
                    && labels.iter().all(|wanted| match wanted.split_once('=') {
                        Some((key, value)) => there.labels.get(key).is_some_and(|v| v == value),
                        None => there.labels.contains_key(wanted),
                    })
                    && (names.is_empty()
                        || names
                            .iter()
                            .any(|name| there.name.contains(name.trim_matches(['/', '^', '$']))))
                    && (networks.is_empty()
                        || networks
                            .iter()
                            .any(|name| there.networks.contains_key(name)))
            };
            let all = world.containers.iter().filter(fits).map(summary).collect();
            Reply::Json(200, Value::Array(all))
        }
        ("GET", ["containers", name, "json"]) => match world.find(name) {
            Some(there) => {
                there.looked_at();
                let mut shown = inspect(there);
                let name = there.name.clone();
                let of_it = world
                    .execs
                    .iter()
                    .filter(|(_, exec)| exec.container == name);
                let ids: Vec<&String> = of_it.map(|(id, _)| id).collect();
                // Docker keeps those that have ended for a while.
                shown["ExecIDs"] = if ids.is_empty() {
                    Value::Null
                } else {
                    json!(ids)
                };
                Reply::Json(200, shown)
            }
            None => absent("container", name),
        },
        (
            "POST",
            [
                "containers",
                name,
                verb @ ("start" | "stop" | "restart" | "kill" | "pause" | "unpause"),
            ],
        ) => {
            let Some(there) = world.find(name) else {
                return absent("container", name);
            };
            let paused = there.state == "paused";
            let refused = match *verb {
                "pause" if paused => Some("Container is already paused"),
                "pause" if there.state == "restarting" => {
                    Some("Container is restarting, wait until the container is running")
                }
                "pause" if !there.is_running() => Some("Container is not running"),
                "unpause" if !paused => Some("Container is not paused"),
                "start" if paused => Some("cannot start a paused container, try unpause instead"),
                _ => None,
            };
            if let Some(why) = refused {
                let text = why.replace("Container", &format!("Container {}", there.id));
                return Reply::Json(409, json!({ "message": text }));
            }
            match *verb {
                "pause" => there.state = "paused",
                "unpause" => there.state = "running",
                "start" if there.is_running() => return Reply::Nothing(304),
                "stop" if !there.is_running() => return Reply::Nothing(304),
                "stop" => {
                    there.exit_code = 0;
                    there.end("exited");
                }
                "kill" if !there.is_running() => {
                    let text = format!("container {} is not running", there.id);
                    return Reply::Json(409, json!({ "message": text }));
                }
                // What a program does with this one is its own affair.
                "kill"
                    if request
                        .query
                        .get("signal")
                        .is_some_and(|one| one == "SIGHUP") => {}
                "kill" => {
                    there.exit_code = 137;
                    there.end("exited");
                }
                _ => {
                    if let Some(error) = world.begin(name) {
                        return Reply::Json(500, json!({ "message": error }));
                    }
                }
            }
            Reply::Nothing(204)
        }
        ("DELETE", ["containers", name]) => {
            let Some(there) = world.find(name) else {
                return absent("container", name);
            };
            if there.is_running() && !request.is("force") {
                let text = format!(
                    "cannot remove container \"/{}\": container is running: stop the container before removing or force remove",
                    there.name
                );
                return Reply::Json(409, json!({ "message": text }));
            }
            let id = there.id.clone();
            world.containers.retain(|one| one.id != id);
            Reply::Nothing(204)
        }
        ("POST", ["containers", name, "exec"]) => {
            let Some(there) = world.find(name) else {
                return absent("container", name);
            };
            if there.state != "running" {
                let text = format!("container {} is not running", there.id);
                return Reply::Json(409, json!({ "message": text }));
            }
            let container = there.name.clone();
            let wish: Value = serde_json::from_slice(&request.body).unwrap();
            world.count += 1;
            let id = format!("{:064x}", world.count);
            let command = wish["Cmd"].as_array().into_iter().flatten();
            world.execs.insert(
                id.clone(),
                Exec {
                    container,
                    command: command
                        .filter_map(|one| Some(one.as_str()?.to_owned()))
                        .collect(),
                    stdin: wish["AttachStdin"].as_bool().unwrap_or_default(),
                    started: false,
                    code: None,
                },
            );
            Reply::Json(201, json!({ "Id": id }))
        }
        ("GET", ["exec", id, "json"]) => match world.execs.get(*id) {
            Some(exec) => Reply::Json(
                200,
                json!({
                    "ID": id, "Running": exec.started && exec.code.is_none(), "ExitCode": exec.code, "ContainerID": exec.container,
                    "OpenStdin": exec.stdin, "OpenStdout": true, "OpenStderr": true, "CanRemove": false, "DetachKeys": "", "Pid": 42,
                    "ProcessConfig": { "tty": false, "entrypoint": exec.command.first(), "arguments": exec.command.get(1..), "privileged": false },
                }),
            ),
            None => absent("exec instance", id),
        },
        ("GET", ["images", "json"]) => {
            let all = world.images.iter().map(|(name, (id, digests))| {
                json!({
                    "Id": id, "RepoTags": [name], "RepoDigests": digests, "ParentId": "", "Created": 1_760_000_000,
                    "Size": 1000, "SharedSize": -1, "Labels": {}, "Containers": -1,
                })
            });
            Reply::Json(200, all.collect())
        }
        ("GET", ["images", name @ .., "json"]) => {
            let name = name.join("/");
            let found = world
                .images
                .iter()
                .find(|(own, (id, _))| **own == name || *id == name);
            match found {
                Some((own, (id, digests))) => Reply::Json(
                    200,
                    json!({
                        "Id": id, "RepoTags": [own], "RepoDigests": digests, "Created": "2026-07-26T10:00:00Z",
                        "Architecture": "amd64", "Os": "linux", "Size": 1000,
                        "Config": { "Labels": {} }, "RootFS": { "Type": "layers", "Layers": [] },
                    }),
                ),
                None => Reply::Json(404, json!({ "message": format!("No such image: {name}") })),
            }
        }
        ("GET", ["networks"]) => Reply::Json(
            200,
            world.networks.iter().map(|one| network(one, &[])).collect(),
        ),
        ("GET", ["networks", name]) => match world.networks.iter().find(|one| one.name == *name) {
            Some(there) => Reply::Json(200, network(there, &world.containers)),
            None => Reply::Json(
                404,
                json!({ "message": format!("network {name} not found") }),
            ),
        },
        ("POST", ["networks", "create"]) => {
            let wish: Value = serde_json::from_slice(&request.body).unwrap();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let name = text(&wish["Name"]).unwrap_or_default();
            if world.networks.iter().any(|one| one.name == name) {
                let text = format!("network with name {name} already exists");
                return Reply::Json(409, json!({ "message": text }));
            }
            let config = &wish["IPAM"]["Config"][0];
            let labels = wish["Labels"].as_object().into_iter().flatten();
            world.networks.push(FakeNetwork {
                subnet: text(&config["Subnet"]).unwrap_or_default(),
                gateway: text(&config["Gateway"]),
                range: text(&config["IPRange"]),
                internal: wish["Internal"].as_bool().unwrap_or_default(),
                labels: labels
                    .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
                    .collect(),
                name: name.clone(),
            });
            Reply::Json(201, json!({ "Id": name, "Warning": "" }))
        }
        ("DELETE", ["networks", name]) => {
            if !world.networks.iter().any(|one| one.name == *name) {
                return Reply::Json(
                    404,
                    json!({ "message": format!("network {name} not found") }),
                );
            }
            if world
                .containers
                .iter()
                .any(|one| one.is_running() && one.networks.contains_key(*name))
            {
                let text =
                    format!("error while removing network: network {name} has active endpoints");
                return Reply::Json(403, json!({ "message": text }));
            }
            world.networks.retain(|one| one.name != *name);
            Reply::Nothing(204)
        }
        _ => Reply::Json(404, json!({ "message": "page not found" })),
    }
}

fn ports(there: &FakeContainer) -> Value {
    let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (address, port, inside) in there.published.iter().filter(|_| there.is_running()) {
        out.entry(format!("{inside}/tcp"))
            .or_default()
            .push(json!({ "HostIp": address, "HostPort": port.to_string() }));
    }
    json!(out)
}

fn endpoints(there: &FakeContainer) -> Value {
    let of = |(name, address): (&String, &String)| {
        // Only a running container has an address.
        let address = if there.is_running() {
            address.as_str()
        } else {
            ""
        };
        (
            name.clone(),
            json!({
                "NetworkID": name, "EndpointID": "", "Gateway": "", "IPAddress": address, "IPPrefixLen": 24,
                "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "MacAddress": "", "Aliases": null, "DNSNames": [there.name],
            }),
        )
    };
    Value::Object(there.networks.iter().map(of).collect())
}

fn summary(there: &FakeContainer) -> Value {
    let ports: Vec<Value> = there
        .published
        .iter()
        .map(|(address, port, inside)| json!({ "IP": address, "PrivatePort": inside, "PublicPort": port, "Type": "tcp" }))
        .collect();
    json!({
        "Id": there.id, "Names": [format!("/{}", there.name)], "Image": there.image, "ImageID": there.image_id,
        "Command": there.command.join(" "), "Created": 1_760_000_000, "Ports": ports, "Labels": there.labels,
        "State": there.state, "Status": there.state, "HostConfig": { "NetworkMode": there.network_mode },
        "NetworkSettings": { "Networks": endpoints(there) }, "Mounts": [],
    })
}

fn inspect(there: &FakeContainer) -> Value {
    let mounts: Vec<Value> = there
        .mounts
        .iter()
        .map(|(source, target)| json!({ "Type": "bind", "Source": source, "Destination": target, "Mode": "rw", "RW": true, "Propagation": "rprivate" }))
        .collect();
    let running = there.state == "running";
    let mut state = json!({
        "Status": there.state, "Running": there.is_running(), "Paused": there.state == "paused", "Restarting": there.state == "restarting",
        "OOMKilled": there.out_of_memory, "Dead": there.state == "dead", "Pid": if running { 4242 } else { 0 }, "ExitCode": there.exit_code,
        "Error": there.error, "StartedAt": there.started, "FinishedAt": there.finished,
    });
    if let Some(health) = there.health {
        let failing = health == "unhealthy";
        state["Health"] = json!({
            "Status": health, "FailingStreak": if failing { 3 } else { 0 },
            "Log": [{ "Start": there.started, "End": there.started, "ExitCode": i32::from(failing), "Output": there.health_output }],
        });
    }
    json!({
        "Id": there.id, "Created": there.created, "Path": there.command.first(), "Args": there.command.get(1..).unwrap_or_default(),
        "State": state, "Image": there.image_id, "Name": format!("/{}", there.name), "RestartCount": there.restarts,
        "Driver": "overlay2", "Platform": "linux", "LogPath": "",
        "HostConfig": {
            "NetworkMode": there.network_mode, "RestartPolicy": { "Name": "unless-stopped", "MaximumRetryCount": 0 },
            "LogConfig": { "Type": "json-file", "Config": {} },
        },
        "Mounts": mounts,
        "Config": {
            "Hostname": there.name, "User": "", "Env": there.environment, "Cmd": there.command, "Image": there.image, "WorkingDir": "/app",
            "Entrypoint": null, "Labels": there.labels, "Tty": false, "OpenStdin": false, "StdinOnce": false,
            "AttachStdin": false, "AttachStdout": true, "AttachStderr": true,
        },
        "NetworkSettings": { "Ports": ports(there), "Networks": endpoints(there), "SandboxID": "", "SandboxKey": "" },
    })
}

fn network(there: &FakeNetwork, containers: &[FakeContainer]) -> Value {
    let mut config = json!({ "Subnet": there.subnet });
    if let Some(gateway) = &there.gateway {
        config["Gateway"] = json!(gateway);
    }
    if let Some(range) = &there.range {
        config["IPRange"] = json!(range);
    }
    let inside: serde_json::Map<String, Value> = containers
        .iter()
        .filter(|one| one.is_running())
        .filter_map(|one| {
            let address = one.networks.get(&there.name)?;
            Some((
                one.id.clone(),
                json!({ "Name": one.name, "EndpointID": "", "MacAddress": "", "IPv4Address": format!("{address}/24"), "IPv6Address": "" }),
            ))
        })
        .collect();
    json!({
        "Name": there.name, "Id": there.name, "Created": "2026-01-01T00:00:00Z", "Scope": "local", "Driver": "bridge",
        "EnableIPv4": true, "EnableIPv6": false, "Internal": there.internal, "Attachable": false, "Ingress": false, "ConfigOnly": false,
        "IPAM": { "Driver": "default", "Options": {}, "Config": if there.subnet.is_empty() { json!([]) } else { json!([config]) } },
        "Containers": inside, "Options": {}, "Labels": there.labels,
    })
}

fn chunked(to: &mut impl Write, kind: &str) -> std::io::Result<()> {
    write!(
        to,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
}

fn chunk(to: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    write!(to, "{:x}\r\n", bytes.len())?;
    to.write_all(bytes)?;
    to.write_all(b"\r\n")?;
    to.flush()
}

/// Docker's frame for a stream of a container without a terminal.
fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![stream, 0, 0, 0];
    out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
    out
}

fn logs(
    to: &mut UnixStream,
    world: &Mutex<World>,
    name: &str,
    request: &Request,
) -> std::io::Result<()> {
    let Some(id) = lock(world).find(name).map(|there| there.id.clone()) else {
        return send(to, absent("container", name));
    };
    chunked(to, "application/vnd.docker.multiplexed-stream")?;
    let seconds = |name: &str| {
        let text = request.query.get(name)?.split('.').next()?;
        text.parse::<i64>().ok().filter(|n| *n > 0)
    };
    let (since, until) = (seconds("since"), seconds("until"));
    let tail = request
        .query
        .get("tail")
        .and_then(|n| n.parse::<usize>().ok());
    let fits = |line: &&FakeLine| {
        let at = line.at.parse::<jiff::Timestamp>().unwrap().as_second();
        since.is_none_or(|since| at >= since)
            && until.is_none_or(|until| at <= until)
            && request.is(if line.stream == 2 { "stderr" } else { "stdout" })
    };
    let mut sent = None;
    loop {
        let (lines, total, over) = match lock(world).find(&id) {
            Some(there) => {
                let first = sent.unwrap_or(0);
                let new = there.log.get(first..).unwrap_or_default();
                let mut lines: Vec<FakeLine> = new.iter().filter(fits).cloned().collect();
                if let (None, Some(tail)) = (sent, tail) {
                    lines.drain(..lines.len().saturating_sub(tail));
                }
                (lines, there.log.len(), !there.is_running())
            }
            None => (Vec::new(), 0, true),
        };
        sent = Some(total);
        for line in lines {
            let text = if request.is("timestamps") {
                format!("{} {}\n", line.at, line.text)
            } else {
                format!("{}\n", line.text)
            };
            chunk(to, &frame(line.stream, text.as_bytes()))?;
        }
        if over || !request.is("follow") {
            return to.write_all(b"0\r\n\r\n");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn stats(to: &mut UnixStream, world: &Mutex<World>, name: &str) -> std::io::Result<()> {
    let reading = match lock(world).find(name) {
        Some(there) if there.is_running() => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number"
            )]
            let used = (there.cpu * 5_000_000.0) as u64;
            json!({
                "id": there.id, "name": format!("/{}", there.name), "read": super::now(), "preread": super::now(), "num_procs": 0,
                "pids_stats": { "current": 5, "limit": 9000 }, "blkio_stats": {}, "storage_stats": {}, "networks": {},
                "cpu_stats": {
                    "cpu_usage": { "total_usage": 7_000_000_000_u64 + used, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
                    "system_cpu_usage": 91_000_000_000_u64, "online_cpus": 2, "throttling_data": {},
                },
                "precpu_stats": {
                    "cpu_usage": { "total_usage": 7_000_000_000_u64, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
                    "system_cpu_usage": 90_000_000_000_u64, "online_cpus": 2, "throttling_data": {},
                },
                "memory_stats": { "usage": there.memory + (1 << 20), "limit": 8_u64 << 30, "stats": { "inactive_file": 1 << 20, "anon": 0 } },
            })
        }
        Some(there) => json!({
            "id": there.id, "name": format!("/{}", there.name), "read": "0001-01-01T00:00:00Z", "preread": "0001-01-01T00:00:00Z",
            "cpu_stats": { "cpu_usage": { "total_usage": 0 } }, "precpu_stats": { "cpu_usage": { "total_usage": 0 } }, "memory_stats": {},
        }),
        None => return send(to, absent("container", name)),
    };
    chunked(to, "application/json")?;
    chunk(to, format!("{reading}\n").as_bytes())?;
    to.write_all(b"0\r\n\r\n")
}

/// Nothing ever happens; the connection stays until the client goes.
fn events(to: &mut UnixStream) -> std::io::Result<()> {
    chunked(to, "application/json")?;
    to.flush()?;
    let _ = to.read(&mut [0; 1]);
    Ok(())
}

fn execute(
    from: &mut BufReader<UnixStream>,
    to: &mut UnixStream,
    world: &Mutex<World>,
    id: &str,
) -> std::io::Result<()> {
    let Some(exec) = lock(world).execs.get_mut(id).map(|exec| {
        exec.started = true;
        exec.clone()
    }) else {
        return send(to, absent("exec instance", id));
    };
    to.write_all(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")?;
    let mut input = Vec::new();
    if exec.stdin {
        from.read_to_end(&mut input)?;
    }
    let begun = lock(world).begin_program(&exec.container, &exec.command, &input);
    let answer = match begun {
        Ok(answer) => answer,
        Err(program) => program.lock().unwrap()(&exec.command, &input),
    };
    // Known before the client sees the end, or it could ask too early; and whether it is still there or not.
    if let Some(exec) = lock(world).execs.get_mut(id) {
        exec.code = Some(answer.code);
    }
    for (stream, text) in [(1, &answer.out), (2, &answer.err)] {
        if !text.is_empty() {
            to.write_all(&frame(stream, text.as_bytes()))?;
        }
    }
    to.flush()
}
