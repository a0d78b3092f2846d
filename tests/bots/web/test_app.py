"""The web endpoint as a whole: what it says about itself, and what it says when it fails."""

from pathlib import Path
from unittest.mock import Mock

from tests.bots.web.test_api import NOWHERE, running, sentence


async def test_what_nobody_foresaw_is_in_the_log_only(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        web.parts.database.read = Mock(side_effect=OSError)  # type: ignore[method-assign]
        lost = await web.client.get(f"/api/jobs/{NOWHERE}")
        assert lost.status_code == 500 and "the log has the details" in sentence(lost)


async def test_the_api_describes_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        about = (await web.client.get("/api/openapi.json")).json()
        assert "LINKFERRY_API_KEYS" in about["info"]["description"]
        for path in about["paths"].values():
            for operation in path.values():
                assert operation["summary"] and operation["description"]
                schema = operation["responses"]["422"]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
        assert "Linkferry is running" in (await web.client.get("/")).text
