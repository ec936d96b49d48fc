"""Drives a real ConnectDistributed worker through everything that makes it write to its config and status topics, then
keeps those topics and what its REST API says as files for the tests of this crate.

    record.py BOOTSTRAP CONNECT_JARS FILE_JARS WORK_FOLDER OUT_FOLDER

BOOTSTRAP is a broker that nobody else uses; the jar folders are those that `cargo xtask services fetch` prints; javac,
java and kcat must be there. WORK_FOLDER must not exist.
"""

import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

bootstrap, connect_jars, file_jars, work, out = sys.argv[1:]
work, out = pathlib.Path(work), pathlib.Path(out)
here = pathlib.Path(__file__).resolve().parent
port = 28083
rest = f"http://127.0.0.1:{port}"

plugins = work / "plugins"
(plugins / "numbers").mkdir(parents=True)
out.mkdir(exist_ok=True)
classes = work / "classes"
subprocess.run(["javac", "-cp", f"{connect_jars}/*", "-d", str(classes), str(here / "src/NumbersSource.java")], check=True)
subprocess.run(["jar", "cf", str(plugins / "numbers/numbers.jar"), "-C", str(classes), "."], check=True)
os.symlink(file_jars, plugins / "file")
lines = work / "lines.txt"
lines.write_text("one\ntwo\n")
(work / "secrets.properties").write_text(f"file={lines}\n")
(work / "worker.properties").write_text(f"""bootstrap.servers={bootstrap}
group.id=recorded
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
config.storage.topic=configs
offset.storage.topic=offsets
status.storage.topic=statuses
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
status.storage.partitions=1
offset.storage.partitions=1
exactly.once.source.support=enabled
scheduled.rebalance.max.delay.ms=0
listeners=http://127.0.0.1:{port}
plugin.path={plugins}
plugin.discovery=only_scan
inter.worker.key.ttl.ms=25000
config.providers=file
config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
""")


def call(method, path, body=None, patience=60):
    deadline = time.time() + patience
    while True:
        request = urllib.request.Request(
            rest + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=95) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            # 404 while the worker starts and while a new connector has no status yet
            if error.code in (404, 409, 500) and time.time() < deadline:
                time.sleep(0.3)
                continue
            raise SystemExit(f"{method} {path}: {error.code} {text}")
        except urllib.error.URLError:
            if time.time() > deadline:
                raise
            time.sleep(0.3)


def wait_states(connector, connector_state, task_states, patience=60):
    deadline = time.time() + patience
    while True:
        status = call("GET", f"/connectors/{connector}/status")
        if status["connector"]["state"] == connector_state and [t["state"] for t in status["tasks"]] == task_states:
            return status
        if time.time() > deadline:
            raise SystemExit(f"{connector} is {status}")
        time.sleep(0.2)


def topic(name):
    dumped = subprocess.run(
        ["kcat", "-b", bootstrap, "-t", name, "-C", "-e", "-q", "-J", "-X", "isolation.level=read_committed"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    records = [json.loads(line) for line in dumped.splitlines()]
    return [{"offset": r["offset"], "key": r["key"], "value": r["payload"]} for r in records]


def keep(name, things):
    text = "".join(json.dumps(t, ensure_ascii=False) + "\n" for t in things).replace(str(work), "/recording")
    (out / name).write_text(text)


def state():
    """What the REST API says now, with how much of the config topic it stands for."""
    names = sorted(call("GET", "/connectors"))
    return {
        "connectors": {
            name: {
                "info": call("GET", f"/connectors/{name}"),
                "tasks": call("GET", f"/connectors/{name}/tasks"),
                "status": call("GET", f"/connectors/{name}/status"),
                "topics": sorted(call("GET", f"/connectors/{name}/topics")[name]["topics"]),
            }
            for name in names
        },
        "configs": len(topic("configs")),
        "statuses": len(topic("statuses")),
    }


snapshots = []


def snapshot():
    time.sleep(1.5)
    snapshots.append(state())


log = open(work / "worker.log", "w")
worker = subprocess.Popen(
    ["java", "-Xmx512m", "-cp", f"{connect_jars}/*", "org.apache.kafka.connect.cli.ConnectDistributed", str(work / "worker.properties")],
    stdout=log,
    stderr=log,
)
try:
    call("GET", "/connectors", patience=120)
    source = "org.apache.kafka.connect.file.FileStreamSourceConnector"
    sink = "org.apache.kafka.connect.file.FileStreamSinkConnector"

    # A source whose file comes from a provider, and odd texts in its configuration.
    call("POST", "/connectors", {"name": "lines", "config": {
        "connector.class": source,
        "file": "${file:" + str(work / "secrets.properties") + ":file}",
        "topic": "lines",
        "description": "a \"quoted\" \\ text\twith\ncontrols \u0001\u001f, /slashes/, umlauts äöü, CJK 漢字, \U0001f600 and \u007f",
    }})
    wait_states("lines", "RUNNING", ["RUNNING"])
    # Three tasks, then two: fencing with a count above one, and a task record that is left behind.
    call("PUT", "/connectors/num-ber-7/config", {"connector.class": "NumbersSource", "tasks.max": "3"})
    wait_states("num-ber-7", "RUNNING", ["RUNNING"] * 3)
    call("PUT", "/connectors/num-ber-7/config", {"connector.class": "NumbersSource", "tasks.max": "2"})
    wait_states("num-ber-7", "RUNNING", ["RUNNING"] * 2)
    call("POST", "/connectors", {"name": "copy", "initial_state": "PAUSED", "config": {
        "connector.class": sink, "tasks.max": "2", "topics": "lines,numbers", "file": str(work / "copy.txt")}})
    wait_states("copy", "PAUSED", [])
    call("PUT", "/connectors/copy/resume")
    wait_states("copy", "RUNNING", ["RUNNING"] * 2)
    call("POST", "/connectors", {"name": "waiting", "initial_state": "STOPPED", "config": {
        "connector.class": sink, "topics.regex": "li.*", "file": str(work / "waiting.txt")}})
    wait_states("waiting", "STOPPED", [])
    snapshot()

    call("PUT", "/connectors/lines/pause")
    wait_states("lines", "PAUSED", ["PAUSED"])
    call("PUT", "/connectors/num-ber-7/stop")
    wait_states("num-ber-7", "STOPPED", [])
    snapshot()
    call("PUT", "/connectors/lines/resume")
    wait_states("lines", "RUNNING", ["RUNNING"])
    call("PUT", "/connectors/num-ber-7/resume")
    wait_states("num-ber-7", "RUNNING", ["RUNNING"] * 2)
    call("PATCH", "/connectors/copy/config", {"tasks.max": "1", "errors.tolerance": "all"})
    wait_states("copy", "RUNNING", ["RUNNING"])
    snapshot()

    # A task that fails: a folder cannot be written to.
    call("POST", "/connectors", {"name": "broken", "config": {
        "connector.class": sink, "topics": "lines", "file": str(work / "no/such/folder/file.txt")}})
    wait_states("broken", "RUNNING", ["FAILED"])
    call("POST", "/connectors/broken/restart?includeTasks=true&onlyFailed=true")
    time.sleep(2)
    wait_states("broken", "RUNNING", ["FAILED"])
    call("POST", "/connectors/lines/restart?includeTasks=true&onlyFailed=false")
    time.sleep(2)
    wait_states("lines", "RUNNING", ["RUNNING"])
    call("POST", "/connectors/copy/restart")
    call("POST", "/connectors/copy/tasks/0/restart")
    wait_states("copy", "RUNNING", ["RUNNING"])
    call("PUT", "/admin/loggers/org.apache.kafka.connect?scope=cluster", {"level": "WARN"})
    snapshot()

    call("DELETE", "/connectors/copy")
    call("PUT", "/connectors/lines/topics/reset")
    time.sleep(28)  # the session key grows old
    snapshot()
finally:
    worker.terminate()
    worker.wait(60)

keep("config-topic.jsonl", topic("configs"))
keep("status-topic.jsonl", topic("statuses"))
keep("rest-api.jsonl", snapshots)
