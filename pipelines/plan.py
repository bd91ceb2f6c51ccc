"""What a build will do, found out before any example is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from groupstream import SpecError
from groupstream.features import Feature, Features
from groupstream.manifest import FORMAT_VERSION, canonical_json
from partitioners import CountingPartitioner
from partitioners.splits import ONLY_SPLIT
from pipelines.memory import MemoryBudget, share_memory
from pipelines.regroup_rule import regroup_rule
from sources import Piece
from sources.selection import hint
from specs import Spec
from validation.drift import refuse_impossible_drift
from validation.expected_groups import fingerprint_of_file
from validation.group_refusals import refuse_impossible_group_checks
from validation.impossible_checks import refuse_impossible_checks

# Raised by one whenever the same spec and source come to give other bytes.
BUILD_REVISION = 2


@dataclass(frozen=True)
class Plan:
    """A spec and what its source is.

    Attributes:
        features: the features of every example.
        text_features: those whose words are counted.
        label_feature: whose values are counted for each group, if any.
        pieces: of the source.
        source: the identity of the source; its kind alone where nobody asked for more.
        digest: identifies the result: the same digest, the same version. Empty where the source has no identity.
        budget: what each worker may hold in memory.
    """

    spec: Spec
    features: Features
    text_features: frozenset[str]
    label_feature: str | None
    pieces: list[Piece]
    source: dict[str, Any]
    digest: str
    budget: MemoryBudget

    @property
    def needed(self) -> frozenset[str]:
        """The features that the build looks at."""
        label = frozenset([self.label_feature] if self.label_feature else [])
        return self.spec.partitioner.reads | self.text_features | label | frozenset(self.spec.checks.examples)

    @property
    def num_passes(self) -> int:
        """How often the source is read: once more where the partitioner counts first."""
        return 2 if isinstance(self.spec.partitioner, CountingPartitioner) else 1

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits of the version."""
        return self.spec.splits.names if self.spec.splits else (ONLY_SPLIT,)


def make_plan(spec: Spec, *, identify: bool = True) -> Plan:
    """Looks at the source and holds the spec against it. Reads the source once where only its bytes can identify it.

    Args:
        spec: what to build.
        identify: whether to identify the source and the result. Without, no more is read than the source needs to
            name its features and pieces.

    Raises:
        SourceError: the source cannot be read.
        SpecError: the spec names a feature that the source does not have, or asks for what cannot be done.
    """
    features = spec.source.available_features()
    for name in sorted(spec.partitioner.reads):
        _refuse_unknown(f"partitioner ({spec.partitioner.kind})", name, features)
    for name in spec.text_features or []:
        _refuse_unknown("text_features", name, features)
        _refuse_no_text(name, features[name])
    label_feature = _label_feature(spec, features)
    _refuse_impossible_checks(spec, features, has_labels=label_feature is not None)
    regroup_rule(spec)  # refuses what cannot be done
    source = {"kind": spec.source.kind, **(spec.source.identity() if identify else {})}
    digest = _digest(spec, source, spec.partitioner.identity()) if identify else ""
    source_bytes = None if spec.runner.is_distributed else source.get("num_bytes")
    budget = share_memory(spec.runner.memory_bytes, spec.runner.num_sharing_memory, source_bytes)
    text_features = _text_features(spec, features)
    return Plan(spec, features, text_features, label_feature, spec.source.pieces(), source, digest, budget)


def _refuse_impossible_checks(spec: Spec, features: Features, *, has_labels: bool) -> None:
    refuse_impossible_checks(spec.checks.examples, features)
    refuse_impossible_group_checks(spec.checks.groups, has_labels=has_labels)
    refuse_impossible_drift(spec.checks.drift, has_labels)


def _text_features(spec: Spec, features: Features) -> frozenset[str]:
    if spec.text_features is not None:
        return frozenset(spec.text_features)
    return frozenset(name for name, feature in features.items() if feature.is_text)


def _label_feature(spec: Spec, features: Features) -> str | None:
    """The feature that the spec names, or that plainly is the label."""
    if spec.label_feature is not None:
        if spec.label_feature:
            _refuse_unknown("label_feature", spec.label_feature, features)
            if not _may_be_label(features[spec.label_feature]):
                raise SpecError(
                    f"label_feature {spec.label_feature!r} is {features[spec.label_feature].arrow_type}; "
                    'a label is one number or one text. Name another, or "" for none'
                )
        return spec.label_feature or None
    named = [name for name, feature in features.items() if feature.labels and not feature.shape]
    if len(named) == 1:
        return named[0]
    return "label" if "label" in features and _may_be_label(features["label"]) else None


def _may_be_label(feature: Feature) -> bool:
    return not feature.shape and feature.dtype != "float32" and feature.image_format is None


def _refuse_unknown(who: str, name: str, features: Features) -> None:
    if name not in features:
        raise SpecError(f"{who} names feature {name!r}, which the source does not give; {hint(name, list(features))}")


def _refuse_no_text(name: str, feature: Feature) -> None:
    if feature.shape or feature.dtype not in ("string", "bytes"):
        raise SpecError(
            f"text_features names {name!r}, which is {feature.arrow_type}; only text has words. Leave it out"
        )


def _digest(spec: Spec, source: dict[str, Any], partitioner: dict[str, Any]) -> str:
    content = {"spec": spec.resolved(), "source": source, "format": FORMAT_VERSION, "revision": BUILD_REVISION}
    if partitioner:
        content["partitioner"] = partitioner
    if (expected := fingerprint_of_file(spec.checks.groups)) is not None:
        content["expected_groups"] = expected
    return hashlib.sha256(canonical_json(content)).hexdigest()
