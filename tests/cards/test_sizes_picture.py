"""The picture of group sizes that stands for itself."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from cards.sizes_picture import MAX_SPLITS, sizes_picture


def test_it_is_one_xml_document_with_all_that_was_drawn():
    picture = sizes_picture("sizes of <a>@1", {"train": np.array([1, 2, 30]), "test": np.array([4])})
    page = ET.fromstring(picture)
    texts = [text.text for text in page.findall("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "sizes of <a>@1"
    assert "train: 3 groups, 33 examples" in texts and "test: 1 group, 4 examples" in texts
    assert len(page.findall("{http://www.w3.org/2000/svg}svg")) == 4, "a histogram and a Lorenz curve of each split"
    assert "prefers-color-scheme:dark" in picture


def test_the_gini_coefficient_does_not_depend_on_the_order_of_groups():
    assert sizes_picture("a", {"train": np.array([9, 1, 1])}) == sizes_picture("a", {"train": np.array([1, 9, 1])})


def test_parts_stand_below_each_other():
    page = ET.fromstring(sizes_picture("a", {"train": np.array([1, 2, 30]), "test": np.array([4, 5])}) or "")
    drawings = page.findall("{http://www.w3.org/2000/svg}svg")
    tops = [float(one.attrib["y"]) for one in drawings]
    bottoms = [top + float(one.attrib["height"]) for top, one in zip(tops, drawings, strict=True)]
    assert all(bottom <= top for bottom, top in zip(bottoms, tops[1:], strict=False))
    assert bottoms[-1] <= float(page.attrib["viewBox"].split()[3])


def test_splits_without_groups_and_many_splits():
    assert sizes_picture("a", {"train": np.array([], np.int64)}) is None
    picture = sizes_picture("a", {f"s{i}": np.array([1, i + 1]) for i in range(MAX_SPLITS + 2)})
    assert picture is not None and "and 2 more splits" in picture


def test_groups_without_an_example_have_no_curve():
    picture = sizes_picture("a", {"train": np.zeros(3, np.int64)})
    assert picture is not None and "Lorenz" not in picture
