import io
import re
import xml.etree.ElementTree as ET

from paralign.report.svg import render_svg, save_plots, set_tooltips


def titles(points, limits):
    """Titles of the markers of a line, from left to right."""

    def draw(axes):
        (line,) = axes.plot(*zip(*points, strict=True), marker="o", color="red")
        set_tooltips(line, [f"<{y}> & more" for _, y in points])
        axes.set_ylim(*limits)

    svg = render_svg("key", draw)
    markers = re.findall(r'<use [^>]*x="([\d.]+)"[^>]*>(?:<title>([^<]*)</title></use>)?', svg)
    return [title for _, title in sorted((float(x), title) for x, title in markers if title)], svg


def test_each_marker_of_a_line_has_its_own_tooltip():
    found, svg = titles([(0, 1), (2, 3), (1, 2)], (0, 4))
    assert found == ["&lt;1&gt; &amp; more", "&lt;2&gt; &amp; more", "&lt;3&gt; &amp; more"]
    assert svg.count("<g") == svg.count("</g>")
    assert "hovers" not in svg


def test_no_marker_gets_the_tooltip_of_another_if_some_are_not_drawn():
    found, svg = titles([(0, 1), (1, float("nan")), (2, 3)], (0, 4))
    assert found == []
    assert svg.count("<g") == svg.count("</g>")
    assert "hovers" not in svg


def test_files_are_well_formed():
    def draw(axes):
        set_tooltips(axes.plot([0, 1], [1, 2], marker="o")[0], ["one", "two"])

    file = io.BytesIO()
    save_plots(file, [("title", render_svg("key", draw))], [], format="svg", key="key", columns=1)
    assert ET.fromstring(file.getvalue()).tag.endswith("svg")
