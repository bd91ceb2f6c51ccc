"""One page of Great Expectations about the groups, made by its own renderer, that asks no other host for anything."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from groupstream.manifest import CheckResult

_BODY = re.compile(r"<body>(.*)</body>", re.DOTALL)
_LINK = re.compile(r"<a\b[^>]*>(.*?)</a>", re.DOTALL)  # to pages of a site that is not published
_SPACE = re.compile(r"\s*\n\s*")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Checks of groups, by Great Expectations</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h5, h6 {{ font-size: 1.05rem; margin: 1.5rem 0 .3rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
.text-success::before {{ content: "\\2713"; color: #1a7f37; font-style: normal; }}
.text-danger::before {{ content: "\\2717"; color: #cf222e; font-style: normal; }}
strong.text-danger::before {{ content: ""; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def data_docs(results: Sequence[CheckResult], found: Mapping[str, Any]) -> bytes:
    """The page, in UTF-8. The same results give the same bytes: it names no time and no run.

    Args:
        results: at least one.
        found: what Great Expectations found, by the names of the results.
    """
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    whole = ExpectationSuiteValidationResult(
        success=all(result.passed for result in results),
        results=[_in_our_words(found[result.name], result) for result in results],
        suite_name="groups",
        statistics=_statistics(results),
        meta={"batch_spec": {"data_asset_name": "the groups of all splits"}},
    )
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(whole)
    document.sections.pop()  # the times and names of the run
    page = DefaultJinjaPageView().render(document, template="page_minimal.j2")
    return _PAGE.format(body=_body(page)).encode()


def _in_our_words(found: Any, result: CheckResult) -> Any:
    """Shows groups where Great Expectations shows values. Its templates escape nothing that stands in a table."""
    found.result = {
        "observed_value": html.escape(result.observed),
        "element_count": found.result.get("element_count", 1),
        "unexpected_count": found.result.get("unexpected_count", 0),
        "unexpected_percent": found.result.get("unexpected_percent", 0.0),
        "partial_unexpected_list": [html.escape(offender) for offender in result.offenders],
    }
    return found


def _statistics(results: Sequence[CheckResult]) -> dict[str, float]:
    num_passed = sum(result.passed for result in results)
    return {
        "evaluated_expectations": len(results),
        "successful_expectations": num_passed,
        "unsuccessful_expectations": len(results) - num_passed,
        "success_percent": 100 * num_passed / len(results),
    }


def _body(page: str) -> str:
    """What stands in the body, without links; scripts and styles of other hosts stand in the head."""
    body = _BODY.search(page)
    if body is None:
        raise RuntimeError("Great Expectations made a page without a body")
    plain = _LINK.sub(r"\1", body[1])
    return _SPACE.sub("\n", plain.replace("Sampled Unexpected Values", "Offenders")).strip()
