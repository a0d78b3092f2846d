"""checkov finds nothing in infra/terraform but what we say why we leave as it is."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.infra.hcl import FILES, FOLDER

CHECKOV = Path(__file__).parents[2] / ".venv" / "checkov" / "bin" / "checkov"  # scripts/setup.sh test
OPEN_DOOR = """
resource "aws_security_group_rule" "open" {
  type              = "ingress"
  security_group_id = aws_security_group.database.id
  cidr_blocks       = ["0.0.0.0/0"]
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What it says of our files, and of one more with an open door, so that we know it looks."""
    folder = tmp_path_factory.mktemp("scanned") / "terraform"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    (folder / "open_door.tf").write_text(OPEN_DOOR)
    done = subprocess.run(
        [CHECKOV, "--directory", folder, "--framework", "terraform", "--skip-download", "--output", "json"],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
        check=False,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_read_every_file(report: dict[str, Any]) -> None:
    assert report["results"]["parsing_errors"] == []
    resources = sum(path.read_text().count('\nresource "') for path in FILES)
    assert report["summary"]["resource_count"] > resources
    assert report["summary"]["passed"] > 250


def test_it_finds_the_open_door_and_nothing_else(report: dict[str, Any]) -> None:
    failed = {(check["file_path"], check["check_id"]) for check in report["results"]["failed_checks"]}
    assert ("/open_door.tf", "CKV_AWS_24") in failed
    assert not {found for found in failed if found[0] != "/open_door.tf"}


def test_each_skip_applies_and_says_why(report: dict[str, Any]) -> None:
    skipped = report["results"]["skipped_checks"]
    applied = {(check["file_path"].strip("/"), check["check_id"]) for check in skipped}
    written = {
        (path.name, match[1]): match[2]
        for path in FILES
        for match in re.finditer(r"#checkov:skip=(\w+):(.*)", path.read_text())
    }
    assert written.keys() == applied
    assert all(len(reason) > 7 and reason.endswith(".") for reason in written.values())
