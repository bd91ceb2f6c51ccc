"""Licences by the names that others know them by."""

from __future__ import annotations

from typing import NamedTuple

_NAMES = (  # of SPDX, and after = that of the Hub where it is not the same in small letters
    "Apache-2.0 MIT AFL-3.0 Artistic-2.0 BSL-1.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear C-UDA-1.0=c-uda "
    "CC0-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-BY-NC-2.0 CC-BY-NC-3.0 "
    "CC-BY-NC-4.0 CC-BY-ND-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-2.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 "
    "CDLA-Sharing-1.0 CDLA-Permissive-1.0 CDLA-Permissive-2.0 WTFPL ECL-2.0 EPL-1.0 EPL-2.0 etalab-2.0 EUPL-1.1 "
    "EUPL-1.2 AGPL-3.0-only=agpl-3.0 AGPL-3.0-or-later=agpl-3.0 GFDL-1.2-only=gfdl GFDL-1.2-or-later=gfdl "
    "GFDL-1.3-only=gfdl GFDL-1.3-or-later=gfdl GPL-2.0-only=gpl-2.0 GPL-2.0-or-later=gpl-2.0 GPL-3.0-only=gpl-3.0 "
    "GPL-3.0-or-later=gpl-3.0 LGPL-2.1-only=lgpl-2.1 LGPL-2.1-or-later=lgpl-2.1 LGPL-3.0-only=lgpl-3.0 "
    "LGPL-3.0-or-later=lgpl-3.0 ISC LPPL-1.3c MS-PL MPL-2.0 ODC-By-1.0=odc-by ODbL-1.0=odbl OSL-3.0 PostgreSQL "
    "OFL-1.1 NCSA Unlicense Zlib PDDL-1.0=pddl LGPLLR=lgpl-lr "
)


class License(NamedTuple):
    """A licence that both SPDX and the Hugging Face Hub know."""

    spdx_id: str
    hub_id: str

    @property
    def url(self) -> str:
        """Its page at SPDX."""
        return f"https://spdx.org/licenses/{self.spdx_id}.html"


_KNOWN = [
    License(spdx_id, hub_id or spdx_id.lower())
    for spdx_id, _, hub_id in (each.partition("=") for each in _NAMES.split())
]
_BY_NAME = {known.spdx_id.lower(): known for known in _KNOWN}


def find_license(name: str) -> License | None:
    """The licence of this SPDX name, in whatever case; None where it is none, or the Hub does not know it.

    Source: https://spdx.org/licenses and https://huggingface.co/docs/hub/repositories-licenses

    >>> find_license("ODC-BY-1.0")
    License(spdx_id='ODC-By-1.0', hub_id='odc-by')
    """
    return _BY_NAME.get(name.strip().lower())


def is_web_address(text: str) -> bool:
    """Whether a page may link to it: one word that begins with https:// or http://."""
    return text.startswith(("https://", "http://")) and len(text.split()) == 1
