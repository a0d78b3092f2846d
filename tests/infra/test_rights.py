"""The rights of infra/terraform/iam.tf against what the program really asks of AWS.

The storage does all it can against an S3 on loopback; each request is held against the policy documents as
AWS would (Allow only, resources and `s3:prefix` with their stars). There is no AWS here, so which right a
request needs is a table of ours, after AWS's service authorization reference.
"""

import ast
import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from linkferry import protection
from shared.errors import ConfigError
from shared.settings import Settings
from shared.storage.port import Label
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import open_bucket
from tests.infra.hcl import module
from tests.infra.tasks import local
from tests.shared.storage.conftest import s3_settings

ROOT = Path(__file__).parents[2]
BUCKET = "arn:aws:s3:::files"
PART = 64 * 1024  # bytes

# What each request of ours needs, and on what: the bucket, or the object.
NEEDS = {
    "AbortMultipartUpload": ("s3:AbortMultipartUpload", "object"),
    "CompleteMultipartUpload": ("s3:PutObject", "object"),
    "CreateMultipartUpload": ("s3:PutObject", "object"),
    "DeleteObject": ("s3:DeleteObject", "object"),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration", "bucket"),
    "GetObject": ("s3:GetObject", "object"),
    "HeadObject": ("s3:GetObject", "object"),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads", "bucket"),
    "ListObjectsV2": ("s3:ListBucket", "bucket"),
    "ListParts": ("s3:ListMultipartUploadParts", "object"),
    "PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration", "bucket"),
    "PutObject": ("s3:PutObject", "object"),
    "UploadPart": ("s3:PutObject", "object"),
}
OPERATORS = {"PutBucketLifecycleConfiguration"}  # `doctor --set-lifecycle`; here the rule is Terraform's


@dataclass(frozen=True)
class Asked:
    """One right that a request needs."""

    action: str
    resource: str
    prefix: str = ""


@dataclass
class Policy:
    """Statements that allow, as AWS reads them."""

    statements: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, name: str) -> "Policy":
        """A document of the module, with those that it is built on."""
        body = module().declared[f"data.aws_iam_policy_document.{name}"]
        found = list(body["statement"])
        for source in body.get("source_policy_documents", []):
            match = re.fullmatch(r"\$\{data\.aws_iam_policy_document\.(\w+)\.json\}", source)
            assert match, source
            found += cls.of(match[1]).statements
        return cls(found)

    def without(self, action: str) -> "Policy":
        """The same with one right less."""
        return Policy(
            [
                {**statement, "actions": [known for known in statement["actions"] if known != action]}
                for statement in self.statements
            ]
        )

    def allows(self, asked: Asked) -> bool:
        """Whether any statement does."""
        return any(_allows(statement, asked) for statement in self.statements)


def _allows(statement: dict[str, Any], asked: Asked) -> bool:
    resources = [_rendered(resource) for resource in statement["resources"]]
    return (
        statement.get("effect", "Allow") == "Allow"
        and asked.action in statement["actions"]
        and any(fnmatch.fnmatchcase(asked.resource, resource) for resource in resources)
        and all(_holds(condition, asked) for condition in statement.get("condition", []))
    )


def _holds(condition: dict[str, Any], asked: Asked) -> bool:
    assert (condition["test"], condition["variable"]) == ("StringLike", "s3:prefix"), condition
    return any(fnmatch.fnmatchcase(asked.prefix, _rendered(value)) for value in condition["values"])


def _rendered(text: str) -> str:
    prefix = module().declared["local.prefix"]
    return text.replace("${aws_s3_bucket.files.arn}", BUCKET).replace("${local.prefix}", prefix)


class Journal:
    """Every request to S3 that a storage makes."""

    def __init__(self, storage: S3Storage) -> None:
        self.operations: set[str] = set()
        self.asked: set[Asked] = set()
        events = storage._bucket.client.meta.events
        events.register("provide-client-params.s3.*", self._note)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        action, kind = NEEDS[model.name]
        self.operations.add(model.name)
        resource = f"{BUCKET}/{params['Key']}" if kind == "object" else BUCKET
        self.asked.add(Asked(action, resource, params.get("Prefix", "")))
        if "Tagging" in params:
            self.asked.add(Asked("s3:PutObjectTagging", resource))


Open = Callable[[], tuple[S3Storage, Journal]]


@pytest.fixture
def open_noted(moto: int) -> Any:
    """Opens storages in one new bucket that note what they ask."""
    settings: Settings = s3_settings(f"http://127.0.0.1:{moto}")
    bucket = open_bucket(settings)
    bucket.client.create_bucket(Bucket=bucket.name)
    opened = []

    def open_one() -> tuple[S3Storage, Journal]:
        storage = S3Storage(open_bucket(settings), part=PART, kept_unfinished=0)
        opened.append(storage)
        return storage, Journal(storage)

    yield open_one
    for storage in opened:
        storage.close()
    bucket.client.close()


async def do_all_of_a_worker(storage: S3Storage, work: Path) -> None:
    """What stages, twins, the janitor and doctor ask of a storage."""
    label = Label(content_type="video/mp4", file_name="film.mp4", tags={"job": "1"})
    for name, size in (("small.mp4", 10), ("large.mp4", 3 * PART)):
        (work / name).write_bytes(b"x" * size)
        await storage.put(f"job/{name}", work / name, label=label)
    bucket = storage._bucket
    begun = bucket.client.create_multipart_upload(
        Bucket=bucket.name, Key=bucket.full("job/cut.mp4"), Tagging="job=1", ChecksumAlgorithm="CRC32"
    )
    assert begun["UploadId"]
    assert await storage.unfinished("job/") == ["job/cut.mp4"]
    (work / "cut.mp4").write_bytes(b"y" * 2 * PART)
    await storage.put("job/cut.mp4", work / "cut.mp4", label=label)
    (work / "taken.mp4").write_bytes(b"z" * 10)
    with pytest.raises(Exception, match="another file"):
        await storage.put("job/small.mp4", work / "taken.mp4")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key=bucket.full("job/left.mp4"))
    [left] = await storage.half_done(0)
    await storage.discard(left)
    assert [found.key async for found in storage.keys()]  # noqa: SIM118 (not a dict)
    await storage.delete("job/cut.mp4")
    await storage.lifecycle()


async def do_all_of_a_reader(storage: S3Storage, work: Path) -> None:
    """What bots and web ask of a storage that has files."""
    await storage.check()
    assert await storage.size("job/small.mp4") is not None
    await storage.fetch("job/large.mp4", work / "copy.mp4")
    link = await storage.external_link(
        "job/small.mp4", file_name="a.mp4", content_type="video/mp4", disposition="inline", ttl_seconds=60
    )
    assert link


class TestBucket:
    """The rights are enough, and none is there that nobody needs."""

    async def test_each_process_may_do_what_it_does(self, open_noted: Open, tmp_path: Path) -> None:
        storage, worked = open_noted()
        await do_all_of_a_worker(storage, tmp_path)
        other, read = open_noted()
        await do_all_of_a_reader(other, tmp_path)
        assert worked.operations | read.operations == operations_in_the_code() - OPERATORS

        worker, reader = Policy.of("worker"), Policy.of("reader")
        assert not {asked for asked in worked.asked | read.asked if not worker.allows(asked)}
        assert not {asked for asked in read.asked if not reader.allows(asked)}

        for granted in (action for statement in worker.statements for action in statement["actions"]):
            less = worker.without(granted)
            assert not all(less.allows(asked) for asked in worked.asked | read.asked), f"{granted} is idle"
        for granted in (action for statement in reader.statements for action in statement["actions"]):
            less = reader.without(granted)
            assert not all(less.allows(asked) for asked in read.asked), f"{granted} is idle"

    def test_other_objects_are_nobody_s_business(self) -> None:
        worker = Policy.of("worker")
        assert worker.allows(Asked("s3:DeleteObject", f"{BUCKET}/linkferry/job/film.mp4"))
        assert not worker.allows(Asked("s3:DeleteObject", f"{BUCKET}/others/film.mp4"))
        assert not worker.allows(Asked("s3:GetObject", "arn:aws:s3:::others/linkferry/film.mp4"))
        assert not worker.allows(Asked("s3:ListBucket", BUCKET, prefix="others/"))
        assert not Policy.of("reader").allows(Asked("s3:PutObject", f"{BUCKET}/linkferry/film.mp4"))


class TestLeastPrivilege:
    """No right is wider than it must be."""

    def test_nothing_is_allowed_by_a_star(self) -> None:
        for at, body in module().of_type("data.aws_iam_policy_document").items():
            for statement in body["statement"]:
                if statement.get("effect") == "Deny" or (
                    at.endswith(".key") and statement["sid"] == "Account"
                ):
                    continue  # every key's policy names its account so
                assert not any("*" in action for action in statement["actions"]), at

    def test_every_resource_is_named_where_aws_can_name_one(self) -> None:
        nameless = {"ecr:GetAuthorizationToken", "translate:ListLanguages", "translate:TranslateText"}
        nameless |= {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
        for at, body in module().of_type("data.aws_iam_policy_document").items():
            for statement in body["statement"]:
                if statement.get("resources") == ["*"] and not at.endswith(".key"):
                    assert set(statement["actions"]) <= nameless, at

    def test_translate_has_the_rights_that_its_module_names(self) -> None:
        said = ast.get_docstring(ast.parse((ROOT / "worker/translate/amazon.py").read_text())) or ""
        allowed = {action for one in Policy.of("translate").statements for action in one["actions"]}
        assert allowed == set(re.findall(r"translate:\w+", said))

    def test_a_worker_may_protect_tasks_of_the_cluster_and_no_others(self) -> None:
        (statement,) = Policy.of("protection").statements
        assert set(statement["actions"]) == set(re.findall(r"ecs:\w+", protection.__doc__ or ""))
        (tasks,) = statement["resources"]
        assert tasks == '${replace(aws_ecs_cluster.main.arn, ":cluster/", ":task/")}/*'
        assert (
            module().declared["aws_iam_role_policy.protection"]["role"] == '${aws_iam_role.task["worker"].id}'
        )

    def test_migrate_may_do_nothing_with_aws(self) -> None:
        roles = str([body for at, body in module().declared.items() if at.startswith("aws_iam_role_policy.")])
        granted = set(re.findall(r"aws_iam_role\.task\[(\S+?)\]", roles))
        assert granted == {'"worker"', "each.key"}
        assert module().declared["aws_iam_role_policy.reader"]["for_each"] == '${toset(["bots", "web"])}'
        assert "migrate" not in local("services")
        assert "keys(local.services)" in module().declared["aws_iam_role_policy.traces"]["for_each"]


class TestTable:
    """The table of needs knows every request in the code."""

    def test_every_request_in_the_code_is_in_the_table(self) -> None:
        assert operations_in_the_code() == NEEDS.keys()

    async def test_what_is_not_in_the_table_is_noticed(self, open_noted: Open) -> None:
        storage, _ = open_noted()
        bucket = storage._bucket
        with pytest.raises(KeyError, match="GetBucketAcl"):
            bucket.client.get_bucket_acl(Bucket=bucket.name)

    def test_a_wrong_bucket_is_a_sentence(self) -> None:
        with pytest.raises(ConfigError):
            open_bucket(Settings(_env_file=None, storage="s3"))


def operations_in_the_code() -> set[str]:
    """Every request that shared/storage/s3 makes, by S3's name for it."""
    names = set()
    named_by_argument = {"get_paginator", "generate_presigned_url"}
    for path in (ROOT / "shared/storage/s3").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("client"):
                names.add(node.attr)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in named_by_argument
                and ast.unparse(node.func.value).endswith("client")
            ):
                names.add(ast.literal_eval(node.args[0]))
    requests = names - named_by_argument - {"close"}
    return {"".join(map(str.capitalize, name.split("_"))) for name in requests}
