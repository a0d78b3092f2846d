"""compose.yaml without a container engine: its commands, environments, secrets and health checks.

What an engine would do is done by hand: a server's name in the network of the containers becomes an address
on loopback, a path in a container one in a folder, and a port one that is free.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.deploy.composefile import (
    ROOT,
    env_file,
    in_order,
    ours,
    seconds,
    secret_files,
    services,
)
from tests.deploy.test_dockerfile import image_variables
from tests.processes.cluster import PATIENCE, Process
from tests.services import PrivateRabbit, free_port
from tests.waiting import until

PORTS = {"LINKFERRY_PORT", "LINKFERRY_METRICS_PORT"}
BIN = Path(sys.executable).parent


def project(folder: Path, **settings: str) -> Path:
    """A folder as somebody has it who started scripts/secrets.sh and then set these in `.env`."""
    (folder / "scripts").mkdir(parents=True)
    for name in ("scripts/secrets.sh", ".env.example"):
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["sh", folder / "scripts/secrets.sh"], check=True, capture_output=True)
    with (folder / ".env").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings.items())
    return folder


class Stack:
    """Our containers of some profiles, as processes. `names`: where the servers of their network are here."""

    def __init__(self, folder: Path, profiles: set[str], names: dict[str, str]) -> None:
        self.folder = folder
        self.data = folder / "volume"
        self.data.mkdir()
        (folder / "root").mkdir()  # where a process starts; nothing may be written there
        self.variables = env_file((folder / ".env").read_text())
        self.all = services(profiles, self.variables)
        self.ours = ours(self.all)
        self.ports = {name: {port: str(free_port()) for port in PORTS} for name in self.ours}
        self.processes: dict[str, Process] = {}
        for secret in ("database_url", "queue_url"):
            path = folder / "secrets" / secret
            for host, here in names.items():
                path.write_text(path.read_text().replace(f"@{host}/", f"@{here}/"))

    def secret(self, name: str) -> str:
        """What a file in secrets/ says."""
        return (self.folder / "secrets" / name).read_text().strip()

    def address(self, name: str) -> str:
        """Where people reach a container's web endpoint."""
        return f"http://localhost:{self.ports[name]['LINKFERRY_PORT']}"

    def environment(self, name: str) -> dict[str, str]:
        """What a container's processes see: the image's variables, those of `.env`, the service's."""
        said = image_variables() | self.variables | self.ours[name]["environment"]
        places = {"/data": str(self.data), "0.0.0.0": "127.0.0.1"}
        places |= {there: str(self.folder / file) for there, file in secret_files(self.ours[name]).items()}
        here = {variable: places.get(value, value) for variable, value in said.items()}
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        return here | self.ports[name] | {"PATH": path, "PYTHONPATH": str(ROOT)}

    def start(self, name: str) -> Process:
        """The container's command behind the image's entry point, or its own."""
        service = self.ours[name]
        command = [*service.get("entrypoint", ["linkferry"]), *service["command"]]
        command[0] = str(BIN / command[0])
        log = self.folder / f"{name}.log"
        self.processes[name] = Process(command, self.environment(name), self.folder / "root", log)
        return self.processes[name]

    def completes(self, name: str) -> None:
        """Start what runs once, and wait until it has done so well."""
        process = self.start(name)
        assert process.wait() == 0, process.log.read_text()

    def is_healthy(self, name: str) -> bool:
        """What the container's own health check finds."""
        kind, program, *words = self.ours[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return runs([str(BIN / program), *words], self.environment(name), self.folder / "root")

    def becomes_healthy(self, name: str) -> None:
        """Wait until the health check says so."""
        process = self.processes[name]
        until(lambda: not process.runs() or self.is_healthy(name), f"{name} is not healthy")
        assert process.runs(), process.log.read_text()

    def comes_up(self) -> None:
        """As `docker compose up --wait`: in order, what runs once to its end, the others until healthy."""
        for name in in_order(self.ours):
            if self.ours[name]["restart"] == "no":
                self.completes(name)
            else:
                self.start(name)
        for name, process in self.processes.items():
            if process.runs():
                self.becomes_healthy(name)

    def goes_down(self) -> None:
        """As `docker compose down`: the last comes first, and its grace is enough for each."""
        for name in reversed(in_order(self.ours)):
            process = self.processes[name]
            if self.ours[name]["restart"] == "no":
                continue
            process.send(signal.SIGTERM)
            code = process.popen.wait(seconds(self.ours[name]["stop_grace_period"]))
            assert (code, process.says("Traceback")) == (0, False), process.log.read_text()

    def end(self) -> None:
        """Leave nothing behind."""
        for process in self.processes.values():
            process.end()


def runs(command: list[str], environment: dict[str, str], folder: Path) -> bool:
    """Whether a command ends well."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=PATIENCE)
    return done.returncode == 0


def use_config(broker: PrivateRabbit, config: str) -> None:
    """Let a broker that was not started yet have this configuration's user instead of its own."""
    path = Path(broker.envvars["RABBITMQ_CONFIG_FILE"])
    kept = [line for line in path.read_text().splitlines() if not line.startswith("default_")]
    path.write_text("\n".join([*kept, config, ""]))
