"""What each process of infra/terraform is started with, worked out by hand where Terraform would."""

import json
import re
from typing import Any

from tests.infra.hcl import fields, module, parts

NAMES = ("bots", "migrate", "web", "worker")
PEM = "-----BEGIN RSA PRIVATE KEY-----"

# What expressions would be in a deployment. One that is not here fails the test that meets it.
STAND_INS = {
    "aws_cloudfront_distribution.files.domain_name": "d111111abcdef8.cloudfront.net",
    "aws_cloudfront_public_key.files[var.cloudfront_key_names[0]].id": "K2JCJMDEHXQW5F",
    "aws_s3_bucket.files.id": "linkferry-files-20261122",
    "local.prefix": "linkferry/",
    "tostring(local.drain_time)": "100",
    "tostring(local.metrics_port)": "9464",
    "tostring(local.port)": "8080",
    "tostring(var.retention_days * 86400)": str(7 * 86_400),
    "tostring(var.workers.downloads)": "3",
    "var.region": "eu-central-1",
    'var.amazon_translate ? "amazon" : "auto"': "amazon",
    '"https://${var.domain_name}"': "https://links.example.org",
}


def local(name: str) -> Any:
    """A value of `locals`, an expression without its `${}`."""
    return _bare(module().declared[f"local.{name}"])


def _bare(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
        return value[2:-1]
    return value


def plain(expression: str) -> str:
    """What an expression of a setting is."""
    if re.fullmatch(r'"[^"$]*"', expression):
        return expression[1:-1]
    return STAND_INS[expression]


def environment(name: str) -> dict[str, str]:
    """The plain settings of a process, without LINKFERRY_; those of var.settings left out."""
    return _merged(_bare(local("processes")[name]["environment"]))


def _merged(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return value
    if value == "local.environment":
        return _merged(local("environment"))
    if value == "var.settings":
        return {}
    if value.startswith("{"):
        return {key: plain(expression) for key, expression in fields(value).items()}
    assert value.startswith("merge(") and value.endswith(")"), value
    found: dict[str, str] = {}
    for part in parts(value[len("merge(") : -1]):
        found |= _merged(part)
    return found


def secrets(name: str) -> set[str]:
    """The settings that a process gets from Secrets Manager, with every one that may be put in by hand."""
    value = _bare(local("processes")[name]["secrets"])
    if isinstance(value, list):
        return set(value)
    own, others = parts(value.removeprefix("concat(")[:-1])
    given = {
        "tolist(local.chat_secrets)": given_secrets() - {"API_KEYS"},
        "tolist(var.secrets)": given_secrets(),
    }
    return set(json.loads(own)) | given[others]


def generated_secrets() -> set[str]:
    """Those that Terraform makes."""
    return set(local("generated"))


def generated_values() -> dict[str, str]:
    """What is in each of them, private keys left out."""
    made = {"local.broker_host": "b-1.mq.eu-central-1.amazonaws.com:5671"}
    made |= {"aws_db_instance.main.endpoint": "linkferry.abc.eu-central-1.rds.amazonaws.com:5432"}
    values = {}
    for name, text in local("generated").items():
        if not name.endswith("_URL"):
            continue
        values[name] = re.sub(
            r"\$\{(random_password\.\w+\.result|[\w.]+)\}", lambda match: made.get(match[1], "pa55"), text
        )
    return values


def given_secrets() -> set[str]:
    """Those that somebody may put in by hand."""
    return set(_names_in(module().declared["var.secrets"]["validation"][0]["condition"]))


def refused_settings() -> set[str]:
    """What must not stand in var.settings."""
    conditions = [check["condition"] for check in module().declared["var.settings"]["validation"]]
    return {name for condition in conditions for name in _names_in(condition)}


def _names_in(condition: str) -> list[str]:
    return re.findall(r'"([A-Z][A-Z0-9_]+)"', condition)
