import io
import re
import xml.etree.ElementTree as ET

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from paralign.report.draw_results import _Mark, _plot
from paralign.report.figure import Figure as PageFigure
from paralign.report.figure import LegendEntry, Panel
from paralign.report.figure_files import _draw, save_plots, write_figures
from paralign.report.fonts import fallback_fonts, missing_characters
from paralign.report.scatter_plot import Dot, scatter_plot
from paralign.report.styles import assign_styles
from paralign.report.svg import SETTINGS, render_svg, set_tooltips, style_axes, text_width, wrap_text


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


# -- texts


def curve(label="step"):
    def draw(axes):
        axes.plot([0, 1], [1, 2])
        style_axes(axes, label)

    return render_svg("key", draw)


def drawn(svg):
    """The figure of a plot of the page, after its layout."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=svg.size, layout="constrained")
        FigureCanvasAgg(figure)
        svg.draw(figure.add_subplot())
        figure.draw_without_rendering()
    return figure


def saved(plots, labels, columns):
    with matplotlib.rc_context(SETTINGS):
        figure = _draw(plots, [(label, {"color": "red"}) for label in labels], columns)
        figure.draw_without_rendering()
    return figure


def assert_inside(outer, *texts):
    for text in texts:
        box = text.get_window_extent()
        assert outer.x0 <= box.x0 < box.x1 <= outer.x1, text.get_text()
        assert outer.y0 <= box.y0 < box.y1 <= outer.y1, text.get_text()


def joined(text):
    return text.get_text().replace("-\n", "-").replace("\n", " ")


LONG = "contrastive-word-alignment-with-anchor-and-translation-language-model"


def test_a_text_is_broken_to_the_width_there_is():
    text = f"gain over {LONG}, points"
    assert wrap_text(text, text_width(text, 8), 8) == text
    for width in (60, 150, 250):
        lines = wrap_text(text, width, 8).split("\n")
        assert text_width("\n".join(lines), 8) <= width
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrap_text("one\ntwo three", text_width("three", 8), 8) == "one\ntwo\nthree"
    assert wrap_text("", 100, 8) == ""


@pytest.mark.parametrize(
    ("labels", "count"),
    [
        ([f"{LONG}-{k}" for k in range(8)], 2),
        ([f"{LONG}, {LONG} {k}" for k in range(3)], 1),
        ([f"s{k}" for k in range(30)], 1),
        (["a"], 1),
    ],
)
def test_a_saved_figure_shows_the_whole_legend(labels, count):
    figure = saved([("title", curve())] * count, labels, count)
    shown = figure.legends[0].get_texts()
    assert [joined(text) for text in shown] == labels
    assert_inside(figure.bbox, *shown)
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert all(text.get_window_extent().y1 <= lowest for text in shown), "no entry covers a plot"
    assert all(axes.bbox.height > 90 for axes in figure.axes), "the legend takes no room from the plots"


def test_short_labels_of_a_legend_share_a_row():
    figure = saved([("title", curve())], ["a", "b", "c", "d", "e"], 1)
    assert len({round(text.get_window_extent().y0) for text in figure.legends[0].get_texts()}) == 1


def test_a_saved_figure_shows_whole_titles_and_labels():
    titles, label = [f"{LONG} and {LONG}", "short"], f"retrieval accuracy of {LONG}"
    figure = saved([(title, curve(label)) for title in titles], [], 2)
    for axes, title in zip(figure.axes, titles, strict=True):
        texts = [
            next(text for text in axes.get_children() if getattr(text, "get_text", str)() and joined(text) == title)
        ]
        texts.append(axes.xaxis.label)
        assert joined(texts[1]) == label
        assert_inside(figure.bbox, *texts)
        for text in texts:
            assert text.get_window_extent().width <= axes.bbox.width + 1, "no text covers the next plot"
        assert axes.bbox.height > 90


@pytest.mark.parametrize("system", ["a", LONG])
def test_the_label_of_results_fits_into_the_plot(system):
    label = f"gain over {LONG} (57.6), points"
    marks = [_Mark(style, 0.1, 0.0, 0.2, "57.6", True) for style in assign_styles([system]).values()]
    figure = drawn(_plot("key", marks, label, 100, True))
    axes = figure.axes[0]
    assert joined(axes.xaxis.label) == label
    assert_inside(figure.bbox, axes.xaxis.label, *axes.texts, *axes.get_yticklabels())
    assert axes.xaxis.label.get_window_extent().width <= axes.bbox.width
    assert axes.bbox.height > 20


def test_a_scatter_plot_names_all_languages():
    languages = [f"l{k}" for k in range(40)]
    style = assign_styles(["s"])["s"]
    figure = drawn(scatter_plot("key", [Dot(style, "l0", 0, 0, "")], languages, x_label=f"{LONG} {LONG}", y_label="y"))
    axes = figure.axes[0]
    texts = axes.get_legend().get_texts()
    assert [text.get_text() for text in texts] == languages
    assert_inside(axes.bbox, *texts)
    assert_inside(figure.bbox, axes.xaxis.label)


# -- characters that the font lacks


def pdf(title, family):
    file = io.BytesIO()
    with matplotlib.rc_context({"font.family": [family]}):
        missing = save_plots(file, [(title, curve())], [], format="pdf", key="key", columns=1)
    return missing, set(re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([\w-]+)", file.getvalue()))


def test_a_pdf_takes_characters_from_another_font():
    assert pdf("abc", "DejaVu Serif") == (set(), {b"DejaVuSerif"})
    assert missing_characters(["a\u0643\n"], ["DejaVu Serif"]) == {"\u0643"}
    missing, fonts = pdf("\u0643\u062a\u0627\u0628", "DejaVu Serif")
    assert missing == set()
    assert {b"DejaVuSerif", b"DejaVuSans"} <= fonts
    assert not any(b"LastResort" in font for font in fonts)


def test_the_fewest_fonts_are_taken(monkeypatch, tmp_path):
    listed = font_manager.fontManager.ttflist
    only = [entry for entry in listed if entry.name in ("DejaVu Serif", "DejaVu Sans", "DejaVu Sans Mono")]
    gone = font_manager.FontEntry(fname=str(tmp_path / "gone.ttf"), name="A Sans", style="normal", weight=400)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [gone, *only])
    assert fallback_fonts({"\u0643"}) == ["DejaVu Sans"]
    assert fallback_fonts({"\u0643", "\u5bf9"}) == ["DejaVu Sans"]
    assert fallback_fonts({"\u5bf9"}) == []


def test_one_warning_names_the_characters_that_no_font_has(monkeypatch, tmp_path, capsys):
    listed = [entry for entry in font_manager.fontManager.ttflist if entry.name.startswith(("DejaVu", "Last Resort"))]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    panels = [Panel("\u5bf9", curve(), ""), Panel("a \u9f50", curve(), "")]
    figures = [PageFigure("Words", title, [LegendEntry("\u5bf9", "red")], panels) for title in ("one", "two")]
    before = matplotlib.rcParams["font.family"]
    paths = write_figures(figures, tmp_path / "r.figures")
    assert capsys.readouterr().err == (
        "WARNING PDF figures have boxes for \u5bf9, \u9f50: no installed font has them; use the SVG files\n"
    )
    assert matplotlib.rcParams["font.family"] == before
    assert [path.suffix for path in paths] == [".svg", ".pdf"] * 2
    assert "\u5bf9" in paths[0].read_text(encoding="utf-8")
    write_figures([PageFigure("Words", "three", panels=[Panel("abc", curve(), "")])], tmp_path / "s.figures")
    assert capsys.readouterr().err == ""


def test_a_saved_figure_of_four_panels_has_two_rows_of_equal_length(tmp_path, monkeypatch):
    monkeypatch.setattr("paralign.report.figure_files.FIGURE_FORMATS", ("svg",))
    for count in (2, 3, 4, 5):
        panels = [Panel(str(k), curve(), "") for k in range(count)]
        write_figures([PageFigure("Words", str(count), panels=panels)], tmp_path)
    widths = [ET.parse(tmp_path / f"words-{count}.svg").getroot().get("width") for count in (2, 3, 4, 5)]
    assert widths[0] == widths[2] != widths[1] == widths[3]
