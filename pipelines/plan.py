"""What a build will do, found out before any example is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from groupstream import SpecError
from groupstream.features import Features
from groupstream.manifest import FORMAT_VERSION, canonical_json
from sources import Piece
from sources.selection import hint
from specs import Spec
from validation.examples import refuse_impossible_checks

# Raised by one whenever the same spec and source come to give other bytes.
BUILD_REVISION = 1


@dataclass(frozen=True)
class Plan:
    """A spec and what its source is.

    Attributes:
        features: the features of every example.
        text_features: those whose words are counted.
        pieces: of the source.
        source: the identity of the source.
        digest: identifies the result: the same digest, the same version.
    """

    spec: Spec
    features: Features
    text_features: frozenset[str]
    pieces: list[Piece]
    source: dict[str, Any]
    digest: str

    @property
    def needed(self) -> frozenset[str]:
        """The features that the build looks at."""
        return self.spec.partitioner.reads | self.text_features | frozenset(self.spec.checks.examples)


def make_plan(spec: Spec) -> Plan:
    """Looks at the source and holds the spec against it. Reads the source once where only its bytes can identify it.

    Raises:
        SourceError: the source cannot be read.
        SpecError: the spec names a feature that the source does not have.
    """
    features = spec.source.available_features()
    for name in sorted(spec.partitioner.reads):
        _refuse_unknown(f"partitioner ({spec.partitioner.kind})", name, features)
    for name in spec.text_features or []:
        _refuse_unknown("text_features", name, features)
    refuse_impossible_checks(spec.checks.examples, features)
    source = {"kind": spec.source.kind, **spec.source.identity()}
    digest = _digest(spec, source, spec.partitioner.identity())
    return Plan(spec, features, _text_features(spec, features), spec.source.pieces(), source, digest)


def _text_features(spec: Spec, features: Features) -> frozenset[str]:
    if spec.text_features is not None:
        return frozenset(spec.text_features)
    return frozenset(name for name, feature in features.items() if feature.is_text)


def _refuse_unknown(who: str, name: str, features: Features) -> None:
    if name not in features:
        raise SpecError(f"{who} names feature {name!r}, which the source does not give; {hint(name, list(features))}")


def _digest(spec: Spec, source: dict[str, Any], partitioner: dict[str, Any]) -> str:
    content = {"spec": spec.resolved(), "source": source, "format": FORMAT_VERSION, "revision": BUILD_REVISION}
    if partitioner:
        content["partitioner"] = partitioner
    return hashlib.sha256(canonical_json(content)).hexdigest()
