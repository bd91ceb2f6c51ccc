"""What a run leaves beside its version, or instead of one: `<root>/.reports/<dataset>/<run>/`.

A run that fails its checks leaves its report: the card of what would have been published, what the checks found, and
Great Expectations' page. Any run whose examples broke a check leaves them in quarantine. All of it is for people; no
version rests on it, and it may be deleted.
"""

from __future__ import annotations

from pathlib import Path

from groupstream import layout
from groupstream.stores import Store
from pipelines.card import draw_card
from pipelines.checks import Checked, checks_json
from pipelines.draft import Draft


def report_folder(name: str, run_id: str) -> str:
    """Where a run of the dataset leaves its report, in the store."""
    return f"{layout.REPORTS}/{name}/{run_id}"


def keep_report(draft: Draft, checked: Checked, quarantine: Path | None, run_id: str, store: Store) -> str | None:
    """Keeps what the run has to show. Again, for the same run: what is there stays.

    Args:
        quarantine: the examples that broke a check, if any did.

    Returns:
        The folder, None where there is nothing to keep.

    Raises:
        PublishError: the store refuses a write.
    """
    files: dict[str, Path | bytes] = {} if quarantine is None else {layout.QUARANTINE: quarantine}
    if checked.failed:
        files |= {
            layout.REPORT: _page(draft, checked).encode(),
            Path(layout.CHECKS).name: checks_json(checked.results),
            Path(layout.DATA_DOCS).name: checked.data_docs,
        }
    folder = report_folder(draft.manifest.name, run_id)
    for name, content in files.items():
        store.put_if_absent(f"{folder}/{name}", content)
    return f"{store.root}/{folder}" if files else None


def _page(draft: Draft, checked: Checked) -> str:
    """The card of a version that there is not."""
    failed = len(checked.failed)
    notice = f"Not published: {failed} of {len(checked.results)} checks failed. This is what would have been published."
    manifest = draft.manifest.model_copy(update={"checks": checked.results})
    return draw_card(manifest, draft.dataset, checked.compared_to, notice=notice)
