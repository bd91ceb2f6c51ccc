"""Which versions of a dataset are kept: a rule, and a pure function that applies it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from groupstream.catalog import CatalogVersion, DatasetCatalog


class RetentionPolicy(BaseModel):
    """What is kept, and for how long.

    A version goes where nothing keeps it. What always keeps one: an alias leads to it, `latest` included, or it is the
    newest, which is the one with the largest number, of those not deprecated if there are any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_last: int = Field(5, ge=1, description="so many versions with the largest numbers")
    keep_used_days: int = Field(90, ge=0, description="versions that were pulled, or read by a run, so lately")
    keep_newer_than_days: int = Field(30, ge=0, description="versions that were published so lately")
    drop_deprecated_days: int | None = Field(
        None, ge=0, description="versions that were deprecated longer ago go, also among the last; default: no"
    )
    grace_hours: float = Field(24, ge=0, description="how long the files of a deleted version stay for who reads them")
    keep_abandoned_hours: float = Field(24, gt=0, description="what a build left that died before it published")
    keep_report_days: int = Field(30, ge=0, description="reports and quarantines of runs")
    keep_staging_days: int = Field(7, ge=1, description="what builds that died wrote in a bucket, to publish it")
    keep_pull_days: int = Field(365, ge=0, description="records of who pulled what that no registry has taken")

    @property
    def grace(self) -> timedelta:
        """The grace as a length of time."""
        return timedelta(hours=self.grace_hours)


class Decision(NamedTuple):
    """Whether a version is kept, and what keeps it or lets it go."""

    version: str
    is_kept: bool
    reason: str


def plan_retention(
    catalog: DatasetCatalog, last_used: Mapping[str, datetime], policy: RetentionPolicy, now: datetime
) -> list[Decision]:
    """Decides on each version that can be read, oldest number first.

    Args:
        last_used: when a version was pulled, or read by a run, the last time, as far as that is known.
    """
    readable = [each for each in catalog.versions if each.is_readable]
    outdated = {each.version for each in readable if _is_outdated(each, policy, now)}
    last = [each.version for each in readable if each.version not in outdated][-policy.keep_last :]
    return [_decide(each, catalog, last, last_used.get(each.version), policy, now) for each in readable]


def _decide(
    entry: CatalogVersion,
    catalog: DatasetCatalog,
    last: list[str],
    used: datetime | None,
    policy: RetentionPolicy,
    now: datetime,
) -> Decision:
    version, aliases = entry.version, catalog.aliases_of(entry.version)
    if aliases:
        return Decision(version, True, f"has the alias {', '.join(aliases)}")
    if version == catalog.newest():
        return Decision(version, True, "is the newest")
    if used is not None and now - used < timedelta(days=policy.keep_used_days):
        return Decision(version, True, f"was used on {used:%Y-%m-%d}")
    if _is_outdated(entry, policy, now):
        since = entry.changed_at or entry.published_at
        return Decision(version, False, f"deprecated since {since:%Y-%m-%d}, and not used for {_days(policy)}")
    if version in last:
        return Decision(version, True, f"is among the last {policy.keep_last}")
    if now - entry.published_at < timedelta(days=policy.keep_newer_than_days):
        return Decision(version, True, f"was published on {entry.published_at:%Y-%m-%d}")
    return Decision(version, False, f"not among the last {policy.keep_last}, and not used for {_days(policy)}")


def _is_outdated(entry: CatalogVersion, policy: RetentionPolicy, now: datetime) -> bool:
    if entry.state != "deprecated" or policy.drop_deprecated_days is None:
        return False
    return now - (entry.changed_at or entry.published_at) >= timedelta(days=policy.drop_deprecated_days)


def _days(policy: RetentionPolicy) -> str:
    return f"{policy.keep_used_days} day{'s' * (policy.keep_used_days != 1)}"
