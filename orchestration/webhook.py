"""Whom the server tells of failures: an address, which is a secret, in a block of Prefect."""

from __future__ import annotations

from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic.networks import HttpUrl

from groupstream import UsageError

WEBHOOK_URL = "GROUPSTREAM_WEBHOOK_URL"
BLOCK = "groupstream-webhook"


def refuse_no_address(url: str | None) -> None:
    """Asks before anything is deployed, and before flows are loaded, which takes seconds.

    Raises:
        UsageError: it is set, and is no address. The message does not show it.
    """
    if not url:
        return
    try:
        TypeAdapter(HttpUrl).validate_python(url)
    except ValidationError:
        raise UsageError(
            f"${WEBHOOK_URL} is no address that begins with https:// or http://; set it to that of an incoming webhook "
            "of your chat, or unset it"
        ) from None


def keep_webhook(url: str | None) -> None:
    """Writes the address into the block. Without one, the block stays as people have set it, or there is none."""
    if not url:
        return
    headers = SecretDict({"Content-Type": "application/json"})
    Webhook(method="POST", url=SecretStr(url), headers=headers).save(BLOCK, overwrite=True)


def block_id(client: SyncPrefectClient, name: str) -> UUID | None:
    """The id of a block that is written such as webhook/groupstream-webhook; None where there is none."""
    slug, _, block = name.partition("/")
    try:
        return client.read_block_document_by_name(block, slug, include_secrets=False).id
    except ObjectNotFound:
        return None
